//! A call through the application's tower layers. It costs boxes, and is on no call's road whose channel has
//! none.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Relaxed};
use std::sync::atomic::{AtomicBool, fence};
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
use crate::vocabulary::{self, Body, Status, StatusExt};

/// The body of a request, for layers.
pub(super) struct UploadBody {
    upload: Upload,
    mark: RequestMark,
}

impl UploadBody {
    pub(super) fn new(upload: Upload, mark: RequestMark) -> Self {
        Self { upload, mark }
    }
}

/// Goes with a request through the layers, in its body and its extensions, and is set when something of it may leave.
#[derive(Clone, Debug, Default)]
pub(crate) struct RequestMark(Arc<AtomicBool>);

impl RequestMark {
    /// Somebody has read of the body, or the request has come out below the layers.
    pub(crate) fn set(&self) {
        self.0.store(true, Relaxed);
    }

    /// Whether the request is gone without that, so that nothing of it can have left or ever will.
    fn is_alone_and_unset(&self) -> bool {
        let is_alone = Arc::strong_count(&self.0) == 1;
        // What the others did before they dropped theirs is seen.
        fence(Acquire);
        is_alone && !self.0.load(Relaxed)
    }
}

impl http_body::Body for UploadBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        self.mark.set();
        self.upload.poll_chunk(cx).map_ok(Frame::data)
    }

    fn is_end_stream(&self) -> bool {
        self.upload.is_done()
    }
}

/// A call that layers may delay, change, refuse or answer themselves.
pub(crate) struct LayeredCall {
    /// It keeps the channel alive, which the layers do not.
    channel: Channel,
    progress: Progress,
    timer: Timer,
    stage: Stage,
    request: RequestMark,
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
        request: RequestMark,
        began: Instant,
        deadline: Option<Deadline>,
    ) -> Self {
        Self {
            channel,
            progress: Progress::new(began),
            timer: Timer::new(deadline),
            stage: Stage::Call(answer),
            request,
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
        let by_layer = || Problem::new(Code::Ok, self.sent(), "answered by a layer of the channel");
        self.report.clone().unwrap_or_else(|| self.progress.report(self.channel.core(), by_layer()))
    }

    /// What is known of the request of a call that a layer has ended.
    fn sent(&self) -> Sent {
        match &self.report {
            Some(below) => below.sent(),
            None if self.request.is_alone_and_unset() => Sent::No,
            None => Sent::Maybe,
        }
    }

    pub(super) fn poll_begun(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        let Stage::Call(answer) = &mut self.stage else { return Poll::Ready(Ok(())) };
        let answer = match answer.as_mut().poll(cx) {
            Poll::Ready(answer) => answer,
            Poll::Pending => {
                let expired = ready!(self.poll_expired(cx));
                self.stage = Stage::Ended;
                return Poll::Ready(Err(expired));
            }
        };
        // Before anything is said of the request: what answered may hold it still.
        self.stage = Stage::Ended;
        Poll::Ready(match answer {
            Ok(response) => self.begun(response),
            Err(status) => Err(self.failed(status)),
        })
    }

    fn begun(&mut self, response: http::Response<Body>) -> Result<(), Status> {
        let (parts, body) = response.into_parts();
        self.report = parts.extensions.get::<CallReport>().cloned();
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
        self.headers = Some(parts.headers.into());
        self.stage = Stage::Read { body, said };
        Ok(())
    }

    pub(super) fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Status>>> {
        ready!(self.poll_begun(cx))?;
        let Stage::Read { body, said } = &mut self.stage else { return Poll::Ready(None) };
        let end = match Pin::new(body).poll_frame(cx) {
            Poll::Pending => Err(ready!(self.poll_expired(cx))),
            Poll::Ready(Some(Err(status))) => Err(self.failed(status)),
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
        self.status(Problem::new(status.code, self.sent(), status.message))
    }

    /// A layer has answered with `status`: what the server says comes as an error of the call path.
    fn answered(&self, status: wire::Status, headers: HeaderMap) -> Status {
        let problem =
            Problem::new(status.code, self.sent(), format!("a layer of the channel answered {status}"));
        vocabulary::server_status(status, headers, self.progress.report(self.channel.core(), problem))
    }

    /// A status of the call path's, or a layer's own, which has no report yet.
    fn failed(&self, status: Status) -> Status {
        match status.call_report() {
            Some(_) => status,
            None => self.progress.request_failed(self.channel.core(), status, self.sent(), None),
        }
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
