//! The step of a call that asks the picker. It reads one snapshot and decides nothing about time: whether a
//! connection was found, whether to wait for a newer snapshot, or why not.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use http::HeaderMap;
use trunkline_balancer::{CallInfo, Failure, OnFinish, PickResult};
use trunkline_proto::{Address, wire::Code};

use super::FailFast;
use crate::channel::Core;
use crate::control::{Destination, Snapshot};
use crate::panic::panic_text;
use crate::transport::Connection;

/// How often a call asks the same picker again: when the pick's connection is gone already, or another
/// address than one already tried is preferred. The most that one bad pick may cost before the call takes
/// what there is, or waits.
const PICKS_AGAIN: usize = 3;

/// What asking the picker of a snapshot came to.
pub(crate) enum Choice<'s> {
    Use(Chosen<'s>),
    /// Nothing now: ask again when a newer snapshot is out. `for_good`: every address has failed permanently,
    /// and the call waits because it was told to.
    Wait {
        for_good: bool,
    },
    Fail(Failure),
}

/// A connection for one attempt.
pub(crate) struct Chosen<'s> {
    pub(crate) destination: &'s Arc<Destination>,
    pub(crate) connection: &'s Connection,
    pub(crate) extras: Extras,
}

/// What a pick may bring beside its address.
#[derive(Default)]
pub(crate) struct Extras {
    pub(crate) metadata: Option<Box<HeaderMap>>,
    pub(crate) on_finish: Option<OnFinish>,
}

/// Asks the picker of `snapshot`.
pub(crate) fn choose<'s>(
    core: &Core,
    snapshot: &'s Snapshot<Connection>,
    call: &CallInfo<'_>,
    fail_fast: FailFast,
) -> Choice<'s> {
    if snapshot.is_asleep {
        core.wake(snapshot.version);
        return Choice::Wait { for_good: false };
    }
    // A plugin's panic is an error of this call, not of the process.
    match catch_unwind(AssertUnwindSafe(|| ask(core, snapshot, call, fail_fast))) {
        Ok(choice) => choice,
        Err(panic) => {
            let text = panic_text(&*panic);
            Choice::Fail(Failure::new(Code::Internal, format!("picker panicked: {text}")))
        }
    }
}

fn ask<'s>(
    core: &Core,
    snapshot: &'s Snapshot<Connection>,
    call: &CallInfo<'_>,
    fail_fast: FailFast,
) -> Choice<'s> {
    let (mut tried, mut for_good) = (None, false);
    for _ in 0..=PICKS_AGAIN {
        let mut pick = match snapshot.picker.pick(call) {
            PickResult::Ready(pick) => pick,
            PickResult::Wake(address) => {
                demand(core, snapshot, address);
                break;
            }
            PickResult::Fail(failure) if waits(fail_fast, &failure) => {
                for_good = failure.is_permanent();
                break;
            }
            PickResult::Fail(failure) | PickResult::Drop(failure) => return Choice::Fail(failure),
            PickResult::Queue | _ => break,
        };
        if let Some(wanted) = pick.wanted() {
            demand(core, snapshot, wanted);
        }
        let Some(entry) = snapshot.entries.get(pick.address()) else { continue };
        let Some(connection) = entry.connection.as_ref().filter(|connection| connection.is_open()) else {
            continue;
        };
        let extras = Extras { metadata: pick.take_metadata(), on_finish: pick.take_on_finish() };
        let chosen = Chosen { destination: &entry.destination, connection, extras };
        if !call.tried().contains(pick.address()) {
            return Choice::Use(chosen);
        }
        tried = Some(chosen);
    }
    tried.map_or(Choice::Wait { for_good }, Choice::Use)
}

/// Whether a call of that mode waits although nothing can serve it now.
fn waits(fail_fast: FailFast, failure: &Failure) -> bool {
    match fail_fast {
        FailFast::Always => false,
        FailFast::Permanent => !failure.is_permanent(),
        FailFast::Never => true,
    }
}

fn demand(core: &Core, snapshot: &Snapshot<Connection>, address: &Address) {
    // An address that is in no resolution and has no subchannel has no flag; such a policy's calls cost an
    // event each.
    if snapshot.entries.get(address).is_none_or(|entry| entry.demand()) {
        core.demand(snapshot.version, address.clone());
    }
}
