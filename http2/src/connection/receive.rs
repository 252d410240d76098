//! From bytes to frames: which frames may come at all, and who takes them.

use std::ops::Range;
use std::time::Instant;

use bytes::{Buf, BytesMut};

use super::{Connection, Phase};
use crate::budget::Exhausted;
use crate::frame::{Head, flag, kind};
use crate::{ConnectionError, Event, StreamKey};

impl Connection {
    /// Takes all complete frames off the front of `input`; what is left is the beginning of a frame, to be
    /// completed and handed in again.
    ///
    /// # Errors
    /// The connection is over, now or since an earlier call: GOAWAY is queued and ought to be written, streams are
    /// not told one by one, and events that were queued before are still there.
    pub fn receive(&mut self, now: Instant, input: &mut BytesMut) -> Result<(), ConnectionError> {
        if let Phase::Over(error) = &self.phase {
            return Err(error.clone());
        }
        self.read_buffer.enter(input.capacity());
        let result = self.read_frames(now, input);
        self.read_buffer.leave(input.capacity());
        self.unpack(false);
        result.map_err(|error| self.fail(error))
    }

    /// How many bytes more complete the frame at whose beginning `input` stands: a hint for how much to read. At
    /// least 1 for what [`receive`](Self::receive) left.
    pub fn wanted(&self, input: &[u8]) -> usize {
        let whole = Head::parse(input).map_or(Head::LENGTH, Head::frame_length);
        whole.saturating_sub(input.len())
    }

    fn read_frames(&mut self, now: Instant, input: &mut BytesMut) -> Result<(), ConnectionError> {
        // Frames are taken off together, since each cut of the buffer costs as much as reading a small frame.
        while let Some(large) = self.read_until_large(now, input)? {
            let mut payload = input.split_to(large.payload).freeze();
            payload.truncate(large.data.end);
            payload.advance(large.data.start);
            self.tell(Event::Data { stream: large.stream, data: payload, end: large.end });
        }
        Ok(())
    }

    /// Takes off all complete frames, or those before the first DATA that is not to be copied, of which it takes the
    /// head.
    fn read_until_large(
        &mut self,
        now: Instant,
        input: &mut BytesMut,
    ) -> Result<Option<LargeData>, ConnectionError> {
        let mut rest = &input[..];
        let mut large = None;
        let mut long_block = Vec::new();
        while let Some(head) = Head::parse(rest) {
            self.admit(head, rest)?;
            let Some((frame, after)) = rest.split_at_checked(head.frame_length()) else { break };
            let payload = &frame[Head::LENGTH..];
            let block = match head.kind {
                kind::DATA => {
                    if let Some((stream, data)) = self.receive_data(now, head, payload)? {
                        let end = head.has(flag::END_STREAM);
                        if self.read_buffer.is_shared(payload.len()) {
                            rest = &rest[Head::LENGTH..];
                            large = Some(LargeData { stream, payload: payload.len(), data, end });
                            break;
                        }
                        self.copy(stream, &payload[data], end);
                    }
                    None
                }
                kind::HEADERS => self.receive_headers(head, payload)?,
                kind::CONTINUATION => {
                    let about = self.receive_continuation(now, head, payload, &mut long_block)?;
                    about.map(|about| (about, &long_block[..]))
                }
                _ => {
                    self.receive_other(now, head, payload)?;
                    None
                }
            };
            if let Some((about, block)) = block {
                self.receive_block(now, head.stream, about, block)?;
            }
            rest = after;
        }
        let taken = input.len() - rest.len();
        input.advance(taken);
        Ok(large)
    }

