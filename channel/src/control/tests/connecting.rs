//! From nothing to a connection: waking, dialling, failing, backing off.

use trunkline_proto::ConnectivityState::{Connecting, Idle, Ready, TransientFailure};

use super::rig::{Everyone, Rig, ms, pick_first, refused, secs};
use crate::control::turns::{KEPT_FREE, MAX_DIALS};
use crate::control::{Backoff, DialNews, Event};

// behaviour 1
#[test]
fn a_channel_starts_idle_and_the_first_call_starts_the_resolver() {
    let mut rig = Rig::new(pick_first());
    assert_eq!((rig.state(), rig.published), (Idle, 1));
    assert!(rig.snapshot().is_asleep && rig.asked.is_empty());
    rig.call();
    assert_eq!((rig.state(), rig.count("start")), (Connecting, 1));
    rig.advance(secs(60));
    assert_eq!(rig.state(), Connecting);
    assert_eq!(rig.failure(), None, "calls wait");
    rig.resolve(["a"]);
    let id = rig.connect("a");
    assert_eq!((rig.state(), rig.picked()), (Ready, Some(id)));
}

// behaviour 2
#[test]
fn one_refused_address_is_transient_failure_with_the_cause() {
    let mut rig = Rig::over(pick_first(), ["a"]);
    assert_eq!(rig.state(), Connecting);
    rig.fail("a", refused());
    assert_eq!(rig.state(), TransientFailure);
    assert!(rig.failure().unwrap().contains("a: connect: connection refused"));
    assert_eq!(rig.snapshot().trouble[0].to_string(), "a: connect: connection refused");
    assert_eq!(rig.snapshot().next_attempt, Some(rig.instant() + secs(1)));
}

// behaviour 3
#[test]
fn a_lost_connection_is_idle_and_the_next_call_reconnects() {
    let mut rig = Rig::over(pick_first(), ["a"]);
    rig.connect("a");
    rig.lose("a", true);
    assert_eq!(rig.state(), Idle);
    assert!(!rig.snapshot().is_asleep);
    rig.advance(secs(60));
    assert!(!rig.is_dialled("a"));
    rig.call();
    assert_eq!(rig.state(), Connecting);
    rig.connect("a");
    assert_eq!(rig.state(), Ready);
}

#[test]
fn waking_a_channel_whose_policy_rests_connects_it() {
    let mut rig = Rig::over(pick_first(), ["a", "b"]);
    rig.connect("a");
    rig.lose("a", true);
    rig.wake();
    assert!(rig.is_dialled("a"));
    assert_eq!(rig.count("start"), 1, "the resolver runs already");
}

// behaviour 8
#[test]
fn a_server_that_refuses_is_dialled_at_the_times_of_the_backoff() {
    let mut rig = Rig::over(Everyone::config(), ["a"]);
    rig.refuse("a", secs(600));
    assert_eq!(rig.dials.len(), 14);
    let mut expected = (0.0, 1.0_f64);
    for time in rig.dials_of("a") {
        assert!((time - expected.0).abs() < 1e-3, "{time} instead of {}", expected.0);
        expected = (expected.0 + expected.1, (expected.1 * 1.6).min(120.0));
    }
}

// behaviour 8
#[test]
fn the_wait_counts_from_the_start_of_the_attempt() {
    let mut rig = Rig::over(Everyone::config(), ["a"]);
    rig.advance(ms(400));
    rig.fail("a", refused());
    rig.advance(ms(600));
    assert_eq!(rig.dials_of("a"), [0.0, 1.0]);
    // One that took longer than its wait is followed at once.
    rig.advance(secs(20));
    rig.fail("a", refused());
    assert_eq!(rig.dials_of("a"), [0.0, 1.0, 21.0]);
}

