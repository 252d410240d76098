//! What calls and people are told, and how often.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use serde_json::json;
use trunkline_balancer::{Balancer, BalancerConfig, BalancerState, Input, Plan, RoundRobin};
use trunkline_proto::ConnectivityState::{Connecting, Idle, Ready, TransientFailure};
use trunkline_proto::{ConnectError, Phase};

use super::rig::{Everyone, Rig, address, ms, pick_first, refused, secs};
use crate::control::subchannels::MAX_TROUBLE;

/// Counts the updates of another policy.
struct Counted(Everyone, Arc<AtomicUsize>);

impl Balancer for Counted {
    fn update(&mut self, input: &Input<'_>, plan: &mut Plan) -> BalancerState {
        self.1.fetch_add(1, Relaxed);
        self.0.update(input, plan)
    }
}

#[test]
fn ten_thousand_addresses_that_become_ready_within_a_second_make_few_decisions_and_snapshots() {
    let updates = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&updates);
    let config = BalancerConfig::new("counted", json!({}), move |_| {
        Counted(Everyone::default(), Arc::clone(&counter))
    });
    let names: Vec<_> = (0..10_000).map(|number| number.to_string()).collect();
    let mut rig = Rig::new(config);
    rig.wake();
    rig.resolve(names.iter().map(String::as_str));
    rig.advance(ms(100));
    let (before, published) = (updates.load(Relaxed), rig.published);
    for name in &names {
        rig.connect(name);
        rig.advance(std::time::Duration::from_micros(100));
    }
    rig.advance(ms(50));
    let (decisions, snapshots) = (updates.load(Relaxed) - before, rig.published - published);
    assert!(decisions <= 120, "{decisions} decisions");
    assert!(snapshots <= 120, "{snapshots} snapshots");
    let connected = rig.snapshot().entries.values().filter(|entry| entry.connection.is_some()).count();
    assert_eq!(connected, 10_000);
    assert_eq!(rig.now(), ms(1_150));
}

#[test]
fn the_first_news_is_decided_on_at_once_however_many_endpoints_there_are() {
    let names: Vec<_> = (0..10_000).map(|number| number.to_string()).collect();
    let mut rig = Rig::new(Everyone::config());
    rig.wake();
    rig.resolve(names.iter().map(String::as_str));
    rig.advance(secs(1));
    let id = rig.connect("0");
    assert_eq!(rig.picked(), Some(id));
}

#[test]
fn a_new_connection_behind_an_unchanged_picker_is_published() {
    let mut rig = Rig::over(pick_first(), ["a"]);
    rig.connect("a");
    let picker = Arc::clone(&rig.snapshot().picker);
    rig.drain("a", true, Some(secs(0)));
    let new = rig.connect("a");
    assert!(Arc::ptr_eq(&picker, &rig.snapshot().picker));
    assert_eq!(rig.picked(), Some(new));
}

#[test]
fn counters_of_calls_outlive_connections_and_policies() {
    let mut rig = Rig::over(pick_first(), ["a"]);
    rig.connect("a");
    let live = Arc::clone(&rig.snapshot().entries[&address("a")].destination.live);
    live.start();
    rig.lose("a", true);
    rig.call();
    rig.connect("a");
    rig.handle(crate::control::Event::Configure(RoundRobin.into()));
    assert!(Arc::ptr_eq(&live, &rig.snapshot().entries[&address("a")].destination.live));
    assert_eq!(rig.status("a").calls.in_flight(), 1);
}

#[test]
fn trouble_names_the_newest_errors_last_and_always_that_of_the_resolver() {
    let mut rig = Rig::new(Everyone::config());
    rig.wake();
    let names: Vec<_> = (0..20).map(|number| number.to_string()).collect();
    rig.resolve(names.iter().map(String::as_str));
    rig.resolver_fails("SERVFAIL");
    for name in &names {
        rig.fail(name, refused());
    }
    let trouble = &rig.snapshot().trouble;
    assert_eq!(trouble.len(), MAX_TROUBLE);
    assert_eq!(trouble[0].phase(), Phase::Resolve);
    assert_eq!(trouble[MAX_TROUBLE - 1].address(), Some(&address("19")));
    rig.advance(secs(1));
    rig.connect("19");
    assert_eq!(rig.snapshot().trouble[MAX_TROUBLE - 1].address(), Some(&address("18")));
}

#[test]
fn a_lost_connection_is_trouble_until_there_is_another() {
    let mut rig = Rig::over(pick_first(), ["a"]);
    rig.connect("a");
    rig.lose("a", true);
    rig.call();
    assert_eq!(rig.snapshot().trouble[0].to_string(), "a: HTTP/2: connection reset");
    rig.connect("a");
    assert!(rig.snapshot().trouble.is_empty());
}

#[test]
fn the_log_is_told_of_each_change_once() {
    let mut rig = Rig::over(pick_first(), ["a"]);
    for _ in 0..1000 {
        if rig.is_dialled("a") {
            rig.fail("a", refused());
        }
        rig.advance(secs(1));
    }
    rig.advance(secs(200));
    rig.connect("a");
    let told = |rig: &Rig, of_channel: bool| -> Vec<_> {
        let notes = rig.notes.iter().filter(|note| note.address.is_none() == of_channel);
        notes.map(|note| (note.from, note.to)).collect()
    };
    let expected = [(Idle, Connecting), (Connecting, TransientFailure), (TransientFailure, Ready)];
    assert_eq!(told(&rig, true), expected);
    assert_eq!(told(&rig, false), expected);
    let failed = &rig.notes.iter().find(|note| note.to == TransientFailure).unwrap().cause;
    assert_eq!(failed.as_ref().unwrap().to_string(), "a: connect: connection refused");
}

#[test]
fn another_cause_is_told_again() {
    let mut rig = Rig::over(Everyone::config(), ["a"]);
    rig.fail("a", refused());
    rig.advance(secs(1));
    rig.fail("a", ConnectError::new(Phase::Connect, "network unreachable"));
    assert_eq!(rig.notes.iter().filter(|note| note.to == TransientFailure).count(), 2);
}
