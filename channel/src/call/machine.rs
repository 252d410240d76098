//! The way of one call to its response. It runs in the caller's task: no queue, no task and no lock of the
//! control plane lie on it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use tokio::sync::futures::OwnedNotified;
use tokio::time::Instant;
use trunkline_balancer::CallInfo;
use trunkline_proto::{ConnectError, wire, wire::Code};

use super::begin::Attached;
use super::choose::{Choice, Extras, choose};
use super::ending::Failed;
use super::exchange::{Attempt, Exchange};
use super::in_flight::InFlight;
use super::progress::{Again, Problem};
use super::report::Sent;
use super::response::ForeignResponse;
use super::{FailFast, Upload};
use crate::control::Destination;
use crate::transport::{Path, Reply, RequestHead, Reserve, SendHalf, Slot, StreamError};
use crate::vocabulary::Status;

/// One call without layers. In every state the deadline ends it. Dropping it leaves every queue, and resets a
/// stream that was begun (CANCEL).
///
/// ```text
///                    a newer snapshot
///            .-----------------------------.
///            v         nothing to use      |
///          Choose ----------------------> Wait
///          ^ ^  | a connection
///          | |  v
///          | Reserve (a place among the server's streams; passed at once where there is one)
///          |    | granted: the request is sent
///          |    v     a head that is not gRPC's
///          `-- Sent -----------------------------> Foreign --> Begun, and ended with a status by HTTP's
///   never       |  head
///   processed   v
///             Begun: the exchange goes on by itself, to the status in the trailers
/// ```
///
/// It stays where it is until its response has begun; what few calls need is in boxes.
pub(crate) struct DirectCall {
    /// Dropped before the sending half in `stage`.
    pub(super) exchange: Exchange,
    pub(super) request: Request,
    pub(super) upload: Upload,
    /// The version of the snapshot last used.
    version: u64,
    pub(super) stage: Stage,
}

/// What to send, apart from the body, and how.
pub(crate) struct Request {
    pub(crate) path: Path,
    pub(crate) attached: Option<Box<Attached>>,
    pub(crate) reply: Reply,
    pub(crate) fail_fast: FailFast,
}

pub(super) enum Stage {
    /// Refused before anything was tried: the request itself is wrong.
    Refused(Box<wire::Status>),
    Choose,
    Wait(Box<Waiting>),
    Reserve(Box<Reserving>),
    /// There is an attempt. What is left of the request goes to `sender` until the response begins.
    Sent {
        sender: Option<SendHalf>,
    },
    Foreign(Box<Foreign>),
    /// The response has begun, or the call has ended.
    Begun,
}

/// The head of what is not gRPC's came, and a part of its body.
pub(super) struct Foreign {
    pub(super) response: ForeignResponse,
    /// If the request has not ended. Nothing more goes to it; to drop it would reset the stream.
    pub(super) _sender: Option<SendHalf>,
}

/// A snapshot that is waited for.
pub(super) struct Waiting {
    /// Every address has failed permanently.
    pub(super) for_good: bool,
    pub(super) since: Instant,
    published: Option<Pin<Box<OwnedNotified>>>,
}

/// A place on a connection that is waited for.
pub(super) struct Reserving {
    pub(super) destination: Arc<Destination>,
    extras: Extras,
    reserve: Reserve,
    pub(super) since: Instant,
}

/// Why a request was not sent in its place.
enum NotSent {
    Failed(Failed),
    /// The connection did not take it; another may.
    NotTaken(StreamError),
}

/// What a step came to.
pub(super) type Step<T> = Poll<Result<T, Failed>>;

impl DirectCall {
    pub(crate) fn new(
        exchange: Exchange,
        request: Request,
        upload: Result<Upload, Box<wire::Status>>,
    ) -> Self {
        let (upload, stage) = match upload {
            Ok(upload) => (upload, Stage::Choose),
            Err(refusal) => (Upload::spent(), Stage::Refused(refusal)),
        };
        Self { exchange, request, upload, version: 0, stage }
    }

    /// Whether the request has gone out.
    pub(super) fn is_sent(&self) -> bool {
        self.exchange.attempt().is_some()
    }

    /// What is left of it once the response has begun.
    pub(super) fn into_exchange(self) -> Exchange {
        self.exchange
    }

