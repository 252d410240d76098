//! A story: an engine, a server that is nothing but bytes, and a clock that moves when it is told to. Whatever
//! a story does is noted, and told again at its end with the bytes cut elsewhere: the outcome must be the same.

use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use trunkline_http2::{Config, Connection, ConnectionError, ErrorCode, OpenError, StreamKey};

use super::machine::{Machine, Step, whole};
use super::replay;
use super::server::Server;
use super::told::{Told, join};
use super::watch::{Request, Watch};
use super::wire::Frame;

pub(crate) struct Story {
    pub(super) machine: Machine,
    pub(super) watch: Watch,
    /// Told and not yet expected.
    pub(crate) told: Vec<Told>,
    /// How many of the frames in `watch` the story has looked at.
    pub(super) looked: usize,
    /// Whether the socket takes what the engine wants to write.
    writes: bool,
    config: Config,
    start: Instant,
    steps: Vec<Step>,
    retold: bool,
}

impl Story {
    /// A connection whose handshake is over.
    pub(crate) fn begin() -> Self {
        Self::with(Config::default())
    }

    pub(crate) fn with(config: Config) -> Self {
        Self::with_settings(config, &[])
    }

    pub(crate) fn settings(settings: &[(u16, u32)]) -> Self {
        Self::with_settings(Config::default(), settings)
    }

    /// A connection whose handshake is over, with these settings of the server's.
    pub(crate) fn with_settings(config: Config, settings: &[(u16, u32)]) -> Self {
        let mut story = Self::before_settings(config);
        story.server().settings(settings).settings_ack();
        story.told.clear();
        story.take_frames();
        story
    }

