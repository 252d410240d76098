//! The response of a call, from its head to its status.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use pin_project_lite::pin_project;
use tokio::task::AbortHandle;
use tokio::time::Instant;
use trunkline_proto::{wire, wire::Code};

use super::Upload;
use super::deadline::{Deadline, Timer};
use super::in_flight::InFlight;
use super::progress::{Problem, Progress, Ticket};
use super::report::{CallReport, Sent};
use super::response::missing_status;
use crate::transport::{SendHalf, Stream, StreamError, StreamEvent};
use crate::vocabulary::{self, Status};

pin_project! {
    /// A response that has begun. It yields the bytes of the body until the status, which is the end or an
    /// error; after either there is nothing more.
    ///
    /// Dropping it before its end cancels the call: the stream is reset (CANCEL), and the rest of a streamed
    /// request is not sent.
    pub(crate) struct DirectReading {
        body: Body,
        #[pin]
        timer: Timer,
    }
}

struct Body {
    ticket: Ticket,
    progress: Progress,
    /// `None` after the end.
    stream: Option<Stream>,
    in_flight: InFlight,
    pump: Option<Pump>,
    headers: HeaderMap,
    trailers: HeaderMap,
}

impl DirectReading {
    pub(super) fn new(
        ticket: Ticket,
        progress: Progress,
        stream: Option<Stream>,
        in_flight: InFlight,
        pump: Option<Pump>,
        timer: Timer,
        headers: HeaderMap,
    ) -> Self {
        let trailers = HeaderMap::new();
        Self { body: Body { ticket, progress, stream, in_flight, pump, headers, trailers }, timer }
    }

    /// The headers of the response, once. To be taken before it is pinned.
    pub(crate) fn take_headers(&mut self) -> HeaderMap {
        std::mem::take(&mut self.body.headers)
    }

    /// The trailers, without what was read as the status, once; there are none before the end.
    pub(crate) fn take_trailers(self: Pin<&mut Self>) -> HeaderMap {
        std::mem::take(&mut self.project().body.trailers)
    }

    /// Whether the status has come, or the call failed.
    pub(crate) fn is_ended(&self) -> bool {
        self.body.stream.is_none()
    }

    /// What happened so far, for a call that succeeds.
    pub(crate) fn report(&self) -> CallReport {
        self.body.progress.begun(self.body.ticket.core())
    }

    /// The next bytes of the body. `None`: the status is OK, and the trailers are there.
    pub(crate) fn poll_data(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Status>>> {
        let this = self.project();
        let Some(stream) = &mut this.body.stream else { return Poll::Ready(None) };
        let event = match stream.poll_event(cx) {
            Poll::Ready(event) => event,
            Poll::Pending => {
                let expired = match this.body.ticket.core().enter() {
                    Ok(_entered) => ready!(this.timer.poll(cx)),
                    Err(no_runtime) => return Poll::Ready(Some(Err(this.body.fail(no_runtime.into())))),
                };
                return Poll::Ready(Some(Err(this.body.expire(expired))));
            }
        };
        if let Some(deadline) = this.timer.deadline().filter(|deadline| ended_by(&event, deadline)) {
            return Poll::Ready(Some(Err(this.body.expire(deadline))));
        }
        match event {
            StreamEvent::Data(data) => {
                // A server that never pauses must not outrun the deadline.
                match this.timer.deadline().filter(|deadline| deadline.at <= Instant::now()) {
                    Some(deadline) => Poll::Ready(Some(Err(this.body.expire(deadline)))),
                    None => Poll::Ready(Some(Ok(data))),
                }
            }
            StreamEvent::Trailers(trailers) => match this.body.end(trailers.into_map()) {
                Ok(()) => Poll::Ready(None),
                Err(status) => Poll::Ready(Some(Err(status))),
            },
            StreamEvent::End => Poll::Ready(Some(Err(this.body.end_without_status()))),
            StreamEvent::Failed(error) => {
                if let Some(status) = this.body.request_failure() {
                    return Poll::Ready(Some(Err(status)));
                }
                let problem = Problem::stream(error, true, this.body.progress.address.as_ref());
                Poll::Ready(Some(Err(this.body.fail(problem))))
            }
            StreamEvent::Head(_) => {
                let text = "the response has a second head";
                Poll::Ready(Some(Err(this.body.fail(Problem::new(Code::Internal, Sent::Yes, text)))))
            }
        }
    }

    /// The body makes no sense to whoever reads it: ends the call with `status`, and resets the stream.
    pub(crate) fn refuse(self: Pin<&mut Self>, status: wire::Status) -> Status {
        let body = self.project().body;
        let problem = Problem::response(status, body.progress.address.as_ref());
        body.fail(problem)
    }
}

impl Body {
    /// Takes the trailers, and the status in them.
    fn end(&mut self, mut trailers: HeaderMap) -> Result<(), Status> {
        let Some(status) = wire::Status::from_trailers(&trailers) else {
            return Err(self.end_without_status());
        };
        self.close();
        self.in_flight.finish(status.code);
        if status.code == Code::Ok {
            vocabulary::make_metadata(&mut trailers);
            self.trailers = trailers;
            return Ok(());
        }
        let report = self.progress.answered(self.ticket.core(), &status);
        Err(vocabulary::server_status(status, trailers, report))
    }

