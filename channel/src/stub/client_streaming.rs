//! A stream of messages up, one message down.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use prost::Message;

use super::prepared::{Prepared, call_setters};
use super::single_reply::SingleReply;
use super::{IntoStreamingRequest, MethodDescriptor};
use crate::channel::Channel;
use crate::transport::Reply;
use crate::vocabulary::{Response, Status};

/// A client-streaming call. `.await` sends it and gives the reply's message; [`response`](Self::response)
/// gives its metadata and [`CallReport`](crate::CallReport) too. Its deadline runs from its making.
///
/// What wants a future and not what becomes one (`tokio::spawn`, `join_all`) takes `call.into_future()`.
#[must_use = "a call is not sent until it is awaited"]
pub struct ClientStreamingCall<R> {
    prepared: Prepared,
    reply: PhantomData<fn() -> R>,
}

impl<R: Message + Default> ClientStreamingCall<R> {
    /// A call of `method` with those requests. They are asked for while the call is polled; once the response
    /// has begun, by a task of the call's own when there are more.
    pub fn new<S>(channel: &Channel, method: &'static MethodDescriptor, requests: S) -> Self
    where
        S: IntoStreamingRequest,
        S::Message: Message,
    {
        Self { prepared: Prepared::streaming(channel, method, requests, Reply::Whole), reply: PhantomData }
    }

    call_setters!();

    /// The call's reply with its metadata; its extensions hold the [`CallReport`](crate::CallReport).
    ///
    /// # Errors
    /// The call's status, if it is not OK; its source is the [`CallReport`](crate::CallReport).
    pub fn response(self) -> ClientStreamingResponseFuture<R> {
        ClientStreamingResponseFuture { reply: SingleReply::new(self.prepared) }
    }
}

impl<R: Message + Default> IntoFuture for ClientStreamingCall<R> {
    type Output = Result<R, Status>;
    type IntoFuture = ClientStreamingFuture<R>;

    fn into_future(self) -> ClientStreamingFuture<R> {
        ClientStreamingFuture { reply: SingleReply::new(self.prepared) }
    }
}

/// A client-streaming call that gives the reply's message. Dropping it cancels the call.
#[must_use = "futures do nothing unless polled"]
pub struct ClientStreamingFuture<R> {
    reply: SingleReply<R>,
}

impl<R: Message + Default> Future for ClientStreamingFuture<R> {
    type Output = Result<R, Status>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.reply.poll_message(cx)
    }
}

/// A client-streaming call that gives the reply with its metadata. Dropping it cancels the call.
#[must_use = "futures do nothing unless polled"]
pub struct ClientStreamingResponseFuture<R> {
    reply: SingleReply<R>,
}

impl<R: Message + Default> Future for ClientStreamingResponseFuture<R> {
    type Output = Result<Response<R>, Status>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.reply.poll_response(cx)
    }
}

impl<R> fmt::Debug for ClientStreamingCall<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientStreamingCall").finish_non_exhaustive()
    }
}

impl<R> fmt::Debug for ClientStreamingFuture<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientStreamingFuture").finish_non_exhaustive()
    }
}

impl<R> fmt::Debug for ClientStreamingResponseFuture<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientStreamingResponseFuture").finish_non_exhaustive()
    }
}
