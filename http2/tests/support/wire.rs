//! Frames as RFC 9113 section 4 has them, written and read by hand.

use std::fmt;

/// The length of a frame's header (RFC 9113 4.1).
pub(crate) const HEADER: usize = 9;

/// What a client sends first (RFC 9113 3.4).
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The largest size of a window (RFC 9113 6.9.1).
pub(crate) const LARGEST_WINDOW: u32 = (1 << 31) - 1;

/// One frame, whatever is in it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    /// All 32 bits, the reserved one too.
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    pub(crate) fn new(kind: u8, flags: u8, stream: u32, payload: impl Into<Vec<u8>>) -> Self {
        Self { kind, flags, stream, payload: payload.into() }
    }

    pub(crate) fn has(&self, flag: u8) -> bool {
        self.flags & flag == flag
    }

    /// The four bytes at `at` of the payload: an error code, an increment, a stream id.
    pub(crate) fn number_at(&self, at: usize) -> u32 {
        let bytes = self.payload.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
        u32::from_be_bytes(bytes.unwrap_or_else(|| panic!("{self:?} is too short")))
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER + self.payload.len());
        self.write(&mut bytes);
        bytes
    }

    pub(crate) fn write(&self, bytes: &mut Vec<u8>) {
        write_head(bytes, self.payload.len(), self.kind, self.flags, self.stream);
        bytes.extend_from_slice(&self.payload);
    }

    /// Takes a frame off the front of `bytes`, if there is a whole one.
    pub(crate) fn take(bytes: &mut Vec<u8>) -> Option<Self> {
        let [a, b, c, kind, flags, stream @ ..] = *bytes.first_chunk::<HEADER>()?;
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        if bytes.len() < HEADER + length {
            return None;
        }
        let payload = bytes[HEADER..HEADER + length].to_vec();
        bytes.drain(..HEADER + length);
        Some(Self { kind, flags, stream: u32::from_be_bytes(stream), payload })
    }

    /// The settings in a SETTINGS frame (RFC 9113 6.5.1).
    pub(crate) fn settings(&self) -> Vec<(u16, u32)> {
        assert_eq!((self.kind, self.payload.len() % 6), (kind::SETTINGS, 0), "{self:?} holds no settings");
        self.payload
            .chunks(6)
            .map(|pair| {
                let name = u16::from_be_bytes([pair[0], pair[1]]);
                (name, u32::from_be_bytes([pair[2], pair[3], pair[4], pair[5]]))
            })
            .collect()
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = kind::NAMES.get(usize::from(self.kind)).copied().unwrap_or("unknown");
        write!(f, "{name}(flags {:#x}, stream {}, ", self.flags, self.stream)?;
        match self.payload.get(..40) {
            Some(start) => write!(f, "{} bytes: {}..)", self.payload.len(), start.escape_ascii()),
            None => write!(f, "{})", self.payload.escape_ascii()),
        }
    }
}

/// A frame's header, which may lie.
pub(crate) fn write_head(bytes: &mut Vec<u8>, length: usize, kind: u8, flags: u8, stream: u32) {
    let [high, length @ ..] = u32::try_from(length).unwrap().to_be_bytes();
    assert_eq!(high, 0, "a frame's length has 24 bits");
    bytes.extend_from_slice(&length);
    bytes.extend_from_slice(&[kind, flags]);
    bytes.extend_from_slice(&stream.to_be_bytes());
}

/// Types of frames (RFC 9113 section 6, RFC 7838, RFC 8336).
pub(crate) mod kind {
    pub(crate) const DATA: u8 = 0;
    pub(crate) const HEADERS: u8 = 1;
    pub(crate) const PRIORITY: u8 = 2;
    pub(crate) const RST_STREAM: u8 = 3;
    pub(crate) const SETTINGS: u8 = 4;
    pub(crate) const PUSH_PROMISE: u8 = 5;
    pub(crate) const PING: u8 = 6;
    pub(crate) const GOAWAY: u8 = 7;
    pub(crate) const WINDOW_UPDATE: u8 = 8;
    pub(crate) const CONTINUATION: u8 = 9;
    pub(crate) const ALTSVC: u8 = 10;
    pub(crate) const ORIGIN: u8 = 12;
    pub(crate) const PRIORITY_UPDATE: u8 = 16;

    pub(crate) const NAMES: [&str; 10] = [
        "DATA",
        "HEADERS",
        "PRIORITY",
        "RST_STREAM",
        "SETTINGS",
        "PUSH_PROMISE",
        "PING",
        "GOAWAY",
        "WINDOW_UPDATE",
        "CONTINUATION",
    ];
}

/// Flags of frames.
pub(crate) mod flag {
    pub(crate) const NONE: u8 = 0;
    pub(crate) const ACK: u8 = 1;
    pub(crate) const END_STREAM: u8 = 1;
    pub(crate) const END_HEADERS: u8 = 4;
    pub(crate) const PADDED: u8 = 8;
    pub(crate) const PRIORITY: u8 = 32;
}

/// Settings (RFC 9113 6.5.2).
pub(crate) mod setting {
    pub(crate) const HEADER_TABLE_SIZE: u16 = 1;
    pub(crate) const ENABLE_PUSH: u16 = 2;
    pub(crate) const MAX_CONCURRENT_STREAMS: u16 = 3;
    pub(crate) const INITIAL_WINDOW_SIZE: u16 = 4;
    pub(crate) const MAX_FRAME_SIZE: u16 = 5;
    pub(crate) const MAX_HEADER_LIST_SIZE: u16 = 6;
}
