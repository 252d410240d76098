//! What may be set about connections, and the limits that may not. They are in one place because they depend
//! on one another: the budget for small frames follows from the windows, the frame size decides how long a
//! header list may be.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// How much one stream may have under way to us, unread. It bounds the throughput of a stream (1 MiB per
/// round trip: 80 Mbit/s at 100 ms) and the bytes that a reader who never reads can keep, as slices of what was read
/// (on Trunkline's engine no slice holds more than 40 times its own length). A little more than the round number, so that a message which carries a mebibyte fits with its framing: its last bytes would
/// else wait for a round trip.
pub(crate) const STREAM_WINDOW: u32 = (1 << 20) + (16 << 10);

/// How much all streams of a connection may have under way to us, unread: 15 stalled readers do not stop the
/// sixteenth.
pub(crate) const CONNECTION_WINDOW: u32 = 16 * STREAM_WINDOW;

/// The size of response headers or trailers, as RFC 9113 6.5.2 counts it, that we accept and advertise.
/// gRPC's own limit is 8 KiB; a server that answers with an error text of 100 kB must cost that call alone,
/// and the HTTP/2 engine gives the whole connection up well above this limit: at 4 times of it, and at 5/4 of
/// it if the headers come in frames of the smallest maximal size (16 KiB).
pub(crate) const MAX_HEADER_LIST_SIZE: u32 = 256 << 10;

/// Most streams at a time on a connection whose server has no limit of its own. Each is a call that somebody
/// waits for; with it, all that calls may queue for the connection has a bound.
pub(crate) const MOST_STREAMS: usize = 100_000;

/// The largest frame that we accept: HTTP/2's default. More gains little, and the engine counts the frames of
/// a header list in units of this size, although most servers never send larger ones than 16 KiB.
pub(crate) const MAX_FRAME_SIZE: u32 = 16 << 10;

/// How much of our own data may wait in the engine for the peer's window, per stream, before the sender is
/// told to wait.
pub(crate) const SEND_BUFFER: usize = 256 << 10;

/// How many streams that we reset are remembered, so that what the server had already sent for them is
/// ignored. Above it each late frame is answered by one more RST_STREAM. Ten thousand cancelled calls in 30 s
/// are normal when a backend stalls under deadlines.
pub(crate) const REMEMBERED_RESETS: usize = 10_000;

/// How long a reset stream is remembered: longer than a response in flight can take.
pub(crate) const REMEMBER_RESETS_FOR: Duration = Duration::from_secs(30);

/// How long a peer may take to read what is left to say when a connection closes. A peer that lives reads a few
/// frames within that; for one that does not, the connection is over anyway.
pub(crate) const FAREWELL: Duration = Duration::from_secs(10);

/// How long the rest of what a peer has said is waited for once nothing can be written to it any more. Whatever there is
/// is here already, or on its way.
pub(crate) const LAST_WORDS: Duration = Duration::from_secs(1);

/// What the engine lets unread small frames cost before it gives the connection up (RUSTSEC-2026-0258): a
/// frame of n < 256 bytes costs 256 - n. No gRPC message is shorter than its prefix of 5 bytes, so a
/// connection window full of them costs 51 times the window. Below that, a slow reader of small messages
/// would kill the connection of everybody; memory is bounded by the windows.
pub(crate) const SMALL_FRAME_BUDGET: usize = 51 * CONNECTION_WINDOW as usize;

/// The HTTP/2 engine below a channel's connections. Both pass the same tests; they differ in speed and age.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Transport {
    /// The `h2` crate, which most of Rust speaks HTTP/2 by.
    #[default]
    H2,
    /// Trunkline's own engine, the crate `trunkline-http2`, made for gRPC clients: several times the calls
    /// per core, fewer allocations and system calls, and it does not slow down with more calls in flight.
    Trunkline,
}

/// What may be set about the connections of a channel. Clones share what the connections have learned
/// together (see [`KeepalivePenalty`]).
#[derive(Clone, Debug)]
pub(crate) struct TransportOptions {
    pub(crate) engine: Transport,
    /// PINGs that find out whether the peer still lives. Off by default, since servers may object (gRFC A8).
    pub(crate) keepalive: Option<Keepalive>,
    /// How often servers have said that our PINGs are too many.
    pub(crate) keepalive_penalty: KeepalivePenalty,
    /// The id of the first stream. There are 2^30 of them on a connection, so tests that want to see the last
    /// one begin near it. (The `h2` crate lets nobody choose.)
    pub(crate) first_stream_id: u32,
}

impl Default for TransportOptions {
    fn default() -> Self {
        Self {
            engine: Transport::default(),
            keepalive: None,
            keepalive_penalty: KeepalivePenalty::default(),
            first_stream_id: 1,
        }
    }
}

/// When a PING is sent, and how long its answer may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Keepalive {
    /// After how long without a byte from the peer a PING is sent.
    pub(crate) every: Duration,
    /// How long without a byte after it the connection counts as dead.
    pub(crate) timeout: Duration,
    /// Whether PINGs are also sent while there are no streams.
    pub(crate) while_idle: bool,
}

/// How often the interval of PINGs was doubled because a server said GOAWAY with `too_many_pings` (gRFC A8:
/// "the client should double the interval"). It outlives the connection that was told so, and is shared by
/// the connections of a channel.
#[derive(Clone, Debug, Default)]
pub(crate) struct KeepalivePenalty(Arc<AtomicU32>);

impl KeepalivePenalty {
    /// Beyond this the interval does not grow: 2^10 x 10 s are three hours.
    const MAX_DOUBLINGS: u32 = 10;

    /// The number of doublings so far.
    pub(crate) fn doublings(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    /// Doubles the interval, on behalf of a connection that began with `seen` doublings. Several connections
    /// that were told the same thing at the same interval double it once.
    pub(crate) fn double(&self, seen: u32) {
        if seen < Self::MAX_DOUBLINGS {
            // A failure means that another connection has doubled it already.
            let _already_doubled =
                self.0.compare_exchange(seen, seen + 1, Ordering::Relaxed, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_that_were_told_the_same_double_the_interval_once() {
        let penalty = KeepalivePenalty::default();
        let seen = penalty.doublings();
        penalty.double(seen);
        penalty.double(seen);
        assert_eq!(penalty.doublings(), 1);
        penalty.double(1);
        assert_eq!(penalty.doublings(), 2);
    }

    #[test]
    fn the_interval_does_not_grow_without_end() {
        let penalty = KeepalivePenalty::default();
        (0..100).for_each(|_| penalty.double(penalty.doublings()));
        assert_eq!(penalty.doublings(), KeepalivePenalty::MAX_DOUBLINGS);
    }
}
