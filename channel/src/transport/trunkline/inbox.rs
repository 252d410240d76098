//! What has come up a stream and has not been taken: at most one head, data, at most one end.

use std::collections::VecDeque;
use std::mem;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use trunkline_http2::Headers;

use crate::transport::{PlainReply, ResponseHead, StreamError, StreamEvent};

/// From so many chunks on that came together, small ones are joined. Below it they are handed on as they are.
const MANY_CHUNKS: usize = 16;

/// A chunk below this size is small: it costs about as much to keep track of as it holds.
const SMALL_CHUNK: usize = 512;

/// How large small chunks become when they are joined.
const JOINED: usize = 4 << 10;

/// Events on their way to a reader.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    /// Of the head, if it is here.
    headers: Option<Headers>,
    data: Chunks,
    last: Option<Last>,
    /// When `last` was delivered.
    ended_at: Option<Instant>,
    /// Bytes in `data` whose window the reader gives back when it takes them, which is less than any window. What
    /// comes together with the end is given back by the driver.
    owed: u32,
    /// Of the head.
    status: StatusCode,
    /// The head says that messages of gRPC follow.
    is_grpc: bool,
    /// The trailers say OK, and nothing of how it came to that.
    says_ok: bool,
}

/// How the stream ended.
#[derive(Debug)]
enum Last {
    /// With the head, or with the last data.
    End,
    Trailers(Headers),
    /// In a box, since most streams do not fail, and each inbox has room for its end.
    Failed(Box<StreamError>),
}

impl Inbox {
    pub(super) fn put_head(&mut self, status: StatusCode, headers: Headers, is_grpc: bool, end: bool) {
        (self.status, self.headers, self.is_grpc) = (status, Some(headers), is_grpc);
        if end {
            self.last = Some(Last::End);
        }
    }

    pub(super) fn put_data(&mut self, data: Bytes, end: bool) {
        self.owed += window_of(data.len());
        self.data.push(data);
        if end {
            self.last = Some(Last::End);
        }
    }

    pub(super) fn put_trailers(&mut self, headers: Headers, says_ok: bool) {
        (self.last, self.says_ok) = (Some(Last::Trailers(headers)), says_ok);
    }

    /// The end by an error, unless another end is here already.
    pub(super) fn fail(&mut self, error: StreamError) {
        self.last.get_or_insert_with(|| Last::Failed(Box::new(error)));
    }

    /// Notes when the end was delivered.
    pub(super) fn ended_at(&mut self, now: Instant) {
        self.ended_at = Some(now);
    }

    /// Whether the whole response is here and plain: nothing was taken of it, its data is one chunk, and it means one
    /// message and OK.
    pub(super) fn is_plain(&self) -> bool {
        self.is_grpc
            && self.says_ok
            && self.headers.is_some()
            && matches!((&self.data, &self.last), (Chunks::One(_), Some(Last::Trailers(_))))
    }

    /// The whole response, if it [is plain](Self::is_plain).
    pub(super) fn take_plain(&mut self) -> Option<PlainReply> {
        let arrived = self.ended_at.filter(|_| self.is_plain())?;
        let (headers, data, last) = (self.headers.take(), mem::take(&mut self.data), self.last.take());
        let (Some(headers), Chunks::One(body), Some(Last::Trailers(trailers))) = (headers, data, last) else {
            unreachable!("they were there just above");
        };
        Some(PlainReply { headers: headers.into(), body, trailers: trailers.into(), arrived })
    }

    /// Takes over what came after what is here, and leaves nothing there.
    pub(super) fn append(&mut self, later: &mut Self) {
        if self.is_empty() {
            debug_assert!(self.owed == 0 && self.ended_at.is_none(), "nothing was taken from it");
            return mem::swap(self, later);
        }
        let Self { headers, data, last, ended_at, owed, status, is_grpc, says_ok } = mem::take(later);
        if let Some(headers) = headers {
            self.put_head(status, headers, is_grpc, false);
        }
        self.data.append(data);
        if self.last.is_none() {
            (self.last, self.says_ok) = (last, says_ok);
        }
        self.ended_at = self.ended_at.or(ended_at);
        self.owed += owed;
    }

