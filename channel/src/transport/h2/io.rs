//! The byte stream below the engine, with a record of what the engine does not tell: how many bytes went each
//! way, what kind of peer answered, and the error that ended it, before the engine has flattened that to
//! text.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, ready};

use http::HeaderMap;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use trunkline_proto::{Address, ConnectError, Phase};

use super::empty_frames::EmptyFrames;
use super::large_headers::{HeaderBlock, LargeHeaders};
use crate::connect::{Io, Security, classify};
use crate::transport::greeting::{Greeting, Peer};
use crate::transport::last_words::WriteFailure;
use crate::transport::options::MAX_HEADER_LIST_SIZE;

/// What is known of the bytes of one connection.
#[derive(Debug)]
pub(super) struct IoRecord {
    address: Address,
    read: AtomicU64,
    written: AtomicU64,
    /// Whether a response has begun.
    answered: AtomicBool,
    /// How many responses have ended.
    ended: AtomicU64,
    failure: OnceLock<ConnectError>,
    /// Why nothing goes any more, while there may be something to read.
    write_failure: OnceLock<ConnectError>,
    /// The last header blocks that were large.
    large_headers: Mutex<VecDeque<HeaderBlock>>,
}

/// How many large header blocks are remembered, for the moment until they are asked about.
const REMEMBERED_LARGE_HEADERS: usize = 64;

impl IoRecord {
    pub(super) fn new(address: Address) -> Self {
        Self {
            address,
            read: AtomicU64::new(0),
            written: AtomicU64::new(0),
            answered: AtomicBool::new(false),
            ended: AtomicU64::new(0),
            failure: OnceLock::new(),
            write_failure: OnceLock::new(),
            large_headers: Mutex::default(),
        }
    }

    /// How many bytes came from the peer.
    pub(super) fn read(&self) -> u64 {
        self.read.load(Ordering::Acquire)
    }

    /// Whether a response has begun.
    pub(super) fn answered(&self) -> bool {
        self.answered.load(Ordering::Relaxed)
    }

    /// How many responses have come to their end.
    pub(super) fn ended(&self) -> u64 {
        self.ended.load(Ordering::Relaxed)
    }

    /// How many bytes were written. What was queued while this number stood still has not left this client.
    pub(super) fn written(&self) -> u64 {
        self.written.load(Ordering::Acquire)
    }

    /// Why no more bytes come or go: the end of the stream, or the first error.
    pub(super) fn failure(&self) -> Option<ConnectError> {
        self.failure.get().cloned()
    }

    /// Why nothing can be written any more, before all is read.
    pub(super) fn write_failure(&self) -> Option<ConnectError> {
        self.write_failure.get().cloned()
    }

    /// Whether `stream` has just had headers so large that this is why the engine refused them.
    pub(super) fn had_large_headers(&self, stream: u32) -> bool {
        self.large_headers().iter().any(|block| block.stream == stream)
    }

    /// Whether the engine has left out some of the trailers of `stream`. It refuses a head that is too large,
    /// and cuts trailers without a word.
    pub(super) fn has_cut_trailers(&self, stream: u32, delivered: &HeaderMap) -> bool {
        let blocks = self.large_headers();
        let trailers = blocks.iter().rfind(|block| block.stream == stream && block.end);
        trailers.is_some_and(|block| block.is_cut(delivered))
    }

    fn remember_large_headers(&self, block: HeaderBlock) {
        let mut blocks = self.large_headers();
        if blocks.len() == REMEMBERED_LARGE_HEADERS {
            blocks.pop_front();
        }
        blocks.push_back(block);
    }

    fn large_headers(&self) -> MutexGuard<'_, VecDeque<HeaderBlock>> {
        self.large_headers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fail(&self, failure: ConnectError) {
        // The first reason is the true one; those after it are its consequences.
        self.failure.get_or_init(|| failure.at(&self.address));
    }

    fn broke(&self, error: &io::Error) {
        self.fail(classify::broken(error));
    }
}

/// A byte stream that keeps an [`IoRecord`].
///
/// When writing fails, the engine, which gives up at the first failure, is told of it only when there is nothing more
/// to read: see [`WriteFailure`].
pub(super) struct RecordedIo {
    io: Box<dyn Io>,
    security: Security,
    record: Arc<IoRecord>,
    /// What the peer has said so far, until it is clear that it speaks HTTP/2.
    greeting: Option<Greeting>,
    headers: LargeHeaders,
    empty_frames: EmptyFrames,
    write_failure: Option<WriteFailure>,
}

