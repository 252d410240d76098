//! The way of one call to its response. It runs in the caller's task: no queue, no task and no lock of the
//! control plane lie on it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::uri::PathAndQuery;
use http::{Extensions, HeaderMap};
use pin_project_lite::pin_project;
use tokio::sync::futures::OwnedNotified;
use tokio::time::Instant;
use trunkline_balancer::CallInfo;
use trunkline_proto::{ConnectError, wire, wire::Code};

use super::choose::{Choice, Chosen, choose};
use super::deadline::{Deadline, Timer};
use super::ending::Failed;
use super::in_flight::InFlight;
use super::progress::{Again, Problem, Progress, Ticket};
use super::reading::{DirectReading, Pump};
use super::report::Sent;
use super::response::{ForeignResponse, Response, missing_status};
use super::{FailFast, Upload};
use crate::channel::Channel;
use crate::transport::{Reply, RequestHead, Reserve, SendHalf, Slot, Stream, StreamError, StreamEvent};
use crate::vocabulary::Status;

/// What to send, apart from the body.
pub(crate) struct Request {
    pub(crate) path: PathAndQuery,
    pub(crate) headers: HeaderMap,
    pub(crate) extensions: Extensions,
}

pin_project! {
    /// One call without layers, until its response begins. See [`Machine`].
    ///
    /// In every state the deadline ends it. Dropping it leaves every queue, and resets a stream that was
    /// begun (CANCEL).
    pub(crate) struct DirectCall {
        machine: Machine,
        #[pin]
        published: Option<OwnedNotified>,
        #[pin]
        timer: Timer,
    }
}

/// The states of a call.
///
/// ```text
///                    a newer snapshot
///            .-----------------------------.
///            v         nothing to use      |
///          Choose ----------------------> Wait
///          ^ ^  | a connection
///          | |  v
///          | Reserve (a place among the server's streams)
///          |    | granted: the request is sent
///          |    v        a head that is not gRPC's
///          `- Answer ----------------------> Foreign --> a status by HTTP's
///   never       |  head
///   processed   `---------> Reading, or the status it holds
/// ```
pub(super) struct Machine {
    pub(super) ticket: Option<Ticket>,
    request: Request,
    fail_fast: FailFast,
    pub(super) upload: Option<Upload>,
    pub(super) progress: Progress,
    /// The version of the snapshot last used.
    version: u64,
    pub(super) deadline: Option<Deadline>,
    pub(super) stage: Stage,
}

#[allow(clippy::large_enum_variant, reason = "a box would cost every call an allocation")]
pub(super) enum Stage {
    /// Refused before anything was tried: the request itself is wrong.
    Refused(wire::Status),
    Choose,
    Wait {
        version: u64,
        /// Every address has failed permanently.
        for_good: bool,
        since: Instant,
    },
    Reserve {
        chosen: Chosen,
        reserve: Reserve,
        since: Instant,
    },
    Answer(Sending),
    Foreign {
        sending: Sending,
        response: ForeignResponse,
    },
    Done,
}

/// An attempt that was sent.
pub(super) struct Sending {
    stream: Stream,
    pub(super) sender: Option<SendHalf>,
    pub(super) in_flight: InFlight,
}

/// What a step came to.
type Step<T> = Poll<Result<T, Failed>>;

impl DirectCall {
    pub(crate) fn new(
        channel: Channel,
        request: Request,
        upload: Result<Upload, wire::Status>,
        fail_fast: FailFast,
        began: Instant,
        deadline: Option<Deadline>,
    ) -> Self {
        let (upload, stage) = match upload {
            Ok(upload) => (Some(upload), Stage::Choose),
            Err(refusal) => (None, Stage::Refused(refusal)),
        };
        let progress = Progress::new(began);
        let ticket = Some(Ticket::new(channel));
        let machine = Machine { ticket, request, fail_fast, upload, progress, version: 0, deadline, stage };
        Self { machine, published: None, timer: Timer::new(deadline) }
    }
}

impl DirectCall {
    /// Whether the request has gone out.
    pub(super) fn is_sent(&self) -> bool {
        matches!(self.machine.stage, Stage::Answer(_) | Stage::Foreign { .. })
    }
}

impl Future for DirectCall {
    type Output = Result<DirectReading, Status>;

    /// # Panics
    /// If polled again after it was ready.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let machine = this.machine;
        let core = Arc::clone(machine.ticket.as_ref().expect("a call is not polled after its end").core());
        let step = machine.advance(cx, this.published);
        let result = match step {
            Poll::Ready(result) => result,
            Poll::Pending => {
                // The timer, and whatever else this call waits for, needs a runtime.
                let expired = match core.enter() {
                    Ok(_entered) => this.timer.poll(cx),
                    Err(no_runtime) => return Poll::Ready(Err(machine.fail(no_runtime.into()))),
                };
                match expired {
                    Poll::Ready(deadline) => Err(machine.expired(deadline).into()),
                    Poll::Pending => return Poll::Pending,
                }
            }
        };
        Poll::Ready(result.map_err(|failed| machine.fail(failed)))
    }
}

