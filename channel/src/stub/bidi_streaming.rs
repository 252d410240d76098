//! A stream of messages up, a stream of messages down.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use prost::Message;

use super::prepared::{Prepared, call_setters};
use super::{IntoStreamingRequest, MethodDescriptor, Streaming};
use crate::channel::Channel;
use crate::transport::Reply;
use crate::vocabulary::Status;

/// A bidirectional call. `.await` gives the stream of its replies, without waiting for the server.
///
/// What wants a future and not what becomes one (`tokio::spawn`, `join_all`) takes `call.into_future()`.
#[must_use = "a call is not sent until it is awaited"]
pub struct BidiStreamingCall<R> {
    prepared: Prepared,
    reply: PhantomData<fn() -> R>,
}

impl<R: Message + Default> BidiStreamingCall<R> {
    /// A call of `method` with those requests. They are asked for by tasks of the call's own, so the
    /// application may send without reading.
    pub fn new<S>(channel: &Channel, method: &'static MethodDescriptor, requests: S) -> Self
    where
        S: IntoStreamingRequest,
        S::Message: Message,
    {
        Self { prepared: Prepared::streaming(channel, method, requests, Reply::Stream), reply: PhantomData }
    }

    call_setters!();
}

impl<R: Message + Default> IntoFuture for BidiStreamingCall<R> {
    type Output = Result<Streaming<R>, Status>;
    type IntoFuture = BidiStreamingFuture<R>;

    fn into_future(self) -> BidiStreamingFuture<R> {
        BidiStreamingFuture { prepared: Some(self.prepared), reply: PhantomData }
    }
}

/// The stream of a bidirectional call's replies. It is ready at once, and the call goes on by itself.
#[must_use = "futures do nothing unless polled"]
pub struct BidiStreamingFuture<R> {
    prepared: Option<Prepared>,
    reply: PhantomData<fn() -> R>,
}

impl<R: Message + Default> Future for BidiStreamingFuture<R> {
    type Output = Result<Streaming<R>, Status>;

    /// # Panics
    /// If polled again after it was ready.
    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        let prepared = self.prepared.take().expect("a future is not polled after it was ready");
        Poll::Ready(Streaming::spawned(prepared))
    }
}

impl<R> fmt::Debug for BidiStreamingCall<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BidiStreamingCall").finish_non_exhaustive()
    }
}

impl<R> fmt::Debug for BidiStreamingFuture<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BidiStreamingFuture").finish_non_exhaustive()
    }
}
