//! What is measured: the workloads W1 to W6.

use serde::{Deserialize, Serialize};

/// The size of a small payload.
const SMALL: u32 = 32;
const LARGE: u32 = 1 << 20;

/// One thing that clients are asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Workload {
    /// W1: small calls one after the other.
    Alone,
    /// W2: 100 small calls in flight on one connection.
    Hundred,
    /// W3: 1000 of them.
    Thousand,
    /// W4: a stream of 100 000 small messages that share DATA frames.
    FloodPacked,
    /// W4: the same, one DATA frame per message.
    FloodFramed,
    /// W5: calls of 1 MiB each way, one after the other.
    Large,
    /// W5: 8 of them in flight.
    LargeEight,
    /// W2 on two threads, each with a connection of its own.
    TwoThreads,
    /// W6: 1000 streams that have exchanged a message and wait for another.
    IdleStreams,
    /// W6: 100 connections that have served a call.
    IdleConnections,
}

/// A workload in numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Unary echo of so many bytes, on so many threads, with so many calls in flight on each.
    Unary { in_flight: usize, size: u32, threads: usize },
    /// A server's stream.
    Flood { count: u64, size: u32, packed: bool },
    /// Things that are opened and then hold memory.
    IdleStreams { count: usize },
    /// The same.
    IdleConnections { count: usize },
}

impl Workload {
    pub(crate) const ALL: [Self; 10] = [
        Self::Alone,
        Self::Hundred,
        Self::Thousand,
        Self::FloodPacked,
        Self::FloodFramed,
        Self::Large,
        Self::LargeEight,
        Self::TwoThreads,
        Self::IdleStreams,
        Self::IdleConnections,
    ];

    /// As the command line, the table and the JSON call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Alone => "w1",
            Self::Hundred => "w2",
            Self::Thousand => "w3",
            Self::FloodPacked => "w4-packed",
            Self::FloodFramed => "w4-framed",
            Self::Large => "w5",
            Self::LargeEight => "w5-eight",
            Self::TwoThreads => "w2-threads",
            Self::IdleStreams => "w6-streams",
            Self::IdleConnections => "w6-connections",
        }
    }

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Alone => "unary 32 B, 1 in flight",
            Self::Hundred => "unary 32 B, 100 in flight on one connection",
            Self::Thousand => "unary 32 B, 1000 in flight on one connection",
            Self::FloodPacked => "server streaming, 100k x 32 B, packed in 16 KiB frames",
            Self::FloodFramed => "server streaming, 100k x 32 B, one frame per message",
            Self::Large => "unary 1 MiB, 1 in flight",
            Self::LargeEight => "unary 1 MiB, 8 in flight",
            Self::TwoThreads => "unary 32 B, 100 in flight on each of two threads and connections",
            Self::IdleStreams => "memory of 1000 idle bidirectional streams",
            Self::IdleConnections => "memory of 100 idle connections",
        }
    }

    pub(crate) fn shape(self) -> Shape {
        match self {
            Self::Alone => Shape::Unary { in_flight: 1, size: SMALL, threads: 1 },
            Self::Hundred => Shape::Unary { in_flight: 100, size: SMALL, threads: 1 },
            Self::Thousand => Shape::Unary { in_flight: 1000, size: SMALL, threads: 1 },
            Self::FloodPacked => Shape::Flood { count: 100_000, size: SMALL, packed: true },
            Self::FloodFramed => Shape::Flood { count: 100_000, size: SMALL, packed: false },
            Self::Large => Shape::Unary { in_flight: 1, size: LARGE, threads: 1 },
            Self::LargeEight => Shape::Unary { in_flight: 8, size: LARGE, threads: 1 },
            Self::TwoThreads => Shape::Unary { in_flight: 100, size: SMALL, threads: 2 },
            Self::IdleStreams => Shape::IdleStreams { count: 1000 },
            Self::IdleConnections => Shape::IdleConnections { count: 100 },
        }
    }

    /// Whether time is measured, and not memory.
    pub(crate) fn is_timed(self) -> bool {
        matches!(self.shape(), Shape::Unary { .. } | Shape::Flood { .. })
    }
}
