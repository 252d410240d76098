//! The body of a response as `http` has it, for stubs and layers above the `tower::Service`.

use std::fmt;
use std::pin::Pin;
use std::sync::LazyLock;
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
    Whole(WholeBody),
    #[default]
    Ended,
}

/// All that is left of a body whose call has ended.
pub(super) struct WholeBody {
    data: Option<Bytes>,
    last: Result<Option<Headers>, Status>,
}

impl WholeBody {
    /// The body of a call whose whole response is here, and as nearly all are. What is wrong with it is told where
    /// it would be if it were read piece by piece.
    pub(super) fn take(call: &mut Call, max_message: usize) -> Option<Self> {
        let mut meter = MessageMeter::receiving(max_message);
        let taken = call.take_plain(|body| {
            meter.push(&body)?;
            Ok(body)
        })?;
        Some(match taken {
            Err(status) => Self { data: None, last: Err(status) },
            Ok(data) => {
                let last = match meter.finish() {
                    Ok(()) => Ok(call.take_raw_trailers()),
                    Err(error) => Err(call.refuse(wire::Status::from(error))),
                };
                Self { data: Some(data), last }
            }
        })
    }
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

    /// Of a call that has ended.
    pub(super) fn whole(body: WholeBody) -> Self {
        Self(Stage::Whole(body))
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
            Stage::Whole(whole) => match whole.data.take() {
                Some(data) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                None => {
                    let last = std::mem::replace(&mut whole.last, Ok(None));
                    last.map(|received| trailers(received.map(super::metadata_of).unwrap_or_default()))
                }
            },
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

/// What nearly all trailers are: a copy of a map costs half of what it costs to fill one.
static OK: LazyLock<HeaderMap> =
    LazyLock::new(|| HeaderMap::from_iter([(names::GRPC_STATUS, HeaderValue::from_static("0"))]));

/// Trailers as stubs expect them, with the status in its plainest form.
fn trailers(mut trailers: HeaderMap) -> Frame<Bytes> {
    if trailers.is_empty() {
        return Frame::trailers(OK.clone());
    }
    trailers.insert(names::GRPC_STATUS, HeaderValue::from_static("0"));
    Frame::trailers(trailers)
}

impl fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBody").field("ended", &self.is_end_stream()).finish_non_exhaustive()
    }
}
