//! Whether a stream may be given more to send, and who is told when it may again. Nobody is asked to queue data that
//! no window lets through: it would only be memory.

use super::Connection;
use crate::streams::Sending;
use crate::{Event, StreamKey};

impl Connection {
    /// Whether one more byte of the stream could be written now: both windows are larger than what waits already,
    /// which is less than [`Config::send_buffer`](crate::Config::send_buffer) and in fewer than 4096 pieces.
    /// `false` for a stream that is over or has ended sending.
    ///
    /// Once it was `false`, here or at the end of [`open`](Self::open) or [`send`](Self::send), and the stream is still
    /// open for sending, [`Event::Writable`] is told once: when the windows allow, and half of the buffer is free.
    pub fn is_writable(&mut self, stream: StreamKey) -> bool {
        if self.has_room(stream, 1) {
            return true;
        }
        if let Some(open) = self.streams.get_mut(stream).filter(|open| open.sending == Sending::Open) {
            open.awaits_room = true;
            self.line_up(stream);
        }
        false
    }

    /// What waits of the stream has become less, or its window more.
    #[inline]
    pub(super) fn tell_room(&mut self, stream: StreamKey) {
        if !self.streams.get(stream).is_some_and(|open| open.awaits_room) {
            return;
        }
        if !self.has_room(stream, 2) {
            self.line_up(stream);
            return;
        }
        if let Some(open) = self.streams.get_mut(stream) {
            open.awaits_room = false;
        }
        self.tell(Event::Writable { stream });
    }

    /// Puts a stream that awaits room in the line of those that nothing but the connection's window keeps from having
    /// it. The others are not looked at when that opens: whoever has data and a window of its own is when that data is
    /// cut, and whose own window is shut is when that opens.
    fn line_up(&mut self, stream: StreamKey) {
        let is_shut = self.window.available() == 0;
        if let Some(open) = self.streams.get_mut(stream)
            && is_shut
            && open.queued() == 0
            && open.window.available() > 0
            && !open.lines.waiting
        {
            open.lines.waiting = true;
            self.waiting.push(stream);
        }
    }

    /// The connection's window was shut, and has opened. Nobody is looked at in vain, so a server that opens it by little
    /// costs no more than what its frames cost.
    pub(super) fn tell_who_waits(&mut self) {
        while let Some(stream) = self.waiting.pop() {
            let Some(open) = self.streams.get_mut(stream) else {
                self.waiting.pass_gap();
                continue;
            };
            open.lines.waiting = false;
            self.tell_room(stream);
        }
    }

    /// Whether there is room in that part of the buffer, and in both windows.
    fn has_room(&self, stream: StreamKey, part: usize) -> bool {
        self.streams.get(stream).is_some_and(|open| {
            let buffer = self.config.send_buffer.div_ceil(part);
            open.sending == Sending::Open
                && open.queued() < buffer
                && open.pieces() < MAX_PIECES / part
                && open.queued() < open.window.available()
                && open.queued() < self.window.available()
        })
    }
}

/// Pieces of data that a stream may have waiting: each costs memory beyond its bytes.
const MAX_PIECES: usize = 4096;
