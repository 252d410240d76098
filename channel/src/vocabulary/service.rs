//! `Channel` as a `tower::Service` on `http::Request`: an adapter onto the same call path, so that stubs
//! which tonic generates, and layers, run on it unchanged.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::uri::PathAndQuery;
use tower_service::Service;

use super::body::WholeBody;
use super::{Body, ResponseBody, Status};
use crate::call::{Attached, Call, CallStart, Source, Upload};
use crate::channel::Channel;
use crate::transport::Reply;

/// A boxed error, as bodies have it.
type BoxError = Box<dyn std::error::Error + Send + Sync>;

impl<B> Service<http::Request<B>> for Channel
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = http::Response<ResponseBody>;
    type Error = Status;
    type Future = CallFuture;

    /// Always ready: a call does all its waiting in its own future, under its own deadline.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    /// The future sends nothing until it is polled. Dropping it cancels the call.
    fn call(&mut self, request: http::Request<B>) -> CallFuture {
        let start = start(self, request);
        CallFuture {
            max_message: self.core().settings().max_receive_message_size,
            call: Some(Box::new(start.on(self.clone()))),
        }
    }
}

/// Takes a request apart into a call.
pub(super) fn start<B>(channel: &Channel, request: http::Request<B>) -> CallStart
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let (parts, body) = request.into_parts();
    let path = match parts.uri.into_parts().path_and_query {
        Some(path) => path,
        None => PathAndQuery::from_static("/"),
    };
    let limit = channel.core().settings().max_send_message_size;
    let upload = Upload::streaming(Source::body(Body::new(body), limit));
    // Whether the method has one reply or many is not known here.
    CallStart::new(path.into(), Attached::some(parts.headers, parts.extensions), Reply::Stream, Ok(upload))
}

/// The head of a response, with its body behind it: `whole`, if all of it is known.
pub(super) fn response(
    mut call: Box<Call>,
    whole: Option<WholeBody>,
    max_message: usize,
) -> http::Response<ResponseBody> {
    let room = call.take_attached().map(|attached| attached.emptied()).unwrap_or_default();
    let Attached { headers, mut extensions } = room;
    let headers = match call.take_headers() {
        Some(received) => super::metadata_in(headers, received),
        None => headers,
    };
    extensions.insert(call.report());
    let body = match whole {
        Some(whole) => ResponseBody::whole(whole),
        None => ResponseBody::reading(call, max_message),
    };
    let mut response = http::Response::new(body);
    *response.headers_mut() = headers;
    *response.extensions_mut() = extensions;
    response
}

/// The future of one call made through the `tower::Service`: the head of its response, or its status.
#[must_use = "futures do nothing unless polled"]
pub struct CallFuture {
    call: Option<Box<Call>>,
    max_message: usize,
}

impl Future for CallFuture {
    type Output = Result<http::Response<ResponseBody>, Status>;

    /// # Panics
    /// If polled again after it was ready.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let max_message = self.max_message;
        let call = self.call.as_mut().expect("a future is not polled after it was ready");
        // Most responses are here when their head is.
        let begun = match WholeBody::take(call, max_message) {
            Some(whole) => Ok(Some(whole)),
            None => ready!(call.poll_begun(cx)).map(|()| None),
        };
        let call = self.call.take().expect("it was there just above");
        Poll::Ready(begun.map(|whole| response(call, whole, max_message)))
    }
}

impl fmt::Debug for CallFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallFuture").finish_non_exhaustive()
    }
}
