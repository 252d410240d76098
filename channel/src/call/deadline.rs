//! The one deadline of a call. An alarm is set for it when the call first has to wait, unless its connection keeps
//! it.

use std::task::{Context, Poll};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::Instant;
use trunkline_proto::wire::Code;

use super::alarm_clock::{Alarm, AlarmState};
use crate::channel::{Core, NoRuntime};

/// The longest timeout that is kept as a deadline, a hundred years: what is longer is never reached, and
/// would overflow the clock.
pub(crate) const FOREVER: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// When a call ends at the latest.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    pub(crate) at: Instant,
}

impl Deadline {
    /// `timeout` after `began`; none if that is further away than anybody waits.
    pub(crate) fn after(began: Instant, timeout: Duration) -> Option<Self> {
        (timeout < FOREVER).then(|| Self { at: began + timeout })
    }

    /// How long a call was given that began then.
    pub(crate) fn timeout(self, began: Instant) -> Duration {
        self.at.saturating_duration_since(began)
    }

    /// Whether `code` from the server says no more than that this has passed. Servers keep the deadline too,
    /// and end the call when their timer rings: some with CANCELLED (tonic's), some with a reset. That may be
    /// here before our own timer has rung, which is up to 1 ms late, and later on a busy runtime.
    pub(crate) fn explains(&self, code: Code) -> bool {
        code == Code::Cancelled && self.at <= Instant::now()
    }
}

/// A deadline that can be polled.
#[derive(Debug)]
pub(crate) struct Timer {
    deadline: Option<Deadline>,
    alarm: Option<Alarm>,
}

impl Timer {
    pub(crate) fn new(deadline: Option<Deadline>) -> Self {
        Self { deadline, alarm: None }
    }

    pub(crate) fn deadline(&self) -> Option<Deadline> {
        self.deadline
    }

    /// The deadline, if it has passed at `now`.
    pub(crate) fn passed(&self, now: Instant) -> Option<Deadline> {
        self.deadline.filter(|deadline| deadline.at <= now)
    }

    /// Ready when the deadline has passed; never without one. An error if there is no runtime, which whatever
    /// else a call waits for needs too. `just_looked`: it had not passed, and nothing was waited for since then.
    /// `is_kept`: on that runtime somebody else wakes `cx` at the deadline.
    pub(crate) fn poll(
        &mut self,
        core: &Core,
        cx: &mut Context<'_>,
        just_looked: bool,
        is_kept: impl FnOnce(&Handle) -> bool,
    ) -> Poll<Result<Deadline, NoRuntime>> {
        let runtime = core.runtime()?;
        let Some(deadline) = self.deadline else { return Poll::Pending };
        if is_kept(&runtime) {
            self.alarm = None;
            let has_passed = !just_looked && deadline.at <= Instant::now();
            return if has_passed { Poll::Ready(Ok(deadline)) } else { Poll::Pending };
        }
        if let Some(alarm) = self.alarm.as_ref().filter(|alarm| alarm.is_on(runtime.id())) {
            match alarm.poll(cx) {
                AlarmState::Set => return Poll::Pending,
                AlarmState::Rung => return Poll::Ready(Ok(deadline)),
                AlarmState::Lost => {}
            }
        }
        self.alarm = Some(core.alarm_clocks().set(deadline.at, &runtime, cx)?);
        Poll::Pending
    }

    /// Lets go of who is to be woken, until it is polled again; or for good, once the call has ended.
    pub(crate) fn stop(&mut self) {
        self.alarm = None;
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;
    use crate::channel::Channel;

    #[tokio::test(start_paused = true)]
    async fn where_a_connection_keeps_the_deadline_the_clock_is_looked_at_unless_it_just_was() {
        let channel = Channel::builder("static:127.0.0.1:1").plaintext().connect_lazy().unwrap();
        let timeout = Duration::from_secs(1);
        let mut timer = Timer::new(Deadline::after(Instant::now(), timeout));
        tokio::time::advance(timeout).await;
        for just_looked in [true, false] {
            let mut cx = Context::from_waker(Waker::noop());
            let poll = timer.poll(channel.core(), &mut cx, just_looked, |_| true);
            assert_eq!(poll.is_ready(), !just_looked);
        }
    }
}
