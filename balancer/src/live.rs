//! Counters of the calls of one subchannel. Calls write them, pickers read them while they run, and policies
//! see a sample; they are apart from any policy so that a changed policy or picker loses no count.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// The running counters of one subchannel. The call path keeps them exactly, also when a call is dropped.
#[derive(Debug, Default)]
pub struct LiveCalls {
    started: AtomicU64,
    succeeded: AtomicU64,
    failed: AtomicU64,
    latency_nanos: AtomicU64,
}

/// The counters of a [`LiveCalls`] at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallCounts {
    /// Calls that were given to the subchannel.
    pub started: u64,
    /// Of these, those that ended with OK.
    pub succeeded: u64,
    /// Of these, those that ended otherwise, or were dropped.
    pub failed: u64,
    /// The latencies of all that ended, added up.
    pub latency: Duration,
}

impl LiveCalls {
    /// A call was given to this subchannel.
    pub fn start(&self) {
        self.started.fetch_add(1, Relaxed);
    }

    /// A call that was started has ended.
    pub fn finish(&self, success: bool, latency: Duration) {
        let nanos = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        self.latency_nanos.fetch_add(nanos, Relaxed);
        if success { &self.succeeded } else { &self.failed }.fetch_add(1, Relaxed);
    }

    /// The calls that run now.
    pub fn in_flight(&self) -> u64 {
        self.counts().in_flight()
    }

    /// A sample of the counters.
    pub fn counts(&self) -> CallCounts {
        // What has ended is read first: a call that ends between the loads then looks like one in flight,
        // never like more calls ended than started.
        let succeeded = self.succeeded.load(Relaxed);
        let failed = self.failed.load(Relaxed);
        let latency = Duration::from_nanos(self.latency_nanos.load(Relaxed));
        CallCounts { started: self.started.load(Relaxed), succeeded, failed, latency }
    }
}

impl CallCounts {
    /// The calls that had not ended.
    pub fn in_flight(&self) -> u64 {
        self.started.saturating_sub(self.succeeded + self.failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_started_and_has_not_ended_is_in_flight() {
        let live = LiveCalls::default();
        live.start();
        live.start();
        live.start();
        live.finish(true, Duration::from_millis(2));
        live.finish(false, Duration::from_millis(3));
        let counts = live.counts();
        assert_eq!((counts.started, counts.succeeded, counts.failed), (3, 1, 1));
        assert_eq!(counts.latency, Duration::from_millis(5));
        assert_eq!(live.in_flight(), 1);
    }
}
