//! What others may know of a subchannel: policies, snapshots, and the table that gives out turns.

use std::sync::Arc;
use std::time::Instant;

use trunkline_balancer::{Intent, SubchannelStatus};
use trunkline_proto::ConnectivityState;

use super::slot::Slot;
use super::{BackoffState, Class, Destination, DialId, Subchannel, Trouble};

impl<C> Subchannel<C> {
    pub(in crate::control) fn state(&self) -> ConnectivityState {
        self.slot.state()
    }

    /// The connection that calls may use.
    pub(in crate::control) fn connection(&self) -> Option<(DialId, &C)> {
        self.slot.connection()
    }

    pub(in crate::control) fn status(&self) -> SubchannelStatus<'_> {
        let mut status = SubchannelStatus::idle(&self.destination.live);
        status.state = self.state();
        status.error = self.error.as_ref();
        status.failures = self.failures;
        status.losses = self.losses;
        status.demanded = self.demanded;
        status.revision = self.revision;
        status.calls = self.destination.live.counts();
        status
    }

    /// What policies wish of it.
    pub(in crate::control) fn intent(&self) -> Option<Intent> {
        self.intent
    }

    /// Whether that wish would change nothing.
    pub(in crate::control) fn complies_with(&self, intent: Intent) -> bool {
        let is_as_wished = match intent {
            Intent::Connect => !matches!(self.slot, Slot::Idle),
            Intent::Hold => !matches!(self.slot, Slot::Waiting { replacement: false }),
        };
        is_as_wished && self.intent == Some(intent)
    }

    pub(in crate::control) fn destination(&self) -> &Arc<Destination> {
        &self.destination
    }

    pub(in crate::control) fn trouble(&self) -> Option<&Trouble> {
        self.trouble.as_ref()
    }

    pub(in crate::control) fn backoff(&self) -> &BackoffState {
        &self.backoff
    }

    /// When it may be tried again, if it has failed.
    pub(in crate::control) fn next_attempt(&self) -> Option<Instant> {
        match self.slot {
            Slot::Backoff { until } => Some(until),
            _ => None,
        }
    }

    /// If it waits for its turn to dial, and for nothing else: how urgent that is.
    pub(in crate::control) fn awaits_turn(&self, now: Instant) -> Option<Class> {
        let waits = self.slot.wants_a_dial() && self.spacing.is_none_or(|spacing| spacing <= now);
        waits.then(|| if self.slot.is_replacement() { Class::Urgent } else { self.claim })
    }

    pub(in crate::control) fn is_dialling(&self) -> bool {
        self.slot.is_dialling()
    }

    /// When [`tick`](Self::tick) has something to do.
    pub(in crate::control) fn due(&self) -> Option<Instant> {
        [self.slot.due(), self.spacing, self.backoff.remembered_until()].into_iter().flatten().min()
    }

    /// Whether there is nothing left worth remembering.
    pub(in crate::control) fn is_blank(&self) -> bool {
        let is_held_back = self.spacing.is_some() || self.backoff.remembered_until().is_some();
        let is_let_go = self.intent.is_none() && !is_held_back && !self.demanded;
        is_let_go && matches!(self.slot, Slot::Idle) && self.leaving.is_empty()
    }

    /// Compared around each step: what differs is news.
    pub(super) fn face(&self) -> Face {
        let connection = self.connection().map(|(id, _)| id);
        Face { state: self.state(), connection, failures: self.failures, losses: self.losses }
    }
}

/// What others see of it.
#[derive(PartialEq)]
pub(super) struct Face {
    pub(super) state: ConnectivityState,
    connection: Option<DialId>,
    failures: u64,
    losses: u64,
}
