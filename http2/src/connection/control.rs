//! Frames about the connection and about streams as a whole: SETTINGS, PING, GOAWAY, WINDOW_UPDATE, RST_STREAM,
//! PRIORITY; and those of them that an owner asks for.

use std::time::Instant;

use bytes::Bytes;

use super::data::{Violation, malformed};
use super::receive::NO_GREETING;
use super::{Connection, Phase};
use crate::config::{INITIAL_WINDOW, LARGEST_WINDOW};
use crate::flow::Overflow;
use crate::frame::{
    Head, Settings, flag, read_goaway, read_priority, read_word, write_ping, write_ping_answer,
    write_settings, write_settings_answer,
};
use crate::hpack::INITIAL_TABLE_SIZE;
use crate::outgoing::TooManyAnswers;
use crate::streams::Receiving;
use crate::{ConnectionError, ErrorCode, Event, StreamViolation};

impl Connection {
    /// Queues a PING; [`Event::Pong`] is the answer. `false`, and nothing is queued, while too many (8) are
    /// unanswered or the connection is over.
    pub fn ping(&mut self, now: Instant, opaque: u64) -> bool {
        let is_over = matches!(self.phase, Phase::Over(_));
        if is_over || self.pings.len() >= MAX_PINGS {
            return false;
        }
        self.pings.push_back((opaque, now));
        self.outgoing.frames(|out| write_ping(out, opaque));
        true
    }

    /// Queues SETTINGS that change nothing; [`Event::SettingsAcknowledged`] tells that the peer has read all that
    /// was written before. `false`, and nothing is queued, while too many (8) are unanswered or the connection is
    /// over.
    pub fn probe(&mut self, now: Instant) -> bool {
        let is_over = matches!(self.phase, Phase::Over(_));
        if is_over || !self.own.sent(now) {
            return false;
        }
        self.outgoing.frames(|out| write_settings(out, &[]));
        true
    }

    pub(super) fn receive_settings(
        &mut self,
        now: Instant,
        head: Head,
        payload: &[u8],
    ) -> Result<(), ConnectionError> {
        if head.stream != 0 {
            return Err(ConnectionError::protocol("SETTINGS on a stream (RFC 9113 6.5)"));
        }
        if head.has(flag::ACK) {
            return self.receive_acknowledgement(payload);
        }
        let settings = Settings::read(payload)?;
        let mut smallest_table = None;
        let after = self.peer.after(&settings, &mut smallest_table)?;
        let before = std::mem::replace(&mut self.peer, after);

        let mut cost = 1 + settings.len() / SETTINGS_PER_FRAME;
        let delta = i64::from(after.initial_window) - i64::from(before.initial_window);
        if delta != 0 {
            cost += self.price_of_a_walk();
        }
        self.spend(now, u32::try_from(cost).unwrap_or(u32::MAX))?;
        if delta != 0 {
            self.shift_windows(delta)?;
        }
        if let Some(smallest) = smallest_table {
            self.encoder.peer_table_size(smallest);
            self.encoder.peer_table_size(after.header_table_size);
        }
        // At once, and before anything that makes use of them (RFC 9113 section 6.5.3).
        self.outgoing.answer(write_settings_answer).map_err(too_many_answers)?;

        let limit = after.max_concurrent_streams;
        if matches!(self.phase, Phase::Greeting) {
            self.phase = Phase::Running;
            self.tell(Event::SettingsReceived);
            self.tell(Event::StreamLimit(limit));
        } else if limit != before.max_concurrent_streams {
            self.tell(Event::StreamLimit(limit));
        }
        Ok(())
    }

    fn receive_acknowledgement(&mut self, payload: &[u8]) -> Result<(), ConnectionError> {
        if !payload.is_empty() {
            return Err(ConnectionError::frame_size(
                "acknowledgement of SETTINGS with a payload (RFC 9113 6.5)",
            ));
        }
        if self.own.acknowledged()? {
            // From here on the peer uses what we announced.
            let delta = i64::from(self.config.stream_window) - i64::from(INITIAL_WINDOW);
            let thrift = self.thrift();
            for (key, open) in self.streams.iter_mut() {
                open.credit.shift(delta);
                // Of a smaller window, half may have been released before.
                if open.owes_credit(self.config.stream_window, thrift) {
                    open.lines.returns = true;
                    self.returns.push(key);
                }
            }
            if self.config.decoder_table_size != INITIAL_TABLE_SIZE {
                self.decoder.set_table_size(self.config.decoder_table_size);
            }
        }
        self.tell(Event::SettingsAcknowledged);
        Ok(())
    }

