//! Fewer and larger reads and writes. The engine reads 8 KiB at a time and flushes after every DATA frame of
//! 16 KiB: some 200 system calls, or as many TLS records and wake-ups of the peer, for one message of a
//! megabyte each way. Here its writes are gathered until it has nothing more to write, and while it cannot
//! read fast enough it is read ahead for.
//!
//! The engine owns the [`BatchedIo`]; the driver has the [`Flusher`], which it polls after each poll of the
//! engine.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::io::RecordedIo;

/// How much is gathered before it is written: four frames of the usual size. More gains nothing.
const WRITE_BATCH: usize = 64 << 10;

/// How much more is gathered of what the engine has to say before it reads: frames that answer the peer's, each of which
/// pushes one of data before it. The engine does not read until it is rid of them, and a peer that does the same would
/// wait for it as it waits for the peer.
const BEFORE_READING: usize = 1 << 20;

/// A piece of at least this size is written as it is, since copying it would cost more than the call it
/// saves.
const WRITE_DIRECTLY: usize = 32 << 10;

/// How much is read at once, where there is so much.
const READ_BATCH: usize = 64 << 10;

/// A read of less than this means that the engine keeps up by itself.
const READ_SMALL: usize = 8 << 10;

/// What an idle connection keeps of its buffers: enough for small calls, nothing for large ones, since there
/// may be thousands of it.
const KEPT: usize = 4 << 10;

/// The bytes as the engine sees them.
pub(super) struct BatchedIo(Arc<Mutex<Batch>>);

/// Writes what was gathered.
pub(super) struct Flusher(Arc<Mutex<Batch>>);

struct Batch {
    io: RecordedIo,
    gathered: Vec<u8>,
    /// How much of `gathered` has been written.
    written: usize,
    turn: Turn,
    ahead: ReadAhead,
}

/// How far the engine has come with what it does when it is polled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// It has not read yet.
    BeforeReading,
    Reading,
    /// It has read until there was nothing more.
    Read,
}

/// What was read before the engine asked for it. `None` while it keeps up.
#[derive(Default)]
struct ReadAhead(Option<Ahead>);

struct Ahead {
    bytes: Box<[u8]>,
    start: usize,
    end: usize,
}

/// Puts batches on `io`.
pub(super) fn batched(io: RecordedIo) -> (BatchedIo, Flusher) {
    let batch = Batch { io, gathered: Vec::new(), written: 0, turn: Turn::Read, ahead: ReadAhead::default() };
    let shared = Arc::new(Mutex::new(batch));
    (BatchedIo(shared.clone()), Flusher(shared))
}

impl Flusher {
    /// The engine is polled next.
    pub(super) fn begin_turn(&self) {
        lock(&self.0).turn = Turn::BeforeReading;
    }

    /// Whether it has stopped in the middle of reading.
    pub(super) fn is_reading(&self) -> bool {
        lock(&self.0).turn == Turn::Reading
    }

    /// Whether it has read all that there was. If not, nobody would be woken for what comes next.
    pub(super) fn all_is_read(&self) -> bool {
        lock(&self.0).turn == Turn::Read
    }

    /// Writes all that the engine has written. An error shows in the engine's next read.
    pub(super) fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        lock(&self.0).poll_flush(cx)
    }

    /// Gives back the memory that only large messages need. For a connection without streams.
    pub(super) fn rest(&self) {
        let mut batch = lock(&self.0);
        if batch.gathered.is_empty() && batch.gathered.capacity() > KEPT {
            batch.gathered = Vec::new();
        }
        if batch.ahead.0.as_ref().is_some_and(|ahead| ahead.start == ahead.end) {
            batch.ahead.0 = None;
        }
    }
}

