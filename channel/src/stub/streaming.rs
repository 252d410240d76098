//! The replies of a call that has many.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_core::Stream;
use prost::Message;
use tokio::sync::oneshot;
use trunkline_proto::framing::{self, Deframer, FramingError, sole_body};
use trunkline_proto::wire::{self, Code};

use super::prepared::Prepared;
use crate::call::{Begun, Call, CallReport, Problem, Sent};
use crate::transport::Headers;
use crate::vocabulary::{self, Status, StatusExt, metadata::MetadataMap};

/// The replies of a streaming call, handed out at once: nothing waits for the server's headers.
///
/// After the end (`None`) or an error there is nothing more, however often it is asked. Dropping it cancels
/// the call: the stream is reset (CANCEL), and what the application still streams up is not sent.
pub struct Streaming<R> {
    stage: Stage,
    reply: PhantomData<fn() -> R>,
}

enum Stage {
    Call(Box<Call>),
    /// It runs in a task until its response begins, since the application may stream up without reading.
    Spawned(oneshot::Receiver<Outcome>),
    Read(Box<Reading>),
    /// In a box, so that a stream is small while it is open. `None`: there is nothing to tell.
    Ended(Option<Box<Ended>>),
}

/// A call whose response has begun.
struct Reading {
    call: Begun,
    pieces: Pieces,
}

/// What was received and not yet read. Most of the time there is nothing, and an open stream is small then.
#[derive(Default)]
struct Pieces(Option<Box<Deframer>>);

/// What is told after the end.
#[derive(Default)]
struct Ended {
    /// As they were received: metadata is made of them when somebody asks.
    headers: Option<Headers>,
    trailers: Option<MetadataMap>,
    report: Option<CallReport>,
    /// Why the response never began, and whether `message` has said so.
    failure: Option<Status>,
    told: bool,
}

/// The task of a call until its response begins, which it tells. It ends earlier, and the call with it, if nobody
/// listens any more. `None` once it has ended.
struct Beginning(Option<(Box<Call>, oneshot::Sender<Outcome>)>);

type Outcome = Result<Box<Reading>, Status>;

impl Future for Beginning {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if let Some((call, tell)) = &mut self.0 {
            let begun = match tell.poll_closed(cx) {
                Poll::Ready(()) => None,
                Poll::Pending => Some(ready!(call.poll_begun(cx))),
            };
            let (call, tell) = self.0.take().expect("it was there just above");
            if let Some(begun) = begun {
                let reading = begun.map(|()| {
                    let mut reading = Reading::new(*call);
                    // Else the alarm of its deadline holds this task.
                    reading.call.change_hands();
                    reading
                });
                // Nobody listens any more only if the call was dropped, and dropping it cancels it.
                let _ = tell.send(reading);
            }
        }
        Poll::Ready(())
    }
}

impl Drop for Beginning {
    fn drop(&mut self) {
        if let Some((call, tell)) = self.0.take() {
            let (code, text) = match std::thread::panicking() {
                true => (Code::Internal, "what this call runs of the application's has panicked"),
                false => (Code::Unavailable, "the runtime that ran this call has stopped"),
            };
            let problem = Problem::new(code, Sent::Maybe, text);
            let _ = tell.send(Err(problem.into_status(call.core())));
        }
    }
}

impl<R: Message + Default> Streaming<R> {
    /// A call that sends nothing after its request. If that cannot go out at once, the call goes on by itself
    /// until its response begins: a place in a queue that nobody polls would hold up those behind it. An
    /// error that is known at once is the result.
    pub(super) fn launch(prepared: Prepared, cx: &mut Context<'_>) -> Result<Self, Status> {
        let mut call = Box::new(prepared.call());
        match call.poll_begun(cx) {
            Poll::Ready(Ok(())) => Ok(Self::new(Stage::Read(Reading::new(*call)))),
            Poll::Ready(Err(status)) => Err(status),
            Poll::Pending if call.is_sent() => Ok(Self::new(Stage::Call(call))),
            Poll::Pending => Stage::spawn(call).map(Self::new),
        }
    }

    /// A call that goes on by itself until its response begins.
    pub(super) fn spawned(prepared: Prepared) -> Result<Self, Status> {
        Stage::spawn(Box::new(prepared.call())).map(Self::new)
    }

    fn new(stage: Stage) -> Self {
        Self { stage, reply: PhantomData }
    }

