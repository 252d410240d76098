//! `static:10.0.0.7:443,[::1]:443,localhost:50051`: servers that the target itself lists, of both families.

use crate::schemes::ip_list::{list_authority, literal};
use crate::schemes::loopback::loopback;
use crate::{Resolution, Resolver, ResolverBuilder, ResolverOptions, Target, TargetError, fixed};

/// A list of `host[:port]`, each a literal address or `localhost`; the port is 443 where none is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct StaticList;

impl ResolverBuilder for StaticList {
    fn scheme(&self) -> &str {
        "static"
    }

    fn build(&self, target: &Target, _: &ResolverOptions) -> Result<Box<dyn Resolver>, TargetError> {
        target.refuse_authority()?;
        let hosts = target.host_ports()?;
        let endpoints: Result<Vec<_>, _> = hosts
            .iter()
            .map(|host| match host.host.is_localhost() {
                true => Ok(loopback(host.port.unwrap_or(target.default_port()))),
                false => literal(target, host),
            })
            .collect();
        Ok(fixed(Resolution::new(endpoints?)))
    }

    fn authority(&self, target: &Target) -> String {
        list_authority(target)
    }
}
