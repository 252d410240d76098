//! The bytes of a connection: how much is read at a time, what kind of peer it is, and how the stream broke.

use std::io::{self, IoSlice};
use std::mem::{self, MaybeUninit};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use trunkline_http2::Connection;
use trunkline_proto::{ConnectError, Phase};

use super::told;
use crate::connect::{Io, Security, classify};
use crate::transport::greeting::{Greeting, Peer};
use crate::transport::last_words::WriteFailure;

/// What is read at once while little comes. So much fits on the stack, so that an idle connection, of which there may
/// be thousands, holds nothing.
const SMALLEST_READ: usize = 4 << 10;

/// What is read at once where there is so much. More gains nothing on loopback, and costs the caches.
const LARGEST_READ: usize = 256 << 10;

/// After so many reads in a row that would have fitted into a quarter, the next ones ask for half.
const SMALL_READS: u8 = 16;

/// Most pieces of one write: a mebibyte in frames of the usual 16 KiB, each behind its head.
const PIECES: usize = 136;

/// The byte stream below the engine.
pub(super) struct Wire {
    io: Box<dyn Io>,
    security: Security,
    /// Read, and not yet taken by the engine: at most the beginning of a frame.
    pub(super) input: BytesMut,
    /// What was read into before, of which others may still hold parts. Once they do not, it is used again: to free
    /// and allocate such buffers in turns makes allocators give memory back and fetch it again, page by page.
    earlier: BytesMut,
    read_size: usize,
    small_reads: u8,
    /// Bytes read so far.
    read: u64,
    /// Bytes written so far.
    written: u64,
    /// What the peer has said so far, until it is clear that it speaks HTTP/2.
    greeting: Option<Greeting>,
    /// No more bytes come.
    has_ended: bool,
    /// Told only when there is nothing more to read.
    write_failure: Option<WriteFailure>,
    /// Bytes were given to `io` since it was last flushed.
    unflushed: bool,
}

impl Wire {
    pub(super) fn new(io: Box<dyn Io>, security: Security) -> Self {
        Self {
            io,
            security,
            input: BytesMut::new(),
            earlier: BytesMut::new(),
            read_size: SMALLEST_READ,
            small_reads: 0,
            read: 0,
            written: 0,
            greeting: Some(Greeting::default()),
            has_ended: false,
            write_failure: None,
            unflushed: false,
        }
    }

    /// How many bytes came so far.
    pub(super) fn read(&self) -> u64 {
        self.read
    }

    /// How many bytes came and went so far.
    pub(super) fn moved(&self) -> u64 {
        self.read + self.written
    }

    /// Whether what is written goes nowhere any more.
    pub(super) fn is_broken(&self) -> bool {
        self.write_failure.is_some()
    }

    /// Why, if so.
    pub(super) fn write_failure(&self) -> Option<ConnectError> {
        self.write_failure.as_ref().map(|failure| classify::broken(failure.error()))
    }