    /// The next reply; `None` at the end, once the server has said OK.
    ///
    /// Cancel-safe: dropping the future loses no reply.
    ///
    /// # Errors
    /// The call's status, if it is not OK; its source is the [`CallReport`].
    pub fn message(&mut self) -> MessageFuture<'_, R> {
        MessageFuture { streaming: self }
    }

    /// The metadata that the response began with. Waits for it.
    ///
    /// # Errors
    /// The call's status, if it failed before; [`message`](Self::message) then says it too.
    pub fn headers(&mut self) -> HeadersFuture<'_, R> {
        HeadersFuture { streaming: self }
    }

    /// The metadata that the response ended with; `None` until [`message`](Self::message) has said `None`.
    pub fn trailers(&self) -> Option<&MetadataMap> {
        match &self.stage {
            Stage::Ended(Some(ended)) => ended.trailers.as_ref(),
            _ => None,
        }
    }

    /// What has happened to the call so far, or had when it ended; `None` before the response has begun.
    pub fn report(&self) -> Option<CallReport> {
        match &self.stage {
            Stage::Read(reading) => Some(reading.call.report()),
            Stage::Ended(Some(ended)) => ended.report.clone(),
            Stage::Call(_) | Stage::Spawned(_) | Stage::Ended(None) => None,
        }
    }

    fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<R>, Status>> {
        loop {
            let Stage::Read(reading) = &mut self.stage else {
                match ready!(self.stage.poll_unread(cx)) {
                    Some(status) => return Poll::Ready(Err(status)),
                    None if matches!(self.stage, Stage::Read(_)) => continue,
                    None => return Poll::Ready(Ok(None)),
                }
            };
            let Reading { call, pieces } = &mut **reading;
            let problem = match pieces.next(|body| R::decode(body)) {
                Ok(Some(Ok(message))) => return Poll::Ready(Ok(Some(message))),
                Ok(Some(Err(error))) => cannot_be_decoded(&error),
                Ok(None) => match ready!(call.poll_data(cx)) {
                    Some(Ok(data)) => match pieces.push(data, call) {
                        None => continue,
                        Some(body) => match R::decode(body) {
                            Ok(message) => return Poll::Ready(Ok(Some(message))),
                            Err(error) => cannot_be_decoded(&error),
                        },
                    },
                    Some(Err(status)) => {
                        self.stage.end(Err(&status));
                        return Poll::Ready(Err(status));
                    }
                    None => match pieces.finish() {
                        Ok(()) => {
                            self.stage.end(Ok(()));
                            return Poll::Ready(Ok(None));
                        }
                        Err(error) => error.into(),
                    },
                },
                Err(error) => error.into(),
            };
            let status = call.refuse(problem);
            self.stage.end(Err(&status));
            return Poll::Ready(Err(status));
        }
    }
}

impl Reading {
    fn new(call: Call) -> Box<Self> {
        Box::new(Self { call: call.into_begun(), pieces: Pieces::default() })
    }
}

impl Pieces {
    /// Has the next message read by `read`, if it is here.
    fn next<T>(&mut self, read: impl FnOnce(framing::Body<'_>) -> T) -> Result<Option<T>, FramingError> {
        let Some(deframer) = &mut self.0 else { return Ok(None) };
        let next = deframer.read_next(|frame| read(frame.body))?;
        if next.is_none() && deframer.finish().is_ok() {
            self.0 = None;
        }
        Ok(next)
    }

    /// Takes what came for `call`. Returned is the body of the message that it is, if it is one and no more.
    fn push(&mut self, data: Bytes, call: &Begun) -> Option<Bytes> {
        let limit = call.core().settings().max_receive_message_size;
        let data = match self.0 {
            Some(_) => data,
            None => match sole_body(data, limit) {
                Ok(body) => return Some(body),
                Err(data) => data,
            },
        };
        self.0.get_or_insert_with(|| Box::new(Deframer::new(limit))).push(data);
        None
    }

    /// The end.
    fn finish(&self) -> Result<(), FramingError> {
        self.0.as_ref().map_or(Ok(()), |deframer| deframer.finish())
    }
}

fn cannot_be_decoded(error: &prost::DecodeError) -> wire::Status {
    wire::Status::new(Code::Internal, format!("a reply cannot be decoded: {error}"))
}

impl Stage {
    /// A call whose request is not sent, and that goes on by itself until its response begins.
    fn spawn(call: Box<Call>) -> Result<Self, Status> {
        let runtime =
            call.core().runtime().map_err(|error| error.problem(Sent::No).into_status(call.core()))?;
        let (tell, begun) = oneshot::channel();
        runtime.spawn(Beginning(Some((call, tell))));
        Ok(Self::Spawned(begun))
    }

