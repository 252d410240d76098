//! Errors that somebody has to mend: tried seldom, and at once when something was changed.

use trunkline_proto::{Attributes, Endpoint, Weight};

use super::rig::{Everyone, Rig, address, ms, refused, secs, untrusted};
use crate::control::Event;

fn weighted(name: &str, weight: u32) -> Endpoint {
    Endpoint::new(address(name)).with_attributes(Attributes::new().with(Weight(weight)))
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
fn it_is_tried_at_once_when_its_endpoint_changes_and_not_when_it_does_not() {
    let mut rig = Rig::new(Everyone::config());
    rig.wake();
    rig.resolve_endpoints([weighted("a", 1)]);
    rig.fail("a", untrusted());
    rig.advance(secs(5));
    rig.resolve_endpoints([weighted("a", 1)]);
    rig.resolve_endpoints([weighted("b", 1), weighted("a", 1)]);
    assert_eq!(rig.dials_of("a").len(), 1);
    rig.resolve_endpoints([weighted("a", 2)]);
    assert_eq!(rig.dials_of("a"), [0.0, 5.0]);
}

#[test]
fn a_resolver_that_keeps_changing_its_endpoint_dials_it_at_most_once_per_second() {
    let mut rig = Rig::new(Everyone::config());
    rig.wake();
    for round in 0..990 {
        rig.resolve_endpoints([weighted("a", round)]);
        if rig.is_dialled("a") {
            rig.fail("a", untrusted());
        }
        rig.advance(ms(10));
    }
    assert_eq!(rig.dials_of("a").len(), 10);
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
