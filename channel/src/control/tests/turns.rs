//! Who is dialled first while hundreds of addresses swallow every packet: a dial to one of those lasts its 20
//! s, whoever waits behind it.

use serde_json::json;
use trunkline_balancer::{Balancer, BalancerConfig, BalancerState, FixedPicker, Input, Plan, RoundRobin};
use trunkline_proto::ConnectivityState::{Connecting, Ready};
use trunkline_proto::Endpoint;

use super::rig::{Rig, address, goaway, ms, refused, secs};
use crate::control::turns::{KEPT_FREE, MAX_DIALS};
use crate::control::{DialNews, Event, Usage};

const BLACK_HOLES: usize = 300;

/// What black holes may take.
const PLACES: usize = MAX_DIALS - KEPT_FREE;

/// One good server and many black holes, with all dials running that may.
fn over_black_holes(balancer: impl Into<BalancerConfig>) -> Rig {
    let holes: Vec<_> = (0..BLACK_HOLES).map(|number| number.to_string()).collect();
    let mut rig = Rig::new(balancer);
    rig.wake();
    rig.resolve(["good"].into_iter().chain(holes.iter().map(String::as_str)));
    rig
}

/// The same, with the good server connected for a second.
fn connected() -> Rig {
    let mut rig = over_black_holes(RoundRobin);
    rig.connect("good");
    rig.advance(secs(1));
    assert_eq!((rig.state(), rig.open.len()), (Ready, PLACES + 1));
    rig
}

#[test]
fn the_replacement_of_a_draining_connection_is_dialled_at_once() {
    let mut rig = connected();
    let old = rig.drain("good", true, Some(secs(0)));
    assert_eq!(rig.dials_of("good"), [0.0, 1.0]);
    let new = rig.connect("good");
    assert_ne!(new, old);
    rig.advance(ms(2));
    assert_eq!(rig.picked(), Some(new));
}

#[test]
fn a_good_connection_that_was_lost_is_dialled_at_once_and_waits_with_the_others_when_that_fails() {
    let mut rig = connected();
    rig.lose("good", true);
    assert_eq!(rig.dials_of("good"), [0.0, 1.0]);
    rig.fail("good", refused());
    rig.advance(secs(5));
    assert_eq!(rig.dials_of("good"), [0.0, 1.0], "now it has no better claim");
    assert_eq!(rig.status("good").state, Connecting);
}

#[test]
fn a_connection_that_never_proved_itself_has_no_claim() {
    let mut rig = connected();
    rig.lose("good", false);
    rig.advance(secs(5));
    assert_eq!((rig.dials_of("good"), rig.status("good").state), (vec![0.0], Connecting));
}

#[test]
fn connections_that_went_with_their_runtime_come_back_first() {
    let holes: Vec<_> = (0..BLACK_HOLES).map(|number| number.to_string()).collect();
    let mut rig = Rig::new(RoundRobin);
    rig.wake();
    rig.resolve(["good"]);
    rig.connect("good");
    rig.resolve(holes.iter().map(String::as_str).chain(["good"]));
    rig.open.clear();
    rig.handle(Event::RuntimeLost);
    assert!(rig.is_dialled("good"));
}

#[test]
fn even_when_all_places_are_taken_the_next_one_goes_to_whom_calls_wait_for() {
    let mut rig = connected();
    let others: Vec<_> = (0..KEPT_FREE + 1).map(|number| format!("good {number}")).collect();
    let all = || ["good"].into_iter().chain(others.iter().map(String::as_str));
    // They are connected before there are black holes.
    rig.resolve(all());
    for name in &others {
        rig.connect(name);
    }
    let holes: Vec<_> = (BLACK_HOLES..2 * BLACK_HOLES).map(|number| number.to_string()).collect();
    rig.resolve(all().chain(holes.iter().map(String::as_str)));
    for name in &others {
        rig.drain(name, true, Some(secs(0)));
    }
    let replaced = others.iter().filter(|name| rig.dials_of(name).len() == 2).count();
    assert_eq!(replaced, KEPT_FREE, "a hundred is a hundred");
    let hole = holes.iter().find(|name| rig.is_dialled(name)).unwrap();
    rig.fail(hole, refused());
    assert!(others.iter().all(|name| rig.dials_of(name).len() == 2));
}

/// Wants every address connected, but "good" only when it was asked for.
struct Lazy;

impl Balancer for Lazy {
    fn update(&mut self, input: &Input<'_>, plan: &mut Plan) -> BalancerState {
        for at in input.endpoints.iter().flat_map(Endpoint::addresses) {
            let status = input.status(at);
            let is_wanted = *at != address("good") || status.demanded || status.state == Connecting;
            if is_wanted { plan.connect(at) } else { plan.hold(at) }
        }
        BalancerState::new(Connecting, FixedPicker::Queue.shared())
    }
}

#[test]
fn an_address_that_a_call_asked_for_is_dialled_at_once() {
    let mut rig = over_black_holes(BalancerConfig::new("lazy", json!({}), |_| Lazy));
    assert_eq!((rig.open.len(), rig.is_dialled("good")), (PLACES, false));
    ask_for_it(&mut rig);
    assert!(rig.is_dialled("good"));
}

#[test]
fn asking_for_an_address_that_is_known_to_fail_gives_it_no_claim() {
    let mut rig = over_black_holes(BalancerConfig::new("lazy", json!({}), |_| Lazy));
    ask_for_it(&mut rig);
    rig.fail("good", refused());
    rig.advance(secs(2));
    ask_for_it(&mut rig);
    assert_eq!(rig.dials_of("good").len(), 1, "else black holes that are asked for hold every place");
}

#[test]
fn a_server_that_says_goaway_before_any_proof_waits_with_the_others() {
    let mut rig = connected();
    rig.drain("good", false, Some(secs(0)));
    rig.advance(ms(2_000));
    assert_eq!(rig.dials_of("good"), [0.0]);
}

#[test]
fn a_drained_connection_that_ends_keeps_the_turn_of_its_replacement() {
    let mut rig = connected();
    let old = rig.drain("good", true, Some(secs(0)));
    let usage = Usage { answered: true, last_used: None };
    rig.ends(old, DialNews::Lost { cause: goaway(), usage });
    assert_eq!((rig.dials_of("good").len(), rig.status("good").state), (2, Connecting));
}

/// As a call would, and waits for the decision: with so many endpoints one comes after a millisecond or two.
fn ask_for_it(rig: &mut Rig) {
    let version = rig.snapshot().version;
    rig.handle(Event::Demand { version, address: address("good") });
    rig.advance(ms(2));
}
