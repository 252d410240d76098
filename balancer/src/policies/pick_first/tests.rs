//! Stories of `pick_first` in a world.

use indexmap::IndexSet;
use serde_json::json;
use trunkline_proto::{Address, Attributes, ConnectivityState::*, Endpoint, Weight};

use super::{PickFirst, PickFirstBalancer};
use crate::world::{Picked, World, address, ms, secs};
use crate::{Balancer, BalancerConfig, BalancerRegistry, BalancerState, Input, Intent, Plan};

fn world() -> World {
    World::new(PickFirst::new())
}

/// A world that is connected to the first of `names`.
fn connected<const N: usize>(names: [&str; N]) -> World {
    let mut world = world();
    world.resolve(names);
    world.ready(names[0]);
    world.assert_state(Ready);
    world
}

/// A world whose first pass over `names` has failed.
fn failed<const N: usize>(names: [&str; N]) -> World {
    let mut world = world();
    world.resolve(names);
    names.iter().for_each(|name| world.fail(name));
    world.assert_state(TransientFailure);
    world
}

// behaviour 1
#[test]
fn calls_wait_until_the_resolver_answers() {
    let mut world = world();
    world.assert_state(Connecting);
    world.assert_waits();
    world.resolve(["a"]);
    world.assert_state(Connecting);
    world.assert_waits();
}

// behaviour 2
#[test]
fn a_single_refused_address_fails_calls_with_its_error() {
    let mut world = world();
    world.resolve(["10.0.0.7:443"]);
    world.fail("10.0.0.7:443");
    world.assert_state(TransientFailure);
    let failure = world.assert_fails();
    assert_eq!(failure.to_string(), "UNAVAILABLE: 10.0.0.7:443: connect: connection refused");
    assert!(!failure.is_permanent());
}

// behaviour 3
#[test]
fn a_lost_connection_rests_until_a_call_comes() {
    let mut world = connected(["a"]);
    world.lose("a");
    world.assert_state(Idle);
    world.advance(secs(600));
    world.assert_dialling([]);
    assert_eq!(world.pick(), Picked::Wake(address("a")));
    world.assert_state(Connecting);
    world.assert_dialling(["a"]);
    world.ready("a");
    world.assert_picks(["a"]);
}

// behaviour 4
#[test]
fn every_address_is_tried_before_calls_fail() {
    let mut world = world();
    world.resolve(["a", "b", "c"]);
    world.fail("a");
    world.assert_state(Connecting);
    world.fail("b");
    world.assert_state(Connecting);
    world.ready("c");
    world.assert_picks(["c"]);
}

// behaviour 13
#[test]
fn an_equal_answer_changes_nothing_even_while_connecting() {
    let mut world = world();
    world.resolve(["a", "b"]);
    world.advance(ms(100));
    let pickers = world.pickers();
    world.resolve(["a", "b"]);
    world.assert_dialling(["a"]);
    world.advance(ms(149));
    world.assert_dialling(["a"]);
    world.advance(ms(1));
    world.assert_dialling(["a", "b"]);
    assert_eq!((world.dials("a"), world.dials("b"), world.pickers()), (1, 1, pickers));
}

// behaviour 17
#[test]
fn all_calls_go_to_the_first_that_connects_and_the_others_are_let_go() {
    let mut world = world();
    world.resolve(["a", "b", "c"]);
    world.advance(ms(500));
    world.assert_dialling(["a", "b", "c"]);
    world.ready("b");
    world.assert_dialling([]);
    world.assert_connected(["b"]);
    world.assert_picks(["b"]);
    world.advance(secs(100));
    world.assert_dialling([]);
}

// behaviour 18
#[test]
fn when_the_first_is_down_the_next_is_used() {
    let mut world = connected(["a", "b"]);
    world.lose("a");
    world.pick();
    world.fail("a");
    world.ready("b");
    world.assert_picks(["b"]);
}

