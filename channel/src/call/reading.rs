//! The response of a call, from its head to its status.

use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use tokio::time::Instant;
use trunkline_proto::{wire, wire::Code};

use super::begin::Attached;
use super::ending::Failed;
use super::machine::{Attempt, DirectCall, Received, Rest, Stage, Step};
use super::progress::Problem;
use super::report::{CallReport, Sent};
use super::response::{missing_status, status_in};
use crate::transport::{Headers, PlainReply, Reply, StreamError, StreamEvent};
use crate::vocabulary::{self, Status};

impl DirectCall {
    /// The headers of the response; there are none before it has begun, nor once they are taken.
    pub(super) fn headers(&self) -> Option<&Headers> {
        self.headers.as_ref()
    }

    /// The headers of the response, once; there are none before it has begun.
    pub(super) fn take_headers(&mut self) -> Option<Headers> {
        self.headers.take()
    }

    /// Whoever has polled it does so no more: nothing is held for waking them.
    pub(super) fn change_hands(&mut self) {
        self.timer.stop();
    }

    /// The trailers, without what was read as the status, once; there are none before the end.
    pub(super) fn take_trailers(&mut self) -> HeaderMap {
        self.trailers.take().map(vocabulary::metadata_of).unwrap_or_default()
    }

    /// The trailers as they came, once; there are none before the end.
    pub(super) fn take_raw_trailers(&mut self) -> Option<Headers> {
        self.trailers.take()
    }

    /// What was attached to the request, once its response has begun: nothing is sent again then.
    pub(super) fn take_attached(&mut self) -> Option<Box<Attached>> {
        self.request.attached.take()
    }

    /// What happened so far, for a call that succeeds.
    pub(super) fn report(&self) -> CallReport {
        self.progress.begun(self.ticket.core(), self.address())
    }

    /// The whole reply, if it is here and as nearly all are, as `read` reads it; the call has ended then. `None`:
    /// it is to be read piece by piece.
    pub(super) fn take_plain<T>(
        &mut self,
        read: impl FnOnce(Bytes) -> Result<T, wire::Status>,
    ) -> Option<Result<T, Status>> {
        let Stage::Sent(Attempt { stream, rest: Rest::Nothing, received: Received::Nothing, .. }) =
            &mut self.stage
        else {
            return None;
        };
        let PlainReply { headers, body, trailers, arrived } = stream.take_plain()?;
        (self.headers, self.trailers) = (Some(headers), Some(trailers));
        Some(match read(body) {
            Ok(reply) => {
                self.end(Code::Ok, Instant::from_std(arrived));
                Ok(reply)
            }
            Err(refusal) => Err(self.refuse(refusal)),
        })
    }

    /// The next bytes of the body. `None`: the status is OK, and the trailers are there; or an error was the
    /// end.
    pub(super) fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Status>>> {
        ready!(self.poll_begun(cx))?;
        Poll::Ready(match self.poll_body(cx) {
            Poll::Ready(Ok(data)) => data.map(Ok),
            Poll::Ready(Err(failed)) => Some(Err(self.fail(failed))),
            Poll::Pending => Some(Err(ready!(self.poll_expired(cx)))),
        })
    }

    fn poll_body(&mut self, cx: &mut Context<'_>) -> Step<Option<Bytes>> {
        let Stage::Sent(attempt) = &mut self.stage else { return Poll::Ready(Ok(None)) };
        Poll::Ready(match ready!(attempt.stream.poll_event(cx)) {
            StreamEvent::Data(data) => match self.overrun() {
                Some(failed) => Err(failed),
                None => Ok(Some(data)),
            },
            StreamEvent::Trailers(trailers) => self.ended_by(trailers).map(|()| None),
            StreamEvent::End => Err(self.answered_with(missing_status())),
            StreamEvent::Failed(error) => Err(self.broken_by(error)),
            StreamEvent::Head(_) => {
                Err(Problem::new(Code::Internal, Sent::Yes, "the response has a second head").into())
            }
        })
    }

    /// A server that never pauses must not outrun the deadline. A single reply cannot: it is not read on for
    /// longer than messages may be.
    fn overrun(&self) -> Option<Failed> {
        if self.request.reply == Reply::Whole {
            return None;
        }
        let deadline = self.timer.deadline()?;
        (deadline.at <= Instant::now()).then(|| self.expired(deadline).into())
    }

    /// Takes the trailers, and the status in them.
    fn ended_by(&mut self, trailers: Headers) -> Result<(), Failed> {
        let Some(status) = status_in(&trailers) else { return Err(self.answered_with(missing_status())) };
        if status.code != Code::Ok {
            let failed = self.rung(status.code);
            return Err(failed.unwrap_or_else(|| Failed::server(status, trailers.into_map())));
        }
        self.trailers = Some(trailers);
        self.end(Code::Ok, Instant::now());
        Ok(())
    }

    fn broken_by(&mut self, error: StreamError) -> Failed {
        if let StreamError::Reset(code) = &error
            && let Some(failed) = self.rung(Code::from_reset(*code))
        {
            return failed;
        }
        // What the rest of the request failed with, which reset the stream.
        if let Stage::Sent(Attempt { rest: Rest::Pump(pump), .. }) = &self.stage
            && let Some(status) = pump.failure()
        {
            return Failed::request(status.clone());
        }
        Problem::stream(error, true, self.address()).into()
    }

    /// The body makes no sense to whoever reads it: ends the call with `status`, and resets the stream.
    pub(super) fn refuse(&mut self, status: wire::Status) -> Status {
        self.fail(self.answered_with(status))
    }
}
