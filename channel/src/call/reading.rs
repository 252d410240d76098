//! The response of a call, from its head to its status.

use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use tokio::time::Instant;
use trunkline_proto::{wire, wire::Code};

use super::ending::Failed;
use super::exchange::Exchange;
use super::machine::Step;
use super::progress::Problem;
use super::report::Sent;
use super::response::{missing_status, status_in};
use crate::transport::{Headers, PlainReply, Reply, StreamError, StreamEvent};
use crate::vocabulary::{self, Status};

impl Exchange {
    /// The trailers, without what was read as the status, once; there are none before the end.
    pub(super) fn take_trailers(&mut self) -> HeaderMap {
        self.take_raw_trailers().map(vocabulary::metadata_of).unwrap_or_default()
    }

    /// The whole reply, if it is here and as nearly all are, as `read` reads it; the call has ended then. `None`:
    /// it is to be read piece by piece.
    pub(super) fn take_plain<T>(
        &mut self,
        read: impl FnOnce(Bytes) -> Result<T, wire::Status>,
    ) -> Option<Result<T, Status>> {
        let PlainReply { headers, body, trailers, arrived } = self.attempt_mut()?.stream.take_plain()?;
        self.headers = Some(headers);
        Some(match read(body) {
            Ok(reply) => {
                self.end_with(Some(trailers), Code::Ok, Instant::from_std(arrived));
                Ok(reply)
            }
            Err(refusal) => Err(self.refuse(refusal)),
        })
    }

    /// The next bytes of the body. `None`: the status is OK, and the trailers are there; or an error was the
    /// end.
    pub(super) fn poll_data(
        &mut self,
        reply: Reply,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Status>>> {
        let failed = match self.poll_body(reply, cx) {
            Poll::Ready(Ok(data)) => return Poll::Ready(data.map(Ok)),
            Poll::Ready(Err(failed)) => failed,
            Poll::Pending => match ready!(self.poll_deadline(cx, false)) {
                Ok(deadline) => self.expired(deadline).into(),
                Err(no_runtime) => no_runtime.problem(Sent::Yes).at(self.address()).into(),
            },
        };
        Poll::Ready(Some(Err(self.fail(failed, Sent::Yes))))
    }

    fn poll_body(&mut self, reply: Reply, cx: &mut Context<'_>) -> Step<Option<Bytes>> {
        let Some(attempt) = self.attempt_mut() else { return Poll::Ready(Ok(None)) };
        Poll::Ready(match ready!(attempt.stream.poll_event(cx)) {
            StreamEvent::Data(data) => match self.overrun(reply) {
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
    fn overrun(&self, reply: Reply) -> Option<Failed> {
        if reply == Reply::Whole {
            return None;
        }
        let deadline = self.timer.deadline()?;
        (deadline.at <= Instant::now()).then(|| self.expired(deadline).into())
    }

    /// Takes the trailers, and the status in them.
    fn ended_by(&mut self, trailers: Headers) -> Result<(), Failed> {
        let Some(status) = status_in(&trailers) else { return Err(self.answered_with(missing_status())) };
        if status.code != Code::Ok {
            return Err(match self.rung(status.code) {
                Some(deadline) => self.expired(deadline).into(),
                None => Failed::server(status, trailers.into_map()),
            });
        }
        self.end_with(Some(trailers), Code::Ok, Instant::now());
        Ok(())
    }

    fn broken_by(&mut self, error: StreamError) -> Failed {
        if let StreamError::Reset(code) = &error
            && let Some(deadline) = self.rung(Code::from_reset(*code))
        {
            return self.expired(deadline).into();
        }
        // What the rest of the request failed with, which reset the stream.
        let pump = self.attempt().and_then(|attempt| attempt.pump.as_ref());
        match pump.and_then(|pump| pump.failure()) {
            Some(status) => Failed::request(status),
            None => Problem::stream(error, true, self.address()).into(),
        }
    }

    /// The body makes no sense to whoever reads it: ends the call with `status`, and resets the stream.
    pub(super) fn refuse(&mut self, status: wire::Status) -> Status {
        self.fail(self.answered_with(status), Sent::Yes)
    }
}