    /// Reads once into `input`. An error is the end of the bytes: no more come, in either direction.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        let before = self.input.len();
        let (room, result) = match self.input.capacity() == 0 && self.read_size == SMALLEST_READ {
            true => (SMALLEST_READ, self.poll_read_little(cx)),
            false => {
                self.make_room();
                let room = self.input.capacity() - before;
                (room, pin!(self.io.read_buf(&mut self.input)).poll(cx))
            }
        };
        let bytes = match (result, &mut self.write_failure) {
            (Poll::Pending, None) => return Poll::Pending,
            (Poll::Pending, Some(failure)) => {
                ready!(failure.poll_silence(cx));
                let why = classify::broken(failure.error());
                return self.ended(why);
            }
            (Poll::Ready(Ok(0)), _) => return self.ended(told::closed(self.greeting.is_none())),
            (Poll::Ready(Ok(bytes)), _) => bytes,
            (Poll::Ready(Err(error)), _) => return self.ended(classify::broken(&error)),
        };
        self.read += bytes as u64;
        self.adapt(bytes, room);
        Poll::Ready(self.hear(before))
    }

    fn ended(&mut self, why: ConnectError) -> Poll<Result<(), ConnectError>> {
        self.has_ended = true;
        Poll::Ready(Err(why))
    }

    /// Makes room for the next read, in memory that is there already if nobody else uses it.
    fn make_room(&mut self) {
        if self.input.try_reclaim(self.read_size) {
            return;
        }
        let needed = self.input.len() + self.read_size;
        if !self.earlier.try_reclaim(needed) {
            // With room for what will be left of a frame when it is read into again.
            self.earlier = BytesMut::with_capacity(needed + self.read_size / 8);
        }
        self.earlier.extend_from_slice(&self.input);
        // Of the whole buffer or of nothing: the engine judges by the capacity how much a slice pins.
        let spent = self.input.split_off(self.input.capacity());
        self.input = mem::replace(&mut self.earlier, spent);
    }

    /// Reads by way of the stack: while little comes, a connection holds no buffer to read into.
    fn poll_read_little(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut bytes = [const { MaybeUninit::uninit() }; SMALLEST_READ];
        let mut read = ReadBuf::uninit(&mut bytes);
        ready!(Pin::new(&mut self.io).poll_read(cx, &mut read))?;
        self.input = BytesMut::from(read.filled());
        Poll::Ready(Ok(read.filled().len()))
    }

    /// No stream is open: if nothing is left in it, the buffer is given back.
    pub(super) fn quiet(&mut self) {
        if self.input.is_empty() && self.read_size == SMALLEST_READ {
            (self.input, self.earlier) = (BytesMut::new(), BytesMut::new());
        }
    }

    /// Writes all that the engine has. Ready when it was written and flushed, or goes nowhere.
    pub(super) fn poll_write(&mut self, engine: &mut Connection, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let mut slices = [IoSlice::new(&[]); PIECES];
            let filled = engine.outgoing(&mut slices);
            let slices = &slices[..filled];
            if slices.is_empty() {
                break;
            }
            if self.write_failure.is_some() {
                return Poll::Ready(());
            }
            let written = match slices {
                [one] => Pin::new(&mut self.io).poll_write(cx, one),
                [one, ..] if !self.io.is_write_vectored() => Pin::new(&mut self.io).poll_write(cx, one),
                many => Pin::new(&mut self.io).poll_write_vectored(cx, many),
            };
            match ready!(written) {
                Ok(0) => self.fail(io::ErrorKind::WriteZero.into(), engine, cx),
                Ok(written) => {
                    engine.written(written);
                    self.written += written as u64;
                    self.unflushed = true;
                }
                Err(error) => self.fail(error, engine, cx),
            }
        }
        if self.unflushed && self.write_failure.is_none() {
            let flushed = ready!(Pin::new(&mut self.io).poll_flush(cx));
            self.unflushed = false;
            if let Err(error) = flushed {
                self.fail(error, engine, cx);
            }
        }
        Poll::Ready(())
    }

    /// Says farewell: what is still to be written goes out as far as the socket takes it at once. Nobody waits
    /// for a peer that does not read. To one that has ended its side nothing more is said: it might still take up a
    /// request whose answer nobody could hear.
    pub(super) fn close(&mut self, engine: &mut Connection, cx: &mut Context<'_>) {
        let is_said = self.has_ended || self.poll_write(engine, cx).is_ready();
        if is_said && self.write_failure.is_none() {
            // The socket is dropped next, whatever comes of this.
            let _closed = Pin::new(&mut self.io).poll_shutdown(cx);
        }
    }

    /// Gives back memory that only a busy connection needs.
    pub(super) fn rest(&mut self) {
        (self.read_size, self.small_reads) = (SMALLEST_READ, 0);
        self.earlier = BytesMut::new();
        if self.input.capacity() > self.input.len() {
            self.input = BytesMut::from(&self.input[..]);
        }
    }

    fn fail(&mut self, error: io::Error, engine: &mut Connection, cx: &Context<'_>) {
        // A socket that fails has taken nothing; TLS may have handed over some of its records before one failed.
        if self.security != Security::Plaintext {
            engine.written_perhaps();
        }
        self.write_failure = Some(WriteFailure::new(error, cx));
    }

    /// Reads grow at once when there is more than fits, and shrink slowly when there is less for long.
    fn adapt(&mut self, bytes: usize, room: usize) {
        if bytes >= room.min(self.read_size) {
            self.read_size = (self.read_size * 4).min(LARGEST_READ);
            self.small_reads = 0;
        } else if bytes < self.read_size / 4 && self.read_size > SMALLEST_READ {
            self.small_reads += 1;
            if self.small_reads == SMALL_READS {
                self.read_size /= 2;
                self.small_reads = 0;
            }
        } else {
            self.small_reads = 0;
        }
    }

    fn hear(&mut self, before: usize) -> Result<(), ConnectError> {
        let Some(greeting) = &mut self.greeting else { return Ok(()) };
        match greeting.hear(&self.input[before..]) {
            None => {}
            Some(Peer::Http2) => self.greeting = None,
            // Permanent: it will speak the same tomorrow, until somebody changes a port or a scheme.
            Some(Peer::Other(what)) => return Err(ConnectError::new(Phase::Http2, what).permanent()),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];

    #[tokio::test]
    async fn a_quiet_connection_holds_no_buffer_but_for_what_is_left_of_a_frame() {
        let (ours, mut theirs) = tokio::io::duplex(1 << 20);
        let mut wire = Wire::new(Box::new(ours), Security::Plaintext);
        let mut cx = Context::from_waker(std::task::Waker::noop());
        assert!(wire.poll_read(&mut cx).is_pending());
        assert_eq!(wire.input.capacity(), 0);
        theirs.write_all(SETTINGS).await.unwrap();
        assert!(matches!(wire.poll_read(&mut cx), Poll::Ready(Ok(()))));
        assert_eq!(wire.input, SETTINGS);
        // One frame was whole, of the next one five bytes are here.
        theirs.write_all(&SETTINGS[..5]).await.unwrap();
        wire.input.clear();
        wire.quiet();
        assert!(matches!(wire.poll_read(&mut cx), Poll::Ready(Ok(()))));
        wire.quiet();
        theirs.write_all(&SETTINGS[5..]).await.unwrap();
        assert!(matches!(wire.poll_read(&mut cx), Poll::Ready(Ok(()))));
        assert_eq!(wire.input, SETTINGS);
        wire.input.clear();
        wire.quiet();
        assert_eq!(wire.input.capacity(), 0);
    }

    #[test]
    fn reads_grow_at_once_to_the_largest_and_shrink_only_when_little_has_come_for_long() {
        let (ours, _theirs) = tokio::io::duplex(1);
        let mut wire = Wire::new(Box::new(ours), Security::Plaintext);
        let mut sizes = Vec::new();
        for _ in 0..5 {
            sizes.push(wire.read_size);
            wire.adapt(wire.read_size, wire.read_size);
        }
        assert_eq!(sizes, [4 << 10, 16 << 10, 64 << 10, 256 << 10, 256 << 10]);
        let little = LARGEST_READ / 4 - 1;
        for _ in 1..SMALL_READS {
            wire.adapt(little, LARGEST_READ);
        }
        // One that is not small, and it begins anew.
        wire.adapt(little + 1, LARGEST_READ);
        for _ in 1..SMALL_READS {
            wire.adapt(little, LARGEST_READ);
        }
        assert_eq!(wire.read_size, LARGEST_READ);
        wire.adapt(little, LARGEST_READ);
        assert_eq!(wire.read_size, LARGEST_READ / 2);
    }

    /// Reads much, of which the end of the last frame has yet to come.
    async fn all_but_five(wire: &mut Wire, theirs: &mut tokio::io::DuplexStream) -> BytesMut {
        let left = wire.input.len();
        theirs.write_all(&[7; LARGEST_READ]).await.unwrap();
        assert!(wire.poll_read(&mut Context::from_waker(std::task::Waker::noop())).is_ready());
        assert_eq!(wire.input.len(), left + LARGEST_READ, "what was left comes along");
        wire.input.split_to(left + LARGEST_READ - 5)
    }

    #[tokio::test]
    async fn what_was_read_into_before_is_read_into_again_once_nobody_holds_it() {
        let (ours, mut theirs) = tokio::io::duplex(1 << 20);
        let mut wire = Wire::new(Box::new(ours), Security::Plaintext);
        (wire.read_size, wire.greeting) = (LARGEST_READ, None);
        let first = all_but_five(&mut wire, &mut theirs).await;
        let second = all_but_five(&mut wire, &mut theirs).await;
        let places = [first.as_ptr(), second.as_ptr()];
        drop(first);
        let third = all_but_five(&mut wire, &mut theirs).await;
        drop(second);
        let fourth = all_but_five(&mut wire, &mut theirs).await;
        assert_eq!([third.as_ptr(), fourth.as_ptr()], places);
        wire.input.clear();
        wire.rest();
        assert_eq!((wire.input.capacity(), wire.earlier.capacity()), (0, 0));
    }
}
