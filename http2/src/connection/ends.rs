//! How streams end, and how the connection does.

use super::data::Violation;
use super::{Connection, Phase};
use crate::frame::{write_goaway, write_reset};
use crate::streams::{Lines, Receiving, Sending, Stream};
use crate::{ConnectionError, ErrorCode, Event, StreamKey, StreamViolation};

impl Connection {
    /// Ends a stream by RST_STREAM; what it had queued is dropped. Nothing happens to one that is over.
    ///
    /// A stream whose HEADERS are not yet written is reset all the same: they stand in the order of what is to be
    /// written, and the header table counts on them.
    pub fn reset(&mut self, stream: StreamKey, code: ErrorCode) {
        let under_way = self.streams.get(stream).map_or(0, Stream::under_way);
        if self.forget(stream).is_none() || matches!(self.phase, Phase::Over(_)) {
            return;
        }
        self.budget.earn_reset(under_way, self.config.connection_window);
        self.resets.insert(stream.id());
        self.outgoing.frames(|out| write_reset(out, stream.id(), code));
    }

    /// Drops what a stream has queued, and writes nothing of its request any more: for a stream that is given up and
    /// whose [`reset`](Self::reset) has to wait. [`send`](Self::send) finds it over; its response goes on. Nothing
    /// happens to a request whose end is written or about to be.
    pub fn stop_sending(&mut self, stream: StreamKey) {
        if let Some(open) = self.streams.get_mut(stream) {
            open.stop_sending();
        }
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
        let limit = self.config.max_header_list_size;
        let violation = match violation {
            Violation::Told(violation) => Some(violation),
            Violation::TooLarge => Some(StreamViolation::HeadersTooLarge { limit }),
            Violation::Closed => None,
        };
        let code = violation.as_ref().map_or(ErrorCode::STREAM_CLOSED, StreamViolation::code);
        let is_complete = self.streams.get(stream).is_none_or(|open| open.receiving == Receiving::Ended);
        self.reset(stream, code);
        if let Some(violation) = violation
            && !is_complete
        {
            self.tell(Event::Violation { stream, violation });
        }
    }

    /// The stream is over, whatever its state. It tells how far its response had come.
    #[inline]
    pub(super) fn forget(&mut self, stream: StreamKey) -> Option<Receiving> {
        let (receiving, lines) = self.streams.remove(stream)?;
        if lines != Lines::default() {
            self.leave(lines);
        }
        Some(receiving)
    }

    fn leave(&mut self, lines: Lines) {
        let stays = |key| self.streams.get(key).is_some();
        if lines.turn {
            self.schedule.forget(lines.long, stays);
        }
        if lines.returns {
            self.returns.forget(stays);
        }
        if lines.waiting {
            self.waiting.forget(stays);
        }
    }

    /// The connection is over. GOAWAY, which says why to those who run the server, is queued behind what waits already; data that waits for its turn is not
    /// written any more.
    pub(super) fn fail(&mut self, error: ConnectionError) -> ConnectionError {
        self.outgoing.frames(|out| write_goaway(out, error.code(), error.reason()));
        self.phase = Phase::Over(error.clone());
        error
    }
}