    /// Ready when the response has begun, or has ended already.
    pub(super) fn poll_begun(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        let was_sent = self.is_sent();
        let failed = match self.advance(cx) {
            Poll::Ready(Ok(())) => return Poll::Ready(Ok(())),
            Poll::Ready(Err(failed)) => failed,
            // Nothing is sent whose deadline has passed.
            Poll::Pending => match ready!(self.exchange.poll_deadline(cx, !was_sent && self.is_sent())) {
                Ok(deadline) => self.give_up(deadline).into(),
                Err(no_runtime) => self.strand(no_runtime).into(),
            },
        };
        Poll::Ready(Err(self.fail(failed)))
    }

    /// The next bytes of the body. `None`: the status is OK, and the trailers are there; or an error was the
    /// end.
    pub(super) fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Status>>> {
        ready!(self.poll_begun(cx))?;
        self.exchange.poll_data(self.request.reply, cx)
    }

    /// The whole reply, if it is here and as nearly all are, as `read` reads it; the call has ended then. `None`:
    /// it is to be read piece by piece.
    pub(super) fn take_plain<T>(
        &mut self,
        read: impl FnOnce(Bytes) -> Result<T, wire::Status>,
    ) -> Option<Result<T, Status>> {
        let Stage::Sent { sender: None } = &self.stage else { return None };
        let taken = self.exchange.take_plain(read)?;
        self.let_request_go();
        Some(taken)
    }

    fn advance(&mut self, cx: &mut Context<'_>) -> Step<()> {
        loop {
            match &mut self.stage {
                Stage::Refused(status) => {
                    let text = std::mem::take(&mut status.message);
                    return Poll::Ready(Err(Problem::new(status.code, Sent::No, text).into()));
                }
                Stage::Choose => {
                    self.choose(cx)?;
                    if let (Stage::Sent { sender: None }, Some(attempt)) =
                        (&self.stage, self.exchange.attempt())
                        && attempt.stream.wakes_starter()
                    {
                        return Poll::Pending;
                    }
                }
                Stage::Wait(_) => ready!(self.poll_wait(cx))?,
                Stage::Reserve(_) => ready!(self.poll_reserve(cx))?,
                Stage::Sent { .. } => ready!(self.poll_answer(cx))?,
                Stage::Foreign(_) => return self.poll_foreign(cx),
                Stage::Begun => return Poll::Ready(Ok(())),
            }
        }
    }

    /// Asks the picker, and sends the request if there is a place for it.
    fn choose(&mut self, cx: &mut Context<'_>) -> Result<(), Failed> {
        let now = Instant::now();
        if let Some(deadline) = self.exchange.timer.passed(now) {
            return Err(self.expired(deadline).into());
        }
        let core = self.exchange.core();
        let snapshot = core.snapshot();
        let tried = self.exchange.progress.tried();
        let attempt = u32::try_from(tried.len()).unwrap_or(u32::MAX).saturating_add(1);
        let mut info = CallInfo::new(self.request.path.as_str())
            .with_authority(core.settings().authority.as_str())
            .with_attempt(attempt, tried);
        if let Some(attached) = &self.request.attached {
            info = info.with_metadata(&attached.headers).with_extensions(&attached.extensions);
        }
        self.version = snapshot.version;
        match choose(core, &snapshot, &info, self.request.fail_fast) {
            Choice::Use(chosen) => {
                if let Some(slot) = chosen.connection.try_reserve() {
                    return self.send(Ok(slot), chosen.destination, chosen.extras, now, cx);
                }
                let mut reserve = chosen.connection.reserve();
                match Pin::new(&mut reserve).poll(cx) {
                    Poll::Ready(place) => self.send(place, chosen.destination, chosen.extras, now, cx),
                    Poll::Pending => {
                        self.stage = Stage::Reserve(Box::new(Reserving {
                            destination: Arc::clone(chosen.destination),
                            extras: chosen.extras,
                            reserve,
                            since: now,
                        }));
                        Ok(())
                    }
                }
            }
            Choice::Wait { for_good } => {
                self.stage = Stage::wait(for_good, now);
                Ok(())
            }
            Choice::Fail(failure) => Err(Problem::failure(&failure, core).into()),
        }
    }

    /// Waits for a snapshot newer than the one last used.
    fn poll_wait(&mut self, cx: &mut Context<'_>) -> Step<()> {
        let Stage::Wait(waiting) = &mut self.stage else {
            unreachable!("only who waits is told of snapshots");
        };
        if waiting.published.is_none() {
            let newer = self.exchange.core().newer(self.version).map_err(|error| error.problem(Sent::No))?;
            waiting.published = newer.map(Box::pin);
        }
        if let Some(published) = &mut waiting.published {
            ready!(published.as_mut().poll(cx));
        }
        self.exchange.progress.waited(waiting.since.elapsed());
        self.stage = Stage::Choose;
        Poll::Ready(Ok(()))
    }

