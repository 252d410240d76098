//! A resolver that looks again and again. When to look is decided by the pure [`PollingSchedule`]; here it is
//! given tokio's clock, a timer and the future of the look-up.

mod backoff;
mod options;
mod schedule;

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use crate::timer::{Timer, now};
use crate::{Resolution, ResolveError, Resolver};

pub(crate) use backoff::Backoff;
pub use options::{PollingOptions, ZeroInterval};
use schedule::{PollingSchedule, Step};

/// A resolver that calls `lookup` for every look.
///
/// It looks at once, then when the answer's [`ttl`](Resolution::ttl) or the interval ends, when the channel
/// doubts an answer (rate limited), and after errors and rejections with exponential backoff (1 s, growing by
/// 1.6 to the interval or 120 s, give or take 20 %); [`PollingOptions`] has the other numbers. A look-up that
/// takes longer than [`lookup_limit`](PollingOptions::lookup_limit) is dropped and ends as an error.
///
/// No two look-ups run at once. Dropping the resolver drops the one that runs.
pub fn polling<L, F>(options: PollingOptions, mut lookup: L) -> Box<dyn Resolver>
where
    L: FnMut() -> F + Send + 'static,
    F: Future<Output = Result<Resolution, ResolveError>> + Send + 'static,
{
    polling_parts(options, move || {
        let look = lookup();
        async move { look.await.map(Finding::Whole) }
    })
}

/// As [`polling`], for look-ups of which a part may fail.
pub(crate) fn polling_parts<L, F>(options: PollingOptions, lookup: L) -> Box<dyn Resolver>
where
    L: FnMut() -> F + Send + 'static,
    F: Future<Output = Result<Finding, ResolveError>> + Send + 'static,
{
    let schedule = PollingSchedule::new(options);
    Box::new(Polling { schedule, lookup, running: None, timer: Timer::default(), waker: None })
}

/// What a look found.
#[derive(Debug)]
pub(crate) enum Finding {
    /// All that it looked for, or at least all that was ever known.
    Whole(Resolution),
    /// Some of it, while the rest failed and is not known from before. It is the answer until then, but the
    /// next look comes as soon as after an error.
    #[cfg_attr(
        not(feature = "dns"),
        allow(dead_code, reason = "only `dns` looks for several things at once")
    )]
    Part(Resolution),
}

impl Finding {
    fn into_answer(self) -> Resolution {
        match self {
            Self::Whole(answer) | Self::Part(answer) => answer,
        }
    }
}

struct Polling<L, F> {
    schedule: PollingSchedule,
    lookup: L,
    // Here and not in a future of `poll_next`'s own, so that a caller who stops polling loses nothing.
    running: Option<Pin<Box<F>>>,
    timer: Timer,
    // Of the last poll: doubts may come from another place of the task than the one that waits for answers.
    waker: Option<Waker>,
}

impl<L, F> Resolver for Polling<L, F>
where
    L: FnMut() -> F + Send + 'static,
    F: Future<Output = Result<Finding, ResolveError>> + Send + 'static,
{
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Resolution, ResolveError>> {
        self.waker = Some(cx.waker().clone());
        // Ends: every turn either starts a look-up, which the next turn polls, or waits for a time that lies
        // ahead.
        loop {
            if let Some(lookup) = &mut self.running
                && let Poll::Ready(found) = lookup.as_mut().poll(cx)
            {
                self.running = None;
                self.schedule.looked(now(), found.as_ref().ok());
                return Poll::Ready(found.map(Finding::into_answer));
            }
            match self.schedule.poll(now()) {
                Step::Look => self.running = Some(Box::pin((self.lookup)())),
                Step::GiveUp(limit) => {
                    self.running = None;
                    let text = format!("the look-up has not ended within {limit:?}");
                    return Poll::Ready(Err(ResolveError::new(text)));
                }
                Step::WaitUntil(time) => ready!(self.timer.poll_until(time, cx)),
                Step::Wait => return Poll::Pending,
            }
        }
    }

    fn refresh(&mut self) {
        self.schedule.refresh();
        self.wake();
    }

    fn reject(&mut self) {
        self.schedule.reject(now());
        self.wake();
    }
}

impl<L, F> Polling<L, F> {
    fn wake(&self) {
        if let Some(waker) = &self.waker {
            waker.wake_by_ref();
        }
    }
}

#[cfg(test)]
mod tests;
