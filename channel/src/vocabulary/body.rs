//! The body of a response as `http` has it, for stubs and layers above the `tower::Service`.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use http_body::{Body, Frame, SizeHint};
use trunkline_proto::framing::MessageMeter;
use trunkline_proto::wire::{self, names};

use super::Status;
use crate::call::Call;

/// The body of a response: framed messages, then trailers.
///
/// Its errors are the status of the call: one that the server sent or one made here, with the call's report
/// as its source; so its trailers never hold a `grpc-status` other than 0. After an error or the trailers it
/// has ended. Dropping it earlier cancels the call.
#[derive(Default)]
pub struct ResponseBody(Option<Reading>);

struct Reading {
    call: Box<Call>,
    meter: MessageMeter,
}

impl ResponseBody {
    pub(super) fn new(call: Box<Call>, max_message: usize) -> Self {
        Self(Some(Reading { call, meter: MessageMeter::receiving(max_message) }))
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Some(Reading { call, meter }) = &mut self.0 else { return Poll::Ready(None) };
        let result = match ready!(call.poll_data(cx)) {
            Some(Ok(data)) => match meter.push(&data) {
                Ok(()) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                Err(error) => Err(call.refuse(wire::Status::from(error))),
            },
            Some(Err(status)) => Err(status),
            // Stubs do not look whether the last message is whole.
            None => match meter.finish() {
                Ok(()) => Ok(trailers(call.take_trailers())),
                Err(error) => Err(call.refuse(wire::Status::from(error))),
            },
        };
        self.0 = None;
        Poll::Ready(Some(result))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

/// Trailers as stubs expect them, with the status in its plainest form.
fn trailers(mut trailers: HeaderMap) -> Frame<Bytes> {
    trailers.insert(names::GRPC_STATUS, HeaderValue::from_static("0"));
    Frame::trailers(trailers)
}

impl fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBody").field("ended", &self.0.is_none()).finish_non_exhaustive()
    }
}
