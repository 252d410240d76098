//! `unix-abstract:name`: a unix socket in Linux's abstract namespace (gRPC `naming.md`).

use trunkline_proto::Address;

use crate::schemes::unix::{LOCALHOST, check_length};
use crate::{Resolution, Resolver, ResolverBuilder, ResolverOptions, Target, TargetError, fixed};

/// One server behind an abstract unix socket. The name is without the leading zero byte, and may hold others
/// as `%00`.
#[derive(Clone, Copy, Debug)]
pub(super) struct UnixAbstract;

impl ResolverBuilder for UnixAbstract {
    fn scheme(&self) -> &str {
        "unix-abstract"
    }

    fn build(&self, target: &Target, _: &ResolverOptions) -> Result<Box<dyn Resolver>, TargetError> {
        target.refuse_authority()?;
        check_length(target, target.path())?;
        Ok(fixed(Resolution::from_addresses([Address::unix_abstract(target.path())])))
    }

    fn authority(&self, _: &Target) -> String {
        LOCALHOST.to_owned()
    }
}
