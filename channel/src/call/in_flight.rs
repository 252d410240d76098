//! Who is counted while a call runs, and exactly once when it ends, however that happens: every count is a
//! guard.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{
    AtomicU64,
    Ordering::{AcqRel, Relaxed},
};

use tokio::time::Instant;
use trunkline_balancer::{CallOutcome, OnFinish};
use trunkline_proto::wire::Code;

use crate::control::{Activity, Destination};
use crate::panic::panic_text;

/// How many calls a channel has in flight and when the last one ended: what idleness is judged by.
#[derive(Debug)]
pub(crate) struct CallMeter {
    in_flight: AtomicU64,
    /// When the last call ended of those that were in flight together: nanoseconds after `epoch`, or one of the two
    /// below.
    last_ended: AtomicU64,
    epoch: Instant,
}

/// No call has begun yet.
const NEVER: u64 = 0;
/// Calls have begun, and the last of them has not ended.
const NOT_YET: u64 = u64::MAX;

impl CallMeter {
    pub(crate) fn new(epoch: Instant) -> Self {
        Self { in_flight: AtomicU64::new(0), last_ended: AtomicU64::new(NEVER), epoch }
    }

    pub(crate) fn begin(&self) {
        if self.in_flight.fetch_add(1, Relaxed) == 0 {
            self.last_ended.store(NOT_YET, Relaxed);
        }
    }

    pub(crate) fn end(&self) {
        // Only the last one need say when that was. It comes behind what the others have stored.
        if self.in_flight.fetch_sub(1, AcqRel) == 1 {
            let nanos = Instant::now().saturating_duration_since(self.epoch).as_nanos();
            self.last_ended
                .store(u64::try_from(nanos).unwrap_or(u64::MAX).clamp(NEVER + 1, NOT_YET - 1), Relaxed);
        }
    }

    pub(crate) fn sample(&self) -> Activity {
        let in_flight = self.in_flight.load(Relaxed);
        match self.last_ended.load(Relaxed) {
            NEVER => Activity { in_flight, last_ended: None },
            // One that is about to say when it ended counts as in flight.
            NOT_YET => Activity { in_flight: in_flight.max(1), last_ended: None },
            nanos => {
                let last_ended = self.epoch + std::time::Duration::from_nanos(nanos);
                Activity { in_flight, last_ended: Some(last_ended.into_std()) }
            }
        }
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_counts_is_when_the_last_of_those_ended_that_were_in_flight_together() {
        let epoch = Instant::now();
        let meter = CallMeter::new(epoch);
        let says = |in_flight, last_ended: Option<Instant>| {
            let Activity { in_flight: counted, last_ended: ended } = meter.sample();
            assert_eq!((counted, ended), (in_flight, last_ended.map(Instant::into_std)));
        };
        says(0, None);
        meter.begin();
        meter.begin();
        meter.end();
        says(1, None);
        tokio::time::advance(Duration::from_secs(2)).await;
        meter.end();
        says(0, Some(epoch + Duration::from_secs(2)));
        meter.begin();
        says(1, None);
    }
}
