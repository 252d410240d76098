//! DATA (RFC 9113 section 6.1) and the windows that it uses up and gives back.

use std::ops::Range;
use std::time::Instant;

use bytes::Bytes;

use super::Connection;
use crate::budget::USEFUL_FRAME;
use crate::flow::{Exceeded, Thrift};
use crate::frame::{Head, flag, split_padding};
use crate::packing::Packing;
use crate::streams::Receiving;
use crate::{ConnectionError, ErrorCode, Event, StreamKey, StreamViolation};

impl Connection {
    /// Gives bytes of [`Event::Data`] back, so that the peer may send more. To be called for streams that are over
    /// as well: what they left unread counts on the connection.
    pub fn release(&mut self, stream: StreamKey, bytes: usize) {
        self.credit.release(bytes);
        let Some(open) = self.streams.get_mut(stream) else { return };
        open.credit.release(bytes);
        self.return_credit(stream);
    }

    /// Everything about DATA but to tell of it. It returns what is to be told: whose data it is, and where in the
    /// payload.
    #[inline]
    pub(super) fn receive_data(
        &mut self,
        now: Instant,
        head: Head,
        payload: &[u8],
    ) -> Result<Option<(StreamKey, Range<usize>)>, ConnectionError> {
        self.check_opened(head.stream)?;
        // The whole payload counts, padding too, and whatever becomes of the stream (RFC 9113 section 6.1).
        self.credit.receive(head.length).map_err(|Exceeded| {
            ConnectionError::flow_control("DATA beyond the window of the connection (RFC 9113 6.9)")
        })?;
        let (from, to) = split_padding(head, payload)?;
        let length = to - from;
        let end = head.has(flag::END_STREAM);
        let stream = self.streams.find(head.stream);
        if length == 0 && (!end || stream.is_none()) {
            self.spend(now, 1)?;
        }
        let Some(stream) = stream else {
            // What we reset may still have data under way, which the connection's window is given back for by not
            // being handed over.
            self.check_reset(head.stream)?;
            if length > 0 {
                self.spend_late(now, head.length)?;
            }
            return Ok(None);
        };
        if let Err(violation) = self.account(stream, head.length, length, end) {
            self.violate(stream, violation);
            return Ok(None);
        }
        if length == 0 && !end {
            self.return_credit(stream);
            return Ok(None);
        }
        self.budget.earn(USEFUL_FRAME);
        self.credit.hand_over(length);
        if end {
            self.end_receiving(stream);
        } else if head.has(flag::PADDED) || self.thrift() == Thrift::Greatest {
            self.return_credit(stream);
        }
        Ok(Some((stream, from..to)))
    }

    /// Whether the stream may have this, by its state, its window and its content-length.
    #[inline]
    fn account(
        &mut self,
        stream: StreamKey,
        payload: u32,
        length: usize,
        end: bool,
    ) -> Result<(), Violation> {
        let open = self.streams.get_mut(stream).expect("the stream was found");
        match open.receiving {
            Receiving::Body => {}
            Receiving::Head => return Err(malformed("DATA before the head of the response (RFC 9113 8.1)")),
            Receiving::Ended => return Err(Violation::Closed),
        }
        let length = length as u64;
        let padding = payload - u32::try_from(length).expect("a part of the payload");
        if open.credit.receive(payload, padding).is_err() {
            let reason = "DATA beyond the window of the stream (RFC 9113 6.9)";
            return Err(Violation::Told(StreamViolation::FlowControl(reason.into())));
        }
        if let Some(left) = &mut open.content {
            match left.checked_sub(length) {
                Some(0) => **left = 0,
                Some(rest) if !end => **left = rest,
                _ => return Err(malformed("DATA does not add up to content-length (RFC 9113 8.1.1)")),
            }
        }
        Ok(())
    }

    /// Tells of data that is copied.
    #[inline]
    pub(super) fn copy(&mut self, stream: StreamKey, data: &[u8], end: bool) {
        if data.len() <= Packing::LARGEST {
            self.pack(stream, data, end);
        } else {
            let data = Bytes::copy_from_slice(data);
            self.tell(Event::Data { stream, data, end });
        }
    }

    /// Puts small data behind what came before it, if that is the same stream's.
    #[inline]
    fn pack(&mut self, stream: StreamKey, data: &[u8], end: bool) {
        if self.packing.stream().is_some_and(|packed| packed != stream) || !self.packing.has_room(data.len())
        {
            self.unpack(false);
        }
        self.packing.push(stream, data);
        if end {
            self.unpack(true);
        }
    }

    /// Makes an event of the small data that has gathered.
    pub(super) fn unpack(&mut self, end: bool) {
        if let Some(stream) = self.packing.stream() {
            let data = self.packing.take();
            self.events.push_back(Event::Data { stream, data, end });
        }
    }

    /// Lines the stream up for a WINDOW_UPDATE, if one is due.
    #[inline]
    fn return_credit(&mut self, stream: StreamKey) {
        let thrift = self.thrift();
        let Some(open) = self.streams.get_mut(stream) else { return };
        if open.owes_credit(self.own.window_in_force(&self.config), thrift) {
            open.lines.returns = true;
            self.returns.push(stream);
        }
    }

    /// A frame came for a stream that is over. Whatever we reset may still have frames under way; what ended in order
    /// may not (RFC 9113 section 5.1).
    pub(super) fn check_reset(&self, id: u32) -> Result<(), ConnectionError> {
        if self.resets.contains(id) {
            return Ok(());
        }
        Err(ConnectionError::new(
            ErrorCode::STREAM_CLOSED,
            "frame after the end of its stream (RFC 9113 5.1)",
        ))
    }
}

/// What is wrong with a stream.
pub(super) enum Violation {
    /// The owner is told.
    Told(StreamViolation),
    /// The owner is told that a header list is above the limit, which is the owner's own.
    TooLarge,
    /// A frame after END_STREAM: the owner has had the whole response.
    Closed,
}

pub(super) fn malformed(reason: &'static str) -> Violation {
    Violation::Told(StreamViolation::Protocol(reason.into()))
}
