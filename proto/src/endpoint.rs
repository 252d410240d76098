//! One server, as a resolver tells of it.

use crate::{Address, Attributes};

/// One server: at least one address, and what else is known of it.
///
/// Several addresses are several ways to the *same* server (IPv4 and IPv6, say); a balancer keeps at most one
/// of them connected (gRFC A61).
#[derive(Clone, Debug, PartialEq)]
pub struct Endpoint {
    // Never empty: `new` takes the first address apart from the rest.
    addresses: Vec<Address>,
    /// What describes this server: a [`Weight`], or any type that a resolver and a balancer agree on.
    pub attributes: Attributes,
}

/// How much of the traffic a server should get, beside the others. Where it is absent, 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Weight(pub u32);

impl Endpoint {
    /// A server with one address.
    pub fn new(address: impl Into<Address>) -> Self {
        Self { addresses: vec![address.into()], attributes: Attributes::new() }
    }

    /// A server with these addresses, or `None` if there are none.
    pub fn from_addresses(addresses: impl IntoIterator<Item = Address>) -> Option<Self> {
        let addresses: Vec<_> = addresses.into_iter().collect();
        (!addresses.is_empty()).then(|| Self { addresses, attributes: Attributes::new() })
    }

    /// The same server with these attributes.
    #[must_use]
    pub fn with_attributes(mut self, attributes: Attributes) -> Self {
        self.attributes = attributes;
        self
    }

    /// Its addresses, in order of preference; never empty.
    pub fn addresses(&self) -> &[Address] {
        &self.addresses
    }
}

impl From<Address> for Endpoint {
    fn from(address: Address) -> Self {
        Self::new(address)
    }
}
