//! From nothing to a connection: waking, dialling, failing, backing off.

use super::rig::{Rig, pick_first, refused, secs};
use trunkline_proto::ConnectivityState::{Connecting, Idle, Ready, TransientFailure};

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
    assert!(!rig.is_dialled("a"));
    rig.call();
    assert_eq!(rig.state(), Connecting);
    rig.connect("a");
    assert_eq!(rig.state(), Ready);
}
