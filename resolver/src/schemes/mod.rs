//! The built-in schemes, one file each. A new one is its file and its two lines here.

#[cfg(feature = "dns")]
pub(crate) mod dns;
mod ip_list;
mod loopback;
mod passthrough;
mod static_list;
mod unix;
mod unix_abstract;

use crate::ResolverRegistry;

/// `registry` with every built-in scheme.
pub(crate) fn built_in(registry: ResolverRegistry) -> ResolverRegistry {
    #[cfg(feature = "dns")]
    let registry = registry.with(dns::Dns::new());
    registry
        .with(ip_list::IpList::V4)
        .with(ip_list::IpList::V6)
        .with(static_list::StaticList)
        .with(unix::Unix)
        .with(unix_abstract::UnixAbstract)
        .with(passthrough::Passthrough)
}

#[cfg(test)]
mod tests;
