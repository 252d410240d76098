//! The server's view of what a client may write: every frame of the engine's in every story is held against
//! it, whatever the story is about.

use std::collections::{HashMap, VecDeque};

use loona_hpack::Decoder;

use super::hpack::{self, Fields};
use super::table_size::TableSize;
use super::wire::{Frame, HEADER, LARGEST_WINDOW, PREFACE, flag, kind, setting};

/// One request as it came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    pub(crate) fields: Fields,
    pub(crate) body: Vec<u8>,
    pub(crate) ended: bool,
    pub(crate) reset: Option<u32>,
    reset_there: Option<ResetThere>,
    /// The server has said END_STREAM.
    answered: bool,
    /// How much more the server lets it send; negative after a setting that shrank it.
    pub(crate) window: i64,
}

impl Request {
    /// Whether it counts against the server's limit (RFC 9113 5.1.2).
    fn is_open(&self) -> bool {
        self.reset.is_none() && self.reset_there.is_none() && !(self.ended && self.answered)
    }
}

/// A reset of the server's that the client was given.
#[derive(Clone, Copy, Debug)]
struct ResetThere {
    /// Where in all that the client writes it knows of it.
    from: usize,
    /// Whether what arrived right before it was of the same stream, so that RST_STREAM may answer that.
    has_cause: bool,
}

pub(crate) struct Watch {
    /// How much of what was written is behind.
    position: usize,
    unread: Vec<u8>,
    /// The beginning of a frame of the server's.
    unsent: Vec<u8>,
    preface_read: bool,
    /// All that was written so far.
    pub(crate) frames: Vec<Frame>,
    pub(crate) requests: HashMap<u32, Request>,
    /// What the server did to streams whose heads are on their way.
    early: HashMap<u32, Request>,
    /// How many of the requests are open, and how many may be.
    pub(crate) open: usize,
    stream_limit: Option<u32>,
    /// Whose header block of the server's goes on, and ends the response.
    ending: Option<u32>,
    newest: u32,
    /// A header block whose end has not come.
    block: Option<(u32, Vec<u8>, bool)>,
    decoder: Decoder<'static>,
    table_size: TableSize,
    /// Settings of the server that the client has not acknowledged.
    unacknowledged: VecDeque<Vec<(u16, u32)>>,
    initial_window: i64,
    /// How much more all streams together may send.
    pub(crate) window: i64,
    max_frame_size: usize,
    closed: bool,
}

impl Watch {
    pub(crate) fn new() -> Self {
        Self {
            position: 0,
            unread: Vec::new(),
            unsent: Vec::new(),
            preface_read: false,
            frames: Vec::new(),
            requests: HashMap::new(),
            early: HashMap::new(),
            open: 0,
            stream_limit: None,
            ending: None,
            newest: 0,
            block: None,
            decoder: Decoder::new(),
            table_size: TableSize::new(),
            unacknowledged: VecDeque::new(),
            initial_window: 65_535,
            window: 65_535,
            max_frame_size: 16_384,
            closed: false,
        }
    }

    /// What the server is about to send in one piece changes what the client may do. `lies_ready` is how much the client
    /// can no longer take back.
    pub(crate) fn server_sends(&mut self, bytes: &[u8], lies_ready: impl Fn() -> usize) {
        self.unsent.extend_from_slice(bytes);
        let mut before = Vec::new();
        while let Some(frame) = Frame::take(&mut self.unsent) {
            let id = frame.stream & LARGEST_WINDOW;
            match frame.kind {
                kind::RST_STREAM if frame.payload.len() == 4 => {
                    let from = self.position + self.unread.len() + lies_ready();
                    let reset = ResetThere { from, has_cause: before.contains(&id) };
                    self.change(id, |request| _ = request.reset_there.get_or_insert(reset));
                }
                _ => self.allow(&frame, id),
            }
            before.push(id);
        }
    }