// behaviour 9
#[test]
fn a_dial_may_last_twenty_seconds_or_its_backoff_or_what_was_set() {
    let mut rig = Rig::over(Everyone::config(), ["a"]);
    for _ in 0..10 {
        rig.fail("a", refused());
        rig.advance(secs(120));
    }
    assert_eq!(rig.limits[0], secs(20));
    assert!(rig.limits[9] > secs(60) && *rig.limits.last().unwrap() <= secs(120));

    let options = Rig::options(Everyone::config());
    let mut rig = Rig::with(crate::control::ControlOptions { connect_timeout: Some(ms(300)), ..options });
    rig.wake();
    rig.resolve(["a"]);
    for _ in 0..10 {
        rig.fail("a", refused());
        rig.advance(secs(120));
    }
    assert!(rig.limits.iter().all(|limit| *limit == ms(300)), "whatever the backoff");
}

// behaviour 9
#[test]
fn a_backoff_of_ones_own_is_obeyed() {
    let backoff = Backoff::new(ms(100), ms(150)).multiplier(2.0).jitter(0.0);
    let options = Rig::options(Everyone::config());
    let mut rig = Rig::with(crate::control::ControlOptions { backoff, ..options });
    rig.wake();
    rig.resolve(["a"]);
    for _ in 0..3 {
        rig.fail("a", refused());
        rig.advance(ms(150));
    }
    assert_eq!(rig.dials_of("a"), [0.0, 0.1, 0.25, 0.4]);
}

// behaviour 10
#[test]
fn resetting_the_backoff_dials_at_once_and_starts_afresh() {
    let mut rig = Rig::over(Everyone::config(), ["a"]);
    rig.refuse("a", secs(100));
    assert!(!rig.is_dialled("a"));
    rig.handle(Event::ResetBackoff);
    let reset = rig.now().as_secs_f64();
    rig.fail("a", refused());
    rig.advance(secs(1));
    let dials = rig.dials_of("a");
    assert_eq!(dials[dials.len() - 2..], [reset, reset + 1.0]);
}

// behaviour 10
#[test]
fn resetting_the_backoff_does_nothing_where_there_is_none() {
    let mut rig = Rig::over(pick_first(), ["a", "b"]);
    rig.handle(Event::ResetBackoff);
    assert_eq!(rig.dials.len(), 1, "a dial goes on");
    rig.connect("a");
    rig.handle(Event::ResetBackoff);
    rig.lose("a", true);
    rig.handle(Event::ResetBackoff);
    assert_eq!((rig.state(), rig.dials.len()), (Idle, 1));
}

// behaviour 13
#[test]
fn the_same_addresses_again_change_nothing_even_while_connecting() {
    let mut rig = Rig::over(pick_first(), ["a", "b"]);
    rig.advance(ms(100));
    let (published, dials) = (rig.published, rig.dials.len());
    rig.resolve(["a", "b"]);
    assert_eq!((rig.published, rig.dials.len()), (published, dials));
    assert!(rig.hung_up.is_empty());
    rig.connect("a");
    let published = rig.published;
    rig.resolve(["a", "b"]);
    assert_eq!(rig.published, published);
}

#[test]
fn an_address_let_go_while_it_was_dialled_is_pending_for_a_second() {
    let mut rig = Rig::over(Everyone::config(), ["a"]);
    rig.advance(ms(300));
    let first = rig.dial("a");
    rig.resolve(["b"]);
    assert_eq!(rig.hung_up, [first]);
    rig.ends(first, DialNews::Failed(refused()));
    rig.resolve(["a"]);
    assert_eq!(rig.status("a").state, Connecting);
    assert_eq!(rig.status("a").failures, 0, "nothing failed");
    rig.advance(secs(2));
    assert_eq!(rig.dials_of("a"), [0.0, 1.0]);
}

#[test]
fn a_flapping_resolver_does_not_dial_early() {
    let mut rig = Rig::over(Everyone::config(), ["a"]);
    // Dialled at 0, 1, 2.6 and 5.16 s: the next is due at 9.256 s.
    rig.refuse("a", secs(6));
    assert_eq!(rig.dials_of("a").len(), 4);
    for _ in 0..1000 {
        rig.resolve(["b"]);
        rig.resolve(["a"]);
        rig.advance(ms(3));
    }
    assert_eq!((rig.dials_of("a").len(), rig.status("a").state), (4, TransientFailure));
    rig.advance(ms(300));
    assert_eq!(rig.dials_of("a").last(), Some(&9.256));
    // And one that is let go while it is dialled waits as long as if it had failed: 6.5536 s.
    for _ in 0..1000 {
        rig.resolve(["b"]);
        rig.resolve(["a"]);
        rig.advance(ms(6));
    }
    assert_eq!(rig.dials_of("a").len(), 5);
    rig.advance(secs(1));
    assert_eq!(rig.dials_of("a").len(), 6);
}