// behaviour 19
#[test]
fn after_all_were_down_calls_work_again_without_any_call_in_between() {
    let mut world = failed(["a", "b"]);
    world.advance(secs(1));
    world.assert_dialling(["a", "b"]);
    world.ready("b");
    world.assert_state(Ready);
    world.assert_picks(["b"]);
    world.assert_connected(["b"]);
}

// behaviour 21
#[test]
fn after_a_failed_pass_each_address_is_retried_after_its_own_backoff() {
    let mut world = world();
    world.resolve(["a", "b"]);
    world.advance(ms(200));
    world.fail("a");
    world.advance(ms(200));
    world.fail("b");
    world.assert_state(TransientFailure);
    world.advance(ms(599));
    world.assert_dialling([]);
    world.advance(ms(1));
    world.assert_dialling(["a"]);
    world.fail("a");
    world.advance(ms(199));
    world.assert_dialling([]);
    world.advance(ms(1));
    world.assert_dialling(["b"]);
    world.advance(ms(1399));
    world.assert_dialling(["b"]);
    world.advance(ms(1));
    world.assert_dialling(["a", "b"]);
}

// behaviour 21
#[test]
fn what_failed_in_a_pass_waits_for_its_end() {
    let mut world = world();
    world.resolve(["a", "b"]);
    world.fail("a");
    world.advance(secs(10));
    assert_eq!((world.subchannel("a"), world.dials("a")), (Idle, 1));
    world.fail("b");
    world.assert_dialling(["a", "b"]);
    assert_eq!((world.dials("a"), world.dials("b")), (2, 2), "b's attempt outlasted its backoff");
}

// behaviour 21
#[test]
fn the_resolver_is_asked_at_the_end_of_a_pass_and_again_after_as_many_failures_as_addresses() {
    let mut world = failed(["a", "b"]);
    assert_eq!(world.resolves(), 1);
    world.resolve_error("SERVFAIL");
    assert_eq!(world.resolves(), 1, "the answer has come, and nothing has failed since");
    world.advance(secs(1));
    world.fail("a");
    assert_eq!(world.resolves(), 1);
    assert!(world.assert_fails().message().starts_with("a:"), "calls are told of the newest error");
    world.fail("b");
    assert_eq!(world.resolves(), 2);
    world.advance(ms(1600));
    world.fail("a");
    world.fail("b");
    assert_eq!(world.resolves(), 2, "that answer is still awaited");
}

// behaviour 21
#[test]
fn failures_of_a_pass_do_not_count_for_the_round_after_it() {
    let mut world = failed(["a", "b"]);
    world.resolve(["c", "d"]);
    world.fail("c");
    world.fail("d");
    assert_eq!(world.resolves(), 2);
    world.resolve_error("SERVFAIL");
    world.advance(secs(1));
    world.fail("c");
    assert_eq!(world.resolves(), 2);
    world.fail("d");
    assert_eq!(world.resolves(), 3);
}

// gRFC A62
#[test]
fn failing_stays_until_ready_whatever_is_dialled_and_whatever_the_list_becomes() {
    let mut world = failed(["a", "b"]);
    world.advance(secs(1));
    world.assert_dialling(["a", "b"]);
    world.assert_state(TransientFailure);
    world.resolve(["c", "a"]);
    world.assert_state(TransientFailure);
    world.assert_dialling(["a", "c"]);
    world.fail("c");
    world.assert_state(TransientFailure);
    world.ready("a");
    world.assert_state(Ready);
    world.lose("a");
    world.assert_state(Idle);
    world.pick();
    world.assert_state(Connecting);
}

#[test]
fn an_old_dial_that_succeeds_during_a_new_pass_is_used() {
    let mut world = world();
    world.resolve(["a", "b"]);
    world.resolve(["c", "a"]);
    world.assert_dialling(["a", "c"]);
    world.ready("a");
    world.assert_picks(["a"]);
    assert_eq!(world.dials("a"), 1);
}

// behaviour 22
#[test]
fn a_new_list_with_the_chosen_address_keeps_the_connection() {
    let mut world = connected(["a", "b"]);
    let pickers = world.pickers();
    world.resolve(["c", "d", "a"]);
    world.assert_connected(["a"]);
    world.assert_dialling([]);
    world.assert_picks(["a"]);
    assert_eq!(world.pickers(), pickers);
}