    /// Whether such a frame may come now. It needs the head alone, so that what is wrong is an error before the
    /// payload is here.
    #[inline]
    fn admit(&self, head: Head, rest: &[u8]) -> Result<(), ConnectionError> {
        if matches!(self.phase, Phase::Greeting) {
            match head.kind {
                kind::SETTINGS if !head.has(flag::ACK) => {}
                // An error too, but only after its reasons were told.
                kind::GOAWAY if head.length <= self.config.max_frame_size => {}
                // A server that never heard of HTTP/2 answers the preface with an HTTP/1 error.
                _ if rest.starts_with(b"HTTP/") => {
                    return Err(ConnectionError::protocol("the server answers in HTTP/1 (RFC 9113 3.4)"));
                }
                _ => return Err(ConnectionError::protocol(NO_GREETING)),
            }
        }
        if head.length > self.config.max_frame_size {
            // For all kinds: DATA too changes the connection, namely its window.
            return Err(ConnectionError::frame_size("frame above SETTINGS_MAX_FRAME_SIZE (RFC 9113 4.2)"));
        }
        match &self.open_block {
            Some(block) if head.kind != kind::CONTINUATION || head.stream != block.stream => {
                Err(ConnectionError::protocol("header block interrupted by another frame (RFC 9113 6.10)"))
            }
            None if head.kind == kind::CONTINUATION => {
                Err(ConnectionError::protocol("CONTINUATION of nothing (RFC 9113 6.10)"))
            }
            _ => Ok(()),
        }
    }

    /// A frame that is no part of a message.
    fn receive_other(&mut self, now: Instant, head: Head, payload: &[u8]) -> Result<(), ConnectionError> {
        match head.kind {
            kind::RST_STREAM => self.receive_reset(now, head, payload),
            kind::SETTINGS => self.receive_settings(now, head, payload),
            kind::PING => self.receive_ping(now, head, payload),
            kind::GOAWAY => self.receive_goaway(now, head, payload),
            kind::WINDOW_UPDATE => self.receive_window_update(now, head, payload),
            kind::PRIORITY => self.receive_priority(now, head, payload),
            kind::PUSH_PROMISE => {
                Err(ConnectionError::protocol("PUSH_PROMISE, though push is off (RFC 9113 8.4)"))
            }
            // Unknown types, ALTSVC and ORIGIN among them, are ignored (RFC 9113 section 5.5).
            _ => self.spend(now, 1),
        }
    }

    /// Whether the id is of a stream that was opened once, by us, since servers cannot open any. One whose HEADERS wait
    /// to be written is not open to the server.
    #[inline]
    pub(super) fn check_opened(&mut self, id: u32) -> Result<(), ConnectionError> {
        if !id.is_multiple_of(2) && id < self.next_id {
            if id < self.known_below {
                return Ok(());
            }
            match self.streams.find(id) {
                // It is over, and nothing is known of it any more.
                None => return Ok(()),
                Some(stream) if self.is_sent(stream) => {
                    // They are written in the order of their ids.
                    self.known_below = id + 1;
                    return Ok(());
                }
                Some(_) => {}
            }
        }
        Err(ConnectionError::protocol(match id {
            0 => "a stream's frame on stream 0 (RFC 9113 5.1.1)",
            _ if id.is_multiple_of(2) => {
                "frame on a stream of the server's, which it cannot have (RFC 9113 5.1.1)"
            }
            _ => "frame on an idle stream (RFC 9113 5.1)",
        }))
    }

    /// Pays for frames that are of no use.
    #[inline]
    pub(super) fn spend(&mut self, now: Instant, frames: u32) -> Result<(), ConnectionError> {
        self.budget.spend(now, frames).map_err(too_many)
    }

    /// Pays for a WINDOW_UPDATE.
    pub(super) fn spend_update(&mut self, now: Instant) -> Result<(), ConnectionError> {
        self.budget.spend_update(now).map_err(too_many)
    }

    /// Pays for DATA of a stream that we reset.
    pub(super) fn spend_late(&mut self, now: Instant, bytes: u32) -> Result<(), ConnectionError> {
        self.budget.spend_late(now, bytes).map_err(too_many)
    }
}

fn too_many(Exhausted: Exhausted) -> ConnectionError {
    ConnectionError::calm("too many frames that carry nothing (RFC 9113 10.5)")
}

/// DATA that was received but for the telling: a slice of what was read.
struct LargeData {
    stream: StreamKey,
    /// The length of its payload, which is next to be taken off.
    payload: usize,
    /// Where in it the data is.
    data: Range<usize>,
    end: bool,
}

/// A server says its SETTINGS before anything else.
pub(super) const NO_GREETING: &str = "the server does not begin with SETTINGS (RFC 9113 3.4)";