    fn allow(&mut self, frame: &Frame, id: u32) {
        let sound = |length: usize| frame.payload.len() == length;
        match frame.kind {
            kind::SETTINGS if !frame.has(flag::ACK) && frame.payload.len().is_multiple_of(6) => {
                self.unacknowledged.push_back(frame.settings());
            }
            kind::WINDOW_UPDATE if sound(4) => {
                let increment = i64::from(frame.number_at(0) & LARGEST_WINDOW);
                match id {
                    0 => self.window += increment,
                    id => self.change(id, |request| request.window += increment),
                }
            }
            kind::HEADERS if frame.has(flag::END_STREAM) && !frame.has(flag::END_HEADERS) => {
                self.ending = Some(id);
            }
            kind::HEADERS | kind::DATA if frame.has(flag::END_STREAM) => self.answer(id),
            kind::CONTINUATION if frame.has(flag::END_HEADERS) => {
                self.ending.take().into_iter().for_each(|id| self.answer(id));
            }
            _ => {}
        }
    }

    fn answer(&mut self, id: u32) {
        self.change(id, |request| request.answered = true);
    }

    /// What is done to a stream may close it.
    fn change(&mut self, id: u32, change: impl FnOnce(&mut Request)) {
        let Some(request) = self.requests.get_mut(&id) else {
            return change(self.early.entry(id).or_default());
        };
        let was_open = request.is_open();
        change(request);
        self.open -= usize::from(was_open && !request.is_open());
    }

    /// Reads what the client wrote.
    pub(crate) fn read(&mut self, wrote: &mut Vec<u8>) {
        self.unread.append(wrote);
        if !self.preface_read {
            let known = self.unread.len().min(PREFACE.len());
            assert_eq!(self.unread[..known], PREFACE[..known], "RFC 9113 3.4: the preface comes first");
            if known < PREFACE.len() {
                return;
            }
            self.unread.drain(..PREFACE.len());
            self.position += PREFACE.len();
            self.preface_read = true;
        }
        while let Some(frame) = Frame::take(&mut self.unread) {
            self.check(&frame);
            self.position += HEADER + frame.payload.len();
            self.frames.push(frame);
        }
    }

    fn check(&mut self, frame: &Frame) {
        assert!(!self.closed, "{frame:?} after GOAWAY with an error");
        assert!(frame.payload.len() <= self.max_frame_size, "RFC 9113 4.2: {frame:?} is too large");
        assert_eq!(frame.stream >> 31, 0, "RFC 9113 4.1: the reserved bit is not zero in {frame:?}");
        if self.frames.is_empty() {
            assert_eq!((frame.kind, frame.flags), (kind::SETTINGS, 0), "RFC 9113 3.4: {frame:?} comes first");
        }
        if let Some((stream, ..)) = &self.block {
            let goes_on = frame.kind == kind::CONTINUATION && frame.stream == *stream;
            assert!(goes_on, "RFC 9113 6.10: {frame:?} interrupts a header block");
        }
        self.check_reset(frame);
        match frame.kind {
            kind::DATA => self.data(frame),
            kind::HEADERS => self.headers(frame),
            kind::CONTINUATION => self.continuation(frame),
            kind::RST_STREAM => self.reset(frame),
            kind::SETTINGS => self.settings(frame),
            kind::PING => assert_eq!((frame.stream, frame.payload.len()), (0, 8), "{frame:?}"),
            kind::GOAWAY => {
                assert!(frame.stream == 0 && frame.payload.len() >= 8, "{frame:?}");
                assert_eq!(frame.number_at(0), 0, "a client that accepts no push names stream 0");
                self.closed = frame.number_at(4) != 0;
            }
            kind::WINDOW_UPDATE => {
                assert_eq!(frame.payload.len(), 4, "RFC 9113 6.9: {frame:?}");
                assert!((1..=LARGEST_WINDOW).contains(&frame.number_at(0)), "RFC 9113 6.9: {frame:?}");
                self.known(frame);
            }
            _ => panic!("a client of ours has no use for {frame:?}"),
        }
    }

    /// Nothing of a stream comes after its reset, from whichever side that was.
    fn check_reset(&self, frame: &Frame) {
        let Some(request) = self.requests.get(&frame.stream) else { return };
        assert_eq!(request.reset, None, "RFC 9113 5.1: {frame:?} after RST_STREAM");
        let knows = request.reset_there.is_some_and(|reset| {
            self.position >= reset.from && !(reset.has_cause && frame.kind == kind::RST_STREAM)
        });
        assert!(!knows, "RFC 9113 5.1: {frame:?} after the server's RST_STREAM");
    }

