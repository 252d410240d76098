//! Answers of the resolver, good and bad, and the policies that work with them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use serde_json::json;
use trunkline_balancer::{Balancer, BalancerConfig, BalancerState, FixedPicker, Input, Plan, RoundRobin};
use trunkline_proto::ConnectivityState::{Connecting, Idle, Ready, TransientFailure};
use trunkline_resolver::Resolution;

use super::rig::{Everyone, Rig, address, ms, pick_first, refused, secs};
use crate::control::{DialNews, Event};

// behaviour 24
#[test]
fn an_error_before_any_answer_fails_calls_with_its_text() {
    let mut rig = Rig::new(pick_first());
    rig.wake();
    rig.resolver_fails("SERVFAIL for svc");
    assert_eq!(rig.state(), TransientFailure);
    assert!(rig.failure().unwrap().contains("SERVFAIL for svc"));
    assert_eq!(rig.snapshot().trouble.last().unwrap().to_string(), "resolve: SERVFAIL for svc");
    assert_eq!(rig.count("reject"), 0, "the resolver knows itself");
    rig.resolve(["a"]);
    rig.connect("a");
    assert_eq!(rig.state(), Ready);
    assert!(rig.snapshot().trouble.is_empty());
}

// behaviour 24
#[test]
fn an_error_after_a_good_answer_keeps_what_there_is() {
    let mut rig = Rig::over(pick_first(), ["a"]);
    let id = rig.connect("a");
    rig.resolver_fails("SERVFAIL");
    assert_eq!((rig.state(), rig.picked()), (Ready, Some(id)));
    assert!(rig.hung_up.is_empty());
}

// behaviour 23
#[test]
fn an_empty_answer_is_rejected_and_fails_calls_with_its_note() {
    let mut rig = Rig::over(pick_first(), ["a"]);
    let id = rig.connect("a");
    rig.handle(Event::Resolved(Ok(Resolution::default().with_note("scaled to zero"))));
    assert_eq!((rig.count("reject"), rig.state()), (1, TransientFailure));
    assert!(rig.failure().unwrap().contains("scaled to zero"));
    assert_eq!(rig.hung_up, [id]);
    rig.advance(secs(60));
    assert_eq!((rig.count("reject"), rig.count("refresh")), (1, 0), "policies do not ask again as well");
}

// behaviour 38
#[test]
fn a_removed_address_gets_no_new_calls_and_finishes_those_it_has() {
    let mut rig = Rig::over(RoundRobin, ["a", "b"]);
    let removed = rig.connect("a");
    let kept = rig.connect("b");
    rig.resolve(["b"]);
    assert_eq!((&rig.hung_up, &rig.aborted), (&vec![removed], &vec![]));
    assert!((0..10).all(|_| rig.picked() == Some(kept)));
    assert!(!rig.snapshot().entries.contains_key(&address("a")));
    // It comes back while its old connection still finishes streams.
    rig.advance(secs(2));
    rig.resolve(["a", "b"]);
    let again = rig.dial("a");
    assert_ne!(again, removed);
    rig.connect("a");
    rig.ends(removed, DialNews::Failed(refused()));
    assert_eq!(rig.status("a").state, Ready);
}

// behaviour 32
#[test]
fn changed_attributes_reconnect_nothing() {
    use trunkline_proto::{Attributes, Endpoint, Weight};
    let mut rig = Rig::over(RoundRobin, ["a"]);
    rig.connect("a");
    let heavier = Attributes::new().with(Weight(9));
    rig.resolve_endpoints([Endpoint::new(address("a")).with_attributes(heavier)]);
    assert_eq!((rig.dials.len(), rig.hung_up.len(), rig.state()), (1, 0, Ready));
}

