//! When to look which calls are out of time. A call whose task runs where the connection's does is woken by the
//! connection at its deadline: it is known here anyway, so no alarm has to be set and taken back for it.

use std::time::{Duration, Instant};

/// How long to rest after each look, for each place that was looked at. It costs a few nanoseconds a place, so
/// looking takes a twentieth of the time at most; and a deadline is late by 10 ms where a hundred thousand calls
/// wait, or have waited lately.
const REST_PER_PLACE: Duration = Duration::from_nanos(100);

/// The time of the next look.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    /// Never later than the earliest deadline, but perhaps earlier, since a call that has ended leaves this alone.
    looks_at: Option<Instant>,
    /// Nobody is looked at before this.
    rests_until: Option<Instant>,
}

impl Deadlines {
    /// A call has this deadline.
    #[inline]
    pub(super) fn add(&mut self, deadline: Option<Instant>) {
        if let Some(at) = deadline
            && self.looks_at.is_none_or(|looks_at| at < looks_at)
        {
            self.looks_at = Some(self.rests_until.map_or(at, |rest| at.max(rest)));
        }
    }

    /// When to look, if ever.
    pub(super) fn due(&self) -> Option<Instant> {
        self.looks_at
    }

    /// Whether it is time to look.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.looks_at.is_some_and(|at| at <= now)
    }

    /// Looks at these deadlines, if it is time to: calls `ring` for those that have passed, and forgets them. To find
    /// them so many places are looked at.
    pub(super) fn look<'a, T>(
        &mut self,
        now: Instant,
        places: usize,
        calls: impl Iterator<Item = (&'a mut Option<Instant>, T)>,
        mut ring: impl FnMut(T),
    ) {
        if !self.is_due(now) {
            return;
        }
        let mut earliest = None::<Instant>;
        for (deadline, call) in calls {
            match *deadline {
                Some(at) if at <= now => {
                    *deadline = None;
                    ring(call);
                }
                Some(at) => earliest = Some(earliest.map_or(at, |earliest| earliest.min(at))),
                None => {}
            }
        }
        let rest = now + REST_PER_PLACE * u32::try_from(places).unwrap_or(u32::MAX);
        self.rests_until = Some(rest);
        self.looks_at = earliest.map(|at| at.max(rest));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(deadlines: &mut Deadlines, now: Instant, calls: &mut [Option<Instant>]) -> Vec<usize> {
        let (mut rung, places) = (Vec::new(), calls.len());
        let calls = calls.iter_mut().enumerate().map(|(index, deadline)| (deadline, index));
        deadlines.look(now, places, calls, |index| rung.push(index));
        rung
    }

    #[test]
    fn each_call_is_rung_once_when_its_time_has_come_and_nobody_is_looked_at_before() {
        let start = Instant::now();
        let after = |millis| start + Duration::from_millis(millis);
        let mut calls = [Some(after(20)), None, Some(after(10)), Some(after(30))];
        let mut deadlines = Deadlines::default();
        calls.iter().for_each(|deadline| deadlines.add(*deadline));
        assert_eq!(deadlines.due(), Some(after(10)));
        assert!(look(&mut deadlines, after(9), &mut calls).is_empty());
        assert_eq!(look(&mut deadlines, after(20), &mut calls), [0, 2]);
        assert_eq!(deadlines.due(), Some(after(30)));
        assert_eq!(look(&mut deadlines, after(31), &mut calls), [3]);
        assert_eq!(deadlines.due(), None);
    }

    #[test]
    fn the_time_of_a_call_that_has_ended_costs_one_look() {
        let start = Instant::now();
        let mut deadlines = Deadlines::default();
        deadlines.add(Some(start));
        assert!(look(&mut deadlines, start, &mut []).is_empty());
        assert_eq!(deadlines.due(), None);
    }

    #[test]
    fn many_calls_are_not_looked_at_all_the_time() {
        let start = Instant::now();
        let mut calls: Vec<_> = (0..100_000).map(|nanos| Some(start + Duration::from_nanos(nanos))).collect();
        let mut deadlines = Deadlines::default();
        calls.iter().for_each(|deadline| deadlines.add(*deadline));
        assert_eq!(look(&mut deadlines, start, &mut calls), [0]);
        assert_eq!(deadlines.due(), Some(start + Duration::from_millis(10)));
        // Nor for others that are out of time sooner.
        deadlines.add(Some(start + Duration::from_millis(1)));
        assert_eq!(deadlines.due(), Some(start + Duration::from_millis(10)));
        assert_eq!(look(&mut deadlines, start + Duration::from_millis(10), &mut calls).len(), 99_999);
        deadlines.add(Some(start + Duration::from_millis(15)));
        assert_eq!(deadlines.due(), Some(start + Duration::from_millis(20)));
        deadlines.add(Some(start + Duration::from_millis(25)));
        assert_eq!(deadlines.due(), Some(start + Duration::from_millis(20)));
    }
}
