//! Connections that end: broken, drained, or gone with their runtime.

use trunkline_balancer::RoundRobin;
use trunkline_proto::ConnectivityState::{Connecting, Idle, Ready, TransientFailure};

use super::rig::{Rig, goaway, ms, pick_first, refused, secs, untrusted};
use crate::control::{DialNews, Event, Usage};

// behaviour 36
#[test]
fn a_lost_connection_is_redialled_once_at_once_then_after_its_backoff() {
    let mut rig = Rig::over(RoundRobin, ["a", "b", "c"]);
    for name in ["a", "b", "c"] {
        rig.connect(name);
    }
    rig.advance(secs(100));
    rig.lose("b", true);
    assert_eq!(rig.dials_of("b"), [0.0, 100.0]);
    rig.fail("b", refused());
    rig.advance(ms(999));
    assert_eq!(rig.dials_of("b").len(), 2);
    rig.advance(ms(1));
    assert_eq!(rig.dials_of("b"), [0.0, 100.0, 101.0]);
    assert_eq!((rig.dials_of("a").len(), rig.dials_of("c").len()), (1, 1));
    // It comes back without any call to the channel.
    rig.connect("b");
    assert_eq!(rig.status("b").state, Ready);
}

#[test]
fn a_server_that_accepts_and_drops_is_never_dialled_in_a_loop() {
    let mut rig = Rig::over(RoundRobin, ["a"]);
    while rig.now() < secs(600) {
        if rig.is_dialled("a") {
            rig.connect("a");
            rig.lose("a", false);
        }
        rig.advance(ms(5));
    }
    // 1 + 1.6 + 2.56 + .. up to 120: as many as of a server that refuses.
    assert_eq!(rig.dials_of("a").len(), 14);
    assert_eq!(rig.status("a").failures, 14);
    assert_eq!(rig.state(), TransientFailure);
    assert!(rig.failure().unwrap().contains("connection reset"));
}

#[test]
fn ten_seconds_of_ready_prove_a_connection_and_less_does_not() {
    for (ready, state) in [(ms(9_999), TransientFailure), (secs(10), Idle)] {
        let mut rig = Rig::over(pick_first(), ["a"]);
        rig.advance(secs(5));
        rig.connect("a");
        rig.advance(ready);
        rig.lose("a", false);
        // The backoff counts from the start of the dial, so it is over for both: only the record tells.
        let failures = u64::from(state == TransientFailure);
        assert_eq!((rig.status("a").failures, rig.status("a").losses), (failures, 1));
    }
}

#[test]
fn after_many_failures_only_a_time_as_long_as_the_backoff_is_proof() {
    let mut rig = Rig::over(RoundRobin, ["a"]);
    // The tenth dial begins after 113 s, and its wait is 69 s.
    rig.refuse("a", secs(112));
    rig.advance(secs(1));
    rig.connect("a");
    rig.advance(secs(60));
    rig.lose_after_a_call("a");
    assert_eq!((rig.status("a").failures, rig.status("a").state), (10, TransientFailure));
    rig.advance(secs(120));
    rig.connect("a");
    rig.lose("a", true);
    assert_eq!(rig.status("a").failures, 10, "an answered call is proof at once");
    assert!(rig.is_dialled("a"));
}

#[test]
fn a_server_that_closes_what_nobody_uses_has_not_failed_however_long_it_was_out_before() {
    let mut rig = Rig::over(pick_first(), ["a"]);
    rig.refuse("a", secs(112));
    rig.advance(secs(1));
    rig.connect("a");
    let failures = rig.status("a").failures;
    rig.advance(secs(15));
    rig.drain("a", false, None);
    assert_eq!((rig.status("a").failures, rig.state()), (failures, Idle));
    rig.call();
    assert!(rig.is_dialled("a"));
    // That it was there is no proof: what grew goes on growing.
    let dialled = rig.dials_of("a").last().copied().unwrap();
    rig.fail("a", refused());
    rig.call();
    rig.advance(secs(60));
    assert_eq!(rig.dials_of("a").last(), Some(&dialled));
}