// behaviour 31
#[test]
fn a_thousand_quick_lists_leave_exactly_one_connection() {
    let mut rig = Rig::new(pick_first());
    rig.wake();
    for round in 0..1000 {
        let (one, two) = (format!("a{}", round % 7), format!("b{}", round % 5));
        rig.resolve([one.as_str(), two.as_str()]);
        rig.advance(ms(1));
    }
    for id in rig.hung_up.clone() {
        rig.ends(id, DialNews::Failed(refused()));
    }
    rig.advance(secs(2));
    let names: Vec<_> = rig.open.values().map(ToString::to_string).collect();
    assert!(rig.open.len() <= 2);
    rig.connect(&names[0]);
    let live = rig.open.keys().filter(|id| !rig.hung_up.contains(id)).count();
    assert_eq!((live, rig.state()), (1, Ready));
}

// behaviour 42
#[test]
fn another_policy_takes_over_without_a_reconnect() {
    let mut rig = Rig::over(pick_first(), ["a", "b"]);
    let a = rig.connect("a");
    rig.handle(Event::Configure(RoundRobin.into()));
    assert_eq!(rig.picked(), Some(a), "the old one serves, or the new one does with what is there");
    rig.connect("b");
    assert_eq!((rig.state(), rig.dials_of("a").len(), rig.hung_up.len()), (Ready, 1, 0));
}

#[test]
fn a_demand_of_an_older_picker_is_ignored() {
    let mut rig = Rig::over(pick_first(), ["a"]);
    rig.connect("a");
    rig.lose("a", true);
    let version = rig.snapshot().version;
    rig.handle(Event::Demand { version: version - 1, address: address("a") });
    assert_eq!(rig.state(), Idle);
    rig.handle(Event::Demand { version, address: address("a") });
    assert_eq!(rig.state(), Connecting);
    assert!(!rig.status("a").demanded, "cleared with the next picker");
}

#[test]
fn an_answer_of_a_resolver_that_was_stopped_is_ignored() {
    let mut rig = Rig::new(pick_first());
    rig.resolve(["a"]);
    assert!(rig.snapshot().is_asleep && rig.dials.is_empty());
}

/// A policy that panics on the endpoint called "bomb".
struct Fuse(Everyone);

impl Fuse {
    fn config() -> BalancerConfig {
        BalancerConfig::new("fuse", json!({}), |_| Self(Everyone::default()))
    }
}

impl Balancer for Fuse {
    fn update(&mut self, input: &Input<'_>, plan: &mut Plan) -> BalancerState {
        let is_bomb = |address| address == &self::address("bomb");
        if input.endpoints.iter().any(|endpoint| endpoint.addresses().iter().any(is_bomb)) {
            std::panic::resume_unwind(Box::new("tick, tick"));
        }
        self.0.update(input, plan)
    }
}

#[test]
fn a_policy_that_panics_fails_calls_by_name_until_the_next_answer() {
    let mut rig = Rig::over(Fuse::config(), ["a"]);
    let id = rig.connect("a");
    rig.resolve(["a", "bomb"]);
    assert_eq!(rig.state(), TransientFailure);
    let failure = rig.failure().unwrap();
    assert!(failure.contains("fuse panicked: tick, tick"), "{failure}");
    assert_eq!(rig.count("refresh"), 1, "the next answer may be better");
    assert!(rig.hung_up.is_empty(), "its connections stay for the one after it");
    rig.advance(secs(60));
    rig.resolve(["a"]);
    assert_eq!((rig.state(), rig.picked()), (Ready, Some(id)));
}

/// A policy that panics as often as it is told to, and counts that.
struct Clumsy(Arc<AtomicUsize>, Everyone);

impl Balancer for Clumsy {
    fn update(&mut self, input: &Input<'_>, plan: &mut Plan) -> BalancerState {
        if self.0.fetch_sub(1, Relaxed) > 0 {
            std::panic::resume_unwind(Box::new("oops"));
        }
        self.0.store(0, Relaxed);
        self.1.update(input, plan)
    }
}

