//! Tokio's clock, for the resolvers that wait. Tokio's rather than the system's, so that a test's virtual time moves them.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use tokio::time::{Sleep, sleep_until};

/// Now, by tokio's clock. Needs no runtime.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// One timer, made when it is first waited for: a resolver may be made where no runtime is.
#[derive(Default)]
pub(crate) struct Timer {
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Timer {
    /// Ready once `time` has come.
    pub(crate) fn poll_until(&mut self, time: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let time = tokio::time::Instant::from_std(time);
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(time)));
        if sleep.deadline() != time {
            sleep.as_mut().reset(time);
        }
        ready!(sleep.as_mut().poll(cx));
        // A timer that has fired is spent; and the next wait may happen on another runtime.
        self.sleep = None;
        Poll::Ready(())
    }
}
