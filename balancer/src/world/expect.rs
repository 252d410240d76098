//! What a test asks of a world: picks, states, dials, counts.

use std::collections::BTreeSet;

use trunkline_proto::{Address, ConnectivityState};

use super::{World, address};
use crate::{CallInfo, Failure, Intent, PickResult, Statuses};

/// What a picker said to one call, to keep.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Picked {
    /// This subchannel; and perhaps the other is wanted as well.
    Ready(Address, Option<Address>),
    /// Wait.
    Queue,
    /// Wait, and this one is wanted.
    Wake(Address),
    /// Fail, unless the call waits.
    Fail(Failure),
    /// Fail whatever the call says.
    Drop(Failure),
}

impl Picked {
    pub(super) fn new(result: PickResult<'_>) -> Self {
        match result {
            PickResult::Ready(pick) => Self::Ready(pick.address().clone(), pick.wanted().cloned()),
            PickResult::Queue => Self::Queue,
            PickResult::Wake(address) => Self::Wake(address.clone()),
            PickResult::Fail(failure) => Self::Fail(failure),
            PickResult::Drop(failure) => Self::Drop(failure),
        }
    }

    /// The subchannel that the call would use.
    pub fn address(&self) -> Option<&Address> {
        match self {
            Self::Ready(address, _) => Some(address),
            _ => None,
        }
    }

    /// Why the call would fail.
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Fail(failure) | Self::Drop(failure) => Some(failure),
            _ => None,
        }
    }

    fn wanted(&self) -> Option<&Address> {
        match self {
            Self::Ready(_, wanted) => wanted.as_ref(),
            Self::Wake(address) => Some(address),
            _ => None,
        }
    }
}

impl World {
    /// A call picks. If it wakes an address, the policy sees the demand at once.
    #[track_caller]
    pub fn pick(&mut self) -> Picked {
        self.pick_for(&CallInfo::new("/test.Service/Method"))
    }

    /// This call picks.
    #[track_caller]
    pub fn pick_for(&mut self, call: &CallInfo<'_>) -> Picked {
        let picked = match self.published.pick(call) {
            Ok(picked) => picked,
            Err(broken) => self.stop(format_args!("{broken}")),
        };
        if let Some(address) = picked.address() {
            if self.records.status(address).state != ConnectivityState::Ready {
                self.stop(format_args!("the picker chose {address}, which is not connected"));
            }
            if self.plan.intent(address).is_none() {
                self.stop(format_args!("the picker chose {address}, which the plan lets go"));
            }
        }
        if let Some(wanted) = picked.wanted()
            && !self.records.status(wanted).demanded
        {
            self.tell(format_args!("a call demands {wanted}"));
            self.records.demand(wanted);
            self.settle();
        }
        picked
    }

    /// The names of the addresses that `count` calls pick. Panics if one does not find a subchannel.
    #[track_caller]
    pub fn picks(&mut self, count: usize) -> Vec<String> {
        let pick = |_| match self.pick() {
            Picked::Ready(address, _) => address.to_string(),
            other => self.stop(format_args!("expected a subchannel, the picker says {other:?}")),
        };
        (0..count).map(pick).collect()
    }

    /// Panics unless calls pick all of `names` and nothing else.
    #[track_caller]
    pub fn assert_picks<const N: usize>(&mut self, names: [&str; N]) {
        let picked: BTreeSet<_> = self.picks(4 * N).into_iter().collect();
        self.assert_same("picked", picked, &names);
    }

    /// Panics unless calls wait: for a connection that is being made, or for one that they wake by this.
    #[track_caller]
    pub fn assert_waits(&mut self) {
        match self.pick() {
            Picked::Queue | Picked::Wake(_) => {}
            other => self.stop(format_args!("expected that calls wait, the picker says {other:?}")),
        }
    }

    /// Panics unless calls fail; returns with what.
    #[track_caller]
    pub fn assert_fails(&mut self) -> Failure {
        match self.pick() {
            Picked::Fail(failure) => failure,
            other => self.stop(format_args!("expected that calls fail, the picker says {other:?}")),
        }
    }

    /// Panics unless exactly these are being dialled, the replacements of draining connections too.
    #[track_caller]
    pub fn assert_dialling<const N: usize>(&mut self, names: [&str; N]) {
        let dialling = self.records.dialling().map(Address::to_string).collect();
        self.assert_same("dialling", dialling, &names);
    }

    /// Panics unless exactly these are connected.
    #[track_caller]
    pub fn assert_connected<const N: usize>(&mut self, names: [&str; N]) {
        let connected = self.records.connected().map(Address::to_string).collect();
        self.assert_same("connected", connected, &names);
    }

    /// Panics unless the policy is in this state.
    #[track_caller]
    pub fn assert_state(&self, expected: ConnectivityState) {
        let state = self.connectivity();
        if state != expected {
            self.stop(format_args!("expected {expected}, the policy is {state}"));
        }
    }

    /// The policy's state, as calls see it.
    pub fn connectivity(&self) -> ConnectivityState {
        self.state().connectivity
    }

    /// How the subchannel of `name` stands.
    pub fn subchannel(&self, name: &str) -> ConnectivityState {
        self.status(name).state
    }

    /// What the policy wishes of `name`.
    pub fn intent(&self, name: &str) -> Option<Intent> {
        self.plan.intent(&address(name))
    }

    /// The names of all that is being dialled.
    pub fn dialling(&self) -> Vec<String> {
        self.records.dialling().map(Address::to_string).collect()
    }

    /// The names of all that is connected.
    pub fn connected(&self) -> Vec<String> {
        self.records.connected().map(Address::to_string).collect()
    }

    /// How often `name` has been dialled.
    pub fn dials(&self, name: &str) -> u64 {
        self.records.dials(&address(name))
    }

    /// How often the policy has asked for a newer answer of the resolver, each answer counted once.
    pub fn resolves(&self) -> u64 {
        self.counts.resolves
    }

    /// How often the policy was updated; the second update that checks a law is not counted.
    pub fn updates(&self) -> u64 {
        self.counts.updates
    }

    /// How many pickers calls have seen.
    pub fn pickers(&self) -> u64 {
        self.counts.pickers
    }

    #[track_caller]
    fn assert_same(&self, what: &str, found: BTreeSet<String>, names: &[&str]) {
        let expected: BTreeSet<_> = names.iter().map(|name| address(name).to_string()).collect();
        if found != expected {
            self.stop(format_args!("expected {what}: {expected:?}, found {found:?}"));
        }
    }
}
