//! A call through the application's tower layers. It costs boxes, and is on no call's road whose channel has
//! none.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as _, Frame};
use pin_project_lite::pin_project;
use tokio::time::Instant;
use trunkline_proto::{wire, wire::Code};

use super::Upload;
use super::deadline::{Deadline, Timer};
use super::progress::{Problem, Progress};
use super::report::{CallReport, Sent};
use super::response::{Response, missing_status};
use crate::channel::Channel;
use crate::connect::BoxFuture;
use crate::transport::ResponseHead;
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

pin_project! {
    /// A call that layers may delay, change, refuse or answer themselves, until its response begins.
    pub(crate) struct LayeredCall {
        shared: Shared,
        answer: BoxFuture<'static, Result<http::Response<Body>, Status>>,
        #[pin]
        timer: Timer,
    }
}

/// What is needed to end a call here. It keeps the channel alive, which the layers do not.
struct Shared {
    channel: Channel,
    progress: Progress,
}

impl Shared {
    fn status(&self, problem: Problem) -> Status {
        self.progress.status(self.channel.core(), problem)
    }

    /// The deadline covers the layers too.
    fn poll_timer(&self, timer: Pin<&mut Timer>, cx: &mut Context<'_>) -> Poll<Status> {
        match self.channel.core().enter() {
            Ok(_entered) => timer.poll(cx).map(|deadline| self.expired(deadline)),
            Err(no_runtime) => Poll::Ready(self.status(no_runtime.into())),
        }
    }

    fn expired(&self, deadline: Deadline) -> Status {
        self.status(Problem::expired(
            deadline,
            "waiting in the channel's layers",
            Sent::Maybe,
            Arc::default(),
        ))
    }
}

impl LayeredCall {
    pub(super) fn new(
        channel: Channel,
        answer: BoxFuture<'static, Result<http::Response<Body>, Status>>,
        began: Instant,
        deadline: Option<Deadline>,
    ) -> Self {
        let shared = Shared { channel, progress: Progress::new(began) };
        Self { shared, answer, timer: Timer::new(deadline) }
    }
}

impl Future for LayeredCall {
    type Output = Result<LayeredReading, Status>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = match this.answer.as_mut().poll(cx) {
            Poll::Ready(result) => result?,
            Poll::Pending => return this.shared.poll_timer(this.timer, cx).map(Err),
        };
        let (parts, body) = response.into_parts();
        // A layer that answers itself says a status in the head, or something that is not gRPC at all.
        let status = wire::Status::from_trailers(&parts.headers);
        let head = ResponseHead {
            status: parts.status,
            headers: parts.headers.clone().into(),
            end: body.is_end_stream(),
        };
        if status.is_none()
            && let Response::Foreign(foreign) = Response::read(head)
        {
            let problem = Problem::response(foreign.status_now(), None);
            return Poll::Ready(Err(this.shared.status(problem)));
        }
        if let Some(status) = status.clone().filter(|status| status.code != Code::Ok) {
            let report = this.shared.progress.answered(this.shared.channel.core(), &status);
            return Poll::Ready(Err(vocabulary::server_status(status, parts.headers, report)));
        }
        let report = parts.extensions.get::<CallReport>().cloned();
        let channel = this.shared.channel.clone();
        let shared = Shared { channel, progress: Progress::new(this.shared.progress.began) };
        let timer = Timer::new(this.timer.deadline());
        let (headers, trailers) = (parts.headers, HeaderMap::new());
        let said = status.is_some();
        Poll::Ready(Ok(LayeredReading { shared, body: Some(body), said, headers, trailers, report, timer }))
    }
}

pin_project! {
    /// A response that has begun, as the layers hand it on.
    pub(crate) struct LayeredReading {
        shared: Shared,
        // `None` after the end.
        body: Option<Body>,
        // The head has said OK already.
        said: bool,
        headers: HeaderMap,
        trailers: HeaderMap,
        report: Option<CallReport>,
        #[pin]
        timer: Timer,
    }
}

impl LayeredReading {
    pub(super) fn take_headers(&mut self) -> HeaderMap {
        std::mem::take(&mut self.headers)
    }

    pub(super) fn take_trailers(self: Pin<&mut Self>) -> HeaderMap {
        std::mem::take(self.project().trailers)
    }

    pub(super) fn report(&self) -> CallReport {
        let made_here = || self.shared.progress.begun(self.shared.channel.core());
        self.report.clone().unwrap_or_else(made_here)
    }

    pub(super) fn poll_data(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Status>>> {
        let this = self.project();
        let Some(body) = this.body.as_mut() else { return Poll::Ready(None) };
        let Poll::Ready(frame) = Pin::new(body).poll_frame(cx) else {
            let status = ready!(this.shared.poll_timer(this.timer, cx));
            *this.body = None;
            return Poll::Ready(Some(Err(status)));
        };
        let status = match frame.transpose() {
            Err(status) => {
                *this.body = None;
                return Poll::Ready(Some(Err(status)));
            }
            Ok(None) if *this.said => wire::Status::new(Code::Ok, ""),
            Ok(None) => missing_status(),
            Ok(Some(frame)) => match frame.into_data() {
                Ok(data) => return Poll::Ready(Some(Ok(data))),
                Err(frame) => {
                    *this.trailers = frame.into_trailers().unwrap_or_default();
                    wire::Status::from_trailers(this.trailers).unwrap_or_else(missing_status)
                }
            },
        };
        *this.body = None;
        if status.code == Code::Ok {
            vocabulary::make_metadata(this.trailers);
            return Poll::Ready(None);
        }
        let report = this.shared.progress.answered(this.shared.channel.core(), &status);
        Poll::Ready(Some(Err(vocabulary::server_status(status, std::mem::take(this.trailers), report))))
    }

    pub(super) fn refuse(self: Pin<&mut Self>, status: wire::Status) -> Status {
        let this = self.project();
        *this.body = None;
        this.shared.status(Problem::response(status, None))
    }
}
