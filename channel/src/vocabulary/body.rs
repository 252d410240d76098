//! The body of a response as `http` has it, for stubs and layers above the `tower::Service`.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use trunkline_proto::framing::MessageMeter;
use trunkline_proto::wire;

use super::Status;
use crate::call::Reading;

pin_project! {
    /// The body of a response: framed messages, then trailers.
    ///
    /// Its errors are the status of the call: one that the server sent or one made here, with the call's
    /// report as its source; so its trailers never hold a `grpc-status` other than 0. After an error or the
    /// trailers it has ended. Dropping it earlier cancels the call.
    #[derive(Default)]
    pub struct ResponseBody {
        #[pin]
        reading: Option<Reading>,
        meter: Option<MessageMeter>,
    }
}

impl ResponseBody {
    pub(super) fn new(reading: Reading, max_message: usize) -> Self {
        Self { reading: Some(reading), meter: Some(MessageMeter::receiving(max_message)) }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let mut this = self.project();
        let Some(mut reading) = this.reading.as_mut().as_pin_mut() else { return Poll::Ready(None) };
        let result = match ready!(reading.as_mut().poll_data(cx)) {
            Some(Ok(data)) => match this.meter.as_mut().map_or(Ok(()), |meter| meter.push(&data)) {
                Ok(()) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                Err(error) => Err(reading.refuse(wire::Status::from(error))),
            },
            Some(Err(status)) => Err(status),
            // Stubs do not look whether the last message is whole.
            None => match this.meter.as_ref().map_or(Ok(()), MessageMeter::finish) {
                Ok(()) => Ok(trailers(reading.take_trailers())),
                Err(error) => Err(reading.refuse(wire::Status::from(error))),
            },
        };
        this.reading.set(None);
        Poll::Ready(Some(result))
    }

    fn is_end_stream(&self) -> bool {
        self.reading.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

/// Trailers as stubs expect them, with the status in its plainest form.
fn trailers(mut trailers: HeaderMap) -> Frame<Bytes> {
    wire::Status::new(wire::Code::Ok, "").write_to(&mut trailers);
    Frame::trailers(trailers)
}

impl fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBody").field("reading", &self.reading).finish_non_exhaustive()
    }
}
