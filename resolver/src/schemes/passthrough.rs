//! `passthrough:///x`: nothing is resolved; the connector is handed the endpoint as it is.

use std::net::SocketAddr;

use trunkline_proto::Address;

use crate::{Resolution, Resolver, ResolverBuilder, ResolverOptions, Target, TargetError, fixed};

/// One server, named by the endpoint: a TCP address if it reads as `ip:port`, else a name that a connector of
/// the application's own understands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Passthrough;

impl ResolverBuilder for Passthrough {
    fn scheme(&self) -> &str {
        "passthrough"
    }

    fn build(&self, target: &Target, _: &ResolverOptions) -> Result<Box<dyn Resolver>, TargetError> {
        target.refuse_authority()?;
        let address = match target.endpoint().parse::<SocketAddr>() {
            Ok(address) => Address::tcp(address),
            Err(_) => Address::other(target.endpoint()),
        };
        Ok(fixed(Resolution::from_addresses([address])))
    }
}
