//! What `localhost` means, without asking anybody (RFC 6761, section 6.3).

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use trunkline_proto::{Address, Endpoint};

/// This machine: one server with an address of each family, so that a balancer does not take it for two. IPv4
/// is first, since more development servers listen on it alone than on IPv6 alone.
pub(super) fn loopback(port: u16) -> Endpoint {
    let v4 = Endpoint::new(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    let v6 = Address::tcp((Ipv6Addr::LOCALHOST, port).into());
    let addresses = v4.addresses().iter().cloned().chain([v6]);
    Endpoint::from_addresses(addresses).unwrap_or(v4)
}
