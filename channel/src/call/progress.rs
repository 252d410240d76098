//! What a call remembers of its way, so that its end can be told, and so that sending again has limits.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use trunkline_balancer::Failure;
use trunkline_proto::{Address, ConnectError, wire, wire::Code};

use super::deadline::Deadline;
use super::report::{AttemptEnd, CallReport, Origin, ReportParts, Sent, Times};
use crate::channel::Core;
use crate::transport::{StreamError, StreamViolation};
use crate::vocabulary::{self, Status};

/// How often a request is sent again because its id was above the last one of a GOAWAY. Each of these is a
/// connection that was turned over; five in one call are a server that does nothing else.
const ABOVE_GOAWAY: u8 = 5;
/// How often a request is sent again because the server refused its stream: once (gRFC A6), since a server
/// that refuses is likely to refuse again.
const REFUSED: u8 = 1;
/// How often a call picks again under one snapshot because nothing of it was sent. Then it waits for a newer
/// one.
const NEVER_SENT_PER_SNAPSHOT: u8 = 3;

/// The way of one call so far.
#[derive(Debug)]
pub(crate) struct Progress {
    began: Instant,
    detours: Option<Box<Detours>>,
}

/// What a call remembers that could not go straight to its connection. In a box, since most can.
#[derive(Debug, Default)]
struct Detours {
    connecting: Duration,
    queued: Duration,
    /// Where requests were sent in vain.
    tried: Vec<Address>,
    earlier: Vec<AttemptEnd>,
    refused: u8,
    above_goaway: u8,
    /// How often nothing was sent under a snapshot of that version.
    never_sent: (u64, u8),
}

/// What to do after an attempt that the server did not process.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Again {
    /// Pick again.
    Now,
    /// Pick again once a snapshot newer than this version is out.
    After(u64),
    /// Enough.
    No,
}

impl Progress {
    pub(crate) fn new(began: Instant) -> Self {
        Self { began, detours: None }
    }

    /// How long a call was given that has this deadline.
    pub(crate) fn timeout(&self, deadline: Deadline) -> Duration {
        deadline.timeout(self.began)
    }

    /// Where requests were sent in vain.
    pub(crate) fn tried(&self) -> &[Address] {
        self.detours.as_ref().map_or(&[], |detours| &detours.tried)
    }

    /// The call had no connection for so long.
    pub(crate) fn waited(&mut self, time: Duration) {
        self.detours().connecting += time;
    }

    /// The call was queued for a stream for so long.
    pub(crate) fn queued(&mut self, time: Duration) {
        self.detours().queued += time;
    }

    /// Whether a request that failed so at `address` may be sent again: never sent is never lost.
    pub(crate) fn again(&mut self, error: &StreamError, address: Option<&Address>, version: u64) -> Again {
        let detours = self.detours.get_or_insert_default();
        let reason = match error {
            StreamError::NeverSent(_) => {
                let (seen, count) = &mut detours.never_sent;
                if *seen != version {
                    (*seen, *count) = (version, 0);
                }
                *count += 1;
                return if *count <= NEVER_SENT_PER_SNAPSHOT { Again::Now } else { Again::After(version) };
            }
            StreamError::AboveGoAway(cause) if detours.above_goaway < ABOVE_GOAWAY => {
                detours.above_goaway += 1;
                format!("not processed: {cause}")
            }
            StreamError::Refused if detours.refused < REFUSED => {
                detours.refused += 1;
                "refused by the server (REFUSED_STREAM)".to_owned()
            }
            _ => return Again::No,
        };
        if let Some(address) = address {
            detours.tried.push(address.clone());
            detours.earlier.push(AttemptEnd { address: address.clone(), reason });
        }
        Again::Now
    }

    fn detours(&mut self) -> &mut Detours {
        self.detours.get_or_insert_default()
    }

    /// The report of a call that ends with `problem` now.
    pub(crate) fn report(&self, core: &Core, problem: Problem) -> CallReport {
        self.report_at(core, problem, Instant::now())
    }

    fn report_at(&self, core: &Core, problem: Problem, now: Instant) -> CallReport {
        let total = now.saturating_duration_since(self.began);
        let (earlier_attempts, connecting, queued) = match &self.detours {
            Some(detours) => (detours.earlier.clone(), detours.connecting, detours.queued),
            None => Default::default(),
        };
        CallReport(ReportParts {
            origin: problem.origin,
            target: core.settings().target.clone(),
            address: problem.address,
            problem: problem.text,
            sent: problem.sent,
            permanent: problem.permanent,
            causes: problem.causes,
            failed_addresses: problem.failed_addresses,
            next_attempt: problem.next_attempt,
            earlier_attempts,
            times: Times { total, connecting, queued },
        })
    }