#[test]
fn a_connection_let_go_after_a_long_outage_is_dialled_again_within_a_second() {
    let mut rig = Rig::over(Everyone::config(), ["a"]);
    rig.refuse("a", secs(112));
    // Dialled at 69.9 and 112.9 s.
    rig.advance(secs(1));
    rig.connect("a");
    let connected = rig.dials_of("a").last().copied().unwrap();
    rig.advance(ms(300));
    rig.resolve(["b"]);
    rig.resolve(["a"]);
    assert_eq!(rig.status("a").state, Connecting);
    rig.advance(secs(1));
    let again = rig.dials_of("a").last().copied().unwrap();
    assert!(again > connected && again <= connected + 1.5, "{again} after {connected}");
    // What grew before is not forgotten: no call was answered there.
    rig.fail("a", refused());
    rig.advance(secs(20));
    assert_eq!(rig.dials_of("a").last(), Some(&again));
}

#[test]
fn what_had_failed_before_is_remembered_of_a_connection_that_was_let_go_unproved() {
    let mut rig = Rig::over(Everyone::config(), ["a"]);
    rig.refuse("a", secs(112));
    rig.advance(secs(1));
    rig.connect("a");
    // Its dial began more than a second ago.
    rig.advance(secs(5));
    rig.resolve(["b"]);
    rig.resolve(["a"]);
    let again = rig.dials_of("a").last().copied().unwrap();
    assert_eq!(again, rig.now().as_secs_f64(), "at once");
    rig.fail("a", refused());
    rig.advance(secs(60));
    assert_eq!(rig.dials_of("a").last(), Some(&again));
    // For as long as its wait was, and no longer.
    let mut rig = Rig::over(Everyone::config(), ["a"]);
    rig.refuse("a", secs(112));
    rig.advance(secs(1));
    rig.connect("a");
    rig.resolve(["b"]);
    rig.advance(secs(120));
    rig.resolve(["a"]);
    rig.fail("a", refused());
    rig.advance(ms(1001));
    assert_eq!(rig.dials_of("a").len(), 12, "one second after the first");
}

#[test]
fn a_lost_race_counts_as_no_failure_and_is_not_run_again_at_once() {
    let mut rig = Rig::over(pick_first(), ["a", "b"]);
    rig.advance(ms(250));
    rig.connect("b");
    assert_eq!(rig.hung_up.len(), 1);
    assert_eq!((rig.status("a").failures, rig.status("a").state), (0, Idle));
    rig.lose("b", true);
    rig.call();
    assert_eq!((rig.state(), rig.dials_of("a").len()), (Connecting, 1), "its dial is pending");
    rig.advance(ms(750));
    assert_eq!(rig.dials_of("a"), [0.0, 1.0]);
}

#[test]
fn no_more_than_a_hundred_dials_run_at_once_and_ordinary_ones_leave_some_of_these_free() {
    const PLACES: usize = MAX_DIALS - KEPT_FREE;
    let names: Vec<_> = (0..250).map(|number| number.to_string()).collect();
    let mut rig = Rig::new(Everyone::config());
    rig.wake();
    rig.resolve(names.iter().map(String::as_str));
    assert_eq!(rig.open.len(), PLACES);
    assert_eq!(rig.status("249").state, Connecting, "pending");
    rig.connect("0");
    rig.fail("1", refused());
    assert_eq!(rig.dials.len(), PLACES + 2);
    assert!(rig.is_dialled("90") && rig.is_dialled("91") && !rig.is_dialled("92"), "in order");
    for name in &names {
        if rig.is_dialled(name) && name != "0" {
            rig.connect(name);
        }
    }
    assert_eq!(rig.dials.len(), 250);
}
