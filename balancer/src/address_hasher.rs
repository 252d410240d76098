//! A hasher for maps that are keyed by addresses: an address has its hash computed already, and hashing the
//! hash again is a good part of what a plan of ten thousand servers costs.

use std::hash::{BuildHasherDefault, Hasher};

/// Builds [`AddressHasher`]s.
pub(crate) type BuildAddressHasher = BuildHasherDefault<AddressHasher>;

/// Passes on the hash that [`Address`](trunkline_proto::Address) writes, in one `u64`.
#[derive(Debug, Default)]
pub(crate) struct AddressHasher(u64);

impl Hasher for AddressHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn write(&mut self, bytes: &[u8]) {
        // Nothing that is hashed here writes bytes; should that change, the map must still be right.
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }
}
