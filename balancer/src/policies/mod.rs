//! The policies that come with the crate: a file or folder each, and one line each below.

mod pick_first;
mod round_robin;

pub(crate) use pick_first::PickFirstBalancer;
pub use pick_first::{PickFirst, PickFirstBuilder};
pub use round_robin::{RoundRobin, RoundRobinBuilder};

use crate::BalancerRegistry;

/// Adds every built-in policy.
pub(crate) fn built_in(registry: BalancerRegistry) -> BalancerRegistry {
    registry //
        .with(PickFirstBuilder)
        .with(RoundRobinBuilder)
}