impl Machine {
    fn advance(
        &mut self,
        cx: &mut Context<'_>,
        mut published: Pin<&mut Option<OwnedNotified>>,
    ) -> Step<DirectReading> {
        loop {
            match &mut self.stage {
                Stage::Refused(status) => {
                    return Poll::Ready(Err(
                        Problem::new(status.code, Sent::No, status.message.clone()).into()
                    ));
                }
                Stage::Choose => self.choose()?,
                Stage::Wait { version, since, .. } => {
                    let core = self.ticket.as_ref().expect("held until the end").core();
                    if published.is_none() {
                        published.set(core.newer(*version).map_err(Failed::from)?);
                    }
                    if let Some(notified) = published.as_mut().as_pin_mut()
                        && notified.poll(cx).is_pending()
                    {
                        return Poll::Pending;
                    }
                    published.set(None);
                    self.progress.connecting += since.elapsed();
                    self.stage = Stage::Choose;
                }
                Stage::Reserve { reserve, .. } => {
                    let Poll::Ready(granted) = Pin::new(reserve).poll(cx) else { return Poll::Pending };
                    self.granted(granted, cx)?;
                }
                Stage::Answer(_) => match self.poll_answer(cx) {
                    Poll::Ready(Ok(None)) => {}
                    Poll::Ready(Ok(Some(reading))) => return Poll::Ready(Ok(reading)),
                    Poll::Ready(Err(failed)) => return Poll::Ready(Err(failed)),
                    Poll::Pending => return Poll::Pending,
                },
                Stage::Foreign { sending, response } => {
                    let Poll::Ready(event) = sending.stream.poll_event(cx) else { return Poll::Pending };
                    let status = match event {
                        StreamEvent::Data(data) => {
                            response.push(&data);
                            response.status()
                        }
                        _ => Some(response.status_now()),
                    };
                    if let Some(status) = status {
                        return Poll::Ready(Err(self.answered_with(status)));
                    }
                }
                Stage::Done => unreachable!("a call is not polled after its end"),
            }
        }
    }

    /// Asks the picker.
    fn choose(&mut self) -> Result<(), Failed> {
        if let Some(deadline) = self.deadline.filter(|deadline| deadline.at <= Instant::now()) {
            return Err(self.expired(deadline).into());
        }
        let core = self.ticket.as_ref().expect("held until the end").core();
        let request = &self.request;
        let attempt = u32::try_from(self.progress.tried.len()).unwrap_or(u32::MAX).saturating_add(1);
        let info = CallInfo::new(request.path.as_str())
            .with_authority(core.settings().authority.as_str())
            .with_metadata(&request.headers)
            .with_extensions(&request.extensions)
            .with_attempt(attempt, &self.progress.tried);
        match choose(core, &info, self.fail_fast) {
            Choice::Use(chosen) => {
                let reserve = chosen.connection.reserve();
                self.version = chosen.version;
                self.progress.address = Some(chosen.address.clone());
                self.stage = Stage::Reserve { chosen, reserve, since: Instant::now() };
                Ok(())
            }
            Choice::Wait { version, for_good } => {
                self.stage = Stage::Wait { version, for_good, since: Instant::now() };
                Ok(())
            }
            Choice::Fail(failure) => Err(Problem::failure(&failure, core).into()),
        }
    }

    /// Sends the request in its place, or looks elsewhere if the connection went away meanwhile.
    fn granted(&mut self, granted: Result<Slot, ConnectError>, cx: &mut Context<'_>) -> Result<(), Failed> {
        let Stage::Reserve { mut chosen, since, .. } = std::mem::replace(&mut self.stage, Stage::Done) else {
            unreachable!("only a reserved place is granted");
        };
        let now = Instant::now();
        self.progress.queued += now.saturating_duration_since(since);
        let slot = match granted {
            Ok(slot) => slot,
            Err(cause) => return self.look_elsewhere(StreamError::NeverSent(cause)),
        };
        if let Some(deadline) = self.deadline.filter(|deadline| deadline.at <= now) {
            return Err(self.expired(deadline).into());
        }
        let upload = self.upload.as_mut().expect("there until the response begins");
        if !upload.rewind() {
            let text = "not processed by the server, and too long to be kept for sending again";
            return Err(Problem::new(Code::Unavailable, Sent::No, text)
                .at(self.progress.address.as_ref())
                .into());
        }
        let (first, end) = upload.first(cx).map_err(Failed::request)?;
        let head = self.head(&mut chosen, now);
        let in_flight =
            |chosen: &mut Chosen| InFlight::start(Arc::clone(&chosen.live), chosen.on_finish.take(), now);
        match chosen.connection.start(slot, head, first, end) {
            Ok(mut stream) => {
                let sender = if end { None } else { stream.take_sender() };
                self.stage = Stage::Answer(Sending { stream, sender, in_flight: in_flight(&mut chosen) });
                Ok(())
            }
            Err(error) => self.look_elsewhere(error),
        }
    }

