//! The part of a call that it has to its end. What it needs until its response begins is in
//! [`DirectCall`](super::machine::DirectCall), around it; after that this is all there is, so that a stream which is
//! open for long is small.

use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::time::Instant;
use trunkline_proto::{Address, wire::Code};

use super::deadline::{Deadline, Timer};
use super::in_flight::InFlight;
use super::progress::Progress;
use super::pump::Pump;
use super::report::CallReport;
use crate::channel::{Channel, Core, NoRuntime};
use crate::control::Destination;
use crate::transport::{Headers, Stream};

/// A call to its end: its share of the channel, its deadline, the stream of its present attempt, what came of the
/// response. While it is there the channel lives, and until the call has ended it counts one call. Dropping it resets
/// the stream (CANCEL).
pub(crate) struct Exchange {
    phase: Phase,
    channel: Channel,
    pub(super) progress: Progress,
    pub(super) timer: Timer,
    /// Of the response, until they are taken.
    pub(super) headers: Option<Headers>,
}

enum Phase {
    /// No attempt is under way. `last` is where one was, here and at the end.
    Between {
        last: Option<Arc<Destination>>,
    },
    Sent(Attempt),
    Ended {
        last: Option<Arc<Destination>>,
        /// Until they are taken.
        trailers: Option<Headers>,
        /// When, as its report says it.
        at: Instant,
    },
}

/// An attempt that was sent.
pub(super) struct Attempt {
    pub(super) stream: Stream,
    pub(super) in_flight: InFlight,
    /// What sends the rest of the request, once the response has begun.
    pub(super) pump: Option<Pump>,
}

impl Drop for Attempt {
    fn drop(&mut self) {
        // The stream goes first, so that its reset keeps to the transport's pace. That wakes who waits for room.
        if let Some(pump) = &self.pump {
            pump.let_go();
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if !matches!(self.phase, Phase::Ended { .. }) {
            self.end(Code::Cancelled, Instant::now());
        }
    }
}

impl Exchange {
    pub(super) fn new(channel: Channel, began: Instant, deadline: Option<Deadline>) -> Self {
        channel.core().calls().begin();
        Self {
            phase: Phase::Between { last: None },
            channel,
            progress: Progress::new(began),
            timer: Timer::new(deadline),
            headers: None,
        }
    }

    pub(super) fn core(&self) -> &Arc<Core> {
        self.channel.core()
    }

    /// The attempt that is under way.
    pub(super) fn attempt(&self) -> Option<&Attempt> {
        match &self.phase {
            Phase::Sent(attempt) => Some(attempt),
            _ => None,
        }
    }

    /// The same, to be moved on.
    pub(super) fn attempt_mut(&mut self) -> Option<&mut Attempt> {
        match &mut self.phase {
            Phase::Sent(attempt) => Some(attempt),
            _ => None,
        }
    }

    /// An attempt was sent; there is no other.
    pub(super) fn sent(&mut self, attempt: Attempt) {
        self.phase = Phase::Sent(attempt);
    }

    /// An attempt at `destination` was not even sent.
    pub(super) fn not_sent(&mut self, destination: Arc<Destination>) {
        self.phase = Phase::Between { last: Some(destination) };
    }

    /// Ready when the deadline has passed, or cannot be kept. `just_looked`: it had not passed, and nothing was waited
    /// for since then.
    pub(super) fn poll_deadline(
        &mut self,
        cx: &mut Context<'_>,
        just_looked: bool,
    ) -> Poll<Result<Deadline, NoRuntime>> {
        let Self { phase, channel, timer, .. } = self;
        let is_kept = |runtime: &_| match phase {
            Phase::Sent(attempt) => attempt.stream.keeps_deadline(runtime),
            _ => false,
        };
        timer.poll(channel.core(), cx, just_looked, is_kept)
    }

    /// Whoever has polled it does so no more: nothing is held for waking them.
    pub(super) fn change_hands(&mut self) {
        self.timer.stop();
    }

    /// What happened so far, for a call that succeeds.
    pub(super) fn report(&self) -> CallReport {
        let now = match self.phase {
            Phase::Ended { at, .. } => at,
            _ => Instant::now(),
        };
        self.progress.begun(self.core(), self.address(), now)
    }

    /// Where the present attempt is, or the last one was.
    pub(super) fn address(&self) -> Option<&Address> {
        let destination = match &self.phase {
            Phase::Sent(attempt) => attempt.in_flight.destination(),
            Phase::Between { last } | Phase::Ended { last, .. } => last.as_ref(),
        };
        destination.map(|destination| &destination.address)
    }

    /// The attempt ends with `code`, if there is one: it is counted, and a stream that has not ended is reset.
    pub(super) fn leave_attempt(&mut self, code: Code, now: Instant) {
        let last = self.finish_attempt(code, now);
        self.phase = Phase::Between { last };
    }

    /// Ends the call: it is counted, and what it held is let go.
    pub(super) fn end(&mut self, code: Code, now: Instant) {
        self.end_with(None, code, now);
    }

    /// The same, of a call whose response has ended with these.
    pub(super) fn end_with(&mut self, trailers: Option<Headers>, code: Code, now: Instant) {
        let is_first = !matches!(self.phase, Phase::Ended { .. });
        let last = self.finish_attempt(code, now);
        self.phase = Phase::Ended { last, trailers, at: now };
        self.timer.stop();
        if is_first {
            self.core().calls().end();
        }
    }

    /// The trailers as they came, once; there are none before the end.
    pub(super) fn take_raw_trailers(&mut self) -> Option<Headers> {
        match &mut self.phase {
            Phase::Ended { trailers, .. } => trailers.take(),
            _ => None,
        }
    }

    /// Counts the attempt, if there is one, as ended. Where it was, or the last one was.
    fn finish_attempt(&mut self, code: Code, now: Instant) -> Option<Arc<Destination>> {
        match &mut self.phase {
            Phase::Sent(attempt) => attempt.in_flight.finish(code, now),
            Phase::Between { last } | Phase::Ended { last, .. } => mem::take(last),
        }
    }
}
