//! `dns:///host[:port]`.

use super::ip_list::literal;
use super::loopback::loopback;
use crate::{Resolution, Resolver, ResolverBuilder, ResolverOptions, Target, TargetError, fixed};

/// Resolves `dns` targets, and URLs.
#[derive(Clone, Debug, Default)]
pub struct Dns {}

impl Dns {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }
}

impl ResolverBuilder for Dns {
    fn scheme(&self) -> &str {
        "dns"
    }

    fn build(&self, target: &Target, _: &ResolverOptions) -> Result<Box<dyn Resolver>, TargetError> {
        let host = target.host_port()?;
        if host.host.is_localhost() {
            let port = host.port.unwrap_or(target.default_port());
            return Ok(fixed(Resolution::new([loopback(port)])));
        }
        Ok(fixed(Resolution::new([literal(target, &host)?])))
    }

    fn authority(&self, target: &Target) -> String {
        target.host_port().map_or_else(|_| target.encoded_endpoint(), |host| host.to_authority())
    }
}
