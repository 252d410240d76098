//! How a call ends: what it says, and what becomes of its stream.

use std::sync::Arc;

use http::HeaderMap;
use tokio::time::Instant;
use trunkline_proto::{Address, wire, wire::Code};

use super::Upload;
use super::deadline::Deadline;
use super::exchange::Exchange;
use super::machine::{DirectCall, Stage};
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

impl From<Problem> for Failed {
    fn from(problem: Problem) -> Self {
        Self(Box::new(Ending::Here(problem)))
    }
}

impl Exchange {
    pub(super) fn answered_with(&self, status: wire::Status) -> Failed {
        Problem::response(status, self.address()).into()
    }

    /// The deadline, if it has passed and that is all the server means by ending the call with `code`.
    pub(super) fn rung(&self, code: Code) -> Option<Deadline> {
        self.timer.deadline().filter(|deadline| deadline.explains(code))
    }

    /// The deadline passed while the response was read.
    pub(super) fn expired(&self, deadline: Deadline) -> Problem {
        self.expired_while("reading the response", Sent::Yes, deadline)
    }

    /// The deadline passed while the call did that, which is all there is to say of why.
    pub(super) fn expired_while(&self, doing: &'static str, sent: Sent, deadline: Deadline) -> Problem {
        Problem::expired(self.progress.timeout(deadline), doing, sent, Arc::default()).at(self.address())
    }

    /// Ends the call, and makes the status that says why. `sent`: what is known of the request, if that failed by
    /// itself.
    pub(super) fn fail(&mut self, failed: Failed, sent: Sent) -> Status {
        let (core, address) = (self.core(), self.address());
        let status = match *failed.0 {
            Ending::Here(problem) => self.progress.status(core, problem),
            Ending::Server(status, headers) => {
                let report = self.progress.answered(core, &status, address);
                vocabulary::server_status(status, headers, report)
            }
            Ending::Request(status) => self.progress.request_failed(core, status, sent, address),
        };
        self.end(vocabulary::wire_code(status.code()), Instant::now());
        status
    }
}

impl DirectCall {
    /// The deadline as the end of a call that the server has ended with `code`, if that is what it means.
    pub(super) fn expired_by(&self, code: Code) -> Option<Failed> {
        self.exchange.rung(code).map(|deadline| self.expired(deadline).into())
    }

    /// What the call was doing when its deadline passed.
    pub(super) fn expired(&self, deadline: Deadline) -> Problem {
        let (doing, sent) = match &self.stage {
            Stage::Reserve(reserving) => {
                let doing = "queued for a stream, since the server's limit of concurrent streams is reached";
                let problem = self.exchange.expired_while(doing, Sent::No, deadline);
                return problem.at(Some(&reserving.destination.address));
            }
            Stage::Sent { sender: Some(_) } => ("sending the request", Sent::Maybe),
            Stage::Sent { sender: None } => ("waiting for the response", Sent::Maybe),
            Stage::Foreign(_) => ("reading a response that is not gRPC", Sent::Yes),
            Stage::Begun => return self.exchange.expired(deadline),
            Stage::Refused(_) | Stage::Choose | Stage::Wait(_) => return self.expired_waiting(deadline),
        };
        self.exchange.expired_while(doing, sent, deadline)
    }

    /// What the call was doing when its deadline passed just now. What can be taken back is.
    pub(super) fn give_up(&self, deadline: Deadline) -> Problem {
        match (&self.stage, self.exchange.attempt()) {
            (Stage::Sent { .. }, Some(attempt)) if attempt.stream.take_back() => {
                self.exchange.expired_while("waiting for its turn on the connection", Sent::No, deadline)
            }
            _ => self.expired(deadline),
        }
    }

    /// Nothing here can wake the call any more. What can be taken back is.
    pub(super) fn strand(&self, error: NoRuntime) -> Problem {
        let sent = match (&self.stage, self.exchange.attempt()) {
            (Stage::Sent { .. }, Some(attempt)) if !attempt.stream.take_back() => Sent::Maybe,
            (Stage::Foreign(_) | Stage::Begun, _) => Sent::Yes,
            _ => Sent::No,
        };
        error.problem(sent).at(self.address())
    }

    fn expired_waiting(&self, deadline: Deadline) -> Problem {
        let trouble = Arc::clone(&self.exchange.core().snapshot().trouble);
        let timeout = self.exchange.progress.timeout(deadline);
        let problem = Problem::expired(timeout, "waiting for a connection", Sent::No, trouble);
        match &self.stage {
            Stage::Wait(waiting) if waiting.for_good => problem.permanent(),
            _ => problem,
        }
    }

    /// Ends the call, and makes the status that says why.
    pub(super) fn fail(&mut self, failed: Failed) -> Status {
        let progress = &mut self.exchange.progress;
        let sent = match &self.stage {
            Stage::Wait(waiting) => {
                progress.waited(waiting.since.elapsed());
                Sent::No
            }
            Stage::Reserve(reserving) => {
                progress.queued(reserving.since.elapsed());
                self.exchange.not_sent(Arc::clone(&reserving.destination));
                Sent::No
            }
            Stage::Refused(_) | Stage::Choose => Sent::No,
            Stage::Sent { .. } | Stage::Foreign(_) => Sent::Maybe,
            Stage::Begun => Sent::Yes,
        };
        let status = self.exchange.fail(failed, sent);
        self.let_request_go();
        status
    }

    /// Where the present attempt is, or the last one was.
    pub(super) fn address(&self) -> Option<&Address> {
        match &self.stage {
            Stage::Reserve(reserving) => Some(&reserving.destination.address),
            _ => self.exchange.address(),
        }
    }

    /// Ends the call: it is counted, and what it held is let go, a stream that has not ended by a reset, and
    /// the rest of the request.
    pub(super) fn end(&mut self, code: Code, now: Instant) {
        self.exchange.end(code, now);
        self.let_request_go();
    }

    /// Nothing is sent any more.
    pub(super) fn let_request_go(&mut self) {
        self.stage = Stage::Begun;
        self.upload = Upload::spent();
    }
}
