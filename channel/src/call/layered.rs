//! A call through the application's tower layers. It costs boxes, and is on no call's road whose channel has
//! none.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as _, Frame};
use tokio::time::Instant;
use trunkline_proto::{wire, wire::Code};

use super::Upload;
use super::deadline::{Deadline, Timer};
use super::progress::{Problem, Progress};
use super::report::{CallReport, Sent};
use super::response::{Response, missing_status};
use crate::channel::{Channel, Core};
use crate::connect::BoxFuture;
use crate::transport::{Headers, ResponseHead};
use crate::vocabulary::{self, Body, Status};

/// The body of a request, for layers.
pub(super) struct UploadBody(pub(super) Upload);

impl http_body::Body for UploadBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        self.0.poll_chunk(cx).map_ok(Frame::data)
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_done()
    }
}

/// A call that layers may delay, change, refuse or answer themselves.
pub(crate) struct LayeredCall {
    /// It keeps the channel alive, which the layers do not.
    channel: Channel,
    progress: Progress,
    timer: Timer,
    stage: Stage,
    headers: Option<Headers>,
    trailers: HeaderMap,
    /// As the call path below the layers made it, if the response comes from there.
    report: Option<CallReport>,
}

enum Stage {
    Call(BoxFuture<'static, Result<http::Response<Body>, Status>>),
    Read {
        body: Body,
        /// The head has said OK already.
        said: bool,
    },
    Ended,
}

impl LayeredCall {
    pub(super) fn new(
        channel: Channel,
        answer: BoxFuture<'static, Result<http::Response<Body>, Status>>,
        began: Instant,
        deadline: Option<Deadline>,
    ) -> Self {
        Self {
            channel,
            progress: Progress::new(began),
            timer: Timer::new(deadline),
            stage: Stage::Call(answer),
            headers: None,
            trailers: HeaderMap::new(),
            report: None,
        }
    }

    pub(super) fn core(&self) -> &Core {
        self.channel.core()
    }

    pub(super) fn headers(&self) -> Option<&Headers> {
        self.headers.as_ref()
    }

    pub(super) fn change_hands(&mut self) {
        self.timer.stop();
    }

    pub(super) fn take_headers(&mut self) -> Option<Headers> {
        self.headers.take()
    }

    pub(super) fn take_trailers(&mut self) -> HeaderMap {
        std::mem::take(&mut self.trailers)
    }

    pub(super) fn report(&self) -> CallReport {
        let made_here = || self.progress.begun(self.channel.core(), None, Instant::now());
        self.report.clone().unwrap_or_else(made_here)
    }

    pub(super) fn poll_begun(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        let Stage::Call(answer) = &mut self.stage else { return Poll::Ready(Ok(())) };
        let result = match answer.as_mut().poll(cx) {
            Poll::Ready(Ok(response)) => self.begun(response),
            Poll::Ready(Err(status)) => Err(status),
            Poll::Pending => Err(ready!(self.poll_expired(cx))),
        };
        if result.is_err() {
            self.stage = Stage::Ended;
        }
        Poll::Ready(result)
    }

    fn begun(&mut self, response: http::Response<Body>) -> Result<(), Status> {
        let (parts, body) = response.into_parts();
        // A layer that answers itself says a status in the head, or something that is not gRPC at all.
        let status = wire::Status::from_trailers(&parts.headers);
        let said = status.is_some();
        match status {
            None => {
                let (headers, end) = (parts.headers.clone().into(), body.is_end_stream());
                let head = ResponseHead { status: parts.status, headers, end };
                if let Response::Foreign(foreign) = Response::read(head) {
                    return Err(self.refuse(foreign.status_now()));
                }
            }
            Some(status) if status.code != Code::Ok => return Err(self.answered(status, parts.headers)),
            Some(_) => {}
        }
        self.report = parts.extensions.get::<CallReport>().cloned();
        self.headers = Some(parts.headers.into());
        self.stage = Stage::Read { body, said };
        Ok(())
    }

    pub(super) fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Status>>> {
        ready!(self.poll_begun(cx))?;
        let Stage::Read { body, said } = &mut self.stage else { return Poll::Ready(None) };
        let end = match Pin::new(body).poll_frame(cx) {
            Poll::Pending => Err(ready!(self.poll_expired(cx))),
            Poll::Ready(Some(Err(status))) => Err(status),
            Poll::Ready(None) if *said => Ok(wire::Status::new(Code::Ok, "")),
            Poll::Ready(None) => Ok(missing_status()),
            Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                Ok(data) => return Poll::Ready(Some(Ok(data))),
                Err(frame) => {
                    let said = said.then(|| wire::Status::new(Code::Ok, ""));
                    self.trailers = frame.into_trailers().unwrap_or_default();
                    let status = wire::Status::from_trailers(&self.trailers).or(said);
                    Ok(status.unwrap_or_else(missing_status))
                }
            },
        };
        self.stage = Stage::Ended;
        Poll::Ready(match end {
            Ok(status) if status.code == Code::Ok => {
                vocabulary::make_metadata(&mut self.trailers);
                None
            }
            Ok(status) => {
                let trailers = self.take_trailers();
                Some(Err(self.answered(status, trailers)))
            }
            Err(status) => Some(Err(status)),
        })
    }

    pub(super) fn refuse(&mut self, status: wire::Status) -> Status {
        self.stage = Stage::Ended;
        self.status(Problem::response(status, None))
    }

    fn answered(&self, status: wire::Status, headers: HeaderMap) -> Status {
        let report = self.progress.answered(self.channel.core(), &status, None);
        vocabulary::server_status(status, headers, report)
    }

    /// The deadline covers the layers too.
    fn poll_expired(&mut self, cx: &mut Context<'_>) -> Poll<Status> {
        let problem = match ready!(self.timer.poll(self.channel.core(), cx, false, |_| false)) {
            Ok(deadline) => {
                let doing = "waiting in the channel's layers";
                Problem::expired(self.progress.timeout(deadline), doing, Sent::Maybe, Arc::default())
            }
            // Whatever the layers did with it.
            Err(no_runtime) => no_runtime.problem(Sent::Maybe),
        };
        Poll::Ready(self.status(problem))
    }

    fn status(&self, problem: Problem) -> Status {
        self.progress.status(self.channel.core(), problem)
    }
}
