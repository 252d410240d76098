//! What a step of a subchannel asks for beyond its own change. It is handed down to the step instead of the
//! control plane, so that no subchannel can reach its owner.

use std::time::Duration;

use rand::rngs::StdRng;
use trunkline_proto::ConnectError;

use super::backoff::BackoffState;
use super::{Action, Backoff, StateChange};

/// Collects the wishes of subchannels, and numbers what they must be able to compare.
#[derive(Debug)]
pub(super) struct Effects<C> {
    pub(super) actions: Vec<Action<C>>,
    /// A connection was lost or is going away, so that the resolution is doubted.
    pub(super) doubted: bool,
    revisions: u64,
    troubles: u64,
    chance: StdRng,
    backoff: Backoff,
}

/// Something that went wrong, and how new it is.
#[derive(Clone, Debug)]
pub(super) struct Trouble {
    /// The newest has the highest.
    pub(super) number: u64,
    pub(super) error: ConnectError,
}

impl<C> Effects<C> {
    pub(super) fn new(backoff: Backoff, chance: StdRng) -> Self {
        Self { actions: Vec::new(), doubted: false, revisions: 0, troubles: 0, chance, backoff }
    }

    /// A number for a change that policies or snapshots can see. Unique in the channel, so that a record that
    /// is dropped and made again never repeats one.
    pub(super) fn revision(&mut self) -> u64 {
        self.revisions += 1;
        self.revisions
    }

    /// The newest of these numbers.
    pub(super) fn last_revision(&self) -> u64 {
        self.revisions
    }

    pub(super) fn trouble(&mut self, error: ConnectError) -> Trouble {
        self.troubles += 1;
        Trouble { number: self.troubles, error }
    }

    pub(super) fn note(&mut self, change: Option<StateChange>) {
        self.actions.extend(change.map(Action::Note));
    }

    /// The wait that goes with an attempt that starts now.
    pub(super) fn wait(&mut self, state: &BackoffState) -> Duration {
        state.wait(&self.backoff, &mut self.chance)
    }

    /// The wait after an attempt whose failure somebody has to mend.
    pub(super) fn longest_wait(&mut self) -> Duration {
        self.backoff.longest(&mut self.chance)
    }

    pub(super) fn grow(&self, state: &mut BackoffState) {
        state.grow(&self.backoff);
    }
}
