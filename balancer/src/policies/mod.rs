//! The policies that come with the crate: a file or folder each, and one line each below.

mod pick_first;

pub use pick_first::{PickFirst, PickFirstBuilder};

use crate::BalancerRegistry;

/// Adds every built-in policy.
pub(crate) fn built_in(registry: BalancerRegistry) -> BalancerRegistry {
    registry //
        .with(PickFirstBuilder)
}
