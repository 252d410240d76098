//! One message up, one message down.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use prost::Message;

use super::prepared::{Prepared, call_setters};
use super::single_reply::SingleReply;
use super::{IntoRequest, MethodDescriptor};
use crate::channel::Channel;
use crate::transport::Reply;
use crate::vocabulary::{Response, Status};

/// A unary call. `.await` sends it and gives the reply's message; [`response`](Self::response) gives its
/// metadata and [`CallReport`](crate::CallReport) too. Its deadline runs from its making.
///
/// What wants a future and not what becomes one (`tokio::spawn`, `join_all`) takes `call.into_future()`.
#[must_use = "a call is not sent until it is awaited"]
pub struct UnaryCall<R> {
    prepared: Prepared,
    reply: PhantomData<fn() -> R>,
}

impl<R: Message + Default> UnaryCall<R> {
    /// A call of `method` with that request. An error in the request (too long a message, reserved metadata)
    /// is the result of the call.
    pub fn new<M: Message>(
        channel: &Channel,
        method: &'static MethodDescriptor,
        request: impl IntoRequest<M>,
    ) -> Self {
        Self { prepared: Prepared::single(channel, method, request, Reply::Whole), reply: PhantomData }
    }

    call_setters!();

    /// The call's reply with its metadata; its extensions hold the [`CallReport`](crate::CallReport).
    ///
    /// # Errors
    /// The call's status, if it is not OK; its source is the [`CallReport`](crate::CallReport).
    pub fn response(self) -> UnaryResponseFuture<R> {
        UnaryResponseFuture { reply: SingleReply::new(self.prepared) }
    }
}

impl<R: Message + Default> IntoFuture for UnaryCall<R> {
    type Output = Result<R, Status>;
    type IntoFuture = UnaryFuture<R>;

    fn into_future(self) -> UnaryFuture<R> {
        UnaryFuture { reply: SingleReply::new(self.prepared) }
    }
}

/// A unary call that gives the reply's message. Dropping it cancels the call.
#[must_use = "futures do nothing unless polled"]
pub struct UnaryFuture<R> {
    reply: SingleReply<R>,
}

impl<R: Message + Default> Future for UnaryFuture<R> {
    type Output = Result<R, Status>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.reply.poll_message(cx)
    }
}

/// A unary call that gives the reply with its metadata. Dropping it cancels the call.
#[must_use = "futures do nothing unless polled"]
pub struct UnaryResponseFuture<R> {
    reply: SingleReply<R>,
}

impl<R: Message + Default> Future for UnaryResponseFuture<R> {
    type Output = Result<Response<R>, Status>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.reply.poll_response(cx)
    }
}

impl<R> fmt::Debug for UnaryCall<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnaryCall").finish_non_exhaustive()
    }
}

impl<R> fmt::Debug for UnaryFuture<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnaryFuture").finish_non_exhaustive()
    }
}

impl<R> fmt::Debug for UnaryResponseFuture<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnaryResponseFuture").finish_non_exhaustive()
    }
}
