//! The one deadline of a call. The timer is made when the call first has to wait, since most calls that find
//! their answer at once need none.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use pin_project_lite::pin_project;
use tokio::runtime::{Handle, Id};
use tokio::time::{Instant, Sleep};
use trunkline_proto::wire::Code;

/// The longest timeout that is kept as a deadline, a hundred years: what is longer is never reached, and
/// would overflow the clock.
pub(crate) const FOREVER: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// When a call ends at the latest.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    /// How long the call was given.
    pub(crate) timeout: Duration,
    /// The end of that.
    pub(crate) at: Instant,
}

impl Deadline {
    /// `timeout` after `began`; none if that is further away than anybody waits.
    pub(crate) fn after(began: Instant, timeout: Duration) -> Option<Self> {
        (timeout < FOREVER).then(|| Self { timeout, at: began + timeout })
    }

    /// Whether `code` from the server says no more than that this has passed. Servers keep the deadline too,
    /// and end the call when their timer rings: some with CANCELLED (tonic's), some with a reset. That may be
    /// here before our own timer has rung, which is up to 1 ms late, and later on a busy runtime.
    pub(crate) fn explains(&self, code: Code) -> bool {
        code == Code::Cancelled && self.at <= Instant::now()
    }

    /// What is left of it at `now`.
    pub(crate) fn left(&self, now: Instant) -> Duration {
        self.at.saturating_duration_since(now)
    }
}

/// A deadline that can be polled.
#[derive(Debug)]
pub(crate) struct Timer {
    deadline: Option<Deadline>,
    /// In a box, so that a call may be moved while it waits.
    running: Option<Pin<Box<Running>>>,
}

pin_project! {
    #[derive(Debug)]
    struct Running {
        // The runtime whose timer `sleep` is: it must not be polled once that has shut down.
        runtime: Option<Id>,
        #[pin]
        sleep: Sleep,
    }
}

impl Timer {
    pub(crate) fn new(deadline: Option<Deadline>) -> Self {
        Self { deadline, running: None }
    }

    pub(crate) fn deadline(&self) -> Option<Deadline> {
        self.deadline
    }

    /// The deadline, if it has passed at `now`.
    pub(crate) fn passed(&self, now: Instant) -> Option<Deadline> {
        self.deadline.filter(|deadline| deadline.at <= now)
    }

    /// Ready when the deadline has passed; never without one. To be polled within a runtime.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Deadline> {
        let Some(deadline) = self.deadline else { return Poll::Pending };
        let here = Handle::try_current().ok().map(|runtime| runtime.id());
        if self.running.as_ref().is_none_or(|running| running.runtime != here) {
            let sleep = tokio::time::sleep_until(deadline.at);
            self.running = Some(Box::pin(Running { runtime: here, sleep }));
        }
        let running = self.running.as_mut().expect("it was made just above");
        running.as_mut().project().sleep.poll(cx).map(|()| deadline)
    }

    /// Stops it: the call has ended.
    pub(crate) fn stop(&mut self) {
        self.running = None;
    }
}
