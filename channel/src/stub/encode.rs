//! From the application's messages to framed bytes.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use pin_project_lite::pin_project;
use prost::Message;
use trunkline_proto::framing::{self, SmallBytes};

use crate::vocabulary::{self, Status};

pin_project! {
    /// A stream of messages as a stream of frames.
    pub(super) struct Encoded<S> {
        #[pin]
        messages: S,
        limit: usize,
    }
}

impl<S> Encoded<S> {
    pub(super) fn new(messages: S, limit: usize) -> Self {
        Self { messages, limit }
    }
}

impl<S> Stream for Encoded<S>
where
    S: Stream,
    S::Item: Message,
{
    type Item = Result<SmallBytes, Status>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.project();
        let Some(message) = ready!(this.messages.poll_next(cx)) else { return Poll::Ready(None) };
        let framed = framing::encode(&message, *this.limit).map_err(vocabulary::framing_status);
        Poll::Ready(Some(framed))
    }
}
