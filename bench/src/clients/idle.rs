//! The requests of a call that stays open: one, and then none, without end. It holds nothing else, so that the
//! memory of an open call is the contender's.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;

use crate::echo::Payload;

/// One request.
#[derive(Debug)]
pub(super) struct OneThenIdle(Option<Bytes>);

impl OneThenIdle {
    pub(super) fn new(body: Bytes) -> Self {
        Self(Some(body))
    }
}

impl Stream for OneThenIdle {
    type Item = Payload;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Payload>> {
        match self.0.take() {
            Some(body) => Poll::Ready(Some(Payload { body })),
            // Nobody is woken: nothing will come.
            None => Poll::Pending,
        }
    }
}
