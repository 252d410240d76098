//! The part of a call that it has to its end. What it needs until its response begins is in
//! [`DirectCall`](super::machine::DirectCall), around it; after that this is all there is, so that a stream which is
//! open for long is small.

use std::task::{Context, Poll};

use tokio::time::Instant;
use trunkline_proto::{Address, wire::Code};

use super::deadline::{Deadline, Timer};
use super::in_flight::InFlight;
use super::progress::{Progress, Ticket};
use super::pump::Pump;
use super::report::CallReport;
use crate::channel::{Channel, NoRuntime};
use crate::transport::{Headers, Stream};

/// A call to its end: its share of the channel, its deadline, the stream of its present attempt, what came of the
/// response. Dropping it resets the stream (CANCEL).
pub(crate) struct Exchange {
    /// Dropped first: its stream keeps to the transport's pace.
    pub(super) attempt: Option<Attempt>,
    pub(super) ticket: Ticket,
    pub(super) progress: Progress,
    pub(super) timer: Timer,
    /// Of the response, until they are taken.
    pub(super) headers: Option<Headers>,
    pub(super) trailers: Option<Headers>,
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

impl Exchange {
    pub(super) fn new(channel: Channel, began: Instant, deadline: Option<Deadline>) -> Self {
        Self {
            attempt: None,
            ticket: Ticket::new(channel),
            progress: Progress::new(began),
            timer: Timer::new(deadline),
            headers: None,
            trailers: None,
        }
    }

    /// Ready when the deadline has passed, or cannot be kept. `just_looked`: it had not passed, and nothing was waited
    /// for since then.
    pub(super) fn poll_deadline(
        &mut self,
        cx: &mut Context<'_>,
        just_looked: bool,
    ) -> Poll<Result<Deadline, NoRuntime>> {
        let attempt = &self.attempt;
        let is_kept =
            |runtime: &_| attempt.as_ref().is_some_and(|attempt| attempt.stream.keeps_deadline(runtime));
        self.timer.poll(self.ticket.core(), cx, just_looked, is_kept)
    }

    /// Whoever has polled it does so no more: nothing is held for waking them.
    pub(super) fn change_hands(&mut self) {
        self.timer.stop();
    }

    /// What happened so far, for a call that succeeds.
    pub(super) fn report(&self) -> CallReport {
        self.progress.begun(self.ticket.core(), self.address())
    }

    /// Where the present attempt is, or the last one was.
    pub(super) fn address(&self) -> Option<&Address> {
        let destination = match &self.attempt {
            Some(attempt) => attempt.in_flight.destination(),
            None => self.progress.last.as_ref(),
        };
        destination.map(|destination| &destination.address)
    }

    /// The attempt ends with `code`, if there is one: it is counted, and a stream that has not ended is reset.
    pub(super) fn leave_attempt(&mut self, code: Code, now: Instant) {
        if let Some(mut attempt) = self.attempt.take() {
            self.progress.last = attempt.in_flight.finish(code, now);
        }
    }

    /// Ends the call: it is counted, and what it held is let go.
    pub(super) fn end(&mut self, code: Code, now: Instant) {
        self.leave_attempt(code, now);
        self.timer.stop();
        self.ticket.end(now);
    }
}
