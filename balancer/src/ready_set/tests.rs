//! Stories of the short form, and the count that makes it fit for ten thousand servers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use http::HeaderMap;
use serde_json::json;
use trunkline_proto::{Attributes, ConnectivityState::*, Endpoint, Weight};

use super::{Choose, ChoosingBalancer, ReadyEndpoint, ReadySet, choosing};
use crate::world::{Picked, World, address, secs};
use crate::{Balancer, BalancerConfig, BalancerState, CallInfo, Input, Plan};

fn weighted(name: &str, weight: u32) -> Endpoint {
    Endpoint::new(address(name)).with_attributes(Attributes::new().with(Weight(weight)))
}

#[test]
fn a_policy_by_header_is_one_function() {
    let mut world = World::new(choosing("by_header", |ready, call| {
        let wanted = call.metadata("x-server")?;
        ready.iter().find(|server| server.address().to_string() == wanted)
    }));
    world.resolve(["a", "b"]);
    world.ready("a");
    world.ready("b");
    let metadata = HeaderMap::from_iter([("x-server".parse().unwrap(), "b".parse().unwrap())]);
    let call = CallInfo::new("/a.B/C").with_metadata(&metadata);
    assert_eq!(world.pick_for(&call).address(), Some(&address("b")));
    assert_eq!(world.pick(), Picked::Queue, "no server suits a call without the header: it waits");
    world.lose("b");
    assert_eq!(world.pick_for(&call), Picked::Queue);
    world.ready("b");
    assert_eq!(world.pick_for(&call).address(), Some(&address("b")));
}

#[test]
fn a_chooser_sees_attributes_and_calls_in_flight() {
    let heaviest = |ready: &ReadySet| {
        ready.iter().max_by_key(|server| server.endpoint().attributes.get::<Weight>().copied()).cloned()
    };
    let seen: Arc<AtomicU64> = Arc::default();
    let note = Arc::clone(&seen);
    let mut world = World::new(choosing("heaviest", move |ready, _| {
        let heaviest: Option<ReadyEndpoint> = heaviest(ready);
        note.store(heaviest.as_ref().map_or(0, ReadyEndpoint::in_flight), Relaxed);
        ready.iter().find(|server| Some(*server) == heaviest.as_ref())
    }));
    world.resolve([weighted("a", 1), weighted("b", 2)]);
    world.ready("a");
    world.ready("b");
    world.live("b").start();
    world.assert_picks(["b"]);
    assert_eq!(seen.load(Relaxed), 1);
    world.resolve([weighted("a", 3), weighted("b", 2)]);
    world.assert_picks(["a"]);
    assert_eq!(world.dials("a") + world.dials("b"), 2, "an attribute changes no connection");
}

/// Chooses the first.
struct First;

impl Choose for First {
    fn choose<'r>(&self, ready: &'r ReadySet, _: &CallInfo<'_>) -> Option<&'r ReadyEndpoint> {
        ready.get(0)
    }
}

/// A policy whose leaf updates are counted where the test can see them.
struct Counted {
    inner: ChoosingBalancer<First>,
    count: Arc<AtomicU64>,
}

impl Balancer for Counted {
    fn update(&mut self, input: &Input<'_>, plan: &mut Plan) -> BalancerState {
        let state = self.inner.update(input, plan);
        // The twin of the world counts alike, so it does not matter which of the two wrote last.
        self.count.store(self.inner.leaf_updates(), Relaxed);
        state
    }
}

#[test]
fn with_ten_thousand_servers_one_changed_status_updates_at_most_3_leaves() {
    const SERVERS: usize = 10_000;
    let count: Arc<AtomicU64> = Arc::default();
    let counter = Arc::clone(&count);
    let mut world = World::new(BalancerConfig::new("counted", json!({}), move |seed| Counted {
        inner: ChoosingBalancer::new(First, seed),
        count: Arc::clone(&counter),
    }));
    let names: Vec<_> = (0..SERVERS).map(|n| format!("server-{n}")).collect();
    world.resolve(names.clone());
    world.together(|world| names.iter().for_each(|name| world.ready(name)));
    world.assert_state(Ready);

    let since = |before: &mut u64| {
        let now = count.load(Relaxed);
        now - std::mem::replace(before, now)
    };
    let mut before = count.load(Relaxed);
    world.lose("server-7000");
    let lost = since(&mut before);
    world.fail("server-7000");
    let failed = since(&mut before);
    world.advance(secs(1));
    let retried = since(&mut before);
    world.ready("server-7000");
    let ready = since(&mut before);
    for updates in [lost, failed, retried, ready] {
        assert!((1..=3).contains(&updates), "lost {lost}, failed {failed}, retried {retried}, ready {ready}");
    }
    world.resolve(names.clone());
    assert_eq!(since(&mut before), 1, "the leaf that doubted the last answer");
    world.update();
    world.resolve(names.clone());
    world.resolve(names.into_iter().rev());
    assert_eq!(since(&mut before), 0, "the same servers, in whatever order, are no news for any leaf");
}
