//! The streams of one connection.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::outgoing::Outgoing;
use super::request_heads::Method;

/// By number. The numbers are a client's of the bench, so no hash has to withstand them.
pub(super) type Streams = HashMap<u32, Stream, BuildHasherDefault<NumberHasher>>;

/// One call.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) method: Method,
    /// Of the request, what makes no whole message yet.
    pub(super) incoming: Vec<u8>,
    pub(super) outgoing: Outgoing,
    /// How much the client takes.
    pub(super) send_window: i64,
    /// How much of the client's window was used and not given back.
    pub(super) received: u32,
    /// Whether the request is over, so that trailers follow what is outgoing.
    pub(super) ended: bool,
    /// Whether it stands in the queue of those that send.
    pub(super) queued: bool,
}

impl Stream {
    pub(super) fn new(method: Method, send_window: u32) -> Self {
        Self {
            method,
            incoming: Vec::new(),
            outgoing: Outgoing::Bytes(Vec::new(), 0),
            send_window: i64::from(send_window),
            received: 0,
            ended: false,
            queued: false,
        }
    }
}

/// Spreads consecutive numbers with one multiplication.
#[derive(Debug, Default)]
pub(super) struct NumberHasher(u64);

impl Hasher for NumberHasher {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u32(u32::from(*byte)));
    }

    fn write_u32(&mut self, number: u32) {
        // 2^64 divided by the golden ratio: Fibonacci hashing.
        self.0 = (self.0 ^ u64::from(number)).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(32);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
