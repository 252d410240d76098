//! How often decisions are made. A decision looks at every endpoint, so with ten thousand of them news that comes one by one
//! would cost ten thousand times ten thousand looks.

use std::time::{Duration, Instant};

/// Time between two decisions, per endpoint: 50 ms at 10 000. A decision costs a small part of that.
const PER_ENDPOINT: Duration = Duration::from_micros(5);

/// Waits below this are not made: timers are no finer, and a decision over so few endpoints costs less than the timer.
const FINEST: Duration = Duration::from_millis(1);

/// A policy whose wishes contradict each other in one update after another is asked again only after this long.
const UNSETTLED: Duration = Duration::from_millis(100);

/// The pace of decisions: the first news decides at once, what comes soon after is decided together.
#[derive(Debug)]
pub(super) struct Pace {
    next: Instant,
}

impl Pace {
    pub(super) fn new(now: Instant) -> Self {
        Self { next: now }
    }

    /// A decision over so many endpoints was made.
    pub(super) fn decided(&mut self, now: Instant, endpoints: usize) {
        let interval = PER_ENDPOINT.saturating_mul(u32::try_from(endpoints).unwrap_or(u32::MAX));
        self.next = if interval < FINEST { now } else { now + interval };
    }

    /// The decision did not settle.
    pub(super) fn unsettled(&mut self, now: Instant) {
        self.next = self.next.max(now + UNSETTLED);
    }

    /// The earliest time of the next decision.
    pub(super) fn next(&self) -> Instant {
        self.next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_endpoints_are_decided_on_less_often() {
        let now = Instant::now();
        let mut pace = Pace::new(now);
        assert_eq!(pace.next(), now);
        pace.decided(now, 10_000);
        assert_eq!(pace.next(), now + Duration::from_millis(50));
        pace.decided(now, 3);
        assert_eq!(pace.next(), now, "few endpoints need no pace");
    }

    #[test]
    fn a_policy_that_does_not_settle_cannot_spin() {
        let now = Instant::now();
        let mut pace = Pace::new(now);
        pace.decided(now, 1);
        pace.unsettled(now);
        assert_eq!(pace.next(), now + UNSETTLED);
    }
}
