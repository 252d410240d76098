//! `static:10.0.0.7:443,[::1]:443,greeter.prod:443`: servers that the target itself lists, by address or by
//! name.

use indexmap::IndexSet;
use trunkline_proto::Endpoint;

use crate::merged::merged;
use crate::schemes::ip_list::{list_authority, literal};
use crate::schemes::loopback::loopback;
use crate::{
    Host, HostPort, Resolution, Resolver, ResolverBuilder, ResolverOptions, Target, TargetError, fixed,
};

/// A list of `host[:port]`; the port is 443 where none is written.
///
/// Literal addresses of both families and `localhost` are never looked up. Each name is watched by itself, as
/// a target of `dns` is: see [`merged`] for how the answers become one.
#[derive(Clone, Copy, Debug)]
pub(super) struct StaticList;

impl ResolverBuilder for StaticList {
    fn scheme(&self) -> &str {
        "static"
    }

    fn build(&self, target: &Target, options: &ResolverOptions) -> Result<Box<dyn Resolver>, TargetError> {
        target.refuse_authority()?;
        let hosts = target.host_ports()?;
        let names = hosts.iter().filter(|host| is_looked_up(host)).count();
        if names == 0 {
            let endpoints: Result<Vec<_>, _> = hosts.iter().map(|host| known(target, host)).collect();
            return Ok(fixed(Resolution::new(endpoints?)));
        }
        if names > MAX_NAMES {
            let reason = format!(
                "the list has {names} names, each of which is looked up by itself; at most {MAX_NAMES} are allowed"
            );
            return Err(TargetError::rejected(target, reason));
        }
        // A name that is written twice is asked for once.
        let hosts: IndexSet<_> = hosts.into_iter().collect();
        let parts: Result<Vec<_>, _> =
            (0..).zip(&hosts).map(|(place, host)| part(target, host, place, options)).collect();
        Ok(merged(parts?))
    }

    fn authority(&self, target: &Target) -> String {
        list_authority(target)
    }
}

/// What watches one entry, and what errors call it: the host alone, as the errors of `dns` do.
fn part(
    target: &Target,
    host: &HostPort,
    place: u64,
    options: &ResolverOptions,
) -> Result<(String, Box<dyn Resolver>), TargetError> {
    let resolver = if is_looked_up(host) {
        // Chance of its own, else the times of all names would drift in step and their queries come in
        // bursts.
        let own = options.clone().with_seed(options.seed.wrapping_add(place));
        options.names.watch(host, target, &own)?
    } else {
        fixed(Resolution::new([known(target, host)?]))
    };
    Ok((host.host.to_string(), resolver))
}

fn is_looked_up(host: &HostPort) -> bool {
    matches!(host.host, Host::Name(_)) && !host.host.is_localhost()
}

/// The server of an entry that is not looked up.
fn known(target: &Target, host: &HostPort) -> Result<Endpoint, TargetError> {
    match host.host.is_localhost() {
        true => Ok(loopback(host.port.unwrap_or(target.default_port()))),
        false => literal(target, host),
    }
}

/// Each name is two queries and a reading of the system's settings per look, from every client. More servers
/// than this are what one name with many addresses is for.
const MAX_NAMES: usize = 100;

#[cfg(test)]
mod tests;
