//! By what an endpoint is known again in the next answer: its addresses, in any order. A resolver that lists
//! them in another order still means the same server (gRFC A61).

use std::hash::{DefaultHasher, Hash, Hasher};

use trunkline_proto::{Address, Endpoint};

/// The set of an endpoint's addresses.
#[derive(Clone, Debug)]
pub(super) struct EndpointKey {
    addresses: Box<[Address]>,
}

impl EndpointKey {
    pub(super) fn of(endpoint: &Endpoint) -> Self {
        let mut addresses: Vec<Address> = Vec::with_capacity(endpoint.addresses().len());
        for address in endpoint.addresses() {
            if !addresses.contains(address) {
                addresses.push(address.clone());
            }
        }
        Self { addresses: addresses.into_boxed_slice() }
    }
}

impl PartialEq for EndpointKey {
    fn eq(&self, other: &Self) -> bool {
        // Neither has duplicates, so of two of the same size one cannot be a part of the other.
        self.addresses.len() == other.addresses.len()
            && self.addresses.iter().all(|address| other.addresses.contains(address))
    }
}

impl Eq for EndpointKey {}

impl Hash for EndpointKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let one = |address: &Address| {
            let mut hasher = DefaultHasher::new();
            address.hash(&mut hasher);
            hasher.finish()
        };
        // A sum does not depend on the order.
        state.write_u64(self.addresses.iter().map(one).fold(0, u64::wrapping_add));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::IntoEndpoint;

    #[test]
    fn order_and_repetition_do_not_matter_but_membership_does() {
        let key = |names: Vec<&str>| EndpointKey::of(&names.into_endpoint());
        let hash = |key: &EndpointKey| {
            let mut hasher = DefaultHasher::new();
            key.hash(&mut hasher);
            hasher.finish()
        };
        let (one, same) = (key(vec!["a", "b"]), key(vec!["b", "a", "b"]));
        assert_eq!(one, same);
        assert_eq!(hash(&one), hash(&same));
        assert_ne!(one, key(vec!["a"]));
        assert_ne!(one, key(vec!["a", "c"]));
    }
}
