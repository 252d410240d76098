//! `round_robin`: calls go to every server in turn. It is a choice among ready servers, and nothing more.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use trunkline_proto::ConfigError;

use crate::{
    BalancerBuilder, BalancerConfig, BalancerRegistry, CallInfo, Choose, ChoosingBalancer, ReadyEndpoint,
    ReadySet,
};

/// `round_robin`: a connection to every server, and calls to those that are ready in turn.
///
/// A server that is down is left out, dialled again by itself after its backoff, and then gets its share
/// again, without any call having to ask for it.
///
/// ```
/// use trunkline_balancer::{BalancerConfig, RoundRobin};
/// assert_eq!(BalancerConfig::from(RoundRobin).name(), "round_robin");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "gRPC gives it no settings")]
pub struct RoundRobin;

impl From<RoundRobin> for BalancerConfig {
    fn from(_: RoundRobin) -> Self {
        Self::new("round_robin", json!({}), |seed| ChoosingBalancer::new(InTurn::new(seed), seed))
    }
}

/// Makes `round_robin` from a service config: `{}`.
#[derive(Clone, Copy, Debug, Default)]
pub struct RoundRobinBuilder;

impl BalancerBuilder for RoundRobinBuilder {
    fn name(&self) -> &str {
        "round_robin"
    }

    fn parse(&self, config: &Value, _: &BalancerRegistry) -> Result<BalancerConfig, ConfigError> {
        if !config.is_object() {
            return Err(ConfigError::new("must be an object"));
        }
        Ok(RoundRobin.into())
    }
}

struct InTurn {
    /// Goes on from picker to picker, so that a changed set does not send everybody to its first server
    /// again.
    next: AtomicUsize,
}

impl InTurn {
    /// Begins anywhere: many clients that start together should not begin with the same server.
    fn new(seed: u64) -> Self {
        let start = StdRng::seed_from_u64(seed).next_u32();
        Self { next: AtomicUsize::new(start as usize) }
    }
}

