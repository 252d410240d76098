//! `ipv4:10.0.0.7:443,10.0.0.8` and `ipv6:[::1]:80,..`: literal addresses of one family (gRPC `naming.md`).

use trunkline_proto::Endpoint;

use crate::{
    Host, HostPort, Resolution, Resolver, ResolverBuilder, ResolverOptions, Target, TargetError, fixed,
};

/// A list of literal addresses of one family. The port of each is 443 where none is written.
#[derive(Clone, Copy, Debug)]
pub(super) enum IpList {
    V4,
    V6,
}

impl ResolverBuilder for IpList {
    fn scheme(&self) -> &str {
        match self {
            Self::V4 => "ipv4",
            Self::V6 => "ipv6",
        }
    }

    fn build(&self, target: &Target, _: &ResolverOptions) -> Result<Box<dyn Resolver>, TargetError> {
        target.refuse_authority()?;
        let hosts = target.host_ports()?;
        let endpoints: Result<Vec<_>, _> = hosts.iter().map(|host| self.endpoint(target, host)).collect();
        Ok(fixed(Resolution::new(endpoints?)))
    }

    fn authority(&self, target: &Target) -> String {
        list_authority(target)
    }
}

impl IpList {
    fn endpoint(self, target: &Target, host: &HostPort) -> Result<Endpoint, TargetError> {
        let other_family =
            matches!((self, &host.host), (Self::V4, Host::V6 { .. }) | (Self::V6, Host::V4(_)));
        if other_family {
            let reason =
                format!("`{host}` is not an address of `{}`; `static:` takes both families", self.scheme());
            return Err(TargetError::rejected(target, reason));
        }
        literal(target, host)
    }
}

/// One server at a literal address.
pub(super) fn literal(target: &Target, host: &HostPort) -> Result<Endpoint, TargetError> {
    match host.socket_addr(target.default_port()) {
        Ok(Some(address)) => Ok(Endpoint::new(address)),
        Ok(None) => Err(TargetError::not_literal(target, host)),
        Err(problem) => Err(TargetError::host(&target.to_string(), problem)),
    }
}

/// The first of the list: a list as a whole is no `host[:port]`, which is all that `:authority` may hold (RFC
/// 9113, section 8.3.1).
pub(super) fn list_authority(target: &Target) -> String {
    match target.host_ports().as_deref() {
        Ok([first, ..]) => first.to_authority(),
        _ => target.encoded_endpoint(),
    }
}