// behaviour 77
#[test]
fn a_draining_connection_serves_until_its_replacement_does() {
    let mut rig = Rig::over(RoundRobin, ["a"]);
    let old = rig.connect("a");
    let old_again = rig.drain("a", true, Some(secs(1)));
    assert_eq!(old, old_again);
    assert_eq!((rig.state(), rig.picked()), (Ready, Some(old)));
    rig.advance(ms(200));
    assert_eq!((rig.state(), rig.picked()), (Ready, Some(old)));
    let new = rig.connect("a");
    assert_ne!(new, old);
    assert_eq!((rig.state(), rig.picked()), (Ready, Some(new)));
    assert!(rig.hung_up.is_empty(), "streams on the old one go on");
    rig.ends(old, lost());
    assert_eq!(rig.picked(), Some(new));
    rig.advance(secs(60));
    assert_eq!((rig.dials.len(), rig.status("a").losses, rig.status("a").failures), (2, 1, 0));
}

#[test]
fn a_connection_that_is_only_held_is_replaced_too() {
    let mut rig = Rig::over(pick_first(), ["a", "b"]);
    rig.connect("a");
    rig.drain("a", true, Some(secs(59)));
    let new = rig.connect("a");
    assert_eq!((rig.state(), rig.picked()), (Ready, Some(new)));
}

#[test]
fn a_replacement_that_takes_longer_shows() {
    let mut rig = Rig::over(RoundRobin, ["a"]);
    rig.connect("a");
    rig.drain("a", true, Some(secs(0)));
    rig.advance(ms(249));
    assert_eq!(rig.state(), Ready);
    rig.advance(ms(1));
    assert_eq!((rig.state(), rig.picked()), (Connecting, None));
    assert_eq!(rig.dials.len(), 2);
    rig.connect("a");
    assert_eq!(rig.state(), Ready);
}

#[test]
fn a_replacement_that_fails_is_a_failure() {
    let mut rig = Rig::over(RoundRobin, ["a"]);
    rig.connect("a");
    rig.drain("a", true, Some(secs(0)));
    rig.fail("a", refused());
    assert_eq!((rig.state(), rig.picked()), (TransientFailure, None));
    rig.advance(secs(1));
    assert_eq!(rig.dials_of("a"), [0.0, 0.0, 1.0]);
}

#[test]
fn a_drained_connection_that_ends_before_its_replacement_shows_at_once() {
    let mut rig = Rig::over(RoundRobin, ["a"]);
    let old = rig.connect("a");
    rig.drain("a", true, Some(secs(0)));
    rig.ends(old, lost());
    assert_eq!(rig.state(), Connecting);
    assert_eq!((rig.dials.len(), rig.status("a").losses), (2, 1), "one loss, one replacement");
}

#[test]
fn a_draining_connection_that_nobody_used_is_not_replaced() {
    let mut rig = Rig::over(pick_first(), ["a"]);
    rig.connect("a");
    rig.advance(secs(600));
    rig.drain("a", true, Some(secs(61)));
    assert_eq!((rig.state(), rig.dials.len()), (Idle, 1));
    rig.call();
    assert_eq!(rig.state(), Connecting);
}

#[test]
fn goaway_before_any_proof_is_a_failure() {
    let mut rig = Rig::over(RoundRobin, ["a"]);
    let old = rig.connect("a");
    rig.drain("a", false, Some(secs(0)));
    assert_eq!((rig.state(), rig.dials.len()), (TransientFailure, 1));
    assert!(rig.hung_up.is_empty());
    rig.ends(old, lost());
    rig.advance(secs(1));
    assert_eq!(rig.dials_of("a"), [0.0, 1.0]);
}

#[test]
fn a_client_certificate_refused_after_the_handshake_is_permanent() {
    let mut rig = Rig::over(pick_first(), ["a"]);
    let id = rig.connect("a");
    rig.ends(id, DialNews::Lost { cause: untrusted(), usage: Usage::default() });
    rig.call();
    assert_eq!(rig.state(), TransientFailure);
    rig.advance(secs(119));
    assert_eq!(rig.dials.len(), 1);
    rig.advance(secs(1));
    assert_eq!(rig.dials.len(), 2);
}