impl Batch {
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_drain(cx))?;
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.written < self.gathered.len() {
            let rest = &self.gathered[self.written..];
            let written = ready!(Pin::new(&mut self.io).poll_write(cx, rest))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += written;
        }
        self.written = 0;
        self.gathered.clear();
        Poll::Ready(Ok(()))
    }

    /// Writes what was gathered, and then this.
    fn poll_directly(
        &mut self,
        cx: &mut Context<'_>,
        write: impl FnOnce(Pin<&mut RecordedIo>, &mut Context<'_>) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_drain(cx))?;
        write(Pin::new(&mut self.io), cx)
    }

    /// Ready when `length` more bytes may be gathered.
    fn poll_room(&mut self, length: usize, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.gathered.len() < WRITE_BATCH {
            return Poll::Ready(Ok(()));
        }
        match self.poll_drain(cx) {
            Poll::Pending if self.may_exceed(length) => Poll::Ready(Ok(())),
            drained => drained,
        }
    }

    /// Whether `length` bytes are taken although the socket takes none.
    fn may_exceed(&self, length: usize) -> bool {
        self.turn == Turn::BeforeReading
            && self.gathered.len() - self.written + length <= WRITE_BATCH + BEFORE_READING
    }

    fn gather(&mut self, bytes: &[u8]) {
        if self.gathered.len() >= WRITE_BATCH {
            // Only what was written makes room for what is taken above the limit.
            self.gathered.drain(..self.written);
            self.written = 0;
        }
        let length = self.gathered.len() + bytes.len();
        if length > self.gathered.capacity() && length > KEPT {
            // What was gathered, and the last piece, which is smaller than what is written directly.
            let room = length.max(WRITE_BATCH + WRITE_DIRECTLY).max(2 * self.gathered.capacity());
            self.gathered.reserve_exact(room - self.gathered.len());
        }
        self.gathered.extend_from_slice(bytes);
    }
}

impl AsyncWrite for BatchedIo {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let mut batch = lock(&self.0);
        if buf.len() >= WRITE_DIRECTLY {
            match batch.poll_directly(cx, |io, cx| io.poll_write(cx, buf)) {
                Poll::Pending if batch.may_exceed(buf.len()) => {}
                written => return written,
            }
        } else {
            ready!(batch.poll_room(buf.len(), cx))?;
        }
        batch.gather(buf);
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut batch = lock(&self.0);
        let length = bufs.iter().map(|buf| buf.len()).sum();
        if length >= WRITE_DIRECTLY {
            match batch.poll_directly(cx, |io, cx| io.poll_write_vectored(cx, bufs)) {
                Poll::Pending if batch.may_exceed(length) => {}
                written => return written,
            }
        } else {
            ready!(batch.poll_room(length, cx))?;
        }
        for buf in bufs {
            batch.gather(buf);
        }
        Poll::Ready(Ok(length))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Not yet: the engine flushes after each frame, and the driver when the engine is done.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut batch = lock(&self.0);
        ready!(batch.poll_flush(cx))?;
        Pin::new(&mut batch.io).poll_shutdown(cx)
    }
}

impl AsyncRead for BatchedIo {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let batch = &mut *lock(&self.0);
        batch.turn = Turn::Reading;
        let read = batch.ahead.poll_read(&mut batch.io, cx, buf);
        if read.is_pending() {
            batch.turn = Turn::Read;
        }
        read
    }
}

impl ReadAhead {
    fn poll_read(
        &mut self,
        io: &mut RecordedIo,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Some(ahead) = &mut self.0 else {
            let (room, before) = (buf.remaining(), buf.filled().len());
            ready!(Pin::new(io).poll_read(cx, buf))?;
            // It took all that it could, so there may be more than it can take.
            if room >= READ_SMALL && buf.filled().len() - before == room {
                self.0 = Some(Ahead { bytes: vec![0; READ_BATCH].into_boxed_slice(), start: 0, end: 0 });
            }
            return Poll::Ready(Ok(()));
        };
        if ahead.start == ahead.end {
            let mut bytes = ReadBuf::new(&mut ahead.bytes);
            match Pin::new(io).poll_read(cx, &mut bytes) {
                Poll::Ready(Ok(())) => (ahead.start, ahead.end) = (0, bytes.filled().len()),
                nothing => return nothing,
            }
        }
        let some = (ahead.end - ahead.start).min(buf.remaining());
        buf.put_slice(&ahead.bytes[ahead.start..ahead.start + some]);
        ahead.start += some;
        if ahead.start == ahead.end && ahead.end < READ_SMALL {
            self.0 = None;
        }
        Poll::Ready(Ok(()))
    }
}

fn lock(batch: &Mutex<Batch>) -> MutexGuard<'_, Batch> {
    batch.lock().unwrap_or_else(PoisonError::into_inner)
}
