//! Tokio's clock, for the resolvers that wait. Tokio's rather than the system's, so that a test's virtual
//! time moves them.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use tokio::runtime;
use tokio::time::{Sleep, sleep_until};

/// Now, by tokio's clock. Needs no runtime.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// One timer, made when it is first waited for: a resolver may be made where no runtime is.
#[derive(Default)]
pub(crate) struct Timer {
    // A timer dies with its runtime, and a channel may go on on another.
    armed: Option<(runtime::Id, Pin<Box<Sleep>>)>,
}

impl Timer {
    /// Ready once `time` has come.
    pub(crate) fn poll_until(&mut self, time: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let time = tokio::time::Instant::from_std(time);
        let here = runtime::Handle::current().id();
        let (_, sleep) = match self.armed.take() {
            Some(armed) if armed.0 == here => self.armed.insert(armed),
            _ => self.armed.insert((here, Box::pin(sleep_until(time)))),
        };
        if sleep.deadline() != time {
            sleep.as_mut().reset(time);
        }
        ready!(sleep.as_mut().poll(cx));
        self.armed = None;
        Poll::Ready(())
    }
}