    fn head(&self, chosen: &mut Chosen, now: Instant) -> RequestHead {
        let mut headers = self.request.headers.clone();
        if let Some(metadata) = chosen.metadata.take() {
            headers.extend(*metadata);
        }
        let timeout = self.deadline.map(|deadline| deadline.left(now));
        RequestHead { path: self.request.path.clone(), timeout, headers, reply: Reply::Stream }
    }

    /// Moves the request on and takes what came back. `None`: the stage has changed.
    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Step<Option<DirectReading>> {
        let Stage::Answer(sending) = &mut self.stage else { unreachable!("only an answer is polled") };
        let upload = self.upload.as_mut().expect("there until the response begins");
        if let Some(sender) = &mut sending.sender {
            match upload.poll_pump(sender, cx) {
                Poll::Ready(Ok(())) => sending.sender = None,
                Poll::Ready(Err(status)) => return Poll::Ready(Err(Failed::request(status))),
                Poll::Pending => {}
            }
        }
        match sending.stream.poll_event(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(StreamEvent::Head(head)) => self.begun(Response::read(head)),
            Poll::Ready(StreamEvent::Failed(error)) => Poll::Ready(self.look_elsewhere(error).map(|()| None)),
            Poll::Ready(StreamEvent::Data(_) | StreamEvent::Trailers(_) | StreamEvent::End) => {
                Poll::Ready(Err(self.answered_with(missing_status())))
            }
        }
    }

    /// The response has begun: from here on nothing is sent again.
    fn begun(&mut self, response: Response) -> Step<Option<DirectReading>> {
        let Stage::Answer(mut sending) = std::mem::replace(&mut self.stage, Stage::Done) else {
            unreachable!("only an answer begins");
        };
        let (headers, ended) = match response {
            // A head that is the end has no body to wait for.
            Response::Foreign(response) if response.status().is_some() => {
                let status = response.status_now();
                sending.in_flight.finish(status.code);
                return Poll::Ready(Err(self.answered_with(status)));
            }
            Response::Foreign(response) => {
                self.stage = Stage::Foreign { sending, response };
                return Poll::Ready(Ok(None));
            }
            Response::Status(status, headers) => {
                sending.in_flight.finish(status.code);
                if status.code != Code::Ok {
                    let failed = self.rung(status.code).unwrap_or_else(|| Failed::server(status, headers));
                    return Poll::Ready(Err(failed));
                }
                (headers, true)
            }
            Response::Messages(headers) => (headers, false),
        };
        let mut upload = self.upload.take().expect("there until the response begins");
        upload.commit();
        let pump = match sending.sender {
            Some(sender) if !ended && !upload.is_done() => Some(self.spawn_pump(upload, sender)?),
            _ => None,
        };
        let ticket = self.ticket.take().expect("held until the end");
        let progress = std::mem::replace(&mut self.progress, Progress::new(Instant::now()));
        let timer = Timer::new(self.deadline);
        let Sending { stream, in_flight, .. } = sending;
        let stream = (!ended).then_some(stream);
        Poll::Ready(Ok(Some(DirectReading::new(ticket, progress, stream, in_flight, pump, timer, headers))))
    }

    /// The rest of a streamed request goes on in a task of its own, since the application may send without
    /// reading.
    fn spawn_pump(&self, upload: Upload, sender: SendHalf) -> Result<Pump, Failed> {
        let core = self.ticket.as_ref().expect("held until the end").core();
        let _entered = core.enter().map_err(Failed::from)?;
        Ok(Pump::spawn(upload, sender))
    }

    /// Sends the request again if that is safe, now or under a newer snapshot.
    fn look_elsewhere(&mut self, error: StreamError) -> Result<(), Failed> {
        match self.progress.again(&error, self.version) {
            Again::Now => self.stage = Stage::Choose,
            Again::After(version) => {
                self.stage = Stage::Wait { version, for_good: false, since: Instant::now() };
            }
            Again::No => {
                let rung = match &error {
                    StreamError::Reset(code) => self.rung(Code::from_reset(*code)),
                    _ => None,
                };
                let failed = || Problem::stream(error, false, self.progress.address.as_ref()).into();
                return Err(rung.unwrap_or_else(failed));
            }
        }
        Ok(())
    }
}
