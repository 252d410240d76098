//! Calls as the call path makes them: they read snapshots and nothing else, and wait for a newer one than
//! they read.

use std::sync::Arc;
use std::time::Instant;

use trunkline_balancer::{CallInfo, PickResult};
use trunkline_proto::Address;

use super::dials::Dials;
use crate::control::{DialId, Snapshot};

/// Most picks on one snapshot before a call waits for the next.
const PICKS: usize = 3;

/// One call.
#[derive(Debug)]
pub(super) struct Call {
    /// Fails when its picker says so, instead of waiting.
    pub(super) is_fail_fast: bool,
    pub(super) deadline: Option<Instant>,
    pub(super) stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// For a snapshot newer than this one.
    Waiting {
        version: u64,
    },
    InFlight(DialId),
    Ended,
}

/// What a call tells the driver.
#[derive(Debug)]
pub(super) enum Word {
    Wake,
    Demand { version: u64, address: Address },
}

impl Call {
    /// Looks for a connection on this snapshot, as far as it goes.
    pub(super) fn pick(
        &mut self,
        snapshot: &Arc<Snapshot<DialId>>,
        dials: &mut Dials,
        now: Instant,
    ) -> Option<Word> {
        let version = snapshot.version;
        self.stage = Stage::Waiting { version };
        if snapshot.is_asleep {
            return Some(Word::Wake);
        }
        for _ in 0..PICKS {
            match snapshot.picker.pick(&CallInfo::new("/test.Service/Method")) {
                PickResult::Ready(pick) => {
                    let connection = snapshot.entries.get(pick.address()).and_then(|entry| entry.connection);
                    let open =
                        connection.and_then(|id| dials.running.get_mut(&id)).filter(|dial| dial.is_open());
                    if let (Some(id), Some(dial)) = (connection, open) {
                        dial.usage.last_used = Some(now);
                        self.stage = Stage::InFlight(id);
                        return None;
                    }
                }
                PickResult::Wake(address) => {
                    let entry = snapshot.entries.get(address);
                    let is_first = entry.expect("a picker wakes what the snapshot holds").demand();
                    return is_first.then(|| Word::Demand { version, address: address.clone() });
                }
                PickResult::Fail(_) if self.is_fail_fast => {
                    self.stage = Stage::Ended;
                    return None;
                }
                PickResult::Drop(_) => {
                    self.stage = Stage::Ended;
                    return None;
                }
                _ => return None,
            }
        }
        None
    }

    pub(super) fn is_waiting(&self) -> bool {
        matches!(self.stage, Stage::Waiting { .. })
    }
}
