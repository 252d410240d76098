//! Where a channel's engine is while no driver runs it. A channel outlives runtimes: when one goes away the
//! engine waits here, and whoever next needs the channel starts it again where they are.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;

use super::{Driver, Engine};
use crate::channel::{Core, NoRuntime};
use crate::control::Event;

/// The seat of a driver.
///
/// ```text
///            somebody needs it               the channel is closed, or its driver panicked
///   Parked -------------------> Running ---------------------------------------------------> Finished
///     ^     (on their runtime)     |
///     `----------------------------'
///         its runtime went away, or was gone already
/// ```
pub(crate) struct Seat {
    /// Whether `state` is `Running`, so that whoever waits for a snapshot usually takes no lock.
    occupied: AtomicBool,
    state: Mutex<State>,
}

enum State {
    Parked { engine: Box<Engine>, ran_before: bool },
    Running,
    Finished,
}

impl Seat {
    pub(crate) fn parked(engine: Engine) -> Self {
        let state = State::Parked { engine: Box::new(engine), ran_before: false };
        Self { occupied: AtomicBool::new(false), state: Mutex::new(state) }
    }

    /// Starts the driver if nobody runs it.
    pub(crate) fn ensure_running(&self, core: &Arc<Core>) -> Result<(), NoRuntime> {
        if self.occupied.load(Ordering::Acquire) {
            return Ok(());
        }
        if self.is_finished() {
            return Ok(());
        }
        // Not under the lock: the runtime may have to be tried.
        let runtime = core.runtime()?;
        let _entered = runtime.enter();
        core.check_timers(&runtime)?;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !matches!(*state, State::Parked { .. }) {
            return Ok(());
        }
        let State::Parked { mut engine, ran_before } = std::mem::replace(&mut *state, State::Running) else {
            return Ok(());
        };
        if ran_before {
            // Connections live in tasks; with their runtime they are gone. Said past the mailbox, where the
            // last words of those tasks wait: they are news of dials that nobody owns any more, and no
            // failures.
            engine.plane.handle(Instant::now().into_std(), Event::RuntimeLost);
        }
        self.occupied.store(true, Ordering::Release);
        // Not under the lock: a runtime that is shutting down drops the driver at once, and its guard comes
        // back here.
        drop(state);
        runtime.spawn(Driver::new(engine, Arc::downgrade(core)));
        match *self.state.lock().unwrap_or_else(PoisonError::into_inner) {
            State::Parked { .. } => Err(NoRuntime::Gone),
            State::Running | State::Finished => Ok(()),
        }
    }

    /// Takes the engine back from a driver whose runtime goes away.
    pub(super) fn park(&self, engine: Box<Engine>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        *state = State::Parked { engine, ran_before: true };
        self.occupied.store(false, Ordering::Release);
    }

    /// Nothing will run here again.
    pub(crate) fn finish(&self) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = State::Finished;
        self.occupied.store(true, Ordering::Release);
    }

    pub(crate) fn is_finished(&self) -> bool {
        matches!(*self.state.lock().unwrap_or_else(PoisonError::into_inner), State::Finished)
    }
}