    /// The status of a call that failed here.
    pub(crate) fn status(&self, core: &Core, problem: Problem) -> Status {
        vocabulary::local_status(problem.code, self.report(core, problem))
    }

    /// The status of a call whose own request failed: it says why, and the report says how far the call had
    /// got.
    pub(crate) fn request_failed(
        &self,
        core: &Core,
        status: Status,
        sent: Sent,
        address: Option<&Address>,
    ) -> Status {
        let code = vocabulary::wire_code(status.code());
        let problem = Problem::new(code, sent, status.message().to_owned()).at(address);
        vocabulary::request_status(status, self.report(core, problem))
    }

    /// The report of a call whose response has begun, and may have been complete `now`.
    pub(crate) fn begun(&self, core: &Core, address: Option<&Address>, now: Instant) -> CallReport {
        self.by_server(core, "answered by the server".into(), address, now)
    }

    /// The report of a call that the server ended with `status`.
    pub(crate) fn answered(
        &self,
        core: &Core,
        status: &wire::Status,
        address: Option<&Address>,
    ) -> CallReport {
        self.by_server(core, format!("the server answered {status}").into(), address, Instant::now())
    }

    fn by_server(
        &self,
        core: &Core,
        text: Cow<'static, str>,
        address: Option<&Address>,
        now: Instant,
    ) -> CallReport {
        let mut problem = Problem::new(Code::Ok, Sent::Yes, text).at(address);
        problem.origin = Origin::Server;
        self.report_at(core, problem, now)
    }
}

/// Why a call failed here, in the terms of its report.
#[derive(Debug)]
pub(crate) struct Problem {
    code: Code,
    origin: Origin,
    text: Cow<'static, str>,
    sent: Sent,
    address: Option<Address>,
    permanent: bool,
    /// `None` is none too: to count how often nothing is held would cost all threads a cache line.
    causes: Option<Arc<[ConnectError]>>,
    failed_addresses: (usize, usize),
    next_attempt: Option<Duration>,
}