#[test]
fn the_resolver_is_asked_once_per_second_however_much_is_lost() {
    let mut rig = Rig::over(RoundRobin, ["a", "b", "c"]);
    for name in ["a", "b", "c"] {
        rig.connect(name);
    }
    rig.lose("a", true);
    rig.lose("b", true);
    rig.drain("c", true, Some(secs(1)));
    assert_eq!(rig.count("refresh"), 1);
    rig.advance(secs(1));
    assert_eq!(rig.count("refresh"), 2);
    rig.advance(secs(5));
    assert_eq!(rig.count("refresh"), 2);
}

#[test]
fn news_of_an_old_dial_is_no_news_of_the_new_one() {
    let mut rig = Rig::over(RoundRobin, ["a"]);
    let old = rig.dial("a");
    rig.fail("a", refused());
    rig.advance(secs(1));
    rig.handle(Event::Dial(old, DialNews::Connected(old)));
    assert_eq!(rig.status("a").state, Connecting);
    rig.handle(Event::Dial(old, DialNews::Failed(refused())));
    assert_eq!(rig.status("a").failures, 1);
    rig.connect("a");
    rig.handle(Event::Dial(old, lost()));
    assert_eq!(rig.state(), Ready);
    // Hung up while it was dialled, and connected before it heard of that.
    rig.resolve(["b"]);
    let late = rig.dial("b");
    rig.resolve(["c"]);
    rig.handle(Event::Dial(late, DialNews::Connected(late)));
    assert_eq!(rig.status("b").state, Idle);
}

#[test]
fn with_its_runtime_everything_goes_and_comes_again_without_blame() {
    let mut rig = Rig::over(RoundRobin, ["a", "b", "c"]);
    let old = rig.connect("a");
    rig.fail("c", refused());
    rig.open.clear();
    rig.handle(Event::RuntimeLost);
    assert_eq!(rig.count("start"), 2);
    assert_eq!((rig.dials_of("a").len(), rig.dials_of("b").len(), rig.dials_of("c").len()), (2, 2, 1));
    assert_eq!((rig.status("a").failures, rig.status("b").failures), (0, 0));
    assert_eq!(rig.status("c").state, TransientFailure, "its backoff goes on");
    rig.handle(Event::Dial(old, lost()));
    let new = rig.connect("a");
    assert_eq!(rig.picked(), Some(new));
}

#[test]
fn one_runtime_after_another_that_has_gone_is_one_resolver_to_start() {
    let mut rig = Rig::over(pick_first(), ["a"]);
    for _ in 0..1000 {
        // Nobody polls there.
        rig.hear(Event::RuntimeLost);
    }
    rig.handle(Event::RuntimeLost);
    assert_eq!(rig.count("start"), 2);
}

#[test]
fn after_a_runtime_is_lost_a_snapshot_is_published_even_if_it_is_the_same() {
    let mut rig = Rig::new(pick_first());
    rig.wake();
    let (version, published) = (rig.snapshot().version, rig.published);
    rig.handle(Event::RuntimeLost);
    assert_eq!((rig.snapshot().version, rig.published), (version, published + 1), "it still waits for names");
}

#[test]
fn a_call_for_connections_counts_although_the_last_ones_went_with_their_runtime_just_now() {
    let mut rig = Rig::over(pick_first(), ["a"]);
    rig.connect("a");
    rig.open.clear();
    rig.hear(Event::RuntimeLost);
    rig.wake();
    assert!(rig.is_dialled("a"));
}

#[test]
fn a_runtime_whose_clock_is_behind_the_last_one_is_not_held_back() {
    let names: Vec<_> = (0..1000).map(|number| number.to_string()).collect();
    let mut rig = Rig::new(RoundRobin);
    rig.wake();
    rig.advance(secs(1000));
    rig.resolve(names.iter().map(String::as_str));
    rig.open.clear();
    rig.turn_back(secs(1000));
    rig.handle(Event::RuntimeLost);
    rig.advance(ms(5));
    assert!(rig.is_dialled("0"));
    let id = rig.connect("0");
    rig.advance(ms(5));
    assert_eq!(rig.picked(), Some(id));
}

fn lost() -> DialNews<crate::control::DialId> {
    DialNews::Lost { cause: goaway(), usage: Usage { answered: true, last_used: None } }
}
