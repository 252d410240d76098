//! What became of calls.

use std::time::Duration;

use super::failure::Failure;
use crate::sample::Latency;
use crate::statistics;

/// Whoever has failed so often need not go on.
const HOPELESS: u64 = 100;

/// Times that are kept, of one caller. Above what a workload of seconds needs.
const MAX_TIMES: usize = 1 << 20;

/// Counts of one caller, or of several.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) calls: u64,
    pub(super) failures: u64,
    pub(super) first_failure: Option<String>,
    /// In nanoseconds.
    times: Vec<u32>,
}

impl Tally {
    /// One call, with `messages` that were right.
    pub(super) fn count(&mut self, messages: u64, ended: Result<(), Failure>) {
        self.calls += messages;
        if let Err(failure) = ended {
            self.failed(&failure);
        }
    }

    pub(super) fn failed(&mut self, failure: &Failure) {
        self.failures += 1;
        self.first_failure.get_or_insert_with(|| failure.to_string());
    }

    pub(super) fn took(&mut self, time: Duration) {
        if self.times.len() < MAX_TIMES {
            self.times.push(u32::try_from(time.as_nanos()).unwrap_or(u32::MAX));
        }
    }

    pub(super) fn is_hopeless(&self) -> bool {
        self.failures >= HOPELESS
    }

    pub(super) fn add(&mut self, other: Self) {
        self.calls += other.calls;
        self.failures += other.failures;
        self.first_failure = self.first_failure.take().or(other.first_failure);
        self.times.extend(other.times);
    }

    pub(super) fn latency(&mut self) -> Option<Latency> {
        self.times.sort_unstable();
        let micros = |share| statistics::at(&self.times, share).map(|nanos| f64::from(nanos) / 1e3);
        Some(Latency { p50: micros(0.5)?, p99: micros(0.99)? })
    }
}
