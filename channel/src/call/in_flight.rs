//! Who is counted while a call runs, and exactly once when it ends, however that happens: every count is a
//! guard.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use tokio::time::Instant;
use trunkline_balancer::{CallOutcome, OnFinish};
use trunkline_proto::wire::Code;

use crate::control::{Activity, Destination};
use crate::panic::panic_text;

/// How many calls a channel has in flight and when the last one ended: what idleness is judged by.
#[derive(Debug)]
pub(crate) struct CallMeter {
    in_flight: AtomicU64,
    /// Nanoseconds after `epoch`; 0: none ended yet.
    last_ended: AtomicU64,
    epoch: Instant,
}

impl CallMeter {
    pub(crate) fn new(epoch: Instant) -> Self {
        Self { in_flight: AtomicU64::new(0), last_ended: AtomicU64::new(0), epoch }
    }

    pub(crate) fn begin(&self) {
        self.in_flight.fetch_add(1, Relaxed);
    }

    pub(crate) fn end(&self, now: Instant) {
        let nanos = now.saturating_duration_since(self.epoch).as_nanos();
        let nanos = u64::try_from(nanos).unwrap_or(u64::MAX).max(1);
        // Of calls that end at the same moment any may be the last one.
        if self.last_ended.load(Relaxed) < nanos {
            self.last_ended.store(nanos, Relaxed);
        }
        self.in_flight.fetch_sub(1, Relaxed);
    }

    pub(crate) fn sample(&self) -> Activity {
        let last_ended = match self.last_ended.load(Relaxed) {
            0 => None,
            nanos => Some((self.epoch + std::time::Duration::from_nanos(nanos)).into_std()),
        };
        Activity { in_flight: self.in_flight.load(Relaxed), last_ended }
    }
}

/// One attempt that is counted by its subchannel. Dropped before [`finish`](Self::finish), it counts as
/// cancelled.
pub(crate) struct InFlight {
    /// `None` once it has ended.
    destination: Option<Arc<Destination>>,
    /// In a box, since most policies do not listen, and each call has room for it.
    on_finish: Option<Box<OnFinish>>,
    started: Instant,
}

impl InFlight {
    pub(crate) fn start(
        destination: Arc<Destination>,
        on_finish: Option<OnFinish>,
        started: Instant,
    ) -> Self {
        destination.live.start();
        Self { destination: Some(destination), on_finish: on_finish.map(Box::new), started }
    }

    /// Where it is, until it has ended.
    pub(crate) fn destination(&self) -> Option<&Arc<Destination>> {
        self.destination.as_ref()
    }

    /// The attempt ended with `code`. Returned is where it was; later calls find nothing.
    pub(crate) fn finish(&mut self, code: Code, now: Instant) -> Option<Arc<Destination>> {
        let destination = self.destination.take()?;
        let latency = now.saturating_duration_since(self.started);
        destination.live.finish(code == Code::Ok, latency);
        if let Some(on_finish) = self.on_finish.take() {
            let outcome = CallOutcome::new(code, latency);
            // A policy's code, which runs where the call is polled or dropped: its panic is no business of
            // whoever called.
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| on_finish(&outcome))) {
                tracing::error!(
                    panic = panic_text(&*panic),
                    "a load-balancing policy panicked at the end of a call"
                );
            }
        }
        Some(destination)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if self.destination.is_some() {
            self.finish(Code::Cancelled, Instant::now());
        }
    }
}
