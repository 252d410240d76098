//! Frames as RFC 9113 section 4 has them, and their numbers.

use std::io;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncWrite, AsyncWriteExt};

/// One frame, whatever is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Its type.
    pub kind: Kind,
    /// Its flags, which mean different things in different types.
    pub flags: u8,
    /// Its stream; 0 is the connection.
    pub stream: u32,
    /// Its payload.
    pub payload: Bytes,
}

impl Frame {
    /// A frame.
    pub fn new(kind: Kind, flags: u8, stream: u32, payload: impl Into<Bytes>) -> Self {
        Self { kind, flags, stream, payload: payload.into() }
    }

    /// Whether all of `flags` are set.
    pub fn has(&self, flags: u8) -> bool {
        self.flags & flags == flags
    }

    /// The four bytes at `at` of the payload: an error code, an increment, a stream id.
    ///
    /// # Panics
    ///
    /// If the payload is shorter.
    pub fn number_at(&self, at: usize) -> u32 {
        let bytes = self.payload.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
        u32::from_be_bytes(bytes.unwrap_or_else(|| panic!("{self:?} is too short")))
    }

    /// Takes a frame out of `bytes`, if there is a whole one.
    pub(super) fn take(bytes: &mut BytesMut) -> Option<Self> {
        let [a, b, c, kind, flags, stream @ ..] = *bytes.first_chunk::<HEADER>()?;
        let length = usize::try_from(u32::from_be_bytes([0, a, b, c])).ok()?;
        if bytes.len() < HEADER + length {
            return None;
        }
        bytes.advance(HEADER);
        let payload = bytes.split_to(length).freeze();
        Some(Self::new(Kind(kind), flags, u32::from_be_bytes(stream) & STREAM_BITS, payload))
    }

    pub(super) async fn write(&self, io: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        let [high, length @ ..] = u32::try_from(self.payload.len()).unwrap_or(u32::MAX).to_be_bytes();
        assert_eq!(high, 0, "a frame of more than 2^24 bytes has no length");
        let mut bytes = Vec::with_capacity(HEADER + self.payload.len());
        bytes.extend_from_slice(&length);
        bytes.extend_from_slice(&[self.kind.0, self.flags]);
        bytes.extend_from_slice(&self.stream.to_be_bytes());
        bytes.extend_from_slice(&self.payload);
        io.write_all(&bytes).await?;
        io.flush().await
    }
}

/// The length of a frame's header.
const HEADER: usize = 9;

/// The highest bit of a stream id is reserved.
const STREAM_BITS: u32 = (1 << 31) - 1;

/// A frame's type. Any number will do, since peers must ignore what they do not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Kind(pub u8);

#[allow(missing_docs, reason = "the names are RFC 9113's, section 6")]
impl Kind {
    pub const DATA: Self = Self(0);
    pub const HEADERS: Self = Self(1);
    pub const PRIORITY: Self = Self(2);
    pub const RST_STREAM: Self = Self(3);
    pub const SETTINGS: Self = Self(4);
    pub const PUSH_PROMISE: Self = Self(5);
    pub const PING: Self = Self(6);
    pub const GOAWAY: Self = Self(7);
    pub const WINDOW_UPDATE: Self = Self(8);
    pub const CONTINUATION: Self = Self(9);
}

/// Flags of frames.
#[allow(missing_docs, reason = "the names are RFC 9113's, section 6")]
pub mod flags {
    pub const NONE: u8 = 0;
    /// Of SETTINGS and PING.
    pub const ACK: u8 = 1;
    pub const END_STREAM: u8 = 1;
    pub const END_HEADERS: u8 = 4;
    pub const PADDED: u8 = 8;
    pub const PRIORITY: u8 = 32;
}

/// A setting's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Setting(pub u16);

#[allow(missing_docs, reason = "the names are RFC 9113's, section 6.5.2")]
impl Setting {
    pub const HEADER_TABLE_SIZE: Self = Self(1);
    pub const MAX_CONCURRENT_STREAMS: Self = Self(3);
    pub const INITIAL_WINDOW_SIZE: Self = Self(4);
    pub const MAX_FRAME_SIZE: Self = Self(5);
    pub const MAX_HEADER_LIST_SIZE: Self = Self(6);
}

/// An error code of RST_STREAM and GOAWAY.
#[allow(missing_docs, reason = "the names are RFC 9113's, section 7")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Code {
    NoError = 0,
    ProtocolError = 1,
    InternalError = 2,
    FlowControlError = 3,
    SettingsTimeout = 4,
    StreamClosed = 5,
    FrameSizeError = 6,
    RefusedStream = 7,
    Cancel = 8,
    CompressionError = 9,
    ConnectError = 10,
    EnhanceYourCalm = 11,
    InadequateSecurity = 12,
    Http11Required = 13,
}