    /// What a frame costs that has us walk over all streams. How many there are is our doing, so one such frame alone is
    /// always borne.
    fn price_of_a_walk(&self) -> usize {
        let price = self.streams.len() / STREAMS_PER_FRAME + self.streams.places() / PLACES_PER_FRAME;
        price.min(MOST_PER_WALK)
    }

    /// The windows of all streams move with the initial one, below zero too (RFC 9113 section 6.9.2).
    fn shift_windows(&mut self, delta: i64) -> Result<(), ConnectionError> {
        let mut awaiting = Vec::new();
        for (key, open) in self.streams.iter_mut() {
            open.window.shift(delta).map_err(|Overflow| {
                ConnectionError::flow_control("SETTINGS raise a window above 2^31-1 (RFC 9113 6.9.2)")
            })?;
            if open.is_ready() {
                self.schedule.push(key, open);
            }
            if open.awaits_room {
                awaiting.push(key);
            }
        }
        for key in awaiting {
            self.tell_room(key);
        }
        Ok(())
    }

    pub(super) fn receive_ping(
        &mut self,
        now: Instant,
        head: Head,
        payload: &[u8],
    ) -> Result<(), ConnectionError> {
        if head.stream != 0 {
            return Err(ConnectionError::protocol("PING on a stream (RFC 9113 6.7)"));
        }
        let Ok(opaque) = <[u8; 8]>::try_from(payload) else {
            return Err(ConnectionError::frame_size("PING of other than 8 bytes (RFC 9113 6.7)"));
        };
        if !head.has(flag::ACK) {
            self.spend(now, 1)?;
            return self.outgoing.answer(|out| write_ping_answer(out, opaque)).map_err(too_many_answers);
        }
        let opaque = u64::from_be_bytes(opaque);
        match self.pings.iter().position(|(sent, _)| *sent == opaque) {
            Some(position) => {
                self.pings.remove(position);
                self.tell(Event::Pong { opaque });
                Ok(())
            }
            None => self.spend(now, 1),
        }
    }

    pub(super) fn receive_goaway(
        &mut self,
        now: Instant,
        head: Head,
        payload: &[u8],
    ) -> Result<(), ConnectionError> {
        if head.stream != 0 {
            return Err(ConnectionError::protocol("GOAWAY on a stream (RFC 9113 6.8)"));
        }
        let Some(goaway) = read_goaway(payload) else {
            return Err(ConnectionError::frame_size("GOAWAY of less than 8 bytes (RFC 9113 6.8)"));
        };
        let last_stream_id = goaway.last_stream_id;
        let earlier = self.goaway.replace(last_stream_id);
        if earlier.is_some_and(|earlier| last_stream_id > earlier) {
            return Err(ConnectionError::protocol("GOAWAY whose last stream id grows (RFC 9113 6.8)"));
        }
        // What is said again excludes nobody.
        let excludes = earlier != Some(last_stream_id) && self.next_id > last_stream_id;
        let cost = 1 + if excludes { self.price_of_a_walk() } else { 0 };
        self.spend(now, u32::try_from(cost).unwrap_or(u32::MAX))?;
        let debug_data = &goaway.debug_data[..goaway.debug_data.len().min(MAX_DEBUG_DATA)];
        let debug_data = Bytes::copy_from_slice(debug_data);
        self.tell(Event::GoAway { last_stream_id, code: goaway.code, debug_data });
        if matches!(self.phase, Phase::Greeting) {
            return Err(ConnectionError::protocol(NO_GREETING));
        }
        let excluded = if excludes { self.streams.above(last_stream_id) } else { Vec::new() };
        for stream in excluded {
            let Some(receiving) = self.forget(stream) else { continue };
            // The peer may have begun to answer before it decided.
            self.resets.insert(stream.id());
            if receiving != Receiving::Ended {
                self.tell(Event::NotProcessed { stream });
            }
        }
        Ok(())
    }

