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
use crate::transport::Headers;

/// The body of a response: framed messages, then trailers.
///
/// Its errors are the status of the call: one that the server sent or one made here, with the call's report
/// as its source; so its trailers never hold a `grpc-status` other than 0. After an error or the trailers it
/// has ended. Dropping it earlier cancels the call.
#[derive(Default)]
pub struct ResponseBody(Stage);

#[derive(Default)]
enum Stage {
    Reading(Reading),
    /// All of it, of a call that has ended.
    Whole(Bytes, Option<Headers>),
    Trailers(Option<Headers>),
    #[default]
    Ended,
}

struct Reading {
    call: Box<Call>,
    meter: MessageMeter,
}

impl ResponseBody {
    /// Of a call that goes on.
    pub(super) fn reading(call: Box<Call>, max_message: usize) -> Self {
        Self(Stage::Reading(Reading { call, meter: MessageMeter::receiving(max_message) }))
    }

    /// Of a call that has ended with OK.
    pub(super) fn whole(data: Bytes, trailers: Option<Headers>) -> Self {
        Self(Stage::Whole(data, trailers))
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let result = match &mut self.0 {
            Stage::Reading(Reading { call, meter }) => match ready!(call.poll_data(cx)) {
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
            },
            Stage::Whole(data, trailers) => {
                let data = std::mem::take(data);
                self.0 = Stage::Trailers(trailers.take());
                return Poll::Ready(Some(Ok(Frame::data(data))));
            }
            Stage::Trailers(received) => {
                Ok(trailers(received.take().map(super::metadata_of).unwrap_or_default()))
            }
            Stage::Ended => return Poll::Ready(None),
        };
        self.0 = Stage::Ended;
        Poll::Ready(Some(result))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.0, Stage::Ended)
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
        f.debug_struct("ResponseBody").field("ended", &self.is_end_stream()).finish_non_exhaustive()
    }
}
