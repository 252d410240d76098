//! What the engine tells its owner, and how it names streams.

use bytes::Bytes;
use http::StatusCode;

use crate::{ErrorCode, Headers, StreamViolation};

/// One stream. A caller keeps its own table beside the engine's, at [`index`](Self::index); an event that was
/// queued for an earlier stream in that place is told apart by [`id`](Self::id).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct StreamKey {
    index: u32,
    id: u32,
}

impl StreamKey {
    pub(crate) const fn new(index: u32, id: u32) -> Self {
        Self { index, id }
    }

    /// The stream's slot: small, and used again after the stream is over.
    pub fn index(self) -> usize {
        self.index as usize
    }

    /// Its id on the wire: odd, and never used again.
    pub fn id(self) -> u32 {
        self.id
    }
}

/// What happened. For each stream: at most one `Head`, then `Data`, then at most one of `Trailers`, `Reset`,
/// `NotProcessed` and `Violation`. After the end of a response (`end`, or `Trailers`) nothing but `Writable`
/// is told of its stream. Streams that the caller has reset may still have events in the queue; `Data` among them
/// is to be released like any other.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// The server's first SETTINGS are in.
    SettingsReceived,
    /// The peer's SETTINGS_MAX_CONCURRENT_STREAMS (`None`: no limit): told after `SettingsReceived`, and whenever
    /// it changes.
    StreamLimit(Option<u32>),
    /// SETTINGS of ours were acknowledged: the first, or those of [`probe`](crate::Connection::probe).
    SettingsAcknowledged,
    /// GOAWAY, each of them. There are no new streams; those above `last_stream_id` follow as `NotProcessed`,
    /// the others go on.
    GoAway {
        /// The last of our streams that the peer may have processed.
        last_stream_id: u32,
        /// Why.
        code: ErrorCode,
        /// What else the peer said, at most 1 KiB of it. Text that is meant for people; not to be trusted.
        debug_data: Bytes,
    },
    /// The last stream id was used: there are no new streams.
    IdsExhausted,
    /// The answer to [`ping`](crate::Connection::ping).
    Pong {
        /// What the ping carried.
        opaque: u64,
    },
    /// The response has begun. Informational (1xx) heads are checked and dropped.
    Head {
        /// The stream.
        stream: StreamKey,
        /// The HTTP status, 200 or above.
        status: StatusCode,
        /// The header fields without pseudo fields.
        headers: Headers,
        /// The response has ended: there is neither data nor trailers.
        end: bool,
    },
    /// A part of the body. Its length is to be given back with [`release`](crate::Connection::release).
    Data {
        /// The stream.
        stream: StreamKey,
        /// The payload of one DATA frame, or of several small ones that followed one another. Empty only
        /// together with `end`.
        data: Bytes,
        /// The response has ended without trailers.
        end: bool,
    },
    /// The trailers, which end the response.
    Trailers {
        /// The stream.
        stream: StreamKey,
        /// The trailer fields.
        headers: Headers,
    },
    /// The peer reset the stream before its response was complete.
    Reset {
        /// The stream, which is over.
        stream: StreamKey,
        /// Why.
        code: ErrorCode,
    },
    /// The peer's GOAWAY excludes the stream: the request was not processed and may be sent elsewhere.
    NotProcessed {
        /// The stream, which is over.
        stream: StreamKey,
    },
    /// The response broke a rule. RST_STREAM is queued.
    Violation {
        /// The stream, which is over.
        stream: StreamKey,
        /// What was wrong.
        violation: StreamViolation,
    },
    /// The stream has room again after [`is_writable`](crate::Connection::is_writable) was `false`, or would have
    /// been at the end of [`send`](crate::Connection::send): half of its buffer is free, and the windows, its own and
    /// the connection's, are open for more than what waits.
    Writable {
        /// The stream.
        stream: StreamKey,
    },
}
