//! The connection: what its owner calls, and the state behind it.

use std::io::IoSlice;
use std::time::Instant;

use bytes::{Bytes, BytesMut};

use crate::{Config, ConnectionError, ErrorCode, Event, Field, OpenError, StreamGone, StreamKey, TemplateId};

/// One HTTP/2 connection, seen from the client.
#[derive(Debug)]
pub struct Connection {
    config: Config,
}

impl Connection {
    /// A new connection. The preface, SETTINGS and WINDOW_UPDATE are queued to be written.
    pub fn new(config: Config, _now: Instant) -> Self {
        Self { config: config.allowed() }
    }

    /// Takes all complete frames off the front of `input`; what is left is the beginning of a frame.
    ///
    /// # Errors
    /// The connection is over: GOAWAY is queued, streams are not told one by one.
    pub fn receive(&mut self, _now: Instant, _input: &mut BytesMut) -> Result<(), ConnectionError> {
        Ok(())
    }

    /// How many bytes more make the frame complete at whose beginning `input` stands: a hint for reading.
    pub fn wanted(&self, _input: &[u8]) -> usize {
        0
    }

    /// The next of what happened. To be asked until `None` after every other call.
    pub fn poll_event(&mut self) -> Option<Event> {
        None
    }

    /// Remembers header fields that requests have in common, pseudo fields first, and encodes them once for many
    /// requests. `None` when there are too many templates (1024), or a field is one that HTTP/2 cannot carry.
    pub fn template<N, V>(&mut self, _fields: impl IntoIterator<Item = (N, V)>) -> Option<TemplateId>
    where
        N: AsRef<[u8]>,
        V: AsRef<[u8]>,
    {
        None
    }

    /// Opens a stream: HEADERS, then `body` in DATA as far as windows allow, END_STREAM with `end`. `fields`
    /// follow the template's.
    ///
    /// # Errors
    /// Nothing was queued, and the connection is as it was.
    pub fn open(
        &mut self,
        _template: TemplateId,
        _fields: &[Field<'_>],
        _body: Bytes,
        _end: bool,
    ) -> Result<StreamKey, OpenError> {
        Err(OpenError::Draining)
    }

    /// Queues data, all of it, whatever the windows; see [`is_writable`](Self::is_writable).
    ///
    /// # Errors
    /// The stream is over, or `end` was said before.
    pub fn send(&mut self, _stream: StreamKey, _data: Bytes, _end: bool) -> Result<(), StreamGone> {
        Err(StreamGone)
    }

    /// Whether fewer bytes of the stream wait than [`Config::send_buffer`]. `false` for one that is over.
    pub fn is_writable(&self, _stream: StreamKey) -> bool {
        false
    }

    /// Ends a stream by RST_STREAM; what it had queued is dropped. Nothing happens to one that is over.
    pub fn reset(&mut self, _stream: StreamKey, _code: ErrorCode) {}

    /// Gives bytes of `Data` back, so that the peer may send more. To be called for streams that are over as well:
    /// what they left unread counts on the connection.
    pub fn release(&mut self, _stream: StreamKey, _bytes: usize) {}

    /// Queues a PING; `Pong` is the answer. `false`, and nothing is queued, while too many (8) are unanswered.
    pub fn ping(&mut self, _now: Instant, _opaque: u64) -> bool {
        false
    }

    /// Queues SETTINGS that change nothing; `SettingsAcknowledged` tells that the peer has read all that was
    /// written before. `false`, and nothing is queued, while too many (8) are unanswered.
    pub fn probe(&mut self, _now: Instant) -> bool {
        false
    }

    /// Queues GOAWAY with last stream id 0. There are no new streams; those that are open go on.
    pub fn close(&mut self, _code: ErrorCode) {}

    /// What is to be written, in at most `slices.len()` pieces; returns how many were filled.
    pub fn outgoing<'a>(&'a mut self, _slices: &mut [IoSlice<'a>]) -> usize {
        0
    }

    /// The first `bytes` of what `outgoing` showed were written.
    pub fn written(&mut self, _bytes: usize) {}

    /// Whether `outgoing` would show something.
    pub fn wants_write(&self) -> bool {
        false
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), if nothing happens before.
    pub fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    /// The time that was asked for has come. Calls that are too early are harmless.
    ///
    /// # Errors
    /// The peer did not acknowledge SETTINGS in time; as in `receive`.
    pub fn handle_timeout(&mut self, _now: Instant) -> Result<(), ConnectionError> {
        Ok(())
    }

    /// How many streams the peer allows at a time. `None`: as many as there are ids, as before its SETTINGS.
    pub fn stream_limit(&self) -> Option<u32> {
        None
    }

    /// How many streams are open.
    pub fn active_streams(&self) -> usize {
        0
    }

    /// Whether `open` finds a place: stream limit, ids and GOAWAY. The server's SETTINGS need not be in.
    pub fn can_open(&self) -> bool {
        false
    }

    /// Whether there are no new streams for good: GOAWAY came or was sent, or the ids are used up.
    pub fn is_draining(&self) -> bool {
        false
    }

    /// Since when the oldest SETTINGS or PING of ours that is not acknowledged was queued.
    pub fn unanswered_since(&self) -> Option<Instant> {
        None
    }

    /// Whether a byte of the stream's HEADERS was given to `written`. `true` for a stream that is over.
    pub fn is_sent(&self, _stream: StreamKey) -> bool {
        false
    }

    /// Whether data of the stream waits for a window, its own or the connection's.
    pub fn is_window_exhausted(&self, _stream: StreamKey) -> bool {
        false
    }

    /// How many bytes the peer accepts on the connection. Never negative.
    pub fn connection_send_window(&self) -> i64 {
        0
    }

    /// Gives back the spare capacity of buffers: nothing is under way, and nothing is expected.
    pub fn rest(&mut self) {
        let _ = &self.config;
    }
}
