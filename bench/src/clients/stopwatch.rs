//! What a stretch of work costs: time, CPU and, where it is counted, memory.

use std::time::Instant;

use super::tally::Tally;
use crate::counts::{CountAllocations, Counts};
use crate::machine::usage;
use crate::sample::{Allocations, Sample};

/// Runs from its making to [`stop`](Self::stop).
pub(super) struct Stopwatch {
    count: Option<CountAllocations>,
    counts: Option<Counts>,
    cpu_seconds: f64,
    began: Instant,
}

impl Stopwatch {
    pub(super) fn start(count: Option<CountAllocations>) -> Self {
        Self {
            count,
            counts: count.map(|count| count()),
            cpu_seconds: usage::cpu_seconds(),
            began: Instant::now(),
        }
    }

    pub(super) fn stop(self) -> impl FnOnce(Tally) -> Sample {
        let seconds = self.began.elapsed().as_secs_f64();
        let cpu_seconds = usage::cpu_seconds() - self.cpu_seconds;
        let counts = self.counts.zip(self.count.map(|count| count()));
        let allocations = counts.map(|(before, after)| Allocations {
            count: after.count - before.count,
            bytes: after.bytes - before.bytes,
        });
        move |mut tally| Sample {
            calls: tally.calls,
            failures: tally.failures,
            latency: tally.latency(),
            first_failure: tally.first_failure,
            seconds,
            cpu_seconds,
            allocations,
            memory: None,
            server_busy: None,
        }
    }
}