// behaviour 22
#[test]
fn a_new_list_without_the_chosen_address_drops_it_and_connects() {
    let mut world = connected(["a", "b"]);
    world.resolve(["c", "b"]);
    world.assert_connected([]);
    world.assert_state(Connecting);
    world.assert_dialling(["c"]);
}

// behaviour 22
#[test]
fn a_new_list_does_not_end_the_rest_after_a_loss() {
    let mut world = connected(["a"]);
    world.lose("a");
    world.resolve(["b", "a"]);
    world.assert_state(Idle);
    world.assert_dialling([]);
    assert_eq!(world.pick(), Picked::Wake(address("b")));
    world.assert_dialling(["b"]);
}

// behaviour 22
#[test]
fn a_loss_that_comes_together_with_a_new_list_is_a_loss() {
    let mut world = connected(["a", "b"]);
    world.together(|world| {
        world.lose("a");
        world.resolve(["b", "a"]);
    });
    world.assert_state(Idle);
    world.assert_dialling([]);
}

// behaviour 23
#[test]
fn an_empty_answer_fails_calls_with_its_reason_and_leaves_doubt_to_the_channel() {
    let mut world = connected(["a"]);
    world.resolve_empty("no endpoints in greeter.prod");
    world.assert_state(TransientFailure);
    world.assert_connected([]);
    let failure = world.assert_fails();
    assert!(failure.message().contains("no endpoints in greeter.prod"), "{failure}");
    assert!(!failure.is_permanent());
    assert_eq!(world.resolves(), 0);
}

#[test]
fn after_an_empty_answer_a_list_is_as_good_as_the_first() {
    let mut world = failed(["a"]);
    world.resolve_empty("none");
    world.resolve(["b"]);
    world.assert_state(Connecting);
    world.assert_waits();
}

// behaviour 24
#[test]
fn a_resolver_error_changes_nothing_while_there_is_a_list() {
    let mut world = world();
    world.resolve(["a"]);
    world.resolve_error("SERVFAIL");
    world.assert_state(Connecting);
    world.ready("a");
    world.resolve_error("SERVFAIL");
    world.assert_picks(["a"]);
    let mut world = failed(["a"]);
    world.resolve_error("SERVFAIL");
    assert!(world.assert_fails().message().contains("connection refused"));
}

// behaviour 24
#[test]
fn a_resolver_error_without_a_list_fails_calls_with_its_text() {
    let mut world = world();
    world.resolve_error("SERVFAIL from 10.0.0.1");
    world.assert_state(TransientFailure);
    assert!(world.assert_fails().message().contains("SERVFAIL from 10.0.0.1"));
    let pickers = world.pickers();
    world.resolve_error("SERVFAIL from 10.0.0.1");
    assert_eq!(world.pickers(), pickers, "the same error says nothing new");
    world.resolve(["a"]);
    world.assert_state(Connecting);
}

// behaviour 25
#[test]
fn attempts_start_250_ms_apart_in_alternating_families_and_the_first_to_connect_wins() {
    let mut world = world();
    world.resolve([["[::1]:1", "[::2]:1", "1.1.1.1:1"]]);
    world.assert_dialling(["[::1]:1"]);
    world.advance(ms(249));
    world.assert_dialling(["[::1]:1"]);
    world.advance(ms(1));
    world.assert_dialling(["[::1]:1", "1.1.1.1:1"]);
    world.advance(ms(250));
    world.assert_dialling(["[::1]:1", "1.1.1.1:1", "[::2]:1"]);
    world.ready("1.1.1.1:1");
    world.assert_dialling([]);
    world.assert_picks(["1.1.1.1:1"]);
}

// behaviour 25
#[test]
fn a_failure_starts_the_next_attempt_at_once_and_the_delay_anew() {
    let mut world = world();
    world.resolve(["a", "b", "c"]);
    world.advance(ms(200));
    world.fail("a");
    world.assert_dialling(["b"]);
    world.advance(ms(249));
    world.assert_dialling(["b"]);
    world.advance(ms(1));
    world.assert_dialling(["b", "c"]);
}

