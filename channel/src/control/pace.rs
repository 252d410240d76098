//! How often decisions are made. A decision looks at every endpoint, so with ten thousand of them news that
//! comes one by one would cost ten thousand times ten thousand looks.

use std::time::{Duration, Instant};

/// Time between two decisions, per endpoint: 50 ms at 10 000. A decision costs a small part of that.
const PER_ENDPOINT: Duration = Duration::from_micros(5);

/// Waits below this are not made: timers are no finer, and a decision over so few endpoints costs less than
/// the timer.
const FINEST: Duration = Duration::from_millis(1);

/// A policy whose wishes contradict each other in one update after another is asked again only after this
/// long.
const UNSETTLED: Duration = Duration::from_millis(100);

/// A policy that asks to be woken in the past, against its law, is woken this much later: a mistake must not
/// become a busy loop.
const MIN_WAKE: Duration = Duration::from_millis(1);

/// After so many such wakes in a row it is treated as one that does not settle: the mistake is a habit.
const PATIENCE: u32 = 3;

/// The pace of decisions: the first news decides at once, what comes soon after is decided together.
#[derive(Debug)]
pub(super) struct Pace {
    next: Instant,
    /// Decisions in a row after which the policy asked to be woken in the past.
    late: u32,
}

impl Pace {
    pub(super) fn new(now: Instant) -> Self {
        Self { next: now, late: 0 }
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

    /// When to wake the policy, which wished for `wish` in the decision that was made now.
    pub(super) fn wake(&mut self, now: Instant, wish: Option<Instant>) -> Option<Instant> {
        let wish = wish?;
        if wish > now {
            self.late = 0;
            return Some(wish.max(now + MIN_WAKE));
        }
        self.late = self.late.saturating_add(1);
        Some(now + if self.late > PATIENCE { UNSETTLED } else { MIN_WAKE })
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
    fn one_wish_for_the_past_is_soon_and_a_habit_is_not() {
        let now = Instant::now();
        let mut pace = Pace::new(now);
        let past = Some(now - Duration::from_secs(1));
        for _ in 0..2 {
            for _ in 0..PATIENCE {
                assert_eq!(pace.wake(now, past), Some(now + MIN_WAKE));
            }
            assert_eq!(pace.wake(now, Some(now)), Some(now + UNSETTLED));
            assert_eq!(pace.wake(now, past), Some(now + UNSETTLED));
            let later = now + Duration::from_secs(1);
            assert_eq!(pace.wake(now, Some(later)), Some(later), "and it is forgiven");
        }
        let soon = now + Duration::from_nanos(1);
        assert_eq!(pace.wake(now, Some(soon)), Some(now + MIN_WAKE), "no timer is that fine");
        assert_eq!(pace.wake(now, None), None);
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