impl Choose for InTurn {
    fn choose<'r>(&self, ready: &'r ReadySet, _: &CallInfo<'_>) -> Option<&'r ReadyEndpoint> {
        ready.get(self.next.fetch_add(1, Relaxed) % ready.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    use trunkline_proto::ConnectivityState::*;

    use crate::world::{World, ms, secs};

    fn connected<const N: usize>(names: [&str; N]) -> World {
        let mut world = World::new(RoundRobin);
        world.resolve(names);
        world.assert_dialling(names);
        names.iter().for_each(|name| world.ready(name));
        world
    }

    fn shares(picks: &[String]) -> Vec<usize> {
        let mut counts = BTreeMap::new();
        picks.iter().for_each(|name| *counts.entry(name).or_default() += 1);
        counts.into_values().collect()
    }

    // behaviour 33
    #[test]
    fn every_ready_server_gets_the_same_share_in_a_stable_order() {
        let mut world = connected(["a", "b", "c"]);
        let picks = world.picks(30);
        assert_eq!(shares(&picks), [10, 10, 10]);
        assert_eq!(picks[..3], picks[27..]);
    }

    #[test]
    fn where_it_begins_is_decided_by_the_seed() {
        let first = |seed| {
            let mut world = World::with_seed(RoundRobin, seed);
            world.resolve(["a", "b", "c"]);
            ["a", "b", "c"].iter().for_each(|name| world.ready(name));
            world.picks(1)
        };
        assert_eq!(first(1), first(1));
        assert!((0..20).any(|seed| first(seed) != first(1)));
    }

    #[test]
    fn calls_are_served_as_soon_as_one_server_is_ready() {
        let mut world = World::new(RoundRobin);
        world.assert_waits();
        world.resolve(["a", "b", "c"]);
        world.assert_state(Connecting);
        world.fail("a");
        world.assert_waits();
        world.ready("b");
        world.assert_picks(["b"]);
        world.ready("c");
        world.assert_picks(["b", "c"]);
    }

    // behaviour 34
    #[test]
    fn the_share_of_a_lost_server_moves_at_once() {
        let mut world = connected(["a", "b", "c"]);
        world.lose("b");
        assert_eq!(shares(&world.picks(30)), [15, 15]);
        world.assert_picks(["a", "c"]);
    }

    // behaviours 34 and 36; facts F-24
    #[test]
    fn a_server_killed_and_restarted_has_its_share_again_within_its_backoff_without_any_call() {
        let mut world = connected(["a", "b", "c"]);
        world.lose("b");
        world.assert_dialling(["b"]);
        world.fail("b");
        world.assert_dialling([]);
        world.advance(ms(999));
        assert_eq!(world.dials("b"), 2, "one attempt at once, the next after its backoff");
        world.advance(ms(1));
        world.assert_dialling(["b"]);
        world.ready("b");
        assert_eq!(shares(&world.picks(30)), [10, 10, 10]);
    }

    // behaviour 37
    #[test]
    fn a_failed_server_casts_doubt_on_the_answer_each_time() {
        let mut world = connected(["a", "b"]);
        world.lose("b");
        assert_eq!(world.resolves(), 1);
        world.resolve(["a", "b"]);
        world.fail("b");
        assert_eq!(world.resolves(), 2);
        world.resolve_error("SERVFAIL");
        assert_eq!(world.resolves(), 2, "an answer came, and nothing has failed since");
        world.advance(secs(1));
        world.fail("b");
        assert_eq!(world.resolves(), 3);
    }

    // behaviour 38
    #[test]
    fn a_removed_server_gets_no_new_calls_and_an_added_one_does() {
        let mut world = connected(["a", "b"]);
        world.resolve(["b", "c"]);
        world.assert_connected(["b"]);
        world.assert_picks(["b"]);
        world.ready("c");
        world.assert_picks(["b", "c"]);
        assert_eq!(world.dials("b"), 1);
    }

    // behaviour 39
    #[test]
    fn an_empty_answer_fails_calls_and_the_next_answer_serves_those_that_wait() {
        let mut world = connected(["a"]);
        world.resolve_empty("scaled to zero");
        world.assert_state(TransientFailure);
        assert!(world.assert_fails().message().contains("scaled to zero"));
        world.resolve_error("SERVFAIL");
        assert!(world.assert_fails().message().contains("SERVFAIL"));
        world.resolve(["b"]);
        world.assert_state(Connecting);
        world.ready("b");
        world.assert_picks(["b"]);
        assert_eq!(world.resolves(), 0);
    }

    // behaviour 24
    #[test]
    fn a_resolver_error_changes_nothing_while_there_are_servers() {
        let mut world = connected(["a", "b"]);
        let pickers = world.pickers();
        world.resolve_error("SERVFAIL");
        world.assert_picks(["a", "b"]);
        assert_eq!(world.pickers(), pickers);
    }

    // gRFC A62
    #[test]
    fn failing_stays_until_a_server_is_ready() {
        let mut world = World::new(RoundRobin);
        world.resolve(["a", "b"]);
        world.fail_permanently("a");
        world.assert_state(Connecting);
        world.fail_permanently("b");
        world.assert_state(TransientFailure);
        let failure = world.assert_fails();
        assert!(failure.is_permanent());
        assert!(failure.message().starts_with("b: TLS:"), "the newest: {failure}");
        assert_eq!(failure.failed_addresses(), 2);
        world.advance(secs(120));
        world.assert_dialling(["a", "b"]);
        world.assert_state(TransientFailure);
        world.fail("a");
        assert!(world.assert_fails().message().starts_with("a: connect:"));
        world.resolve(["c"]);
        world.assert_state(TransientFailure);
        assert!(!world.assert_fails().is_permanent(), "c may work");
        world.ready("c");
        world.assert_picks(["c"]);
    }

    // behaviour 28
    #[test]
    fn a_server_that_is_listed_twice_counts_once() {
        let mut world = World::new(RoundRobin);
        world.resolve(["a", "b", "a"]);
        world.ready("a");
        world.ready("b");
        assert_eq!(shares(&world.picks(20)), [10, 10]);
        assert_eq!(world.dials("a"), 1);
    }

    #[test]
    fn one_server_with_two_addresses_is_connected_once_and_counts_once() {
        let mut world = World::new(RoundRobin);
        world.resolve([vec!["a1", "a2"], vec!["b"]]);
        world.assert_dialling(["a1", "b"]);
        world.fail("a1");
        world.ready("a2");
        world.ready("b");
        assert_eq!(shares(&world.picks(20)), [10, 10]);
        world.resolve([vec!["b"], vec!["a2", "a1"]]);
        world.assert_picks(["a2", "b"]);
        world.assert_dialling([]);
    }

    #[test]
    fn servers_that_share_an_address_share_its_connection_and_keep_their_own() {
        let mut world = World::new(RoundRobin);
        world.resolve([vec!["a", "b"], vec!["a"]]);
        world.fail("a");
        world.ready("b");
        world.advance(secs(1));
        world.ready("a");
        assert_eq!(shares(&world.picks(20)), [10, 10], "the first stays with b");
    }

    #[test]
    fn a_picker_is_kept_while_nothing_changes_for_calls() {
        let mut world = connected(["a", "b", "c"]);
        world.lose("c");
        let pickers = world.pickers();
        world.fail("c");
        world.advance(secs(1));
        world.fail("c");
        world.resolve(["a", "b", "c"]);
        world.drain("a");
        world.ready("a");
        assert_eq!(world.pickers(), pickers);
    }

    #[test]
    fn settings_are_read_from_a_service_config() {
        let registry = BalancerRegistry::default();
        assert_eq!(registry.parse(&json!([{"round_robin": {"unknown": 1}}])).unwrap(), RoundRobin.into());
        assert_eq!(registry.parse(&json!([{"round_robin": []}])).unwrap_err().path(), "round_robin");
    }

    #[test]
    fn random_stories_break_no_law_and_leave_it_able_to_connect() {
        for seed in 0..60 {
            let mut world = World::with_seed(RoundRobin, seed);
            world.wander(seed, 300);
            world.mend();
        }
    }
}
