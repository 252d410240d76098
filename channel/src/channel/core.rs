//! What the clones of a channel, their calls and its driver share. The call path reads the snapshot here,
//! without a lock.

use std::fmt;
use std::panic::catch_unwind;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, Guard};
use tokio::runtime::{EnterGuard, Handle, Id};
use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;
use trunkline_proto::{Address, ConnectivityState};

use super::{CallSettings, NoRuntime};
use crate::call::{AlarmClocks, CallMeter, ReplayBudget};
use crate::control::{Event, MethodConfig, Snapshot};
use crate::driver::{Engine, EventSender, Seat};
use crate::transport::Connection;
use crate::vocabulary::LayeredService;

/// One channel.
pub(crate) struct Core {
    settings: CallSettings,
    snapshot: ArcSwap<Snapshot<Connection>>,
    /// Some snapshot had settings of methods.
    has_methods: AtomicBool,
    /// The driver has gone with its runtime, and with it the connections of which the snapshot tells, until
    /// the next one publishes.
    is_stale: AtomicBool,
    published: Arc<Notify>,
    events: EventSender,
    /// The version of the last snapshot under which somebody said `Wake`.
    woken: AtomicU64,
    calls: Arc<CallMeter>,
    replay_budget: Arc<ReplayBudget>,
    alarm_clocks: AlarmClocks,
    runtime: Option<Handle>,
    /// The first runtime that was found to have no timers.
    without_timers: OnceLock<Id>,
    seat: Seat,
    layers: Option<LayeredService>,
}

impl Core {
    /// A channel whose driver is not running yet. `layers` lie between its calls and the call path.
    pub(crate) fn new(
        settings: CallSettings,
        engine: Engine,
        runtime: Option<Handle>,
        layers: Option<LayeredService>,
    ) -> Self {
        let snapshot = engine.first_snapshot();
        Self {
            settings,
            has_methods: AtomicBool::new(!snapshot.methods.is_empty()),
            snapshot: ArcSwap::new(snapshot),
            is_stale: AtomicBool::new(false),
            published: Arc::default(),
            events: engine.events(),
            woken: AtomicU64::new(u64::MAX),
            calls: engine.calls(),
            replay_budget: Arc::default(),
            alarm_clocks: AlarmClocks::default(),
            runtime,
            without_timers: OnceLock::new(),
            seat: Seat::parked(engine),
            layers,
        }
    }

    pub(crate) fn settings(&self) -> &CallSettings {
        &self.settings
    }

    pub(crate) fn layers(&self) -> Option<&LayeredService> {
        self.layers.as_ref()
    }

    pub(crate) fn calls(&self) -> &CallMeter {
        &self.calls
    }

    pub(crate) fn replay_budget(&self) -> &Arc<ReplayBudget> {
        &self.replay_budget
    }

    /// Where the deadlines of waiting calls are kept.
    pub(crate) fn alarm_clocks(&self) -> &AlarmClocks {
        &self.alarm_clocks
    }

    /// The snapshot in force, for a moment.
    pub(crate) fn snapshot(&self) -> Guard<Arc<Snapshot<Connection>>> {
        self.snapshot.load()
    }

    /// The snapshot in force, to be held across a wait.
    pub(crate) fn snapshot_to_keep(&self) -> Arc<Snapshot<Connection>> {
        self.snapshot.load_full()
    }

    /// Whether the snapshot tells of connections that have gone with their runtime.
    pub(crate) fn is_stale(&self) -> bool {
        self.is_stale.load(Acquire)
    }

    /// How the channel stands.
    pub(crate) fn connectivity(&self) -> ConnectivityState {
        // Before the snapshot, which is put in force before this is taken back.
        let is_stale = self.is_stale();
        match self.snapshot().connectivity {
            ConnectivityState::Ready | ConnectivityState::Connecting if is_stale => ConnectivityState::Idle,
            connectivity => connectivity,
        }
    }

    /// The settings of the method at `path`. Most channels have none at all, and then the snapshot is not
    /// looked at.
    pub(crate) fn method(&self, path: &str) -> Option<MethodConfig> {
        let has_methods = self.has_methods.load(Relaxed);
        has_methods.then(|| self.snapshot().methods.lookup(path).cloned()).flatten()
    }

