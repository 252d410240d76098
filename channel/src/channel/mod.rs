//! The handle that applications hold, and what all its clones and their calls share.

mod closing;
mod core;
mod settings;
mod watching;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use trunkline_balancer::{CallInfo, PickResult, Picker};
use trunkline_proto::{ConnectError, ConnectivityState};

pub use self::closing::CloseReport;
pub(crate) use self::core::Core;
pub use self::settings::NotReady;
pub(crate) use self::settings::{CallSettings, NoRuntime};
pub use self::watching::StateWatch;

use crate::FailFast;
use crate::builder::ChannelBuilder;
use crate::call::FOREVER;
use crate::control::Snapshot;
use crate::transport::Connection;

/// A gRPC channel: it finds the servers behind a target, keeps the right connections to them, chooses one for
/// every call, and ends every call with an honest status.
///
/// Clone it and share it: all clones are one channel, and a channel never needs a pool. It makes no
/// connection until the first call, [`wake`](Self::wake) or [`ready`](Self::ready). When the last clone is
/// dropped, and with it the last call that was made on one, its connections close and its tasks end.
///
/// Generated stubs take one; it is a [`tower_service::Service`] on `http::Request` too, so stubs that tonic
/// generates run on it unchanged.
///
/// ```no_run
/// # fn main() -> Result<(), trunkline::BuildError> {
/// let channel = trunkline::Channel::builder("http://greeter.prod:50051").connect_lazy()?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Channel {
    core: Arc<Core>,
}

impl Channel {
    /// Begins to build a channel to `target`: a gRPC name such as `dns:///greeter.prod:443`, or a URL. What
    /// is wrong with it is found when it is built.
    pub fn builder(target: impl Into<String>) -> ChannelBuilder {
        ChannelBuilder::new(target.into())
    }

    pub(crate) fn from_core(core: Arc<Core>) -> Self {
        Self { core }
    }

    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.core
    }

    /// How the channel stands now. One whose runtime has gone, and its connections with it, is Idle.
    pub fn state(&self) -> ConnectivityState {
        self.core.connectivity()
    }

    /// Watches how the channel stands. Watching starts nothing and keeps nothing alive.
    pub fn watch_state(&self) -> StateWatch {
        StateWatch::new(&self.core)
    }

    /// Starts connecting if the channel is Idle. Returns at once; outside of a runtime it has no effect until
    /// a call or [`ready`](Self::ready) comes.
    pub fn wake(&self) {
        let snapshot = self.core.snapshot();
        if snapshot.is_asleep || self.core.is_stale() {
            self.core.wake(snapshot.version);
        } else if snapshot.connectivity == ConnectivityState::Idle {
            self.knock();
        }
        // Without a runtime here, the next who has one starts the driver.
        let _ = self.core.ensure_driver();
    }

    /// Dials at once whatever waits for its backoff, which starts afresh. Nothing happens to what is
    /// connected or connecting.
    pub fn reset_backoff(&self) {
        self.core.reset_backoff();
        let _ = self.core.ensure_driver();
    }

    /// Waits until the channel is Ready, starting to connect if it is Idle.
    ///
    /// Dropping the future ends the wait and nothing else.
    ///
    /// # Errors
    /// [`NotReady`] after `limit`, or as soon as every address has failed permanently and the channel's
    /// `fail_fast` is not [`Never`](crate::FailFast::Never); it names the last causes. At once, too, if the channel is
    /// closed, or there is no runtime with timers to wait on; it says so.
    pub async fn ready(&self, limit: Duration) -> Result<(), NotReady> {
        let began = Instant::now();
        let end = began + limit.min(FOREVER);
        let not_ready = |why| NotReady::new(&self.core, began.elapsed(), why);
        loop {
            // Registered before anything is looked at, so that no publication is missed.
            let published = self.core.published();
            self.core.ensure_driver().map_err(|none| not_ready(Some(none.text().to_owned())))?;
            self.wake();
            let connectivity = self.core.connectivity();
            let snapshot = self.core.snapshot_to_keep();
            match connectivity {
                ConnectivityState::Ready => return Ok(()),
                ConnectivityState::Shutdown => return Err(not_ready(said(&*snapshot.picker))),
                _ if fails_for_good(&snapshot, self.core.settings().fail_fast) => {
                    return Err(not_ready(None));
                }
                _ => {}
            }
            let waiting = {
                let entered = self.core.enter();
                let _entered = entered.map_err(|none| not_ready(Some(none.text().to_owned())))?;
                timeout_at(end, published)
            };
            if waiting.await.is_err() {
                return Err(not_ready(None));
            }
        }
    }

    /// Closes the channel for all its clones: no new calls, and calls that wait for a connection fail with
    /// UNAVAILABLE. Streams in flight may finish within `grace`; what is left then is cut off, with
    /// UNAVAILABLE. Ends when every connection is closed.
    ///
    /// Dropping the future changes nothing: the channel goes on closing.
    pub async fn close(&self, grace: Duration) -> CloseReport {
        closing::close(&self.core, grace).await
    }

    /// Asks for whatever an idle policy would connect to for a call.
    fn knock(&self) {
        let snapshot = self.core.snapshot();
        if let Some(PickResult::Wake(address)) = pick(&*snapshot.picker) {
            self.core.demand(snapshot.version, address.clone());
        }
    }
}

/// What the picker says to a call of no method. `None` if it panics, which is for calls to tell.
fn pick(picker: &dyn Picker) -> Option<PickResult<'_>> {
    catch_unwind(AssertUnwindSafe(|| picker.pick(&CallInfo::new("")))).ok()
}

/// What the picker of a channel that is over tells its calls.
fn said(picker: &dyn Picker) -> Option<String> {
    match pick(picker) {
        Some(PickResult::Drop(failure)) => Some(failure.message().to_owned()),
        _ => None,
    }
}

/// Whether waiting is pointless for calls of that mode.
fn fails_for_good(snapshot: &Snapshot<Connection>, fail_fast: FailFast) -> bool {
    match pick(&*snapshot.picker) {
        Some(PickResult::Fail(failure)) => failure.is_permanent() && fail_fast != FailFast::Never,
        Some(PickResult::Drop(_)) => true,
        _ => false,
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel")
            .field("target", &self.core.settings().target)
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}

/// The newest causes of trouble, for whoever waited in vain.
fn trouble(core: &Core) -> Arc<[ConnectError]> {
    Arc::clone(&core.snapshot().trouble)
}