    /// The next event, and whether it is the last one.
    pub(super) fn next(&mut self) -> Option<(StreamEvent, bool)> {
        if let Some(headers) = self.headers.take() {
            let status = self.status;
            let end = self.data.is_empty() && matches!(self.last, Some(Last::End));
            if end {
                self.last = None;
            }
            return Some((StreamEvent::Head(ResponseHead { status, headers: headers.into(), end }), end));
        }
        if let Some(data) = self.data.pop() {
            return Some((StreamEvent::Data(data), false));
        }
        let last = match self.last.take()? {
            Last::End => StreamEvent::End,
            Last::Trailers(headers) => StreamEvent::Trailers(headers.into()),
            Last::Failed(error) => StreamEvent::Failed(*error),
        };
        Some((last, true))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.headers.is_none() && self.data.is_empty() && self.last.is_none()
    }

    pub(super) fn has_ended(&self) -> bool {
        self.last.is_some()
    }

    /// Bytes whose window the reader is to give back.
    pub(super) fn owed(&self) -> usize {
        self.owed as usize
    }

    /// Of `bytes` that were taken, how many the reader is to give back now.
    pub(super) fn settle(&mut self, bytes: usize) -> u32 {
        let settled = self.owed.min(window_of(bytes));
        self.owed -= settled;
        settled
    }

    /// Somebody else gives back all that is owed.
    pub(super) fn settle_all(&mut self) -> usize {
        mem::take(&mut self.owed) as usize
    }
}