impl RecordedIo {
    pub(super) fn new(io: Box<dyn Io>, security: Security, record: Arc<IoRecord>) -> Self {
        Self {
            io,
            security,
            record,
            greeting: Some(Greeting::default()),
            headers: LargeHeaders::new(MAX_HEADER_LIST_SIZE as usize),
            empty_frames: EmptyFrames::default(),
            write_failure: None,
        }
    }

    fn after_read(&mut self, bytes: &[u8], end: bool) -> io::Result<()> {
        if end {
            self.record.fail(match self.greeting {
                Some(_) => ConnectError::new(
                    Phase::Http2,
                    "the server closed the connection before its SETTINGS came",
                ),
                None => ConnectError::new(Phase::Http2, "the server closed the connection"),
            });
        }
        self.record.read.fetch_add(bytes.len() as u64, Ordering::AcqRel);
        self.headers.pass(bytes, |block| self.record.remember_large_headers(block));
        let Some(greeting) = &mut self.greeting else { return Ok(()) };
        match greeting.hear(bytes) {
            None => Ok(()),
            Some(Peer::Http2) => {
                self.greeting = None;
                Ok(())
            }
            Some(Peer::Other(what)) => {
                // Permanent: it will speak the same tomorrow, until somebody changes a port or a scheme.
                let error = ConnectError::new(Phase::Http2, what).permanent();
                self.record.fail(error.clone());
                Err(io::Error::new(io::ErrorKind::InvalidData, error))
            }
        }
    }

    fn after_write(
        &mut self,
        cx: &Context<'_>,
        result: io::Result<usize>,
        length: usize,
    ) -> io::Result<usize> {
        match result {
            Ok(written) => {
                self.record.written.fetch_add(written as u64, Ordering::AcqRel);
                Ok(written)
            }
            Err(error) => {
                // A socket that fails has taken nothing. TLS may have handed over some of its records before
                // one failed, so what was to be written may have left.
                if self.security != Security::Plaintext {
                    self.record.written.fetch_add(1, Ordering::AcqRel);
                }
                self.record.write_failure.get_or_init(|| classify::broken(&error).at(&self.record.address));
                self.write_failure.get_or_insert_with(|| WriteFailure::new(error, cx));
                Ok(length)
            }
        }
    }
}

impl AsyncRead for RecordedIo {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let (before, room) = (buf.filled().len(), buf.remaining());
        let result = match (Pin::new(&mut this.io).poll_read(cx, buf), &mut this.write_failure) {
            (Poll::Ready(result), _) => result,
            (Poll::Pending, None) => return Poll::Pending,
            (Poll::Pending, Some(failure)) => {
                ready!(failure.poll_silence(cx));
                let failure = this.write_failure.take().expect("it was there just above");
                Err(failure.into_error())
            }
        };
        result.inspect_err(|error| this.record.broke(error))?;
        let bytes = &mut buf.filled_mut()[before..];
        let end = bytes.is_empty() && room > 0;
        this.after_read(bytes, end)?;
        let kept = this.empty_frames.take_out(bytes);
        this.record.answered.store(this.empty_frames.answered(), Ordering::Relaxed);
        this.record.ended.store(this.empty_frames.ended(), Ordering::Relaxed);
        if kept == 0 && !bytes.is_empty() {
            // No bytes would mean the end of them. Others get their turn first: a server that sends nothing
            // else must not hold this task.
            buf.set_filled(before);
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        buf.set_filled(before + kept);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for RecordedIo {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.write_failure.is_some() {
            return Poll::Ready(Ok(buf.len()));
        }
        let result = ready!(Pin::new(&mut this.io).poll_write(cx, buf));
        Poll::Ready(this.after_write(cx, result, buf.len()))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let length = bufs.iter().map(|buf| buf.len()).sum();
        if this.write_failure.is_some() {
            return Poll::Ready(Ok(length));
        }
        let result = ready!(Pin::new(&mut this.io).poll_write_vectored(cx, bufs));
        Poll::Ready(this.after_write(cx, result, length))
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.write_failure.is_some() {
            return Poll::Ready(Ok(()));
        }
        let result = ready!(Pin::new(&mut this.io).poll_flush(cx)).map(|()| 0);
        Poll::Ready(this.after_write(cx, result, 0).map(|_written| ()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }
}
