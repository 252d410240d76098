//! What must hold after every step, whatever happened.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use trunkline_balancer::{CallInfo, PickResult};
use trunkline_proto::ConnectivityState;

use super::calls::{Call, Stage as CallStage};
use super::dials::{Dial, Stage};
use super::world::World;
use crate::control::turns::MAX_DIALS;
use crate::control::{DialId, Snapshot};

/// How long a draining connection may stand in for its replacement.
const REPLACEMENT: Duration = Duration::from_millis(250);

/// Enough to see every choice of a picker that takes turns.
const PICKS: usize = 10;

impl World {
    /// Compares the world with what must hold. `old` was the snapshot before.
    pub(super) fn check(&self, old: &Arc<Snapshot<DialId>>) {
        self.one_connection_per_slot();
        self.not_too_many_dials();
        self.at_rest_there_is_nothing();
        self.failures_are_those_that_happened();
        self.a_new_snapshot_differs(old);
        // A decision that is still due may put the rest right.
        if self.plane.poll_timeout().is_none_or(|due| due > self.now) {
            self.picks_are_connected();
            self.nobody_waits_for_what_is_there();
        }
    }

    fn one_connection_per_slot(&self) {
        let mut slots = HashMap::new();
        for (id, dial) in self.dials.running.iter().filter(|(_, dial)| dial.holds_its_slot()) {
            let other = slots.insert(&dial.address, id);
            assert!(other.is_none(), "two dials hold the slot of {}: {other:?} and {id:?}", dial.address);
        }
    }

    fn not_too_many_dials(&self) {
        let dialling = self.dials.ids(|dial| dial.is_dialling()).len();
        assert!(dialling <= MAX_DIALS, "{dialling} dials at once");
    }

    fn at_rest_there_is_nothing(&self) {
        if self.snapshot.is_asleep || self.is_closed {
            let left = self.dials.ids(|dial| dial.holds_its_slot());
            assert!(left.is_empty(), "a channel at rest has {left:?}");
            assert!(!self.resolver.is_running, "a channel at rest has a resolver");
            let expected = if self.is_closed { ConnectivityState::Shutdown } else { ConnectivityState::Idle };
            assert_eq!(self.snapshot.connectivity, expected);
            assert!(self.snapshot.entries.is_empty());
        }
        let in_flight = |call: &Call| matches!(call.stage, CallStage::InFlight(_));
        let falls_asleep = self.snapshot.is_asleep && !self.is_closed;
        assert!(!falls_asleep || !self.calls.iter().any(in_flight), "sleeps while calls are in flight");
    }

    fn failures_are_those_that_happened(&self) {
        for address in &self.addresses {
            let status = self.plane.status(address);
            let happened = self.failures.get(address).copied().unwrap_or(0);
            assert!(status.failures <= happened, "{address}: {} failures of {happened}", status.failures);
            assert!(status.state != ConnectivityState::Ready || status.error.is_none());
        }
    }

    fn a_new_snapshot_differs(&self, old: &Arc<Snapshot<DialId>>) {
        let new = &self.snapshot;
        if Arc::ptr_eq(old, new) {
            return;
        }
        // The very first is published as it was.
        assert_eq!(new.version, old.version + 1);
        let entries = |snapshot: &Snapshot<DialId>| -> Vec<_> {
            let entry = snapshot.entries.iter();
            entry.map(|(address, entry)| (address.clone(), entry.connection)).collect()
        };
        let says = |snapshot: &Snapshot<DialId>| -> Vec<_> {
            snapshot.trouble.iter().map(ToString::to_string).collect()
        };
        let is_same = (old.connectivity, old.is_asleep, old.next_attempt)
            == (new.connectivity, new.is_asleep, new.next_attempt)
            && Arc::ptr_eq(&old.picker, &new.picker)
            && entries(old) == entries(new)
            && says(old) == says(new);
        assert!(!is_same, "a snapshot without news: {new:?}");
    }

    fn picks_are_connected(&self) {
        for _ in 0..PICKS {
            let PickResult::Ready(pick) = self.snapshot.picker.pick(&CallInfo::new("/test.Service/Method"))
            else {
                return;
            };
            let address = pick.address();
            let entry = self.snapshot.entries.get(address);
            let Some(connection) = entry.and_then(|entry| entry.connection) else {
                panic!("a pick of {address}, which has no connection");
            };
            let Some(dial) = self.dials.running.get(&connection) else {
                panic!("a pick of {address}, whose connection {connection:?} has ended");
            };
            if let Stage::Draining { since } = dial.stage {
                let is_replaced = self.dials.at(address).any(|(_, dial)| dial.is_dialling())
                    || self.dials.ids(|dial| dial.is_dialling()).len() == MAX_DIALS;
                assert!(is_replaced, "a pick of {address}, which drains without a replacement");
                assert!(
                    self.now - since < REPLACEMENT,
                    "a pick of {address}, which has drained for too long"
                );
            } else {
                assert!(dial.is_open(), "a pick of {address}, whose connection is {dial:?}");
            }
        }
    }

    /// Calls wait for a newer snapshot than they read. So each must have read the newest, and found nothing
    /// there.
    fn nobody_waits_for_what_is_there(&self) {
        let newest = self.plane.snapshot();
        assert!(Arc::ptr_eq(newest, &self.snapshot), "a snapshot is in force that calls were not given");
        let waits = |call: &Call| call.stage == CallStage::Waiting { version: newest.version };
        // Those that have just begun have not looked yet.
        let has_new_calls = self.calls.iter().any(|call| call.stage == CallStage::Waiting { version: 0 });
        if has_new_calls || !self.calls.iter().any(waits) {
            return;
        }
        // Whoever rests has been told of each call that looked.
        assert_ne!(newest.connectivity, ConnectivityState::Idle, "it rests although a call waits");
        let usable = |id: &DialId| self.dials.running.get(id).is_some_and(Dial::is_open);
        let connections: Vec<_> = newest.entries.values().filter_map(|entry| entry.connection).collect();
        let is_serving = newest.connectivity == ConnectivityState::Ready;
        let all_usable = is_serving && !connections.is_empty() && connections.iter().all(usable);
        assert!(!all_usable, "a call waits although every server is there");
    }
}
