//! The earliest time at which each address may be dialled, worked out anew from what the world saw: the other
//! opinion on backoff, sharing nothing with the code that is tested. Where the world cannot know (jitter, a
//! proof that came down to it) it errs on the early side.

use std::time::{Duration, Instant};

use trunkline_proto::{ConnectError, Endpoint};

/// Of the wait without jitter: the least that jitter may leave.
const LEAST: f64 = 0.8;
const LONGEST: Duration = Duration::from_secs(120);
const SECOND: Duration = Duration::from_secs(1);
/// Rounding to nanoseconds.
const SLACK: Duration = Duration::from_micros(1);

/// What is known of the dials of one address.
#[derive(Debug, Default)]
pub(super) struct Spacing {
    /// Failed one after another.
    failures: i32,
    earliest: Option<Instant>,
    /// The last dial, if it failed permanently: when it began, and to which endpoint the address belonged.
    condemned: Option<(Instant, Option<Endpoint>)>,
    /// When the last wait that a changed endpoint cut short would have ended.
    cut: Option<Instant>,
}

impl Spacing {
    /// No dial may start before this.
    pub(super) fn earliest(&self) -> Option<Instant> {
        self.earliest
    }

    pub(super) fn failed(&mut self, started: Instant, error: &ConnectError, endpoint: Option<&Endpoint>) {
        let wait = if error.is_permanent() { LONGEST.mul_f64(LEAST) } else { self.least_wait() };
        self.condemned = error.is_permanent().then(|| (started, endpoint.cloned()));
        self.failures += 1;
        self.earliest = Some(started + wait - SLACK);
    }

    /// Hung up while it was dialled or connected.
    pub(super) fn let_go(&mut self, started: Instant, was_connected: bool) {
        let is_known = self.failures == 0 || was_connected;
        let wait = if is_known { SECOND } else { self.least_wait().max(SECOND) };
        self.earliest = Some(started + wait - SLACK);
    }

    /// A connection was Ready for so long before it was lost or drained, and was not answered.
    pub(super) fn may_have_proved_itself(&self, ready: Duration) -> bool {
        ready >= Duration::from_secs(10)
    }

    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }

    /// Nobody wishes for it: once its wait is over, it may be forgotten.
    pub(super) fn unwished(&mut self, now: Instant) {
        if self.earliest.is_none_or(|earliest| earliest <= now) {
            self.reset();
        }
    }

    /// The resolver names it, as part of this endpoint.
    pub(super) fn resolved(&mut self, endpoint: &Endpoint) {
        if let Some((started, old)) = &self.condemned
            && !old.as_ref().is_some_and(|old| is_same_server(old, endpoint))
        {
            let sooner = *started + SECOND - SLACK;
            let sooner = self.cut.map_or(sooner, |cut| cut.max(sooner));
            if self.earliest.is_some_and(|earliest| sooner < earliest) {
                (self.cut, self.earliest) = (self.earliest, Some(sooner));
                self.condemned = None;
            }
        }
    }

    fn wait(&self) -> Duration {
        SECOND.mul_f64(1.6_f64.powi(self.failures).min(LONGEST.as_secs_f64()))
    }

    fn least_wait(&self) -> Duration {
        self.wait().mul_f64(LEAST)
    }
}

/// In whatever order its addresses are.
fn is_same_server(one: &Endpoint, other: &Endpoint) -> bool {
    let is_within = |one: &Endpoint, other: &Endpoint| {
        one.attributes == other.attributes
            && one.addresses().iter().all(|address| other.addresses().contains(address))
    };
    is_within(one, other) && is_within(other, one)
}