    fn end_without_status(&mut self) -> Status {
        let problem = Problem::response(missing_status(), self.progress.address.as_ref());
        self.fail(problem)
    }

    fn expire(&mut self, deadline: Deadline) -> Status {
        let address = self.progress.address.as_ref();
        let problem =
            Problem::expired(deadline, "reading the response", Sent::Yes, Arc::default()).at(address);
        self.fail(problem)
    }

    /// The status that the rest of the request failed with, which reset the stream.
    fn request_failure(&mut self) -> Option<Status> {
        let status = self.pump.as_ref()?.failure.get()?.clone();
        self.close();
        self.in_flight.finish(vocabulary::wire_code(status.code()));
        Some(self.progress.request_failed(self.ticket.core(), status, Sent::Yes))
    }

    fn fail(&mut self, problem: Problem) -> Status {
        self.close();
        let status = self.progress.status(self.ticket.core(), problem);
        self.in_flight.finish(vocabulary::wire_code(status.code()));
        status
    }

    /// Lets go of the stream (which resets it, unless it has ended) and of the rest of the request.
    fn close(&mut self) {
        self.stream = None;
        self.pump = None;
    }
}

/// Whether the server has ended the call because its own timer for this deadline rang.
fn ended_by(event: &StreamEvent, deadline: &Deadline) -> bool {
    match event {
        // Looked at first, so that calls which end in time read their status once.
        StreamEvent::Trailers(_) if deadline.at > Instant::now() => false,
        StreamEvent::Trailers(trailers) => wire::Status::from_trailers(&trailers.clone().into_map())
            .is_some_and(|status| deadline.explains(status.code)),
        StreamEvent::Failed(StreamError::Reset(code)) => deadline.explains(Code::from_reset(*code)),
        _ => false,
    }
}

impl fmt::Debug for DirectReading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Headers are left out: their values may be secrets.
        f.debug_struct("DirectReading")
            .field("address", &self.body.progress.address)
            .field("ended", &self.is_ended())
            .finish_non_exhaustive()
    }
}

/// The task that sends the rest of a streamed request. It ends with the request, with the stream, or when
/// this is dropped.
#[derive(Debug)]
pub(crate) struct Pump {
    task: AbortHandle,
    /// Why the request itself failed.
    failure: Arc<OnceLock<Status>>,
}

impl Pump {
    /// Starts it on the present runtime.
    pub(super) fn spawn(upload: Upload, sender: SendHalf) -> Self {
        let failure = Arc::<OnceLock<Status>>::default();
        let pumping = Pumping { upload, sender, failure: Arc::clone(&failure) };
        Self { task: tokio::spawn(pumping).abort_handle(), failure }
    }
}

impl Drop for Pump {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Pumping {
    upload: Upload,
    sender: SendHalf,
    failure: Arc<OnceLock<Status>>,
}

impl Future for Pumping {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        if let Err(status) = ready!(this.upload.poll_pump(&mut this.sender, cx)) {
            // Whoever reads the response hears of the reset and looks here for its reason, so the reason
            // comes first.
            this.failure.get_or_init(|| status);
            this.sender.reset();
        }
        Poll::Ready(())
    }
}