    /// A connection that has written its preface, and read nothing.
    pub(crate) fn before_settings(config: Config) -> Self {
        #[allow(
            clippy::disallowed_methods,
            reason = "a story begins at some time, and then it owns its clock"
        )]
        let start = Instant::now();
        let mut story = Self {
            machine: Machine::new(config.clone(), start),
            watch: Watch::new(),
            told: Vec::new(),
            looked: 0,
            writes: true,
            config,
            start,
            steps: Vec::new(),
            retold: true,
        };
        story.flush();
        story
    }

    /// For stories that are too long to be told again.
    pub(crate) fn told_once(mut self) -> Self {
        self.retold = false;
        self
    }

    // What the client does.

    /// A request without a body.
    pub(crate) fn call(&mut self) -> StreamKey {
        self.try_open(&[], b"", true).expect("nothing is in the way of a new stream")
    }

    /// A unary request.
    pub(crate) fn call_with(&mut self, body: impl AsRef<[u8]>) -> StreamKey {
        self.try_open(&[], body, true).expect("nothing is in the way of a new stream")
    }

    /// A request whose body follows.
    pub(crate) fn upload(&mut self) -> StreamKey {
        self.try_open(&[], b"", false).expect("nothing is in the way of a new stream")
    }

    pub(crate) fn try_call(&mut self) -> Result<StreamKey, OpenError> {
        self.try_open(&[], b"", true)
    }

    pub(crate) fn try_open(
        &mut self,
        fields: &[(&str, &str)],
        body: impl AsRef<[u8]>,
        end: bool,
    ) -> Result<StreamKey, OpenError> {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let body = Bytes::copy_from_slice(body.as_ref());
        self.act(Step::Open { fields, body, end });
        match self.machine.not_opened.take() {
            Some(error) => Err(error),
            None => Ok(*self.machine.streams.last().expect("the stream was opened")),
        }
    }

    /// More of a body; whether the stream was there.
    pub(crate) fn send(&mut self, stream: StreamKey, data: impl AsRef<[u8]>, end: bool) -> bool {
        let data = Bytes::copy_from_slice(data.as_ref());
        let stream = self.ordinal(stream);
        self.act(Step::Send { stream, data, end });
        self.machine.sent
    }

    pub(crate) fn reset(&mut self, stream: StreamKey, code: ErrorCode) {
        let stream = self.ordinal(stream);
        self.act(Step::Reset { stream, code: code.0 });
    }

    pub(crate) fn stop_sending(&mut self, stream: StreamKey) {
        let stream = self.ordinal(stream);
        self.act(Step::StopSending { stream });
    }

    /// The application has read so many bytes.
    pub(crate) fn release(&mut self, stream: StreamKey, bytes: usize) {
        let stream = self.ordinal(stream);
        self.act(Step::Release { stream, bytes });
    }

    /// Whether there was room for one more.
    pub(crate) fn ping(&mut self, opaque: u64) -> bool {
        self.act(Step::Ping(opaque));
        self.machine.queued
    }

    /// Whether there was room for one more.
    pub(crate) fn probe(&mut self) -> bool {
        self.act(Step::Probe);
        self.machine.queued
    }

    pub(crate) fn close(&mut self, code: ErrorCode) {
        self.act(Step::Close(code.0));
    }

    pub(crate) fn rest(&mut self) {
        self.act(Step::Rest);
    }

    // What the world does.

    pub(crate) fn advance(&mut self, by: Duration) {
        self.act(Step::Advance(by));
    }

    /// The socket takes nothing until `unstall`.
    pub(crate) fn stall(&mut self) {
        self.writes = false;
    }

    pub(crate) fn unstall(&mut self) {
        self.writes = true;
        self.flush();
    }

    /// A stalled socket takes this many bytes.
    pub(crate) fn write(&mut self, bytes: usize) {
        self.step(Step::Write(bytes));
    }

    /// What the server sends in one piece; it arrives when the verbs end.
    pub(crate) fn server(&mut self) -> Server<'_> {
        Server::new(self)
    }

    pub(super) fn receive(&mut self, bytes: Vec<u8>) {
        // What was sent after the connection broke reaches nobody.
        if self.machine.over.is_none() {
            self.watch.server_sends(&bytes, || self.machine.lies_ready());
            self.act(Step::Receive(bytes));
        }
    }

    // What can be looked at.

    pub(crate) fn engine(&mut self) -> &mut Connection {
        &mut self.machine.connection
    }

    pub(crate) fn now(&self) -> Instant {
        self.machine.now
    }

    pub(crate) fn error(&self) -> Option<ConnectionError> {
        self.machine.over.clone()
    }

    pub(crate) fn is_over(&self) -> bool {
        self.machine.over.is_some()
    }

    /// A request as the server has it.
    pub(crate) fn request(&self, stream: StreamKey) -> &Request {
        let request = self.watch.requests.get(&stream.id());
        request.unwrap_or_else(|| panic!("the head of {} did not reach the server", stream.id()))
    }

    /// What the server still takes over all streams.
    pub(crate) fn connection_window(&self) -> i64 {
        self.watch.window
    }

    /// How many streams are open as the server counts them.
    pub(crate) fn open_streams(&self) -> usize {
        self.watch.open
    }

    pub(crate) fn has_request(&self, stream: StreamKey) -> bool {
        self.watch.requests.contains_key(&stream.id())
    }

    /// The frames since they were last taken.
    pub(crate) fn take_frames(&mut self) -> Vec<Frame> {
        let frames = self.watch.frames[self.looked..].to_vec();
        self.looked = self.watch.frames.len();
        frames
    }

    /// All frames of one type so far.
    pub(crate) fn all_frames(&self, kind: u8) -> Vec<Frame> {
        self.watch.frames.iter().filter(|frame| frame.kind == kind).cloned().collect()
    }

    fn ordinal(&self, stream: StreamKey) -> usize {
        let found = self.machine.streams.iter().rposition(|key| *key == stream);
        found.expect("the stream is of this story")
    }

    fn act(&mut self, step: Step) {
        self.step(step);
        if self.writes {
            self.flush();
        }
    }

    fn flush(&mut self) {
        self.step(Step::Write(usize::MAX));
    }

    fn step(&mut self, step: Step) {
        self.machine.apply(&step, &mut whole);
        for told in self.machine.told.drain(..) {
            join(&mut self.told, told);
        }
        self.watch.read(&mut self.machine.wrote);
        if self.retold {
            self.steps.push(step);
        }
    }
}

impl Drop for Story {
    fn drop(&mut self) {
        if !thread::panicking() && self.retold {
            replay::check(&self.config, self.start, &self.steps);
        }
    }
}

/// What names a stream: its key, or the bare number in a server's frame.
pub(crate) trait OnWire: Copy {
    fn number(self) -> u32;
}

impl OnWire for StreamKey {
    fn number(self) -> u32 {
        self.id()
    }
}

impl OnWire for u32 {
    fn number(self) -> u32 {
        self
    }
}
