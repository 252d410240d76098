//! The driver's side: dials that the world connects, breaks and drains, and what it remembers of each.

use std::time::Instant;

use indexmap::IndexMap;
use trunkline_proto::Address;

use crate::control::{DialId, Usage};

/// One dial that the control plane asked for.
#[derive(Debug)]
pub(super) struct Dial {
    pub(super) address: Address,
    pub(super) started: Instant,
    pub(super) deadline: Instant,
    pub(super) stage: Stage,
    /// The control plane wants no more of it.
    pub(super) is_hung_up: bool,
    /// And its streams are not waited for.
    pub(super) is_aborted: bool,
    pub(super) usage: Usage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Dialling,
    Live { since: Instant },
    Draining { since: Instant },
}

impl Dial {
    /// Whether it stands in the way of another dial to its address.
    pub(super) fn holds_its_slot(&self) -> bool {
        !self.is_hung_up && !matches!(self.stage, Stage::Draining { .. })
    }

    pub(super) fn is_dialling(&self) -> bool {
        !self.is_hung_up && self.stage == Stage::Dialling
    }

    /// Whether a call can start on it.
    pub(super) fn is_open(&self) -> bool {
        !self.is_hung_up && matches!(self.stage, Stage::Live { .. })
    }
}

/// Every dial that has not ended, and the numbers of those that have.
#[derive(Debug, Default)]
pub(super) struct Dials {
    pub(super) running: IndexMap<DialId, Dial>,
    pub(super) ended: Vec<DialId>,
}

impl Dials {
    /// Those of which `wanted` is true.
    pub(super) fn ids(&self, wanted: impl Fn(&Dial) -> bool) -> Vec<DialId> {
        self.running.iter().filter(|(_, dial)| wanted(dial)).map(|(id, _)| *id).collect()
    }

    pub(super) fn at<'d>(&'d self, address: &'d Address) -> impl Iterator<Item = (&'d DialId, &'d Dial)> {
        self.running.iter().filter(move |(_, dial)| dial.address == *address)
    }

    /// It is over: its last news is about to be told, or never will be.
    pub(super) fn end(&mut self, id: DialId) -> Option<Dial> {
        let dial = self.running.shift_remove(&id)?;
        self.ended.push(id);
        Some(dial)
    }
}
