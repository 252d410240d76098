//! The end of a channel.

use trunkline_balancer::{CallInfo, PickResult, RoundRobin};
use trunkline_proto::ConnectivityState::Shutdown;

use super::rig::{Everyone, Rig, ms, pick_first, refused, secs};
use crate::control::{DialNews, Event};

// behaviour 11
#[test]
fn closing_in_the_middle_of_a_dial_ends_at_once() {
    let mut rig = Rig::over(pick_first(), ["a"]);
    let id = rig.dial("a");
    rig.handle(Event::Close { deadline: None });
    assert_eq!((&rig.hung_up, rig.count("stop"), rig.is_finished()), (&vec![id], 1, false));
    rig.ends(id, DialNews::Failed(refused()));
    assert!(rig.is_finished());
    assert_eq!(rig.timeout(), None, "nothing is left that could be due");
}

// behaviour 11
#[test]
fn closing_in_backoff_ends_at_once() {
    let mut rig = Rig::over(pick_first(), ["a"]);
    rig.fail("a", refused());
    rig.handle(Event::Close { deadline: None });
    assert!(rig.is_finished());
    rig.advance(secs(600));
    assert_eq!(rig.dials.len(), 1);
}

// behaviour 66
#[test]
fn a_closed_channel_ends_every_call_whatever_it_would_wait_for() {
    let mut rig = Rig::over(pick_first(), ["a"]);
    rig.connect("a");
    rig.handle(Event::Close { deadline: None });
    assert_eq!(rig.state(), Shutdown);
    let pick = rig.snapshot().picker.pick(&CallInfo::new("/test.Service/Method"));
    assert!(matches!(pick, PickResult::Drop(failure) if failure.to_string().contains("channel is closed")));
    assert!(!rig.snapshot().is_asleep);
    // Nothing wakes it again.
    rig.wake();
    rig.resolve(["b"]);
    rig.handle(Event::ResetBackoff);
    assert_eq!((rig.state(), rig.dials.len(), rig.count("start")), (Shutdown, 1, 1));
}

#[test]
fn streams_may_finish_until_the_deadline_and_no_longer() {
    let mut rig = Rig::over(RoundRobin, ["a", "b"]);
    let a = rig.connect("a");
    let b = rig.connect("b");
    let deadline = rig.instant() + secs(5);
    rig.handle(Event::Close { deadline: Some(deadline) });
    assert_eq!(rig.hung_up, [a, b]);
    rig.ends(a, DialNews::Failed(refused()));
    rig.advance(ms(4_999));
    assert!(rig.aborted.is_empty());
    rig.advance(ms(1));
    assert_eq!((&rig.aborted, rig.is_finished()), (&vec![b], false));
    rig.ends(b, DialNews::Failed(refused()));
    assert!(rig.is_finished());
}

#[test]
fn of_two_deadlines_the_earlier_counts() {
    let mut rig = Rig::over(pick_first(), ["a"]);
    let id = rig.connect("a");
    rig.handle(Event::Close { deadline: None });
    rig.advance(secs(3600));
    let soon = rig.instant() + secs(1);
    rig.handle(Event::Close { deadline: Some(soon) });
    rig.handle(Event::Close { deadline: Some(soon + secs(60)) });
    rig.advance(secs(1));
    assert_eq!(rig.aborted, [id]);
}

#[test]
fn a_channel_that_never_woke_closes_at_once() {
    let mut rig = Rig::new(pick_first());
    rig.handle(Event::Close { deadline: None });
    assert!(rig.is_finished());
    assert!(rig.asked.is_empty(), "there is no resolver to stop");
}

#[test]
fn a_large_channel_is_not_finished_before_calls_were_told() {
    let names: Vec<_> = (0..10_000).map(|number| number.to_string()).collect();
    let mut rig = Rig::new(Everyone::config());
    rig.wake();
    rig.resolve(names.iter().map(String::as_str));
    // Over so many endpoints the next decision is 50 ms away.
    rig.advance(ms(10));
    rig.handle(Event::Close { deadline: None });
    for id in rig.hung_up.clone() {
        rig.ends(id, DialNews::Failed(refused()));
    }
    assert!(rig.open.is_empty());
    assert_eq!((rig.state() == Shutdown, rig.is_finished()), (false, false));
    assert_eq!(rig.timeout(), Some(rig.instant() + ms(40)), "calls are still to be told");
    rig.advance(ms(40));
    assert_eq!((rig.state(), rig.is_finished()), (Shutdown, true));
}