    fn known(&self, frame: &Frame) {
        let known = frame.stream == 0 || self.requests.contains_key(&frame.stream);
        assert!(known, "RFC 9113 5.1: {frame:?} on an idle stream");
    }

    fn data(&mut self, frame: &Frame) {
        let length = frame.payload.len() as i64;
        assert!(!frame.has(flag::PADDED), "the engine has no reason to pad: {frame:?}");
        let Some(request) = self.requests.get_mut(&frame.stream) else {
            panic!("RFC 9113 5.1: {frame:?} on an idle stream");
        };
        assert!(!request.ended && request.reset.is_none(), "RFC 9113 5.1: {frame:?} after the end");
        request.window -= length;
        self.window -= length;
        let fits = length == 0 || (request.window >= 0 && self.window >= 0);
        assert!(fits, "RFC 9113 6.9.1: {frame:?}, but {} and {} are left", request.window, self.window);
        request.body.extend_from_slice(&frame.payload);
        self.change(frame.stream, |request| request.ended = frame.has(flag::END_STREAM));
    }

    fn headers(&mut self, frame: &Frame) {
        assert!(frame.stream % 2 == 1, "RFC 9113 5.1.1: {frame:?} has an even id");
        assert!(frame.stream > self.newest, "RFC 9113 5.1.1: {frame:?} after {}", self.newest);
        assert_eq!(frame.flags & !(flag::END_STREAM | flag::END_HEADERS), 0, "{frame:?}");
        let has_place = self.stream_limit.is_none_or(|limit| self.open < limit as usize);
        assert!(has_place, "RFC 9113 5.1.2: {frame:?} beside {} of {:?}", self.open, self.stream_limit);
        self.newest = frame.stream;
        self.block = Some((frame.stream, frame.payload.clone(), frame.has(flag::END_STREAM)));
        self.end_block(frame);
    }

    fn continuation(&mut self, frame: &Frame) {
        let Some((_, block, _)) = &mut self.block else {
            panic!("RFC 9113 6.10: {frame:?} goes on with nothing");
        };
        block.extend_from_slice(&frame.payload);
        self.end_block(frame);
    }

    fn end_block(&mut self, frame: &Frame) {
        if !frame.has(flag::END_HEADERS) {
            return;
        }
        let Some((stream, block, ended)) = self.block.take() else { return };
        self.table_size.check(&block);
        let fields = hpack::decode(&mut self.decoder, &block);
        let early = self.early.remove(&stream).unwrap_or_default();
        let window = self.initial_window + early.window;
        let request = Request { fields, ended, window, ..early };
        self.open += usize::from(request.is_open());
        self.requests.insert(stream, request);
    }

    fn reset(&mut self, frame: &Frame) {
        assert_eq!(frame.payload.len(), 4, "RFC 9113 6.4: {frame:?}");
        self.known(frame);
        let Some(request) = self.requests.get(&frame.stream) else {
            panic!("RFC 9113 6.4: {frame:?} on the connection");
        };
        assert_eq!(request.reset, None, "{} was reset before", frame.stream);
        self.change(frame.stream, |request| request.reset = Some(frame.number_at(0)));
    }

    fn settings(&mut self, frame: &Frame) {
        assert_eq!(frame.stream, 0, "RFC 9113 6.5: {frame:?}");
        if !frame.has(flag::ACK) {
            return assert_eq!(frame.payload.len() % 6, 0, "RFC 9113 6.5: {frame:?}");
        }
        assert!(frame.payload.is_empty(), "RFC 9113 6.5: {frame:?}");
        let Some(settings) = self.unacknowledged.pop_front() else {
            panic!("SETTINGS are acknowledged that the server did not send");
        };
        for (name, value) in settings {
            match name {
                setting::INITIAL_WINDOW_SIZE => {
                    let by = i64::from(value) - self.initial_window;
                    self.initial_window += by;
                    self.requests.values_mut().for_each(|request| request.window += by);
                }
                setting::MAX_CONCURRENT_STREAMS => self.stream_limit = Some(value),
                setting::MAX_FRAME_SIZE => self.max_frame_size = value as usize,
                setting::HEADER_TABLE_SIZE => {
                    self.decoder.set_max_allowed_table_size(value as usize);
                    self.table_size.acknowledge(value as usize);
                }
                _ => {}
            }
        }
    }
}
