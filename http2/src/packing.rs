//! How payloads are kept. A slice of the read buffer costs least, and pins all of it; so what is small beside the
//! buffer is copied. A buffer per payload would be an allocation per message, so small ones are put one behind the
//! other into chunks that are shared.

use bytes::{Bytes, BytesMut};

use crate::StreamKey;

/// The buffer that is read into, of which a slice pins all.
#[derive(Debug, Default)]
pub(crate) struct ReadBuffer {
    capacity: usize,
    /// What was left of the capacity when it was seen last: what is taken off its front is out of its sight.
    left: usize,
}

impl ReadBuffer {
    /// It is handed in. With more room than was left, it is another one.
    #[inline]
    pub(crate) fn enter(&mut self, capacity: usize) {
        if capacity > self.left {
            self.capacity = capacity;
        }
    }

    /// It is handed back.
    #[inline]
    pub(crate) fn leave(&mut self, capacity: usize) {
        self.left = capacity;
    }

    /// Whether a payload is worth a slice.
    #[inline]
    pub(crate) fn is_shared(&self, payload: usize) -> bool {
        payload >= SMALL && payload * MOST_PINNED >= self.capacity
    }
}

/// Payloads below this are copied in any case, which costs less than a slice.
const SMALL: usize = 1024;
/// How many times itself a slice may pin. Of buffers of up to 640 KiB, full frames of the usual size are still sliced:
/// whoever reads 256 KiB at a time with [`BytesMut::reserve`], behind the beginning of a frame, comes to twice as much.
const MOST_PINNED: usize = 40;

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
    /// Larger payloads have no place in a chunk: they get buffers of their own.
    pub(crate) const LARGEST: usize = 8 << 10;

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
        // Not by reserving room, which would make it twice as large as it was and keep what lies before.
        if !self.chunk.try_reclaim(room) {
            self.size = (2 * self.size).clamp(FIRST_CHUNK, Self::LARGEST);
            self.chunk = BytesMut::with_capacity(self.size.max(room));
        }
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
