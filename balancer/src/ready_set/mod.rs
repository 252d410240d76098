//! The short form of a policy, for whoever only wants to choose among the servers that are ready: one
//! function. Connecting, rejoining, failing and everything else is as in `round_robin`, which is written in
//! it too.

mod balancer;
mod endpoint_key;
#[cfg(test)]
mod tests;

use std::ops::Index;
use std::sync::Arc;

use serde_json::json;
use trunkline_proto::{Address, Endpoint};

pub use self::balancer::ChoosingBalancer;

use crate::{BalancerConfig, CallInfo, LiveCalls};

/// Chooses one of the ready servers for a call.
///
/// Called from many tasks at once, on the path of every call: it must not block, and should not allocate.
/// State that calls share (a cursor, a random generator) lives in `self`, behind atomics. Every closure of
/// this shape is one; see [`choosing`].
pub trait Choose: Send + Sync + 'static {
    /// The server for this call, one of `ready`, which has at least one. With `None` the call waits for the
    /// next change of the set, until its deadline: none of these servers suits it. To fail a call instead,
    /// write a [`Picker`](crate::Picker).
    fn choose<'r>(&self, ready: &'r ReadySet, call: &CallInfo<'_>) -> Option<&'r ReadyEndpoint>;
}

/// A policy called `name` that keeps a connection to every server and has `choose` pick among those that are
/// ready.
///
/// The configs of two policies of the same name count as equal, whatever their functions do. A policy with
/// settings, or with state that each channel should have for itself, is a [`ChoosingBalancer`] started by a
/// [`BalancerConfig`] of its own.
///
/// ```
/// use trunkline_balancer::choosing;
/// /// Calls that say `x-server: 10.0.0.7:443` go there, the others to whoever has the least to do.
/// let config = choosing("by_header", |ready, call| match call.metadata("x-server") {
///     Some(name) => ready.iter().find(|server| server.address().to_string() == name),
///     None => ready.iter().min_by_key(|server| server.in_flight()),
/// });
/// assert_eq!(config.name(), "by_header");
/// ```
pub fn choosing<F>(name: &str, choose: F) -> BalancerConfig
where
    F: for<'r> Fn(&'r ReadySet, &CallInfo<'_>) -> Option<&'r ReadyEndpoint> + Send + Sync + 'static,
{
    let choose = Arc::new(choose);
    BalancerConfig::new(name, json!({}), move |seed| ChoosingBalancer::sharing(Arc::clone(&choose), seed))
}

/// The servers that are connected, in the order of the resolver's answer. Never empty, never changed: with
/// each change comes another set.
#[derive(Clone, Debug, PartialEq)]
pub struct ReadySet {
    servers: Vec<ReadyEndpoint>,
}

/// One server that is connected.
#[derive(Clone, Debug)]
pub struct ReadyEndpoint {
    /// Exactly one: shared with the leaf that connects it.
    endpoint: Arc<[Endpoint]>,
    address: Address,
    live: Arc<LiveCalls>,
}

impl ReadySet {
    /// How many there are; at least one.
    #[allow(clippy::len_without_is_empty, reason = "it is never empty")]
    pub fn len(&self) -> usize {
        self.servers.len()
    }

    /// The one at `index`, if there are so many.
    pub fn get(&self, index: usize) -> Option<&ReadyEndpoint> {
        self.servers.get(index)
    }

    /// All of them.
    pub fn iter(&self) -> std::slice::Iter<'_, ReadyEndpoint> {
        self.servers.iter()
    }
}

impl<'r> IntoIterator for &'r ReadySet {
    type Item = &'r ReadyEndpoint;
    type IntoIter = std::slice::Iter<'r, ReadyEndpoint>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl Index<usize> for ReadySet {
    type Output = ReadyEndpoint;

    fn index(&self, index: usize) -> &ReadyEndpoint {
        &self.servers[index]
    }
}

impl ReadyEndpoint {
    /// The server as the resolver told of it, with its attributes.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint[0]
    }

    /// The one of its addresses that is connected.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// The calls that run on it now.
    pub fn in_flight(&self) -> u64 {
        self.live.in_flight()
    }

    /// The running counters of its calls.
    pub fn calls(&self) -> &LiveCalls {
        &self.live
    }
}

/// Equal when a choice among them cannot tell the difference: the same server, address and counters.
impl PartialEq for ReadyEndpoint {
    fn eq(&self, other: &Self) -> bool {
        self.address == other.address
            && Arc::ptr_eq(&self.live, &other.live)
            && (Arc::ptr_eq(&self.endpoint, &other.endpoint) || self.endpoint == other.endpoint)
    }
}

impl<F> Choose for F
where
    F: for<'r> Fn(&'r ReadySet, &CallInfo<'_>) -> Option<&'r ReadyEndpoint> + Send + Sync + 'static,
{
    fn choose<'r>(&self, ready: &'r ReadySet, call: &CallInfo<'_>) -> Option<&'r ReadyEndpoint> {
        self(ready, call)
    }
}
