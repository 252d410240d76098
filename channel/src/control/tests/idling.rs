//! Channels that nobody uses.

use trunkline_proto::ConnectivityState::{Connecting, Idle, Ready};

use super::rig::{Rig, ms, pick_first, refused, secs};

const TIMEOUT: std::time::Duration = secs(1800);

// behaviour 86
#[test]
fn without_calls_everything_is_let_go_and_the_next_call_brings_it_back() {
    let mut rig = Rig::over(pick_first(), ["a"]);
    let id = rig.connect("a");
    rig.activity(0, Some(rig.instant()));
    rig.advance(TIMEOUT - ms(1));
    assert_eq!(rig.state(), Ready);
    rig.advance(ms(1));
    assert_eq!((rig.state(), rig.snapshot().is_asleep), (Idle, true));
    assert_eq!((&rig.hung_up, rig.count("stop")), (&vec![id], 1));
    assert!(rig.snapshot().entries.is_empty());
    rig.advance(TIMEOUT * 10);
    assert_eq!((rig.dials.len(), rig.published), (1, rig.published), "at rest");
    rig.call();
    assert_eq!((rig.state(), rig.count("start")), (Connecting, 2));
    rig.resolve(["a"]);
    rig.connect("a");
    assert_eq!(rig.state(), Ready);
}

// behaviour 86
#[test]
fn a_call_in_flight_keeps_it_awake_and_the_time_counts_from_its_end() {
    let mut rig = Rig::over(pick_first(), ["a"]);
    rig.connect("a");
    rig.activity(1, None);
    rig.advance(TIMEOUT * 3 - secs(1));
    assert_eq!(rig.state(), Ready);
    rig.activity(0, Some(rig.instant() - secs(100)));
    rig.advance(TIMEOUT - secs(101));
    assert_eq!(rig.state(), Ready);
    rig.advance(secs(1));
    assert_eq!(rig.state(), Idle);
}

#[test]
fn a_nap_does_not_shorten_the_backoff() {
    let mut rig =
        Rig::with(crate::control::ControlOptions { idle_timeout: secs(2), ..Rig::options(pick_first()) });
    rig.wake();
    rig.resolve(["a"]);
    rig.fail("a", refused());
    rig.advance(secs(1));
    rig.fail("a", refused());
    rig.advance(secs(1));
    assert!(rig.snapshot().is_asleep);
    rig.call();
    rig.resolve(["a"]);
    assert_eq!(rig.dials_of("a"), [0.0, 1.0]);
    rig.advance(ms(600));
    assert_eq!(rig.dials_of("a"), [0.0, 1.0, 2.6]);
}

#[test]
fn what_is_never_woken_asks_for_no_timer() {
    let rig = Rig::new(pick_first());
    assert_eq!(rig.timeout(), None);
}
