//! Keeps a panic of a plugin's byte stream within its connection. An engine polls the stream under locks that its calls share: unwinding
//! through them would make every call of the channel panic in turn.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Io;
use crate::panic::panic_text;

/// A byte stream whose panics are errors. After one, nothing of it is used any more.
pub(crate) struct GuardedIo {
    /// `None` once it has panicked.
    io: Option<Box<dyn Io>>,
    is_write_vectored: bool,
}

impl GuardedIo {
    pub(crate) fn new(io: Box<dyn Io>) -> Self {
        Self { is_write_vectored: io.is_write_vectored(), io: Some(io) }
    }

    fn guard<T>(
        &mut self,
        poll: impl FnOnce(Pin<&mut Box<dyn Io>>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let Some(io) = &mut self.io else {
            return Poll::Ready(Err(io::Error::other("the connector's byte stream has panicked")));
        };
        match catch_unwind(AssertUnwindSafe(|| poll(Pin::new(io)))) {
            Ok(polled) => polled,
            Err(panic) => {
                let text = panic_text(&*panic);
                self.discard();
                Poll::Ready(Err(io::Error::other(format!("the connector's byte stream panicked: {text}"))))
            }
        }
    }

    fn discard(&mut self) {
        let left = self.io.take();
        // It is code of the plugin once more.
        if catch_unwind(AssertUnwindSafe(|| drop(left))).is_err() {
            tracing::error!("a connector's byte stream panicked while it was dropped");
        }
    }
}

impl Drop for GuardedIo {
    fn drop(&mut self) {
        self.discard();
    }
}

impl AsyncRead for GuardedIo {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.get_mut().guard(|io| io.poll_read(cx, buf))
    }
}

impl AsyncWrite for GuardedIo {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().guard(|io| io.poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().guard(|io| io.poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        self.is_write_vectored
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().guard(|io| io.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().guard(|io| io.poll_shutdown(cx))
    }
}
