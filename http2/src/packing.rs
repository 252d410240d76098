//! Small payloads, put together. A slice of the read buffer would pin all of it for a few bytes, and a buffer per
//! payload is an allocation per message; so small ones are copied, one behind the other, into chunks that are shared.

use bytes::{Bytes, BytesMut};

use crate::StreamKey;

/// Small DATA payloads of one stream that followed one another, until something else comes.
#[derive(Debug, Default)]
pub(crate) struct Packing {
    stream: Option<StreamKey>,
    chunk: BytesMut,
    /// The chunk before, whose pieces are probably dropped when this one is full; then it is used again.
    earlier: BytesMut,
    /// How large the last chunk was made.
    size: usize,
}

impl Packing {
    /// Payloads below this are copied. Above, a slice of what was read costs less, and pins at most 16 times its
    /// size where frames are read 16 KiB at a time.
    pub(crate) const SMALL: usize = 1024;

    /// Whose payloads are in it.
    #[inline]
    pub(crate) fn stream(&self) -> Option<StreamKey> {
        self.stream
    }

    /// Whether a small payload still fits behind those that are there.
    #[inline]
    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        self.chunk.capacity() - self.chunk.len() >= bytes
    }

    /// Appends a payload. If there is no room, nothing may be waiting.
    #[inline]
    pub(crate) fn push(&mut self, stream: StreamKey, payload: &[u8]) {
        if !self.has_room(payload.len()) {
            self.change_chunk(payload.len());
        }
        self.chunk.extend_from_slice(payload);
        self.stream = Some(stream);
    }

    /// What has gathered.
    #[inline]
    pub(crate) fn take(&mut self) -> Bytes {
        self.stream = None;
        // An empty piece would pin the chunk for nothing.
        if self.chunk.is_empty() { Bytes::new() } else { self.chunk.split().freeze() }
    }

    #[cold]
    fn change_chunk(&mut self, room: usize) {
        std::mem::swap(&mut self.chunk, &mut self.earlier);
        self.size = (2 * self.size).clamp(FIRST_CHUNK, LARGEST_CHUNK);
        self.chunk.reserve(self.size.max(room));
    }

    /// Gives memory back, if nothing is waiting.
    pub(crate) fn rest(&mut self) {
        if self.stream.is_none() {
            *self = Self::default();
        }
    }
}

/// Chunks double: a connection that is used now and then has room for a few messages.
const FIRST_CHUNK: usize = 512;
/// How much one piece can pin. Two hundred small messages fit.
const LARGEST_CHUNK: usize = 8 << 10;
