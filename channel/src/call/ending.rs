//! How a call ends that has no response to read: what it says, and what becomes of its stream.

use std::sync::Arc;

use http::HeaderMap;
use trunkline_proto::wire;

use super::deadline::Deadline;
use super::machine::{Machine, Stage};
use super::progress::Problem;
use super::report::Sent;
use crate::channel::NoRuntime;
use crate::vocabulary::{self, Status};

/// How a call can end without a response to read. In a box, which only calls that fail pay for.
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

/// What a call does that has no connection yet.
const WAITING: &str = "waiting for a connection";

impl Machine {
    pub(super) fn answered_with(&self, status: wire::Status) -> Failed {
        Problem::response(status, self.progress.address.as_ref()).into()
    }

    /// The deadline as the end of a call that the server has ended with `code`, if that is what it means.
    pub(super) fn rung(&self, code: wire::Code) -> Option<Failed> {
        let deadline = self.deadline.filter(|deadline| deadline.explains(code))?;
        Some(self.unanswered(deadline).into())
    }

    fn unanswered(&self, deadline: Deadline) -> Problem {
        let address = self.progress.address.as_ref();
        Problem::expired(deadline, "waiting for the response", Sent::Maybe, Arc::default()).at(address)
    }

    /// What the call was doing when its deadline passed.
    pub(super) fn expired(&self, deadline: Deadline) -> Problem {
        let core = self.ticket.as_ref().expect("held until the end").core();
        let address = self.progress.address.as_ref();
        let trouble = || Arc::clone(&core.snapshot().trouble);
        let none = || Arc::default();
        match &self.stage {
            Stage::Reserve { .. } => {
                let doing = "queued for a stream, since the server's limit of concurrent streams is reached";
                Problem::expired(deadline, doing, Sent::No, none()).at(address)
            }
            Stage::Answer(sending) if sending.sender.is_some() => {
                Problem::expired(deadline, "sending the request", Sent::Maybe, none()).at(address)
            }
            Stage::Answer(_) => self.unanswered(deadline),
            Stage::Foreign { .. } => {
                Problem::expired(deadline, "reading a response that is not gRPC", Sent::Yes, none())
                    .at(address)
            }
            Stage::Wait { for_good, .. } => {
                let problem = Problem::expired(deadline, WAITING, Sent::No, trouble());
                if *for_good { problem.permanent() } else { problem }
            }
            _ => Problem::expired(deadline, WAITING, Sent::No, trouble()),
        }
    }

    /// Ends the call, and with it its stream.
    pub(super) fn fail(&mut self, failed: Failed) -> Status {
        let stage = std::mem::replace(&mut self.stage, Stage::Done);
        match &stage {
            Stage::Wait { since, .. } => self.progress.connecting += since.elapsed(),
            Stage::Reserve { since, .. } => self.progress.queued += since.elapsed(),
            _ => {}
        }
        let ticket = self.ticket.take().expect("a call ends once");
        let core = ticket.core();
        let status = match *failed.0 {
            Ending::Here(problem) => self.progress.status(core, problem),
            Ending::Server(status, headers) => {
                let report = self.progress.answered(core, &status);
                vocabulary::server_status(status, headers, report)
            }
            Ending::Request(status) => {
                let sent = if matches!(stage, Stage::Answer(_)) { Sent::Maybe } else { Sent::No };
                self.progress.request_failed(core, status, sent)
            }
        };
        if let Stage::Answer(mut sending) | Stage::Foreign { mut sending, .. } = stage {
            sending.in_flight.finish(vocabulary::wire_code(status.code()));
        }
        self.upload = None;
        status
    }
}