impl Problem {
    pub(crate) fn new(code: Code, sent: Sent, text: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            origin: Origin::Channel,
            text: text.into(),
            sent,
            address: None,
            permanent: false,
            causes: None,
            failed_addresses: (0, 0),
            next_attempt: None,
        }
    }

    /// The status of a call that could not even begin.
    pub(crate) fn into_status(self, core: &Core) -> Status {
        Progress::new(Instant::now()).status(core, self)
    }

    pub(crate) fn at(self, address: Option<&Address>) -> Self {
        Self { address: address.cloned(), ..self }
    }

    pub(crate) fn caused_by(self, causes: Arc<[ConnectError]>) -> Self {
        Self { causes: Some(causes), ..self }
    }

    /// Every address has failed permanently.
    pub(crate) fn permanent(self) -> Self {
        Self { permanent: true, ..self }
    }

    /// What a status made from the response says.
    pub(crate) fn response(status: wire::Status, address: Option<&Address>) -> Self {
        Self::new(status.code, Sent::Yes, status.message).at(address)
    }

    /// A picker let the call fail.
    pub(crate) fn failure(failure: &Failure, core: &Core) -> Self {
        let text = match failure.causes().last() {
            Some(cause) => format!("{}: {}", cause.phase(), cause.message()),
            None => failure.message().to_owned(),
        };
        let snapshot = core.snapshot();
        let now = Instant::now().into_std();
        let mut problem =
            Self::new(permitted(failure.code()), Sent::No, text).caused_by(failure.shared_causes());
        if !failure.causes().is_empty() {
            problem.permanent = failure.is_permanent();
            let failed = failure.failed_addresses();
            problem.failed_addresses = (failed, snapshot.entries.len().max(failed));
            problem.next_attempt = snapshot.next_attempt.map(|at| at.saturating_duration_since(now));
        }
        problem
    }

    /// A stream failed and is not to be sent again. `answered`: its head had come.
    pub(crate) fn stream(error: StreamError, answered: bool, address: Option<&Address>) -> Self {
        let (code, sent, text, cause) = match error {
            StreamError::NeverSent(cause) | StreamError::AboveGoAway(cause) => {
                (Code::Unavailable, Sent::No, format!("{}: {}", cause.phase(), cause.message()), Some(cause))
            }
            StreamError::Refused => {
                (Code::Unavailable, Sent::No, "refused by the server (REFUSED_STREAM)".to_owned(), None)
            }
            StreamError::Reset(error_code) => {
                let text = format!("the server reset the stream ({})", wire::reset_name(error_code));
                (Code::from_reset(error_code), Sent::Yes, text, None)
            }
            StreamError::Lost(cause) => {
                (Code::Unavailable, Sent::Maybe, format!("connection lost: {}", cause.message()), Some(cause))
            }
            StreamError::Violation(StreamViolation::HeadersTooLarge { limit }) => {
                let text = format!("the headers of the response are larger than the limit of {limit} bytes");
                (Code::ResourceExhausted, Sent::Yes, text, None)
            }
            StreamError::Violation(StreamViolation::RequestHeadersTooLarge { size, limit }) => {
                let text = format!(
                    "the request's headers ({size} bytes) are above the server's limit of {limit} bytes"
                );
                (Code::ResourceExhausted, Sent::No, text, None)
            }
            StreamError::Violation(StreamViolation::Request(text)) => {
                (Code::Internal, Sent::No, format!("the request breaks HTTP/2: {text}"), None)
            }
            StreamError::Violation(StreamViolation::Protocol(text)) => {
                (Code::Internal, Sent::Yes, format!("the response breaks HTTP/2: {text}"), None)
            }
        };
        // A server that answered has seen the request, whatever it says afterwards.
        let sent = if answered { Sent::Yes } else { sent };
        Self::new(code, sent, text).at(address).caused_by(cause.into_iter().collect())
    }

    /// The deadline passed, `timeout` after the call began.
    pub(crate) fn expired(timeout: Duration, doing: &str, sent: Sent, trouble: Arc<[ConnectError]>) -> Self {
        let mut text = format!("deadline of {timeout:?} exceeded while {doing}");
        if let Some(cause) = trouble.last() {
            text.push_str(&format!("; last cause: {cause}"));
            // The newest may hide the one that only a person can mend.
            let permanent = trouble.iter().rfind(|cause| cause.is_permanent());
            if let Some(permanent) = permanent.filter(|_| !cause.is_permanent()) {
                text.push_str(&format!("; and for good: {permanent}"));
            }
        }
        Self::new(Code::DeadlineExceeded, sent, text).caused_by(trouble)
    }
}

/// gRFC A54: codes that only a server may mean are INTERNAL when a policy says them.
fn permitted(code: Code) -> Code {
    match code {
        Code::Ok
        | Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::OutOfRange
        | Code::DataLoss => Code::Internal,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trunkline_proto::Phase;

    fn lost() -> ConnectError {
        ConnectError::new(Phase::Http2, "gone")
    }

    #[test]
    fn a_request_that_never_left_is_sent_again_without_limit_but_not_in_a_loop() {
        let mut progress = Progress::new(Instant::now());
        for version in 1..100 {
            for _ in 0..NEVER_SENT_PER_SNAPSHOT {
                assert_eq!(progress.again(&StreamError::NeverSent(lost()), None, version), Again::Now);
            }
            assert_eq!(progress.again(&StreamError::NeverSent(lost()), None, version), Again::After(version));
        }
    }

    #[test]
    fn a_request_above_the_last_id_is_sent_again_five_times_and_a_refused_one_once() {
        let mut progress = Progress::new(Instant::now());
        for _ in 0..ABOVE_GOAWAY {
            assert_eq!(progress.again(&StreamError::AboveGoAway(lost()), None, 1), Again::Now);
        }
        assert_eq!(progress.again(&StreamError::AboveGoAway(lost()), None, 1), Again::No);
        assert_eq!(progress.again(&StreamError::Refused, None, 1), Again::Now);
        assert_eq!(progress.again(&StreamError::Refused, None, 1), Again::No);
    }

    #[test]
    fn what_the_server_may_have_seen_is_never_sent_again() {
        let mut progress = Progress::new(Instant::now());
        for error in [StreamError::Reset(8), StreamError::Lost(lost())] {
            assert_eq!(progress.again(&error, None, 1), Again::No);
        }
    }

    // behaviour 44
    #[test]
    fn codes_that_only_a_server_may_mean_are_internal() {
        assert_eq!(permitted(Code::NotFound), Code::Internal);
        assert_eq!(permitted(Code::Ok), Code::Internal);
        assert_eq!(permitted(Code::PermissionDenied), Code::PermissionDenied);
        assert_eq!(permitted(Code::Unavailable), Code::Unavailable);
    }
}
