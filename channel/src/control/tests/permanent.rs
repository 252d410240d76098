//! Errors that somebody has to mend: tried seldom, and at once when something was changed.

use trunkline_proto::{Address, Attributes, Endpoint, Weight};

use super::rig::{Everyone, Rig, address, ms, refused, secs, untrusted};
use crate::control::Event;

fn weighted(name: &str, weight: u32) -> Endpoint {
    Endpoint::new(address(name)).with_attributes(Attributes::new().with(Weight(weight)))
}

/// A server with these addresses.
fn server(addresses: impl IntoIterator<Item = Address>) -> Endpoint {
    Endpoint::from_addresses(addresses).unwrap()
}

/// Lets this server's "a" fail permanently whenever it is dialled.
fn answer_and_fail(rig: &mut Rig, endpoint: Endpoint) {
    rig.resolve_endpoints([endpoint]);
    fail_if_dialled(rig);
}

fn fail_if_dialled(rig: &mut Rig) {
    if rig.is_dialled("a") {
        rig.fail("a", untrusted());
    }
}

#[test]
fn a_permanent_error_is_tried_again_at_the_longest_backoff() {
    let mut rig = Rig::over(Everyone::config(), ["a"]);
    while rig.now() < secs(599) {
        if rig.is_dialled("a") {
            rig.fail("a", untrusted());
        }
        rig.advance(ms(500));
    }
    assert_eq!(rig.dials_of("a"), [0.0, 120.0, 240.0, 360.0, 480.0]);
    // It recovers without a call to the channel.
    rig.advance(secs(1));
    rig.connect("a");
    assert!(rig.picked().is_some());
}

#[test]
fn one_permanent_error_does_not_slow_down_the_retryable_one_after_it() {
    let mut rig = Rig::over(Everyone::config(), ["a"]);
    rig.fail("a", untrusted());
    rig.advance(secs(120));
    rig.fail("a", refused());
    rig.advance(ms(1600));
    assert_eq!(rig.dials_of("a"), [0.0, 120.0, 121.6]);
}

#[test]
fn it_is_tried_at_once_when_the_addresses_of_its_server_change_and_not_when_they_do_not() {
    let [a, b, c] = ["a", "b", "c"].map(address);
    let mut rig = Rig::new(Everyone::config());
    rig.wake();
    rig.resolve_endpoints([server([a.clone(), b.clone()])]);
    rig.fail("a", untrusted());
    rig.advance(secs(5));
    rig.resolve_endpoints([server([a.clone(), b.clone()])]);
    rig.resolve_endpoints([server([c]), server([a.clone(), b.clone()])]);
    rig.resolve_endpoints([server([b.clone(), a.clone()])]);
    assert_eq!(rig.dials_of("a"), [0.0], "another order is no other server");
    rig.resolve_endpoints([server([a, b.with_server_name("mended")])]);
    assert_eq!(rig.dials_of("a"), [0.0, 5.0]);
    rig.connect("a");
    assert!(rig.picked().is_some());
}

#[test]
fn attributes_that_change_with_every_answer_dial_it_early_once_per_wait() {
    let mut rig = Rig::new(Everyone::config());
    rig.wake();
    for round in 0..1000 {
        answer_and_fail(&mut rig, weighted("a", round));
        rig.advance(ms(100));
    }
    assert_eq!(rig.dials_of("a"), [0.0, 1.0]);
}

#[test]
fn a_resolver_that_keeps_changing_its_server_dials_it_early_once_per_wait() {
    let mut rig = Rig::new(Everyone::config());
    rig.wake();
    for round in 0..2_495 {
        let other = address(["b", "c"][round % 2]);
        answer_and_fail(&mut rig, server([address("a"), other]));
        rig.advance(ms(100));
        fail_if_dialled(&mut rig);
    }
    assert_eq!(rig.dials_of("a"), [0.0, 1.0, 120.0, 121.0, 240.0, 241.0]);
}

#[test]
fn taking_it_away_and_bringing_it_back_changed_does_not_dial_it_more_often() {
    let mut rig = Rig::new(Everyone::config());
    rig.wake();
    for round in 0..2_395 {
        let other = address(["b", "c", "d"][round % 3]);
        let is_there = round % 2 == 0;
        answer_and_fail(&mut rig, if is_there { server([address("a"), other]) } else { server([other]) });
        rig.advance(ms(100));
        fail_if_dialled(&mut rig);
    }
    assert!(rig.dials_of("a").len() <= 4, "{:?}", rig.dials_of("a"));
}

#[test]
fn an_early_attempt_that_fails_leaves_the_backoff_grown() {
    let mut rig = Rig::new(Everyone::config());
    rig.wake();
    rig.resolve_endpoints([server([address("a")])]);
    rig.fail("a", untrusted());
    rig.advance(secs(5));
    rig.resolve_endpoints([server([address("a"), address("b")])]);
    // The second failure in a row: 1.6 s, as if nothing had been changed.
    rig.fail("a", refused());
    rig.advance(ms(1_599));
    assert_eq!(rig.dials_of("a"), [0.0, 5.0]);
    rig.advance(ms(1));
    assert_eq!(rig.dials_of("a"), [0.0, 5.0, 6.6]);
}

#[test]
fn a_resolver_that_loses_and_finds_it_does_not_dial_it() {
    let mut rig = Rig::over(Everyone::config(), ["a"]);
    rig.fail("a", untrusted());
    for _ in 0..100 {
        rig.resolve(["b"]);
        rig.resolve(["a"]);
        rig.advance(secs(1));
    }
    assert_eq!(rig.dials_of("a"), [0.0]);
}

#[test]
fn resetting_the_backoff_tries_it_at_once() {
    let mut rig = Rig::over(Everyone::config(), ["a"]);
    rig.fail("a", untrusted());
    rig.advance(secs(5));
    rig.handle(Event::ResetBackoff);
    assert_eq!(rig.dials_of("a"), [0.0, 5.0]);
}