#[test]
fn a_policy_that_panicked_is_started_again_after_a_backoff_without_any_answer() {
    let panics = Arc::new(AtomicUsize::new(3));
    let left = Arc::clone(&panics);
    let config =
        BalancerConfig::new("clumsy", json!({}), move |_| Clumsy(Arc::clone(&left), Everyone::default()));
    let mut rig = Rig::over(config, ["a"]);
    assert_eq!((rig.state(), panics.load(Relaxed)), (TransientFailure, 2));
    // gRPC's waits: 1, 1.6 and 2.56 s, give or take a fifth.
    rig.advance(ms(750));
    assert_eq!(panics.load(Relaxed), 2);
    rig.advance(ms(500));
    assert_eq!(panics.load(Relaxed), 1);
    rig.advance(ms(700));
    assert_eq!(panics.load(Relaxed), 1);
    rig.advance(ms(1300));
    assert_eq!((panics.load(Relaxed), rig.dials.len()), (0, 0));
    rig.handle(Event::ResetBackoff);
    assert_eq!(rig.connect("a"), rig.picked().unwrap());
    // It has worked for long since: the next is the first again.
    rig.advance(secs(60));
    panics.store(1, Relaxed);
    rig.lose("a", true);
    assert_eq!(rig.state(), TransientFailure);
    rig.advance(ms(1250));
    assert_eq!(rig.state(), Connecting);
    rig.connect("a");
    assert_eq!(rig.state(), Ready);
}

/// Breaks the laws of policies: it never makes up its mind, and wants to be woken in the past.
struct Restless(bool);

impl Balancer for Restless {
    fn update(&mut self, input: &Input<'_>, plan: &mut Plan) -> BalancerState {
        self.0 = !self.0;
        let addresses = input.endpoints.iter().flat_map(|endpoint| endpoint.addresses());
        addresses.filter(|_| self.0).for_each(|address| plan.connect(address));
        plan.wake_at(input.now);
        BalancerState::new(Connecting, FixedPicker::Queue.shared())
    }
}

#[test]
fn a_policy_that_never_makes_up_its_mind_cannot_spin() {
    let config = BalancerConfig::new("restless", json!({}), |_| Restless(false));
    let mut rig = Rig::over(config, ["a"]);
    let published = rig.published;
    rig.advance(secs(10));
    assert!(rig.published - published <= 10_000, "woken too often");
    assert!(rig.dials.len() <= 11, "dialled too often: {:?}", rig.dials);
}

/// Wants to be woken in the past, always, and counts how often it is.
struct Yesterday(Arc<AtomicUsize>);

impl Balancer for Yesterday {
    fn update(&mut self, input: &Input<'_>, plan: &mut Plan) -> BalancerState {
        self.0.fetch_add(1, Relaxed);
        plan.wake_at(input.now);
        BalancerState::new(Connecting, FixedPicker::Queue.shared())
    }
}

#[test]
fn a_policy_that_always_wants_to_be_woken_in_the_past_is_woken_ten_times_a_second() {
    let updates = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&updates);
    let config = BalancerConfig::new("yesterday", json!({}), move |_| Yesterday(Arc::clone(&counter)));
    let mut rig = Rig::over(config, ["a"]);
    rig.advance(secs(10));
    let updates = updates.load(Relaxed);
    assert!((100..=110).contains(&updates), "{updates} updates");
}

/// Connects what has not failed, holds what has, and lets go of all but the newest address.
struct Newest;

impl Balancer for Newest {
    fn update(&mut self, input: &Input<'_>, plan: &mut Plan) -> BalancerState {
        if let Some(newest) = input.endpoints.iter().flat_map(|endpoint| endpoint.addresses()).last() {
            match input.status(newest).failures {
                0 => plan.connect(newest),
                _ => plan.hold(newest),
            }
        }
        BalancerState::new(Connecting, FixedPicker::Queue.shared())
    }
}

#[test]
fn an_error_that_is_forgotten_is_news_to_policies() {
    let mut rig = Rig::over(BalancerConfig::new("newest", json!({}), |_| Newest), ["a"]);
    rig.fail("a", refused());
    rig.advance(secs(2));
    let before = rig.status("a").revision;
    assert_eq!((rig.status("a").state, rig.status("a").error.is_some()), (Idle, true));
    rig.resolve(["a", "b"]);
    assert_eq!((rig.status("a").state, rig.status("a").error.is_some()), (Idle, false));
    assert!(rig.status("a").revision > before);
}