/// Bytes of a window, which is less than 2 GiB.
fn window_of(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

/// Data in the order in which it came. A call of one small reply has one chunk.
#[derive(Debug)]
enum Chunks {
    One(Bytes),
    /// None, or many: in one variant, so that this is no larger than the bytes of one.
    Others(Option<Box<Many>>),
}

impl Default for Chunks {
    fn default() -> Self {
        Self::Others(None)
    }
}

/// At least one, and most often many.
#[derive(Debug, Default)]
struct Many {
    chunks: VecDeque<Bytes>,
    /// Small chunks that came after those, joined: a slow reader of the smallest messages must not cost more
    /// than the windows say. Each would keep its place in a vector, and all that lies with it in a buffer.
    joined: BytesMut,
}

impl Chunks {
    fn is_empty(&self) -> bool {
        matches!(self, Self::Others(None))
    }

    fn push(&mut self, data: Bytes) {
        if data.is_empty() {
            return;
        }
        match self {
            Self::Others(None) => *self = Self::One(data),
            Self::One(first) => {
                let chunks = VecDeque::from([mem::take(first), data]);
                *self = Self::Others(Some(Box::new(Many { chunks, joined: BytesMut::new() })));
            }
            Self::Others(Some(many)) => many.push(data),
        }
    }

    fn pop(&mut self) -> Option<Bytes> {
        match mem::take(self) {
            Self::One(data) => Some(data),
            Self::Others(others) => {
                let mut many = others?;
                let data = many.pop();
                if !many.is_empty() {
                    *self = Self::Others(Some(many));
                }
                data
            }
        }
    }

    /// Takes over what came after this. A reader that has not taken this by then is slow, so small chunks are joined.
    fn append(&mut self, mut later: Self) {
        if later.is_empty() {
            return;
        }
        if self.is_empty() {
            *self = later;
            return;
        }
        let mut many = match mem::take(self) {
            Self::One(first) => {
                let mut many = Box::<Many>::default();
                many.join(first);
                many
            }
            Self::Others(many) => many.unwrap_or_default(),
        };
        while let Some(data) = later.pop() {
            many.join(data);
        }
        *self = Self::Others(Some(many));
    }
}

impl Many {
    fn is_empty(&self) -> bool {
        self.chunks.is_empty() && self.joined.is_empty()
    }

    fn push(&mut self, data: Bytes) {
        if self.chunks.len() >= MANY_CHUNKS {
            return self.join(data);
        }
        self.push_apart(data);
    }

    /// Joins it to what is there, if it is small.
    fn join(&mut self, data: Bytes) {
        if data.len() >= SMALL_CHUNK {
            return self.push_apart(data);
        }
        self.joined.extend_from_slice(&data);
        if self.joined.len() >= JOINED {
            self.chunks.push_back(self.joined.split().freeze());
        }
    }

    fn push_apart(&mut self, data: Bytes) {
        if !self.joined.is_empty() {
            self.chunks.push_back(self.joined.split().freeze());
        }
        self.chunks.push_back(data);
    }

    fn pop(&mut self) -> Option<Bytes> {
        let first = self.chunks.pop_front();
        first.or_else(|| (!self.joined.is_empty()).then(|| self.joined.split().freeze()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(inbox: &mut Inbox) -> Vec<Bytes> {
        std::iter::from_fn(|| match inbox.next() {
            Some((StreamEvent::Data(data), false)) => Some(data),
            _ => None,
        })
        .collect()
    }

    #[test]
    fn events_come_out_in_the_order_of_a_response() {
        let mut inbox = Inbox::default();
        inbox.put_head(StatusCode::OK, Headers::default(), true, false);
        inbox.put_data(Bytes::from_static(b"a"), false);
        inbox.put_data(Bytes::from_static(b"b"), false);
        inbox.put_trailers(Headers::default(), true);
        assert!(matches!(inbox.next(), Some((StreamEvent::Head(head), false)) if !head.end));
        assert!(matches!(inbox.next(), Some((StreamEvent::Data(data), false)) if data == "a"));
        assert!(matches!(inbox.next(), Some((StreamEvent::Data(data), false)) if data == "b"));
        assert!(matches!(inbox.next(), Some((StreamEvent::Trailers(_), true))));
        assert!(inbox.next().is_none());
    }

    #[test]
    fn a_head_that_is_the_end_is_the_last_event() {
        let mut inbox = Inbox::default();
        inbox.put_head(StatusCode::OK, Headers::default(), true, true);
        assert!(matches!(inbox.next(), Some((StreamEvent::Head(head), true)) if head.end));
        assert!(inbox.next().is_none());
    }

    #[test]
    fn only_a_whole_response_of_grpcs_in_one_piece_that_says_ok_is_plain() {
        let whole = |is_grpc, pieces, says_ok| {
            let mut inbox = Inbox::default();
            inbox.put_head(StatusCode::OK, Headers::default(), is_grpc, false);
            (0..pieces).for_each(|_| inbox.put_data(Bytes::from_static(b"a"), false));
            inbox.put_trailers(Headers::default(), says_ok);
            inbox.ended_at(Instant::now());
            inbox
        };
        assert_eq!(whole(true, 1, true).take_plain().unwrap().body, "a");
        let mut begun = whole(true, 1, true);
        begun.next();
        for mut other in [whole(false, 1, true), whole(true, 2, true), whole(true, 1, false), begun] {
            assert!(other.take_plain().is_none());
            assert!(other.next().is_some(), "and it is all there");
        }
    }

    #[test]
    fn what_came_before_an_error_is_not_lost_and_a_complete_response_does_not_fail() {
        let mut inbox = Inbox::default();
        inbox.put_data(Bytes::from_static(b"a"), true);
        inbox.fail(StreamError::Refused);
        assert!(matches!(inbox.next(), Some((StreamEvent::Data(_), false))));
        assert!(matches!(inbox.next(), Some((StreamEvent::End, true))));
    }

    #[test]
    fn what_a_slow_reader_leaves_keeps_nothing_that_lies_with_it() {
        // As the engine packs them: a few bytes for this stream, behind many for others.
        let buffer = Bytes::from(vec![7; 8 << 10]);
        let mut inbox = Inbox::default();
        for at in [0, 100] {
            let mut later = Inbox::default();
            later.put_data(buffer.slice(at..at + 2), false);
            inbox.append(&mut later);
        }
        assert!(buffer.is_unique());
        assert_eq!(data(&mut inbox).concat(), [7; 4]);
    }

    #[test]
    fn small_chunks_of_a_slow_reader_are_joined_and_none_is_lost_or_moved() {
        let (mut inbox, mut expected) = (Inbox::default(), Vec::new());
        for number in 0..10_000_u32 {
            let chunk = match number % 1000 {
                0 => vec![1; SMALL_CHUNK],
                _ => number.to_be_bytes().to_vec(),
            };
            expected.extend_from_slice(&chunk);
            let mut later = Inbox::default();
            later.put_data(chunk.into(), false);
            inbox.append(&mut later);
        }
        assert_eq!(inbox.owed(), expected.len());
        let chunks = data(&mut inbox);
        assert!(chunks.len() < 100, "{} chunks", chunks.len());
        assert_eq!(chunks.concat(), expected);
    }
}
