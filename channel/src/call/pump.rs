//! The rest of a streamed request, once the response has begun.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use tokio::task::AbortHandle;

use super::streamed::{Next, Streamed};
use super::upload::poll_hand_over;
use crate::transport::SendHalf;
use crate::vocabulary::Status;

/// The task that sends the rest of a streamed request. It ends with the request, with the stream, or when
/// this is dropped.
#[derive(Debug)]
pub(crate) struct Pump {
    task: AbortHandle,
    failure: Arc<OnceLock<Status>>,
}

impl Pump {
    /// Starts it on the present runtime.
    pub(super) fn spawn(rest: Streamed, sender: SendHalf) -> Self {
        let failure = Arc::<OnceLock<Status>>::default();
        let pumping = Pumping { rest, sender, failure: Arc::clone(&failure) };
        // In a box, so that the task is no larger than tasks must be: streams may be open for long.
        Self { task: tokio::spawn(Box::pin(pumping)).abort_handle(), failure }
    }

    /// Why the request itself failed, if it did.
    pub(super) fn failure(&self) -> Option<&Status> {
        self.failure.get()
    }
}

impl Drop for Pump {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Pumping {
    rest: Streamed,
    sender: SendHalf,
    failure: Arc<OnceLock<Status>>,
}

impl Future for Pumping {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let poll_next = |cx: &mut Context<'_>| this.rest.poll_next(cx).map_ok(Next::into_chunk);
        if let Err(status) = ready!(poll_hand_over(&mut this.sender, cx, poll_next)) {
            // Whoever reads the response hears of the reset and looks here for its reason, so the reason
            // comes first.
            this.failure.get_or_init(|| status);
            this.sender.reset();
        }
        Poll::Ready(())
    }
}
