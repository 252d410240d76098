//! One connection of the network, and what can happen to it while it is open.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

/// What the network does to one connection. It lives as long as the client's end.
pub(super) struct Link {
    state: Mutex<State>,
    /// The other end, where nobody else holds it.
    _held: Option<DuplexStream>,
}

struct State {
    flow: Flow,
    wakers: Vec<Waker>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    Open,
    /// Nothing comes, and what is sent gets lost.
    Frozen,
    Reset,
}

impl Link {
    pub(super) fn new(held: Option<DuplexStream>) -> Self {
        Self { state: Mutex::new(State { flow: Flow::Open, wakers: Vec::new() }), _held: held }
    }

    pub(super) fn freeze(&self) {
        self.turn(Flow::Frozen);
    }

    pub(super) fn reset(&self) {
        self.turn(Flow::Reset);
    }

    fn turn(&self, flow: Flow) {
        let wakers = {
            let mut state = self.lock();
            state.flow = flow;
            std::mem::take(&mut state.wakers)
        };
        wakers.into_iter().for_each(Waker::wake);
    }

    /// What happens to bytes now; `cx` is woken when that changes.
    fn flow(&self, cx: &Context<'_>) -> Flow {
        let mut state = self.lock();
        if !state.wakers.iter().any(|waker| waker.will_wake(cx.waker())) {
            state.wakers.push(cx.waker().clone());
        }
        state.flow
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The client's end of a connection.
pub(super) struct ClientEnd {
    /// `None` once it was reset, so that the server notices.
    io: Option<DuplexStream>,
    link: Arc<Link>,
}

impl ClientEnd {
    pub(super) fn new(io: DuplexStream, link: Arc<Link>) -> Self {
        Self { io: Some(io), link }
    }

    /// The stream to use now; `None` if it is frozen.
    fn io(&mut self, cx: &Context<'_>) -> io::Result<Option<Pin<&mut DuplexStream>>> {
        match self.link.flow(cx) {
            Flow::Open => {}
            Flow::Frozen => return Ok(None),
            Flow::Reset => self.io = None,
        }
        let io = self.io.as_mut().ok_or(io::ErrorKind::ConnectionReset)?;
        Ok(Some(Pin::new(io)))
    }
}

impl AsyncRead for ClientEnd {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.io(cx)? {
            Some(io) => io.poll_read(cx, buf),
            None => Poll::Pending,
        }
    }
}

impl AsyncWrite for ClientEnd {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.io(cx)? {
            Some(io) => io.poll_write(cx, buf),
            None => Poll::Ready(Ok(buf.len())),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.io(cx)? {
            Some(io) => io.poll_write_vectored(cx, bufs),
            None => Poll::Ready(Ok(bufs.iter().map(|buf| buf.len()).sum())),
        }
    }

    /// As sockets do: who has one chance to write several records writes them all.
    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.io(cx)? {
            Some(io) => io.poll_flush(cx),
            None => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.io(cx)? {
            Some(io) => io.poll_shutdown(cx),
            None => Poll::Ready(Ok(())),
        }
    }
}
