//! What the machine knows about names: its hosts file, its name servers, and how short names are completed.

use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use hickory_resolver::Hosts;
use hickory_resolver::config::{ResolverConfig, ResolverOpts};
use hickory_resolver::net::NetError;
use hickory_resolver::proto::op::Query;
use hickory_resolver::proto::rr::{Name, RecordType};
use hickory_resolver::system_conf::read_system_conf;

/// The settings of the machine, as they are now.
pub(super) struct System {
    hosts: Hosts,
    // An error matters only to names that the hosts file does not have.
    pub(super) servers: Result<(ResolverConfig, ResolverOpts), NetError>,
}

impl System {
    /// Reads the settings. Blocks: hosts files can be long.
    pub(super) fn read() -> Self {
        Self { hosts: read_hosts(), servers: read_system_conf() }
    }

    /// The addresses of `name` in the hosts file, IPv4 and IPv6. If there is one of either family, nothing
    /// else is asked, as in every libc.
    pub(super) fn hosts(&self, name: &Name) -> (Vec<IpAddr>, Vec<IpAddr>) {
        let addresses = |family| {
            let found = self.hosts.lookup_static_host(&Query::query(name.clone(), family));
            let records = found.iter().flat_map(|lookup| lookup.answers());
            records.filter_map(|record| record.data.ip_addr()).collect()
        };
        (addresses(RecordType::A), addresses(RecordType::AAAA))
    }
}

/// The machine's hosts file. Without one, or if it cannot be read, there are no such names.
fn read_hosts() -> Hosts {
    let path = hosts_path();
    match std::fs::read(&path).and_then(|file| hosts_in(&file)) {
        Ok(hosts) => hosts,
        Err(error) => {
            if error.kind() != io::ErrorKind::NotFound {
                tracing::warn!(path = %path.display(), %error, "the hosts file cannot be read");
            }
            Hosts::default()
        }
    }
}

/// Not by the engine's own reading of files: that gives up the whole file for one byte that is not UTF-8, such
/// as in a comment in Latin-1.
fn hosts_in(file: &[u8]) -> io::Result<Hosts> {
    let mut hosts = Hosts::default();
    hosts.read_hosts_conf(String::from_utf8_lossy(file).as_bytes())?;
    Ok(hosts)
}

fn hosts_path() -> PathBuf {
    if cfg!(windows) {
        let root = std::env::var_os("SystemRoot").unwrap_or_else(|| r"C:\Windows".into());
        return Path::new(&root).join(r"System32\drivers\etc\hosts");
    }
    "/etc/hosts".into()
}

/// The full names that `name` may stand for, in the order in which they are asked (resolv.conf(5): `search`,
/// `ndots`).
pub(super) fn candidates(name: &Name, config: &ResolverConfig, options: &ResolverOpts) -> Vec<Name> {
    let mut whole = name.clone();
    whole.set_fqdn(true);
    if name.is_fqdn() {
        return vec![whole];
    }
    let domains = match config.search() {
        [] => config.domain().map_or(&[][..], std::slice::from_ref),
        search => search,
    };
    let mut names: Vec<_> =
        domains.iter().filter_map(|domain| name.clone().append_domain(domain).ok()).collect();
    let dots = usize::from(name.num_labels()).saturating_sub(1);
    let position = if dots >= options.ndots { 0 } else { names.len() };
    names.insert(position, whole);
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::from_ascii(text).unwrap()
    }

    fn asked(text: &str, resolv_conf: &str) -> Vec<String> {
        let settings = format!("nameserver 127.0.0.1\n{resolv_conf}\n");
        let (config, options) = hickory_resolver::system_conf::parse_resolv_conf(settings).unwrap();
        candidates(&name(text), &config, &options).iter().map(Name::to_string).collect()
    }

    #[test]
    fn short_names_are_completed_before_they_are_asked_for_as_they_are_and_long_ones_after() {
        let kubernetes = "search ns.svc.cluster.local svc.cluster.local\noptions ndots:5";
        let all = ["web.ns.svc.cluster.local.", "web.svc.cluster.local.", "web."];
        assert_eq!(asked("web", kubernetes), all);
        assert_eq!(asked("a.b.c.d.e.f", kubernetes)[0], "a.b.c.d.e.f.");
        assert_eq!(asked("web.prod", "search lan"), ["web.prod.", "web.prod.lan."]);
        assert_eq!(asked("web", "domain lan"), ["web.lan.", "web."]);
    }

    #[test]
    fn a_name_with_a_dot_at_its_end_is_whole() {
        assert_eq!(asked("web.", "search lan"), ["web."]);
    }

    #[test]
    fn a_completed_name_that_would_be_too_long_is_not_asked_for() {
        let long = ["a".repeat(60).as_str(); 4].join(".");
        assert_eq!(asked(&long, "search some.domain.example"), [format!("{long}.")]);
    }

    #[test]
    fn the_hosts_file_is_asked_for_both_families() {
        let mut hosts = Hosts::default();
        hosts
            .read_hosts_conf("10.0.0.7 greeter Greeter.prod\n::7 greeter\n10.0.0.8 greeter\n".as_bytes())
            .unwrap();
        let system = System { hosts, servers: Err(NetError::Timeout) };
        let (v4, v6) = system.hosts(&name("greeter"));
        assert_eq!((v4.len(), v6.len()), (2, 1));
        let (v4, v6) = system.hosts(&name("greeter.PROD"));
        assert_eq!((v4.len(), v6.len()), (1, 0));
        let (v4, v6) = system.hosts(&name("other"));
        assert_eq!((v4.len(), v6.len()), (0, 0));
    }

    #[test]
    fn a_byte_that_is_not_utf_8_costs_no_more_of_the_hosts_file_than_its_own_word() {
        let file = b"10.0.0.6 first\n# caf\xe9\n10.0.0.7 gree\xffter greeter\n";
        let system = System { hosts: hosts_in(file).unwrap(), servers: Err(NetError::Timeout) };
        for known in ["first", "greeter"] {
            assert_eq!(system.hosts(&name(known)).0.len(), 1, "{known}");
        }
    }
}
