//! A byte stream that takes nothing more.
//!
//! What the peer has said before is still read to its end: it may be the reason (a TLS alert, GOAWAY), and it may be
//! answers. That there is nothing to read means no more than that the runtime has not told of it yet: it asks the
//! system only now and then while there is other work. So the end is waited for, which comes at once with a socket
//! that has failed, but not for longer than [`LAST_WORDS`].

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::time::Sleep;

use super::options::LAST_WORDS;

/// Why writing failed. What is written after it goes nowhere.
#[derive(Debug)]
pub(super) struct WriteFailure {
    error: io::Error,
    patience: Pin<Box<Sleep>>,
}

impl WriteFailure {
    /// Writing has just failed. Whoever polls must read once more, to hear of it.
    pub(super) fn new(error: io::Error, cx: &Context<'_>) -> Self {
        cx.waker().wake_by_ref();
        Self { error, patience: Box::pin(tokio::time::sleep(LAST_WORDS)) }
    }

    /// There is nothing to read now. Ready when that is the end.
    pub(super) fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.patience.as_mut().poll(cx)
    }

    pub(super) fn error(&self) -> &io::Error {
        &self.error
    }

    pub(super) fn into_error(self) -> io::Error {
        self.error
    }
}