    pub(super) fn receive_window_update(
        &mut self,
        now: Instant,
        head: Head,
        payload: &[u8],
    ) -> Result<(), ConnectionError> {
        let Some(increment) = read_word(payload).map(|word| word & LARGEST_WINDOW) else {
            return Err(ConnectionError::frame_size("WINDOW_UPDATE of other than 4 bytes (RFC 9113 6.9)"));
        };
        self.spend_update(now)?;
        if head.stream == 0 {
            if increment == 0 {
                return Err(ConnectionError::protocol("WINDOW_UPDATE by 0 (RFC 9113 6.9)"));
            }
            let was_shut = self.window.available() == 0;
            self.window.shift(i64::from(increment)).map_err(|Overflow| {
                ConnectionError::flow_control("window of the connection above 2^31-1 (RFC 9113 6.9.1)")
            })?;
            if was_shut {
                self.tell_who_waits();
            }
            return Ok(());
        }
        self.check_opened(head.stream)?;
        // It may cross the end of its stream (RFC 9113 section 5.1).
        let Some(stream) = self.streams.find(head.stream) else { return Ok(()) };
        if increment == 0 {
            self.violate(stream, malformed("WINDOW_UPDATE by 0 (RFC 9113 6.9)"));
            return Ok(());
        }
        let open = self.streams.get_mut(stream).expect("the stream was found");
        if open.window.shift(i64::from(increment)).is_err() {
            let reason = "window of the stream above 2^31-1 (RFC 9113 6.9.1)";
            self.violate(stream, Violation::Told(StreamViolation::FlowControl(reason.into())));
            return Ok(());
        }
        if open.is_ready() {
            self.schedule.push(stream, open);
        }
        self.tell_room(stream);
        Ok(())
    }

    pub(super) fn receive_reset(
        &mut self,
        now: Instant,
        head: Head,
        payload: &[u8],
    ) -> Result<(), ConnectionError> {
        let Some(code) = read_word(payload).map(ErrorCode) else {
            return Err(ConnectionError::frame_size("RST_STREAM of other than 4 bytes (RFC 9113 6.4)"));
        };
        self.check_opened(head.stream)?;
        let Some(stream) = self.streams.find(head.stream) else { return self.spend(now, 1) };
        // After a complete response it only says that the rest of the request is not wanted (RFC 9113 section 8.1).
        if self.forget(stream).is_some_and(|receiving| receiving != Receiving::Ended) {
            self.tell(Event::Reset { stream, code });
        }
        Ok(())
    }

    /// Priorities mean nothing to a client; their frames are only looked at for errors (RFC 9113 section 6.3).
    pub(super) fn receive_priority(
        &mut self,
        now: Instant,
        head: Head,
        payload: &[u8],
    ) -> Result<(), ConnectionError> {
        if head.stream == 0 {
            return Err(ConnectionError::protocol("PRIORITY on stream 0 (RFC 9113 6.3)"));
        }
        self.spend(now, 1)?;
        let violation = match read_priority(payload) {
            None => {
                // A stream that is idle cannot be reset (RFC 9113 section 6.4).
                const REASON: &str = "PRIORITY of other than 5 bytes (RFC 9113 6.3)";
                self.check_opened(head.stream).map_err(|_| ConnectionError::frame_size(REASON))?;
                Violation::Told(StreamViolation::FrameSize(REASON.into()))
            }
            Some(dependency) if dependency == head.stream => {
                malformed("stream that depends on itself (RFC 7540 5.3.1)")
            }
            Some(_) => return Ok(()),
        };
        if let Some(stream) = self.streams.find(head.stream) {
            self.violate(stream, violation);
        }
        Ok(())
    }
}

fn too_many_answers(_: TooManyAnswers) -> ConnectionError {
    ConnectionError::calm("PING and SETTINGS without reading the answers (RFC 9113 10.5)")
}

/// PINGs of ours that may be under way. One is usual.
const MAX_PINGS: usize = 8;
/// What is kept of the text in a GOAWAY, which is for people.
const MAX_DEBUG_DATA: usize = 1 << 10;
/// So many parameters cost as much as a frame.
const SETTINGS_PER_FRAME: usize = 16;
/// So many windows that move cost as much as a frame.
const STREAMS_PER_FRAME: usize = 16;
/// So many places where streams may be, and mostly are not, are passed at the cost of a frame. There are as many as
/// there ever were streams at a time.
const PLACES_PER_FRAME: usize = 256;
/// What such a walk costs at most, a tenth of the burst: servers that estimate bandwidth double the window some eight
/// times within a few round trips. One walk over a hundred thousand streams per second is a thousandth of a core.
const MOST_PER_WALK: usize = 1_000;
