//! What the server does, as a chain of verbs. All that one chain says arrives in one piece, at its end.

use trunkline_http2::ErrorCode;

use super::hpack;
use super::story::{OnWire, Story};
use super::wire::{Frame, flag, kind, write_head};

pub(crate) struct Server<'s> {
    story: &'s mut Story,
    bytes: Vec<u8>,
}

impl<'s> Server<'s> {
    pub(super) fn new(story: &'s mut Story) -> Self {
        Self { story, bytes: Vec::new() }
    }

    // Any bytes, any frame.

    pub(crate) fn raw(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.bytes.extend_from_slice(bytes.as_ref());
        self
    }

    pub(crate) fn frame(
        mut self,
        kind: u8,
        flags: u8,
        stream: impl OnWire,
        payload: impl AsRef<[u8]>,
    ) -> Self {
        Frame::new(kind, flags, stream.number(), payload.as_ref()).write(&mut self.bytes);
        self
    }

    /// A frame's header, and nothing of its payload.
    pub(crate) fn only_head(mut self, length: usize, kind: u8, flags: u8, stream: impl OnWire) -> Self {
        write_head(&mut self.bytes, length, kind, flags, stream.number());
        self
    }

    // Responses.

    /// 200, and no end.
    pub(crate) fn head(self, stream: impl OnWire) -> Self {
        self.head_with(stream, &[])
    }

    /// 200 and more fields.
    pub(crate) fn head_with(self, stream: impl OnWire, fields: &[(&str, &str)]) -> Self {
        let mut all = vec![(":status", "200"), ("content-type", "application/grpc")];
        all.extend_from_slice(fields);
        self.headers(stream, &all, false)
    }

    /// 200, and the end of the response.
    pub(crate) fn only_trailers(self, stream: impl OnWire) -> Self {
        let fields = [(":status", "200"), ("content-type", "application/grpc"), ("grpc-status", "0")];
        self.headers(stream, &fields, true)
    }

    pub(crate) fn trailers(self, stream: impl OnWire) -> Self {
        self.headers(stream, &[("grpc-status", "0")], true)
    }

    /// One HEADERS frame with exactly these fields.
    pub(crate) fn headers(self, stream: impl OnWire, fields: &[(&str, &str)], end: bool) -> Self {
        self.block(stream, hpack::block(fields), end)
    }

    /// One HEADERS frame with these bytes.
    pub(crate) fn block(self, stream: impl OnWire, block: impl AsRef<[u8]>, end: bool) -> Self {
        let end = if end { flag::END_STREAM } else { 0 };
        self.frame(kind::HEADERS, flag::END_HEADERS | end, stream, block)
    }

    pub(crate) fn data(self, stream: impl OnWire, data: impl AsRef<[u8]>) -> Self {
        self.frame(kind::DATA, 0, stream, data)
    }

    pub(crate) fn last_data(self, stream: impl OnWire, data: impl AsRef<[u8]>) -> Self {
        self.frame(kind::DATA, flag::END_STREAM, stream, data)
    }

    /// DATA with so many bytes of padding, besides the byte that counts them.
    pub(crate) fn padded_data(self, stream: impl OnWire, data: impl AsRef<[u8]>, padding: u8) -> Self {
        self.frame(kind::DATA, flag::PADDED, stream, padded(data.as_ref(), padding))
    }

    /// A whole response to a unary call.
    pub(crate) fn response(self, stream: impl OnWire, data: impl AsRef<[u8]>) -> Self {
        self.head(stream).data(stream, data).trailers(stream)
    }

    pub(crate) fn rst_stream(self, stream: impl OnWire, code: ErrorCode) -> Self {
        self.frame(kind::RST_STREAM, 0, stream, code.0.to_be_bytes())
    }

    // The connection.

    pub(crate) fn settings(self, settings: &[(u16, u32)]) -> Self {
        self.frame(kind::SETTINGS, 0, 0, settings_payload(settings))
    }

    pub(crate) fn settings_ack(self) -> Self {
        self.frame(kind::SETTINGS, flag::ACK, 0, b"")
    }

    pub(crate) fn ping(self, opaque: u64) -> Self {
        self.frame(kind::PING, 0, 0, opaque.to_be_bytes())
    }

    pub(crate) fn pong(self, opaque: u64) -> Self {
        self.frame(kind::PING, flag::ACK, 0, opaque.to_be_bytes())
    }

    pub(crate) fn goaway(self, last: u32, code: ErrorCode, debug: impl AsRef<[u8]>) -> Self {
        let mut payload = [last.to_be_bytes(), code.0.to_be_bytes()].concat();
        payload.extend_from_slice(debug.as_ref());
        self.frame(kind::GOAWAY, 0, 0, payload)
    }

    /// WINDOW_UPDATE of a stream, or of the connection (0).
    pub(crate) fn window(self, stream: impl OnWire, increment: u32) -> Self {
        self.frame(kind::WINDOW_UPDATE, 0, stream, increment.to_be_bytes())
    }

    pub(crate) fn priority(self, stream: impl OnWire, depends_on: u32) -> Self {
        let mut payload = depends_on.to_be_bytes().to_vec();
        payload.push(15);
        self.frame(kind::PRIORITY, 0, stream, payload)
    }

    /// The same again and again.
    pub(crate) fn times(mut self, n: usize, mut verb: impl FnMut(Self, usize) -> Self) -> Self {
        for i in 0..n {
            self = verb(self, i);
        }
        self
    }
}

impl Drop for Server<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() && !self.bytes.is_empty() {
            self.story.receive(std::mem::take(&mut self.bytes));
        }
    }
}

pub(crate) fn settings_payload(settings: &[(u16, u32)]) -> Vec<u8> {
    let pair = |(name, value): &(u16, u32)| [&name.to_be_bytes()[..], &value.to_be_bytes()].concat();
    settings.iter().flat_map(pair).collect()
}

/// A payload under the flag PADDED (RFC 9113 6.1).
pub(crate) fn padded(data: &[u8], padding: u8) -> Vec<u8> {
    let mut payload = vec![padding];
    payload.extend_from_slice(data);
    payload.resize(payload.len() + usize::from(padding), 0);
    payload
}