// behaviour 25
#[test]
fn the_failure_of_an_older_attempt_does_not_hurry_the_next() {
    let mut world = world();
    world.resolve(["a", "b", "c"]);
    world.advance(ms(250));
    world.fail("a");
    world.assert_dialling(["b"]);
    world.advance(ms(250));
    world.assert_dialling(["b", "c"]);
}

// behaviour 25
#[test]
fn the_delay_between_attempts_is_kept_within_its_bounds() {
    let mut world = World::new(PickFirst::new().attempt_delay(ms(1)));
    world.resolve(["a", "b"]);
    world.advance(ms(99));
    world.assert_dialling(["a"]);
    world.advance(ms(1));
    world.assert_dialling(["a", "b"]);
}

// behaviour 28
#[test]
fn addresses_in_backoff_from_before_count_as_failed_and_duplicates_as_one() {
    let mut world = failed(["a", "b"]);
    world.resolve(["a", "a", "b", "c", "c"]);
    world.assert_dialling(["c"]);
    assert_eq!((world.dials("a"), world.dials("b"), world.dials("c")), (1, 1, 1));
}

// behaviour 28
#[test]
fn a_shuffled_list_is_tried_in_an_order_that_the_seed_decides() {
    let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let first = |seed| {
        let mut world = World::with_seed(PickFirst::new().shuffle(true), seed);
        world.resolve(names);
        world.dialling()
    };
    assert_eq!(first(3), first(3));
    assert!((0..20).any(|seed| first(seed) != first(3)));
}

// behaviour 29
#[test]
fn a_reconnect_starts_from_the_top_of_the_list() {
    let mut world = world();
    world.resolve(["a", "b", "c"]);
    world.fail("a");
    world.ready("b");
    world.advance(secs(1));
    world.lose("b");
    assert_eq!(world.resolves(), 1, "the lost connection casts doubt");
    assert_eq!(world.pick(), Picked::Wake(address("a")));
    world.assert_dialling(["a"]);
}

// behaviour 31
#[test]
fn a_thousand_quick_answers_leave_one_connection() {
    let mut world = world();
    for round in 0..1000 {
        let names = ["a", "b", "c", "d"];
        world.resolve((0..4).map(|n| names[(n + round) % 4]));
    }
    while let Some(name) = world.dialling().first().cloned() {
        world.ready(&name);
    }
    assert_eq!(world.connected().len(), 1);
    let dials: u64 = ["a", "b", "c", "d"].map(|name| world.dials(name)).iter().sum();
    assert!(dials <= 4, "{dials} dials");
}

// behaviour 32
#[test]
fn changed_attributes_change_no_connection_and_no_picker() {
    let mut world = connected(["a"]);
    let pickers = world.pickers();
    let weighted = Endpoint::new(address("a")).with_attributes(Attributes::new().with(Weight(7)));
    world.resolve([weighted]);
    world.assert_picks(["a"]);
    assert_eq!((world.dials("a"), world.pickers()), (1, pickers));
}

#[test]
fn a_draining_connection_is_used_while_it_is_replaced() {
    let mut world = connected(["a", "b"]);
    world.drain("a");
    world.assert_picks(["a"]);
    world.ready("a");
    world.assert_picks(["a"]);
    assert_eq!(world.resolves(), 0);
    world.drain("a");
    world.advance(ms(250));
    world.assert_state(Idle);
    world.assert_dialling(["a"]);
    world.ready("a");
    world.assert_picks(["a"]);
}

#[test]
fn failures_are_permanent_only_when_every_address_of_the_list_has_failed_for_good() {
    let mut world = world();
    world.resolve(["a", "b"]);
    world.fail_permanently("a");
    world.fail_permanently("b");
    let failure = world.assert_fails();
    assert!(failure.is_permanent());
    assert_eq!(failure.failed_addresses(), 2);
    world.resolve(["a", "b", "c"]);
    assert!(!world.assert_fails().is_permanent(), "c may work");
    world.fail("c");
    let failure = world.assert_fails();
    assert!(!failure.is_permanent(), "c failed for the moment");
    assert!(failure.message().starts_with("c:"), "the newest error is told: {failure}");
}