    /// Ready when the response has begun, or everything has ended.
    fn poll_begun(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let result = match self {
            Self::Call(call) => {
                let result = call.poll_begun(cx);
                if result.is_pending() && call.is_sent() {
                    return Poll::Pending;
                }
                let Self::Call(call) = mem::replace(self, Self::Ended(None)) else {
                    unreachable!("it was there just above");
                };
                match result {
                    Poll::Ready(result) => result.map(|()| Reading::new(*call)),
                    // It is to be sent again, and waits for its place: see [`Streaming::launch`].
                    Poll::Pending => match Self::spawn(call) {
                        Ok(spawned) => {
                            *self = spawned;
                            return self.poll_begun(cx);
                        }
                        Err(status) => Err(status),
                    },
                }
            }
            Self::Spawned(begun) => {
                ready!(Pin::new(begun).poll(cx)).expect("the task tells, whatever becomes of it")
            }
            Self::Read(_) | Self::Ended(_) => return Poll::Ready(()),
        };
        *self = match result {
            Ok(reading) => Self::Read(reading),
            Err(status) => {
                let report = status.call_report().cloned();
                Self::Ended(Some(Box::new(Ended { report, failure: Some(status), ..Ended::default() })))
            }
        };
        Poll::Ready(())
    }

    /// What there is to say while nothing is read: nothing, or, once, why the response never began.
    #[cold]
    fn poll_unread(&mut self, cx: &mut Context<'_>) -> Poll<Option<Status>> {
        ready!(self.poll_begun(cx));
        let Self::Ended(Some(ended)) = self else { return Poll::Ready(None) };
        let told = mem::replace(&mut ended.told, true);
        Poll::Ready(ended.failure.clone().filter(|_| !told))
    }

    fn poll_headers(&mut self, cx: &mut Context<'_>) -> Poll<Result<MetadataMap, Status>> {
        ready!(self.poll_begun(cx));
        let headers = match self {
            Self::Read(reading) => reading.call.headers(),
            Self::Ended(Some(ended)) => match &ended.failure {
                Some(status) => return Poll::Ready(Err(status.clone())),
                None => ended.headers.as_ref(),
            },
            Self::Call(_) | Self::Spawned(_) | Self::Ended(None) => None,
        };
        let headers = headers.cloned().map(vocabulary::metadata_of).unwrap_or_default();
        Poll::Ready(Ok(MetadataMap::from_headers(headers)))
    }

    /// The end. There are trailers to tell of if the status was OK.
    fn end(&mut self, said: Result<(), &Status>) {
        let Self::Read(reading) = self else { return };
        let call = &mut reading.call;
        let (trailers, report) = match said {
            Ok(()) => (Some(MetadataMap::from_headers(call.take_trailers())), Some(call.report())),
            Err(status) => (None, status.call_report().cloned()),
        };
        let ended = Ended { headers: call.take_headers(), trailers, report, ..Ended::default() };
        *self = Self::Ended(Some(Box::new(ended)));
    }
}

impl<R: Message + Default> Stream for Streaming<R> {
    type Item = Result<R, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_message(cx).map(Result::transpose)
    }
}

/// The next reply of a [`Streaming`].
#[must_use = "futures do nothing unless polled"]
#[derive(Debug)]
pub struct MessageFuture<'a, R> {
    streaming: &'a mut Streaming<R>,
}

impl<R: Message + Default> Future for MessageFuture<'_, R> {
    type Output = Result<Option<R>, Status>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.streaming.poll_message(cx)
    }
}

/// The metadata that the response of a [`Streaming`] began with.
#[must_use = "futures do nothing unless polled"]
#[derive(Debug)]
pub struct HeadersFuture<'a, R> {
    streaming: &'a mut Streaming<R>,
}

impl<R: Message + Default> Future for HeadersFuture<'_, R> {
    type Output = Result<MetadataMap, Status>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.streaming.stage.poll_headers(cx)
    }
}

impl<R> fmt::Debug for Streaming<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stage = match &self.stage {
            Stage::Call(_) | Stage::Spawned(_) => "waiting for the response",
            Stage::Read(_) => "reading",
            Stage::Ended(_) => "ended",
        };
        f.debug_struct("Streaming").field("stage", &stage).finish_non_exhaustive()
    }
}

#[cfg(all(test, target_pointer_width = "64"))]
mod tests {
    use super::*;

    #[test]
    fn an_open_stream_is_small() {
        // There may be a hundred thousand. Who makes these larger should know why.
        assert!(size_of::<Streaming<()>>() <= 16, "{}", size_of::<Streaming<()>>());
        assert!(size_of::<Reading>() <= 160, "{}", size_of::<Reading>());
        assert!(size_of::<Call>() <= 280, "{}", size_of::<Call>());
    }
}
