//! What one process is told to do, and what it says when it has done it.

use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::contender::Contender;
use crate::workload::Workload;

/// What a client process does.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) contender: Contender,
    pub(crate) workload: Workload,
    pub(crate) server: SocketAddr,
    /// One per thread. Empty where threads are not pinned.
    pub(crate) cores: Vec<usize>,
    /// Of the runtime, if it is multi-threaded.
    pub(crate) workers: Option<usize>,
    pub(crate) warm_up: Extent,
    pub(crate) measured: Extent,
    /// Of each call, from start to end.
    pub(crate) deadline: Duration,
    /// After which the process gives up.
    pub(crate) patience: Duration,
}

/// How much of a workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Extent {
    For(Duration),
    /// Calls, over all threads.
    Calls(u64),
}

/// What a client process has measured.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Sample {
    /// Calls or messages that came back as they were asked for.
    pub(crate) calls: u64,
    /// Calls that failed or came back otherwise.
    pub(crate) failures: u64,
    pub(crate) first_failure: Option<String>,
    pub(crate) seconds: f64,
    /// User and system time of the whole process.
    pub(crate) cpu_seconds: f64,
    pub(crate) latency: Option<Latency>,
    pub(crate) allocations: Option<Allocations>,
    pub(crate) memory: Option<Memory>,
    /// The share of the client process's life that the server spent on CPU; near 1 the server is what is
    /// measured. The process that runs both fills it in.
    pub(crate) server_busy: Option<f64>,
}

/// In microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Latency {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

/// What was asked of the allocator meanwhile, by the counting binary alone.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Allocations {
    pub(crate) count: u64,
    pub(crate) bytes: u64,
}

/// How many bytes each idle thing holds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Memory {
    /// Of resident memory.
    pub(crate) resident: f64,
    /// Of live heap; by the counting binary alone.
    pub(crate) heap: Option<f64>,
}

impl Sample {
    /// Of work that could not be done.
    pub(crate) fn failed(failure: impl ToString) -> Self {
        Self { failures: 1, first_failure: Some(failure.to_string()), ..Self::default() }
    }

    /// Calls or messages per second.
    pub(crate) fn rate(&self) -> f64 {
        self.calls as f64 / self.seconds
    }

    /// CPU time per call or message, in microseconds.
    pub(crate) fn cpu_micros(&self) -> f64 {
        self.cpu_seconds * 1e6 / self.calls as f64
    }
}
