//! When a channel that nobody uses goes to sleep. Calls are not counted here: the driver brings a sample of
//! them.

use std::time::{Duration, Instant};

use super::Activity;

/// Watches for a time without calls.
#[derive(Debug)]
pub(super) struct Idleness {
    /// `None`: the channel never goes idle.
    timeout: Option<Duration>,
    /// When it was woken, or a call was last seen.
    active: Instant,
    /// Whether calls were in flight when last sampled.
    is_busy: bool,
}

impl Idleness {
    /// A timeout of zero means never.
    pub(super) fn new(timeout: Duration, now: Instant) -> Self {
        Self { timeout: Some(timeout).filter(|timeout| !timeout.is_zero()), active: now, is_busy: false }
    }

    /// The channel was woken, which counts as a call.
    pub(super) fn woken(&mut self, now: Instant) {
        self.active = self.active.max(now);
    }

    /// A sample of the calls. Those in flight cannot end before now, so that there is nothing to look for
    /// until a whole timeout from now.
    pub(super) fn sample(&mut self, now: Instant, activity: Activity) {
        self.is_busy = activity.in_flight > 0;
        let seen = if self.is_busy { Some(now) } else { activity.last_ended };
        self.active = self.active.max(seen.unwrap_or(self.active));
    }

    /// Whether there has been no call for too long.
    pub(super) fn is_over(&mut self, now: Instant) -> bool {
        let is_due = self.due().is_some_and(|due| due <= now);
        if is_due && self.is_busy {
            self.active = now;
        }
        is_due && !self.is_busy
    }

    /// When there will have been no call for too long, unless one comes.
    pub(super) fn due(&self) -> Option<Instant> {
        self.active.checked_add(self.timeout?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn the_time_counts_from_the_end_of_the_last_call() {
        let now = Instant::now();
        let mut idleness = Idleness::new(30 * MINUTE, now);
        assert_eq!(idleness.due(), Some(now + 30 * MINUTE));
        idleness.sample(now + 5 * MINUTE, Activity { in_flight: 1, last_ended: None });
        assert_eq!(
            idleness.due(),
            Some(now + 35 * MINUTE),
            "looks again when it could be over at the earliest"
        );
        let ended = now + 6 * MINUTE;
        idleness.sample(now + 35 * MINUTE, Activity { in_flight: 0, last_ended: Some(ended) });
        assert_eq!(idleness.due(), Some(ended + 30 * MINUTE));
    }

    #[test]
    fn zero_and_forever_mean_never() {
        let now = Instant::now();
        assert_eq!(Idleness::new(Duration::ZERO, now).due(), None);
        assert_eq!(Idleness::new(Duration::MAX, now).due(), None);
    }
}
