//! What is to be written: what lies ready, window updates that are due, and the data that waits, as the schedule says.

use std::io::IoSlice;

use super::{Connection, Phase};
use crate::frame::write_window_update;
use crate::streams::{Receiving, Sending};

impl Connection {
    /// Shows what is to be written, in at most `slices.len()` pieces, and returns how many were filled. What was
    /// written is told by [`written`](Self::written); until then the same is shown again, and more may follow it.
    ///
    /// Frames of data that waits are cut here, as the schedule says. It may cause [`Event::Writable`](crate::Event::Writable).
    pub fn outgoing<'a>(&'a mut self, slices: &mut [IoSlice<'a>]) -> usize {
        self.stage();
        let filled = self.outgoing.fill(slices);
        self.staging.show(slices[..filled].iter().map(|slice| slice.len()).sum());
        filled
    }

    /// The first `bytes` of what [`outgoing`](Self::outgoing) showed were written.
    pub fn written(&mut self, bytes: usize) {
        self.outgoing.written(bytes);
        self.staging.written(bytes, self.outgoing.pending());
    }

    /// Writing has failed, and some of what [`outgoing`](Self::outgoing) showed may have been written all the same, as
    /// TLS may have handed over some of its records. What is opened from now on is not among it.
    pub fn written_perhaps(&mut self) {
        self.perhaps_written = self.outgoing.position();
    }

    /// Whether [`outgoing`](Self::outgoing) would show something. It may cause [`Event::Writable`](crate::Event::Writable).
    #[inline]
    pub fn wants_write(&mut self) -> bool {
        self.stage();
        self.outgoing.pending() > 0
    }

    /// Makes bytes of all that may be written now, up to a limit.
    #[inline]
    fn stage(&mut self) {
        // While the peer does not read, nothing is added: updates that wait become one.
        if matches!(self.phase, Phase::Over(_)) || self.outgoing.pending() >= self.staging.limit() {
            return;
        }
        if let Some(raise) = self.credit.due(self.thrift()) {
            self.credit.raise(raise);
            self.outgoing.frames(|out| write_window_update(out, 0, raise));
        }
        if !self.returns.is_empty() {
            self.stage_window_updates();
        }
        if !self.schedule.is_empty() {
            self.stage_data();
        }
    }

    fn stage_window_updates(&mut self) {
        while let Some(key) = self.returns.pop() {
            let Some(stream) = self.streams.get_mut(key) else {
                self.returns.pass_gap();
                continue;
            };
            stream.lines.returns = false;
            if stream.receiving != Receiving::Ended {
                let increment = stream.credit.take();
                self.outgoing.frames(|out| write_window_update(out, key.id(), increment));
            }
        }
    }

    fn stage_data(&mut self) {
        while self.window.available() > 0 && self.outgoing.pending() < self.staging.limit() {
            let Some(key) = self.schedule.pop() else { return };
            let limit = self.window.available().min(self.peer.frame_limit());
            let Some(stream) = self.streams.get_mut(key) else {
                self.schedule.pass_gap();
                continue;
            };
            (stream.lines.turn, stream.lines.long) = (false, false);
            let length = limit.min(stream.window.available()).min(stream.queued());
            if length == 0 {
                // SETTINGS took its window away, and WINDOW_UPDATE brings the stream back into the line; or it was
                // stopped.
                continue;
            }
            let end = stream.sending == Sending::Ending && length == stream.queued();
            self.outgoing.data_head(key.id(), length, end);
            let (before, mut left) = (stream.sent(), length);
            while left > 0 {
                let piece = stream.pop(left);
                left -= piece.len();
                self.outgoing.payload(piece);
            }
            stream.window.consume(length);
            self.window.consume(length);
            let was_cut_short = stream.queued() > 0 && length < SHORT_FRAME;
            if !was_cut_short {
                // A peer that opens its window by single bytes pays for its WINDOW_UPDATEs.
                self.budget.earn_sent(length);
            }
            if stream.is_ready() {
                self.schedule.go_on(key, stream, before);
            }
            if end {
                self.end_sending(key);
            } else {
                self.tell_room(key);
            }
        }
    }
}

/// A frame that is shorter although more data waits was cut by a window that is nearly shut. Servers that return the
/// window message by message, as some do, stay above.
const SHORT_FRAME: usize = 64;