    /// Waits for a place, and sends the request in it.
    fn poll_reserve(&mut self, cx: &mut Context<'_>) -> Step<()> {
        let Stage::Reserve(reserving) = &mut self.stage else {
            unreachable!("only who waits for a place is given one");
        };
        let place = ready!(Pin::new(&mut reserving.reserve).poll(cx));
        let Stage::Reserve(reserving) = std::mem::replace(&mut self.stage, Stage::Choose) else {
            unreachable!("it was there just above");
        };
        let now = Instant::now();
        let Reserving { destination, extras, since, .. } = *reserving;
        self.exchange.progress.queued(now.saturating_duration_since(since));
        Poll::Ready(self.send(place, &destination, extras, now, cx))
    }

    /// Sends the request in its place, or looks elsewhere if the connection went away meanwhile.
    fn send(
        &mut self,
        place: Result<Slot, ConnectError>,
        destination: &Arc<Destination>,
        extras: Extras,
        now: Instant,
        cx: &mut Context<'_>,
    ) -> Result<(), Failed> {
        let Err(not_sent) = self.try_to_send(place, destination, extras, now, cx) else { return Ok(()) };
        self.exchange.not_sent(Arc::clone(destination));
        match not_sent {
            NotSent::Failed(failed) => Err(failed),
            NotSent::NotTaken(error) => self.look_elsewhere(error),
        }
    }

    fn try_to_send(
        &mut self,
        place: Result<Slot, ConnectError>,
        destination: &Arc<Destination>,
        extras: Extras,
        now: Instant,
        cx: &mut Context<'_>,
    ) -> Result<(), NotSent> {
        let slot = place.map_err(|cause| NotSent::NotTaken(StreamError::NeverSent(cause)))?;
        if let Some(deadline) = self.exchange.timer.passed(now) {
            return Err(NotSent::Failed(self.expired(deadline).into()));
        }
        if !self.upload.rewind() {
            let text = "not processed by the server, and too long to be kept for sending again";
            let problem = Problem::new(Code::Unavailable, Sent::No, text).at(Some(&destination.address));
            return Err(NotSent::Failed(problem.into()));
        }
        let first = self.upload.first(self.exchange.core().replay_budget(), cx);
        let (first, end) = first.map_err(|status| NotSent::Failed(Failed::request(status)))?;
        let head = self.head(extras.metadata);
        let mut stream = slot.start(head, first, end, cx.waker()).map_err(NotSent::NotTaken)?;
        let sender = if end { None } else { stream.take_sender() };
        let in_flight = InFlight::start(Arc::clone(destination), extras.on_finish, now);
        self.exchange.sent(Attempt { stream, in_flight, pump: None });
        self.stage = Stage::Sent { sender };
        Ok(())
    }

    fn head(&self, picked: Option<Box<HeaderMap>>) -> RequestHead {
        let attached = self.request.attached.as_ref().filter(|attached| !attached.headers.is_empty());
        let headers = match (attached.map(|attached| Box::new(attached.headers.clone())), picked) {
            (Some(mut headers), Some(metadata)) => {
                headers.extend(*metadata);
                Some(headers)
            }
            (headers, metadata) => headers.or(metadata),
        };
        let deadline = self.exchange.timer.deadline().map(|deadline| deadline.at.into_std());
        RequestHead { path: self.request.path.clone(), deadline, headers, reply: self.request.reply }
    }

    /// Sends the request again if that is safe, now or under a newer snapshot.
    pub(super) fn look_elsewhere(&mut self, error: StreamError) -> Result<(), Failed> {
        let address = self.address().cloned();
        let next = match self.exchange.progress.again(&error, address.as_ref(), self.version) {
            Again::Now => Stage::Choose,
            Again::After(_) => Stage::wait(false, Instant::now()),
            Again::No => {
                let rung = match &error {
                    StreamError::Reset(code) => self.expired_by(Code::from_reset(*code)),
                    _ => None,
                };
                return Err(rung.unwrap_or_else(|| Problem::stream(error, false, address.as_ref()).into()));
            }
        };
        self.exchange.leave_attempt(Code::Cancelled, Instant::now());
        self.stage = next;
        Ok(())
    }
}

impl Stage {
    fn wait(for_good: bool, since: Instant) -> Self {
        Self::Wait(Box::new(Waiting { for_good, since, published: None }))
    }
}
