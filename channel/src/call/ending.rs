//! How a call ends: what it says, and what becomes of its stream.

use std::sync::Arc;

use http::HeaderMap;
use tokio::time::Instant;
use trunkline_proto::{Address, wire, wire::Code};

use super::Upload;
use super::deadline::Deadline;
use super::machine::{Attempt, DirectCall, Received, Rest, Stage};
use super::progress::Problem;
use super::report::Sent;
use crate::channel::NoRuntime;
use crate::vocabulary::{self, Status};

/// How a call can fail. In a box, which only calls that fail pay for.
pub(super) struct Failed(Box<Ending>);

enum Ending {
    Here(Problem),
    Server(wire::Status, HeaderMap),
    Request(Status),
}

impl Failed {
    /// The server said so.
    pub(super) fn server(status: wire::Status, headers: HeaderMap) -> Self {
        Self(Box::new(Ending::Server(status, headers)))
    }

    /// The request's own source failed.
    pub(super) fn request(status: Status) -> Self {
        Self(Box::new(Ending::Request(status)))
    }
}

impl From<NoRuntime> for Failed {
    fn from(error: NoRuntime) -> Self {
        Problem::from(error).into()
    }
}

impl From<Problem> for Failed {
    fn from(problem: Problem) -> Self {
        Self(Box::new(Ending::Here(problem)))
    }
}

impl DirectCall {
    pub(super) fn answered_with(&self, status: wire::Status) -> Failed {
        Problem::response(status, self.address()).into()
    }

    /// The deadline as the end of a call that the server has ended with `code`, if that is what it means.
    pub(super) fn rung(&self, code: Code) -> Option<Failed> {
        let deadline = self.timer.deadline().filter(|deadline| deadline.explains(code))?;
        Some(self.expired(deadline).into())
    }

    /// What the call was doing when its deadline passed.
    pub(super) fn expired(&self, deadline: Deadline) -> Problem {
        let (doing, sent) = match &self.stage {
            Stage::Reserve(_) => {
                ("queued for a stream, since the server's limit of concurrent streams is reached", Sent::No)
            }
            Stage::Sent(attempt) => match (&attempt.received, &attempt.rest) {
                (Received::Nothing, Rest::Here(_)) => ("sending the request", Sent::Maybe),
                (Received::Nothing, _) => ("waiting for the response", Sent::Maybe),
                (Received::Foreign(_), _) => ("reading a response that is not gRPC", Sent::Yes),
                (Received::Head, _) => ("reading the response", Sent::Yes),
            },
            _ => return self.expired_waiting(deadline),
        };
        Problem::expired(self.progress.timeout(deadline), doing, sent, Arc::default()).at(self.address())
    }

    /// What the call was doing when its deadline passed just now. What can be taken back is.
    pub(super) fn give_up(&self, deadline: Deadline) -> Problem {
        match &self.stage {
            Stage::Sent(Attempt { stream, received: Received::Nothing, .. }) if stream.take_back() => {
                let doing = "waiting for its turn on the connection";
                let timeout = self.progress.timeout(deadline);
                Problem::expired(timeout, doing, Sent::No, Arc::default()).at(self.address())
            }
            _ => self.expired(deadline),
        }
    }

    fn expired_waiting(&self, deadline: Deadline) -> Problem {
        let trouble = Arc::clone(&self.ticket.core().snapshot().trouble);
        let timeout = self.progress.timeout(deadline);
        let problem = Problem::expired(timeout, "waiting for a connection", Sent::No, trouble);
        match &self.stage {
            Stage::Wait { for_good: true, .. } => problem.permanent(),
            _ => problem,
        }
    }

    /// Ends the call, and makes the status that says why.
    pub(super) fn fail(&mut self, failed: Failed) -> Status {
        let now = Instant::now();
        match &self.stage {
            Stage::Wait { since, .. } => self.progress.waited(now.saturating_duration_since(*since)),
            Stage::Reserve(place) => self.progress.queued(now.saturating_duration_since(place.since)),
            _ => {}
        }
        let (core, address) = (self.ticket.core(), self.address());
        let status = match *failed.0 {
            Ending::Here(problem) => self.progress.status(core, problem),
            Ending::Server(status, headers) => {
                let report = self.progress.answered(core, &status, address);
                vocabulary::server_status(status, headers, report)
            }
            Ending::Request(status) => {
                let sent = match &self.stage {
                    Stage::Sent(Attempt { received: Received::Head, .. }) => Sent::Yes,
                    Stage::Sent(_) => Sent::Maybe,
                    _ => Sent::No,
                };
                self.progress.request_failed(core, status, sent, address)
            }
        };
        self.end(vocabulary::wire_code(status.code()), now);
        status
    }

    /// Where the present attempt is, or the last one was.
    pub(super) fn address(&self) -> Option<&Address> {
        let destination = match &self.stage {
            Stage::Reserve(reserving) => Some(&reserving.destination),
            Stage::Sent(attempt) => attempt.in_flight.destination(),
            _ => self.progress.last.as_ref(),
        };
        destination.map(|destination| &destination.address)
    }

    /// The attempt ends with `code`, if there is one: it is counted.
    pub(super) fn leave_attempt(&mut self, code: Code, now: Instant) {
        match &mut self.stage {
            Stage::Reserve(reserving) => self.progress.last = Some(Arc::clone(&reserving.destination)),
            Stage::Sent(attempt) => self.progress.last = attempt.in_flight.finish(code, now),
            _ => {}
        }
    }

    /// Ends the call: it is counted, and what it held is let go, a stream that has not ended by a reset, and
    /// the rest of the request.
    pub(super) fn end(&mut self, code: Code, now: Instant) {
        self.leave_attempt(code, now);
        self.stage = Stage::Ended;
        self.upload = Upload::spent();
        self.timer.stop();
        self.ticket.end(now);
    }
}
