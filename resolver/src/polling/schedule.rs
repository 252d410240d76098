//! When to look: a pure machine, so that its rules can be tested as arithmetic.

use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::rngs::SmallRng;

use super::Finding;
use super::backoff::{Backoff, jittered};
use super::options::PollingOptions;
use crate::Resolution;

/// Decides when a poller looks. Time is an argument, chance comes from the seed in its options.
///
/// ```text
///            poll                     looked: an answer
///     New ---------> Looking ------------------------------> Resting(Answer)  next: TTL or interval, ±10 %
///                    ^  ^  | failed, a part, or past its limit     |   |
///                    |  |  `-----> Resting(Failure) <--- reject ---'   |
///                    |  `------------- | next: backoff                 |
///                    `-----------------+-- next has come, or doubted --'
/// ```
///
/// A doubt is answered at once, unless the last look that was due to a doubt began less than `doubt_interval`
/// ago; then it waits for that time or for the scheduled look, whichever comes first. Doubts do not wait for
/// the backoff: it may be two minutes long, and they have their own limit. Errors and rejections back off to
/// the interval, at most two minutes. So do answers of which a part is missing, but none waits for longer than
/// it would if it were whole.
pub(super) struct PollingSchedule {
    options: PollingOptions,
    rng: SmallRng,
    phase: Phase,
    // In a row; an answer ends the row only once it was not rejected, else a rejected answer at every look
    // would be asked for once per second for ever.
    failures: u32,
    doubted: bool,
    last_doubt: Option<Instant>,
}

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Start a look-up, and tell `looked` what came of it.
    Look,
    /// Drop the look-up that runs: it has taken this long, which is too long.
    GiveUp(Duration),
    /// Ask again at this time at the latest.
    WaitUntil(Instant),
    /// Nothing will be due by itself.
    Wait,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    New,
    Looking { since: Instant },
    // `next` is `None` where the time lies beyond what the clock can say.
    Resting { next: Option<Instant>, last: Outcome },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Answer,
    // Or an answer that was rejected, or of which a part is missing.
    Failure,
}

impl PollingSchedule {
    pub(super) fn new(options: PollingOptions) -> Self {
        let rng = SmallRng::seed_from_u64(options.seed);
        Self { options, rng, phase: Phase::New, failures: 0, doubted: false, last_doubt: None }
    }

    /// What to do at `now`.
    pub(super) fn poll(&mut self, now: Instant) -> Step {
        match self.phase {
            Phase::New => self.look(now),
            Phase::Looking { since } => match since.checked_add(self.options.lookup_limit) {
                Some(end) if end <= now => {
                    self.looked(now, None);
                    Step::GiveUp(self.options.lookup_limit)
                }
                end => wait(end),
            },
            Phase::Resting { next, last } => {
                if next.is_some_and(|next| next <= now) {
                    return self.look_after(last, now);
                }
                match self.doubt_due(now) {
                    Some(due) if due <= now => {
                        self.last_doubt = Some(now);
                        self.look_after(last, now)
                    }
                    Some(due) => wait(Some(next.map_or(due, |next| next.min(due)))),
                    None => wait(next),
                }
            }
        }
    }

    /// The look-up has ended, with this or with an error.
    pub(super) fn looked(&mut self, now: Instant, found: Option<&Finding>) {
        match found {
            Some(Finding::Whole(answer)) => {
                let next = now.checked_add(self.belief(answer));
                self.phase = Phase::Resting { next, last: Outcome::Answer };
            }
            Some(Finding::Part(answer)) => {
                let wait = self.belief(answer).min(self.backoff());
                self.phase = Phase::Resting { next: now.checked_add(wait), last: Outcome::Failure };
            }
            None => self.failed(now),
        }
    }

    /// The last answer is doubted.
    pub(super) fn refresh(&mut self) {
        // Before the first look there is nothing to doubt. While a look runs, the doubt outlives it: the look
        // may have been answered before what caused the doubt happened.
        self.doubted |= !matches!(self.phase, Phase::New);
    }

    /// The last answer could not be used.
    pub(super) fn reject(&mut self, now: Instant) {
        if let Phase::Resting { last: Outcome::Answer, .. } = self.phase {
            self.failed(now);
        }
    }

    fn failed(&mut self, now: Instant) {
        let next = now.checked_add(self.backoff());
        self.phase = Phase::Resting { next, last: Outcome::Failure };
    }

    /// The wait after one failure more.
    fn backoff(&mut self) -> Duration {
        self.failures = self.failures.saturating_add(1);
        // A name service that fails is not asked more often than one that works, and no more rarely either: a
        // service that was scaled to nothing should be seen to come back as soon as any other news.
        let backoff = Backoff::GRPC.at_most(self.options.interval);
        backoff.delay(self.failures, &mut self.rng)
    }

    /// How long `answer` stands without another look.
    fn belief(&mut self, answer: &Resolution) -> Duration {
        let PollingOptions { interval, min_interval, .. } = self.options;
        let believed = answer.ttl.unwrap_or(interval).max(min_interval).min(interval);
        jittered(believed, JITTER, &mut self.rng)
    }

    fn look_after(&mut self, last: Outcome, now: Instant) -> Step {
        if last == Outcome::Answer {
            self.failures = 0;
        }
        self.look(now)
    }

    fn look(&mut self, now: Instant) -> Step {
        // Whatever the reason for this look, it answers the doubts up to now.
        self.doubted = false;
        self.phase = Phase::Looking { since: now };
        Step::Look
    }

    fn doubt_due(&self, now: Instant) -> Option<Instant> {
        if !self.doubted {
            return None;
        }
        match self.last_doubt {
            Some(last) => last.checked_add(self.options.doubt_interval),
            None => Some(now),
        }
    }
}

fn wait(until: Option<Instant>) -> Step {
    until.map_or(Step::Wait, Step::WaitUntil)
}

/// Spreads the looks of many clients that were started at once.
const JITTER: f64 = 0.1;

#[cfg(test)]
mod tests;