#[test]
fn waiting_calls_are_told_of_new_errors_and_of_nothing_else() {
    let mut world = failed(["a"]);
    let pickers = world.pickers();
    world.advance(secs(1));
    world.assert_dialling(["a"]);
    assert_eq!(world.pickers(), pickers);
    world.fail_permanently("a");
    assert_eq!(world.pickers(), pickers + 1);
    assert!(world.assert_fails().is_permanent());
}

#[test]
fn news_that_come_together_are_judged_by_how_things_are() {
    let mut world = world();
    world.resolve(["a", "b"]);
    world.together(|world| {
        world.ready("a");
        world.lose("a");
    });
    world.assert_state(Connecting);
    world.assert_dialling(["a"]);
    world.together(|world| {
        world.fail("a");
        world.reset_backoff();
    });
    world.assert_dialling(["b"]);
    assert_eq!(world.dials("a"), 2, "its failure counts although it was over before anybody looked");
}

/// A `pick_first` that sees some addresses as failed: what outlier detection will do.
struct Ejecting {
    leaf: PickFirstBalancer,
    when: fn(&[Endpoint]) -> bool,
}

impl Balancer for Ejecting {
    fn update(&mut self, input: &Input<'_>, plan: &mut Plan) -> BalancerState {
        let ejected: IndexSet<Address> =
            (self.when)(input.endpoints).then(|| address("a")).into_iter().collect();
        let layer = input.layer(&ejected);
        self.leaf.update(&input.with_ejected(&layer), plan)
    }
}

#[test]
fn a_filter_above_does_not_close_a_connection_by_ejecting_it() {
    let config = BalancerConfig::new("ejecting", json!({}), |seed| Ejecting {
        leaf: PickFirstBalancer::new(PickFirst::new(), seed),
        when: |endpoints| endpoints.iter().any(|endpoint| endpoint.attributes.get::<Weight>().is_some()),
    });
    let with = |attributes: Attributes| {
        [Endpoint::new(address("b")), Endpoint::new(address("a")).with_attributes(attributes)]
    };
    let mut world = World::new(config);
    world.resolve(with(Attributes::new()));
    world.fail("b");
    world.ready("a");
    world.resolve(with(Attributes::new().with(Weight(1))));
    world.assert_state(Idle);
    assert_eq!(world.intent("a"), Some(Intent::Hold));
    world.advance(secs(1));
    world.pick();
    world.assert_dialling(["b"]);
    world.assert_connected(["a"]);
    world.resolve(with(Attributes::new()));
    world.assert_picks(["a"]);
    assert_eq!(world.dials("a"), 1);
}

#[test]
fn settings_are_read_from_a_service_config() {
    let registry = BalancerRegistry::default();
    let parse = |json| registry.parse(&json);
    let plain = parse(json!([{"unknown": {}}, {"pick_first": {"also_unknown": 1}}])).unwrap();
    assert_eq!(plain, PickFirst::new().into());
    let shuffled = parse(json!([{"pick_first": {"shuffleAddressList": true}}])).unwrap();
    assert_eq!(shuffled, PickFirst::new().shuffle(true).into());
    assert_ne!(shuffled, plain);
    let error = parse(json!([{"pick_first": {"shuffleAddressList": 1}}])).unwrap_err();
    assert_eq!(error.path(), "pick_first.shuffleAddressList");
    assert!(BalancerRegistry::empty().parse(&json!([{"pick_first": {}}])).is_err());
}

#[test]
fn random_stories_break_no_law_and_leave_it_able_to_connect() {
    for seed in 0..100 {
        let mut world = World::with_seed(PickFirst::new().shuffle(seed % 2 == 0), seed);
        for part in 0..60 {
            world.wander(seed * 1000 + part, 5);
            assert!(world.connected().len() <= 1, "seed {seed}: {:?} connected", world.connected());
        }
        world.mend();
    }
}