    /// Ready at the next publication after this call.
    pub(crate) fn published(&self) -> OwnedNotified {
        Arc::clone(&self.published).notified_owned()
    }

    /// To be waited for by whoever can do nothing with snapshot `version`; `None` if another is out.
    /// Registers, makes sure of the driver and looks, in this order, so that no publication is missed and
    /// nobody waits for a driver that is not there.
    pub(crate) fn newer(self: &Arc<Self>, version: u64) -> Result<Option<OwnedNotified>, NoRuntime> {
        let published = self.published();
        self.ensure_driver()?;
        Ok((self.snapshot().version == version).then_some(published))
    }

    /// Puts a snapshot in force, and wakes whoever waits for one.
    pub(crate) fn publish(&self, snapshot: Arc<Snapshot<Connection>>) {
        if !snapshot.methods.is_empty() {
            // Before they are in force: whoever knows of the snapshot knows of this.
            self.has_methods.store(true, Relaxed);
        }
        self.snapshot.store(snapshot);
        self.is_stale.store(false, Release);
        self.published.notify_waiters();
    }

    /// What the snapshot tells of connections is no longer true.
    pub(crate) fn lose_connections(&self) {
        self.is_stale.store(true, Release);
    }

    /// Wakes whoever waits, although nothing was published: something else that they look at has changed.
    pub(crate) fn nudge(&self) {
        self.published.notify_waiters();
    }

    /// Leaves idleness. Said once per snapshot, however many calls wait under it.
    pub(crate) fn wake(&self, version: u64) {
        if self.woken.swap(version, Relaxed) != version {
            self.tell(Event::Wake);
        }
    }

    /// A call was told `Wake(address)` by the picker of snapshot `version`.
    pub(crate) fn demand(&self, version: u64, address: Address) {
        self.tell(Event::Demand { version, address });
    }

    pub(crate) fn reset_backoff(&self) {
        self.tell(Event::ResetBackoff);
    }

    pub(crate) fn begin_close(&self, deadline: Option<Instant>) {
        self.tell(Event::Close { deadline });
    }

    /// Starts the driver if it is not running: it never was, or the runtime that it ran on is gone.
    pub(crate) fn ensure_driver(self: &Arc<Self>) -> Result<(), NoRuntime> {
        self.seat.ensure_running(self)
    }

    pub(crate) fn seat(&self) -> &Seat {
        &self.seat
    }

    /// The runtime to spawn on: the channel's own, or the one that is here.
    pub(crate) fn runtime(&self) -> Result<Handle, NoRuntime> {
        self.runtime.clone().map_or_else(|| Handle::try_current().map_err(|_| NoRuntime::Absent), Ok)
    }

    /// Makes sure that timers can be made and tasks be spawned while the guard lives.
    pub(crate) fn enter(&self) -> Result<Option<EnterGuard<'_>>, NoRuntime> {
        let entered = self.runtime.as_ref().map(Handle::enter);
        let here = Handle::try_current().map_err(|_| NoRuntime::Absent)?;
        self.check_timers(&here)?;
        Ok(entered)
    }

    /// Whether this runtime, in which we are, has timers. It has no other way of saying that than a panic, so one that has
    /// none is remembered.
    pub(crate) fn check_timers(&self, here: &Handle) -> Result<(), NoRuntime> {
        if self.without_timers.get() != Some(&here.id())
            && catch_unwind(|| drop(tokio::time::sleep(Duration::ZERO))).is_ok()
        {
            return Ok(());
        }
        self.without_timers.get_or_init(|| here.id());
        Err(NoRuntime::NoTimers)
    }

    fn tell(&self, event: Event<Connection>) {
        self.events.send(event);
    }
}

impl Drop for Core {
    /// The last handle and the last call are gone: nobody can want anything any more. Who watches the state
    /// finds the channel gone.
    fn drop(&mut self) {
        self.tell(Event::Close { deadline: None });
        self.published.notify_waiters();
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core").field("settings", &self.settings).finish_non_exhaustive()
    }
}
