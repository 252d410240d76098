//! One message up, a stream of messages down.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use prost::Message;

use super::prepared::{Prepared, call_setters};
use super::{IntoRequest, MethodDescriptor, Streaming};
use crate::channel::Channel;
use crate::transport::Reply;
use crate::vocabulary::Status;

/// A server-streaming call. `.await` gives the stream of its replies, without waiting for the server.
///
/// What wants a future and not what becomes one (`tokio::spawn`, `join_all`) takes `call.into_future()`.
#[must_use = "a call is not sent until it is awaited"]
pub struct ServerStreamingCall<R> {
    prepared: Prepared,
    reply: PhantomData<fn() -> R>,
}

impl<R: Message + Default> ServerStreamingCall<R> {
    /// A call of `method` with that request. An error in the request (too long a message, reserved metadata)
    /// is the result of the call.
    pub fn new<M: Message>(
        channel: &Channel,
        method: &'static MethodDescriptor,
        request: impl IntoRequest<M>,
    ) -> Self {
        Self { prepared: Prepared::single(channel, method, request, Reply::Stream), reply: PhantomData }
    }

    call_setters!();
}

impl<R: Message + Default> IntoFuture for ServerStreamingCall<R> {
    type Output = Result<Streaming<R>, Status>;
    type IntoFuture = ServerStreamingFuture<R>;

    fn into_future(self) -> ServerStreamingFuture<R> {
        ServerStreamingFuture { prepared: Some(self.prepared), reply: PhantomData }
    }
}

/// The stream of a server-streaming call's replies. It is ready at once: the request goes out now if it can,
/// and else by itself as soon as it can. An error that is known at once, such as an unreachable server, is
/// its result.
#[must_use = "futures do nothing unless polled"]
pub struct ServerStreamingFuture<R> {
    prepared: Option<Prepared>,
    reply: PhantomData<fn() -> R>,
}

impl<R: Message + Default> Future for ServerStreamingFuture<R> {
    type Output = Result<Streaming<R>, Status>;

    /// # Panics
    /// If polled again after it was ready.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let prepared = self.prepared.take().expect("a future is not polled after it was ready");
        Poll::Ready(Streaming::launch(prepared, cx))
    }
}

impl<R> fmt::Debug for ServerStreamingCall<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerStreamingCall").finish_non_exhaustive()
    }
}

impl<R> fmt::Debug for ServerStreamingFuture<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerStreamingFuture").finish_non_exhaustive()
    }
}
