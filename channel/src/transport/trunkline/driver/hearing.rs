//! What the engine tells, handed on to those whom it concerns.

use std::mem;
use std::sync::Arc;

use trunkline_http2::{ErrorCode, Event, StreamKey};
use trunkline_proto::ConnectError;

use super::super::connection::TrunklineConnection;
use super::super::inbox::Inbox;
use super::super::told;
use super::{Arriving, Life, TrunklineDriver};
use crate::transport::options::MOST_STREAMS;
use crate::transport::{Connection, DriverNews, Reply, StreamError, StreamViolation};

impl TrunklineDriver {
    /// Takes the engine's events, and hands them on to those whom they concern, who are woken in turns.
    pub(super) fn hear(&mut self) -> Result<(), ConnectError> {
        let mut result = Ok(());
        while let Some(event) = self.engine.poll_event() {
            result = result.and(self.hear_one(event));
        }
        self.deliver();
        if self.engine.is_short_of_room() {
            // Or what is gathered might be what holds the connection's window shut.
            self.streams.wake_gathering(&mut self.wakes);
        }
        result
    }

    fn hear_one(&mut self, event: Event) -> Result<(), ConnectError> {
        match event {
            Event::Head { stream, status, headers, end } => {
                self.answered = self.answered.max(stream.id());
                let is_grpc = self.familiar.is_grpc(status, &headers);
                if let Some(open) = self.streams.get(stream) {
                    // Its reader wants the beginning of what is no reply of gRPC, and not to wait for the end.
                    if !is_grpc {
                        open.reply = Reply::Stream;
                    }
                }
                self.gather(stream, |inbox| inbox.put_head(status, headers, is_grpc, end));
            }
            Event::Data { stream, data, end } => {
                let bytes = data.len();
                if !self.gather(stream, |inbox| inbox.put_data(data, end)) {
                    // Of a stream that was reset.
                    self.engine.release(stream, bytes);
                }
            }
            Event::Trailers { stream, headers } => {
                let says_ok = self.familiar.says_ok(&headers);
                self.gather(stream, |inbox| inbox.put_trailers(headers, says_ok));
            }
            Event::Reset { stream, code: ErrorCode::REFUSED_STREAM } => {
                self.shared.quota.refused();
                self.fail(stream, StreamError::Refused);
            }
            Event::Reset { stream, code } => self.fail(stream, StreamError::Reset(code.0)),
            Event::NotProcessed { stream } => {
                // GOAWAY was told before, and is the reason.
                let cause = self.cause.clone().unwrap_or_else(told::dropped);
                self.fail(stream, StreamError::AboveGoAway(cause));
            }
            Event::Violation { stream, violation } => {
                self.fail(stream, StreamError::Violation(violation_of(violation)));
            }
            Event::Writable { stream } => {
                if let Some(cell) = self.streams.get(stream).and_then(|stream| stream.cell.as_ref()) {
                    cell.set_room(0, true);
                }
            }
            Event::SettingsReceived if self.life == Life::Connecting => {
                self.life = Life::Ready;
                let connection = TrunklineConnection::new(Arc::clone(&self.shared));
                self.news.push_back(DriverNews::Ready(Connection::Trunkline(connection)));
            }
            Event::StreamLimit(limit) => {
                let limit = limit.map_or(MOST_STREAMS, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
                self.shared.quota.set_limit(limit.min(MOST_STREAMS));
            }
            Event::SettingsAcknowledged => self.asked = false,
            Event::GoAway { code, debug_data, .. } => {
                if told::is_too_many_pings(code, &debug_data) {
                    self.penalty.double(self.doublings);
                }
                return self.take_leave(told::goaway(code, &debug_data));
            }
            Event::IdsExhausted => return self.take_leave(told::ids_exhausted()),
            // Keepalive counts any byte as the answer to its PING.
            _ => {}
        }
        Ok(())
    }

    /// The stream has failed. What came before that is still delivered.
    fn fail(&mut self, key: StreamKey, error: StreamError) {
        self.gather(key, |inbox| inbox.fail(error));
    }

    /// Gathers what comes for a stream until it has ended, or all that was read is heard: each response is to be
    /// handed on in one piece. False if the stream is not open.
    #[inline]
    fn gather(&mut self, key: StreamKey, put: impl FnOnce(&mut Inbox)) -> bool {
        if self.arriving.newest != Some(key) && !self.turn_to(key) {
            return false;
        }
        let inbox = self.arriving.inbox.get_or_insert_default();
        put(inbox);
        if inbox.has_ended() {
            self.deliver_newest();
        }
        true
    }

    /// What comes next is for this stream. Most often the frames of a response follow one another; servers may send
    /// those of many in turns. False if the stream is not open.
    fn turn_to(&mut self, key: StreamKey) -> bool {
        let Some(stream) = self.streams.get(key) else { return false };
        let Arriving { newest, inbox, begun } = &mut self.arriving;
        let place = stream.begun.take().map(|place| place as usize);
        let former = newest.replace(key);
        if place.is_none() && former.is_none() {
            return true;
        }
        let earlier = place.and_then(|place| begun[place].take());
        let formers = mem::replace(inbox, earlier.map(|(_, inbox)| inbox));
        if let (Some(former), Some(formers)) = (former, formers)
            && let Some(stream) = self.streams.get(former)
        {
            // In the place that has become free, so that there are no more of them than streams.
            let place = place.unwrap_or(begun.len());
            stream.begun = Some(u32::try_from(place).expect("there are fewer than ids of streams"));
            match begun.get_mut(place) {
                Some(free) => *free = Some((former, formers)),
                None => begun.push(Some((former, formers))),
            }
        }
        true
    }

    /// Hands on what has come.
    pub(super) fn deliver(&mut self) {
        if !self.arriving.begun.is_empty() {
            let Arriving { newest, inbox, mut begun } = mem::take(&mut self.arriving);
            for (key, inbox) in begun.drain(..).flatten() {
                (self.arriving.newest, self.arriving.inbox) = (Some(key), Some(inbox));
                self.deliver_newest();
            }
            self.arriving = Arriving { newest, inbox, begun };
        }
        self.deliver_newest();
    }

    /// Hands on what has come for the stream that something came for last.
    fn deliver_newest(&mut self) {
        let Some(key) = self.arriving.newest.take() else { return };
        let Some(inbox) = &mut self.arriving.inbox else { return };
        let ended = inbox.has_ended();
        let wanted = ended || self.engine.is_short_of_room();
        let Some(delivery) = self.streams.delivery(key, inbox.owed(), wanted) else {
            // It was reset by us meanwhile.
            let bytes = mem::take(&mut **inbox).owed();
            return self.engine.release(key, bytes);
        };
        // What comes with the end is given back now, and what nobody waits for.
        let mut bytes = if ended { inbox.settle_all() } else { 0 };
        bytes += match delivery.cell {
            Some(cell) => {
                cell.deliver(key, &mut self.arriving.inbox, delivery.due, self.now, &mut self.wakes)
            }
            None => mem::take(&mut **inbox).owed(),
        };
        self.engine.release(key, bytes);
        if ended {
            // A server may answer before the request has ended, or before its last byte went out. RFC 9113 8.1
            // lets it ask us to stop, and gRPC's clients stop by themselves. For a stream that is over this
            // does nothing.
            self.engine.reset(key, ErrorCode::NO_ERROR);
            self.has_ended_cancelled |= self.streams.remove(key);
        }
    }

    /// The connection takes no more streams, and goes on with those that it has.
    fn take_leave(&mut self, cause: ConnectError) -> Result<(), ConnectError> {
        let cause = self.set_cause(cause);
        self.refuse(&cause);
        match self.life {
            Life::Connecting => return Err(cause),
            Life::Ready => {
                self.life = Life::Draining;
                self.news.push_back(DriverNews::Draining(cause));
            }
            Life::Draining | Life::Closing { .. } | Life::Ended => {}
        }
        Ok(())
    }
}

fn violation_of(violation: trunkline_http2::StreamViolation) -> StreamViolation {
    use trunkline_http2::StreamViolation as Told;
    match violation {
        Told::HeadersTooLarge { limit } => {
            StreamViolation::HeadersTooLarge { limit: usize::try_from(limit).unwrap_or(usize::MAX) }
        }
        Told::Protocol(text) => StreamViolation::Protocol(text.into_owned()),
        other => StreamViolation::Protocol(other.to_string()),
    }
}
