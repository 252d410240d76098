//! The byte stream below the engine, with a record of what the engine does not tell: how many bytes went each
//! way, what kind of peer answered, and the error that ended it, before the engine has flattened that to
//! text.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, ready};

use http::HeaderMap;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use trunkline_proto::{Address, ConnectError, Phase};

use super::empty_frames::EmptyFrames;
use super::large_headers::{HeaderBlock, LargeHeaders};
use crate::connect::{Io, Security, classify};
use crate::transport::options::MAX_HEADER_LIST_SIZE;

/// What is known of the bytes of one connection.
#[derive(Debug)]
pub(super) struct IoRecord {
    address: Address,
    read: AtomicU64,
    written: AtomicU64,
    failure: OnceLock<ConnectError>,
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
            failure: OnceLock::new(),
            large_headers: Mutex::default(),
        }
    }

    /// How many bytes came from the peer.
    pub(super) fn read(&self) -> u64 {
        self.read.load(Ordering::Acquire)
    }

    /// How many bytes were written. What was queued while this number stood still has not left this client.
    pub(super) fn written(&self) -> u64 {
        self.written.load(Ordering::Acquire)
    }

    /// Why no more bytes come or go: the end of the stream, or the first error.
    pub(super) fn failure(&self) -> Option<ConnectError> {
        self.failure.get().cloned()
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
/// When writing fails, what the peer has said before is still read to its end: it may be the reason (a TLS
/// alert, GOAWAY), and it may be answers. So the engine, which gives up at the first failure, is told of it
/// only when there is nothing more to read.
pub(super) struct RecordedIo {
    io: Box<dyn Io>,
    security: Security,
    record: Arc<IoRecord>,
    /// What the peer has said so far, until it is clear that it speaks HTTP/2.
    greeting: Option<Greeting>,
    headers: LargeHeaders,
    empty_frames: EmptyFrames,
    /// Why writing failed. What is written after it goes nowhere.
    write_failure: Option<io::Error>,
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
                self.write_failure.get_or_insert(error);
                // Whoever polls must read once more, to hear of it.
                cx.waker().wake_by_ref();
                Ok(length)
            }
        }
    }
}

impl AsyncRead for RecordedIo {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let (before, room) = (buf.filled().len(), buf.remaining());
        let result = match (Pin::new(&mut this.io).poll_read(cx, buf), this.write_failure.take()) {
            (Poll::Pending, None) => return Poll::Pending,
            (Poll::Pending, Some(write_failure)) => Err(write_failure),
            (Poll::Ready(result), write_failure) => {
                this.write_failure = write_failure;
                result
            }
        };
        result.inspect_err(|error| this.record.broke(error))?;
        let bytes = &mut buf.filled_mut()[before..];
        let end = bytes.is_empty() && room > 0;
        this.after_read(bytes, end)?;
        let kept = this.empty_frames.take_out(bytes);
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

/// The first bytes of a peer.
#[derive(Debug, Default)]
struct Greeting {
    bytes: Vec<u8>,
}

#[derive(Debug, PartialEq, Eq)]
enum Peer {
    Http2,
    Other(String),
}

impl Greeting {
    /// A frame's header (RFC 9113 4.1): 24 bits of length, 8 of type, 8 of flags, 32 of stream.
    const FRAME_HEADER: usize = 9;
    /// What peers may send before they have our SETTINGS (RFC 9113 4.2).
    const MAX_FRAME_SIZE: u32 = 16 << 10;
    /// The largest frame type in use (ORIGIN); PRIORITY_UPDATE is not for clients. The server's first frame
    /// must be SETTINGS (RFC 9113 3.4), but it is the engine's to insist on that.
    const LAST_FRAME_TYPE: u8 = 0x0c;
    /// Alert and handshake records of SSL 3 to TLS 1.3.
    const TLS_RECORDS: [[u8; 2]; 2] = [[0x15, 0x03], [0x16, 0x03]];

    /// Takes the next bytes. `None` while they are too few.
    fn hear(&mut self, bytes: &[u8]) -> Option<Peer> {
        let missing = Self::FRAME_HEADER - self.bytes.len();
        self.bytes.extend_from_slice(&bytes[..bytes.len().min(missing)]);
        self.verdict()
    }

    fn verdict(&self) -> Option<Peer> {
        let bytes = &self.bytes[..];
        if Self::TLS_RECORDS.iter().any(|record| bytes.starts_with(record)) {
            return Some(Peer::Other("the peer speaks TLS, and this channel is plaintext".to_owned()));
        }
        let &[a, b, c, kind, _flags, ..] = bytes else { return None };
        if u32::from_be_bytes([0, a, b, c]) <= Self::MAX_FRAME_SIZE && kind <= Self::LAST_FRAME_TYPE {
            return Some(Peer::Http2);
        }
        if bytes.starts_with(b"HTTP/") {
            // "HTTP/1.1" is 8 bytes.
            let version = bytes.get(5..8)?.escape_ascii();
            return Some(Peer::Other(format!("the peer speaks HTTP/{version}, not HTTP/2")));
        }
        if bytes.len() < Self::FRAME_HEADER {
            return None;
        }
        Some(Peer::Other(format!(
            "the peer does not speak HTTP/2: its first bytes are \"{}\"",
            bytes.escape_ascii()
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(bytes: &[u8]) -> Option<Peer> {
        Greeting::default().hear(bytes)
    }

    fn other(bytes: &[u8]) -> String {
        match heard(bytes) {
            Some(Peer::Other(what)) => what,
            peer => panic!("{peer:?}"),
        }
    }

    #[test]
    fn settings_are_http2_and_need_not_come_at_once() {
        let settings = [0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 3];
        assert_eq!(heard(&settings), Some(Peer::Http2));
        let mut greeting = Greeting::default();
        assert_eq!(greeting.hear(&settings[..3]), None);
        assert_eq!(greeting.hear(&settings[3..]), Some(Peer::Http2));
    }

    #[test]
    fn other_protocols_are_told_by_name_where_they_have_one() {
        assert_eq!(other(b"HTTP/1.1 400 Bad Request\r\n"), "the peer speaks HTTP/1.1, not HTTP/2");
        assert_eq!(other(b"HTTP/1.0 400\r\n"), "the peer speaks HTTP/1.0, not HTTP/2");
        assert_eq!(other(&[0x15, 3, 1, 0, 2, 2, 70]), "the peer speaks TLS, and this channel is plaintext");
        assert_eq!(
            other(b"SSH-2.0-OpenSSH_9.6\r\n"),
            "the peer does not speak HTTP/2: its first bytes are \"SSH-2.0-O\""
        );
    }
}
