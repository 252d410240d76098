//! Texts as addresses and servers, so that a story reads as one.

use trunkline_proto::{Address, Endpoint};

/// The address that a story calls `name`: TCP if it is an IP address and a port, else a plugin's.
pub fn address(name: &str) -> Address {
    match name.parse() {
        Ok(socket) => Address::tcp(socket),
        Err(_) => Address::other(name),
    }
}

/// What [`World::resolve`](super::World::resolve) takes for one server.
pub trait IntoEndpoint {
    /// The server.
    fn into_endpoint(self) -> Endpoint;
}

impl IntoEndpoint for Endpoint {
    fn into_endpoint(self) -> Endpoint {
        self
    }
}

impl IntoEndpoint for &str {
    fn into_endpoint(self) -> Endpoint {
        Endpoint::new(address(self))
    }
}

impl IntoEndpoint for String {
    fn into_endpoint(self) -> Endpoint {
        self.as_str().into_endpoint()
    }
}

/// One server with these addresses. Panics if there are none.
impl IntoEndpoint for Vec<&str> {
    fn into_endpoint(self) -> Endpoint {
        let addresses = self.into_iter().map(address);
        Endpoint::from_addresses(addresses).expect("a server has at least one address")
    }
}

/// One server with these addresses. Panics if there are none.
impl<const N: usize> IntoEndpoint for [&str; N] {
    fn into_endpoint(self) -> Endpoint {
        self.to_vec().into_endpoint()
    }
}
