//! How streams end, and how the connection does.

use super::data::Violation;
use super::{Connection, Phase};
use crate::frame::{write_goaway, write_reset};
use crate::streams::{Receiving, Sending, Stream};
use crate::{ConnectionError, ErrorCode, Event, StreamKey};

impl Connection {
    /// Ends a stream by RST_STREAM; what it had queued is dropped. Nothing happens to one that is over.
    ///
    /// A stream whose HEADERS are not yet written is reset all the same: they stand in the order of what is to be
    /// written, and the header table counts on them.
    pub fn reset(&mut self, stream: StreamKey, code: ErrorCode) {
        if self.forget(stream).is_none() || matches!(self.phase, Phase::Over(_)) {
            return;
        }
        self.resets.insert(stream.id());
        self.outgoing.frames(|out| write_reset(out, stream.id(), code));
    }

    /// Queues GOAWAY with last stream id 0. There are no new streams; those that are open go on.
    pub fn close(&mut self, code: ErrorCode) {
        if matches!(self.phase, Phase::Over(_)) {
            return;
        }
        self.is_closed = true;
        self.outgoing.frames(|out| write_goaway(out, code, ""));
    }

    /// The peer has sent all of the response.
    #[inline]
    pub(super) fn end_receiving(&mut self, stream: StreamKey) {
        let Some(open) = self.streams.get_mut(stream) else { return };
        open.receiving = Receiving::Ended;
        if open.is_closed() {
            self.forget(stream);
        }
    }

    /// END_STREAM is among what is to be written.
    #[inline]
    pub(super) fn end_sending(&mut self, stream: StreamKey) {
        let Some(open) = self.streams.get_mut(stream) else { return };
        open.sending = Sending::Ended;
        if open.is_closed() {
            self.forget(stream);
        }
    }

    /// The peer broke a rule on this stream, which ends by it (RFC 9113 section 5.4.2).
    pub(super) fn violate(&mut self, stream: StreamKey, violation: Violation) {
        let code = match &violation {
            Violation::Told(violation) => violation.code(),
            Violation::Closed => ErrorCode::STREAM_CLOSED,
        };
        let is_complete = self.streams.get(stream).is_none_or(|open| open.receiving == Receiving::Ended);
        self.reset(stream, code);
        if let (Violation::Told(violation), false) = (violation, is_complete) {
            self.tell(Event::Violation { stream, violation });
        }
    }

    /// The stream is over, whatever its state.
    #[inline]
    pub(super) fn forget(&mut self, stream: StreamKey) -> Option<Stream> {
        let open = self.streams.remove(stream)?;
        if open.has_turn {
            self.turns.forget(|key| self.streams.get(key).is_some());
        }
        if open.returns_credit {
            self.returns.forget(|key| self.streams.get(key).is_some());
        }
        if open.has_place_in_waiting {
            self.waiting.forget(|key| self.streams.get(key).is_some());
        }
        Some(open)
    }

    /// The connection is over. GOAWAY, which says why to those who run the server, is queued behind what waits already; data that waits for its turn is not
    /// written any more.
    pub(super) fn fail(&mut self, error: ConnectionError) -> ConnectionError {
        self.outgoing.frames(|out| write_goaway(out, error.code(), error.reason()));
        self.phase = Phase::Over(error.clone());
        error
    }
}
