//! The application's tower layers between the calls and the call path, for calls on both roads.

use std::fmt;
use std::future::poll_fn;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};

use bytes::Bytes;
use tower_layer::Layer;
use tower_service::Service;

use super::service::{response, start};
use super::{Body, Status};
use crate::call::RequestMark;
use crate::channel::{Channel, Core};
use crate::connect::BoxFuture;

/// A boxed error, as tower has it.
type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What an answer of the layers comes to.
type Answer = Result<http::Response<Body>, Status>;

/// A channel, or layers over one, as a service that layers are put on. It keeps no channel alive: calls do.
#[derive(Clone)]
pub struct LayeredService(Arc<dyn Erased>);

impl LayeredService {
    /// The bottom: the call path itself.
    pub(crate) fn bottom(core: Weak<Core>) -> Self {
        Self(Arc::new(Bottom(core)))
    }

    /// This with a layer on top.
    pub(crate) fn with<L, B>(self, layer: &L) -> Self
    where
        L: Layer<Self>,
        L::Service:
            Service<http::Request<Body>, Response = http::Response<B>> + Clone + Send + Sync + 'static,
        <L::Service as Service<http::Request<Body>>>::Error: Into<BoxError>,
        <L::Service as Service<http::Request<Body>>>::Future: Send,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        Self(Arc::new(OnTop(layer.layer(self))))
    }

    /// Sends one request through.
    pub(crate) fn send(&self, request: http::Request<Body>) -> BoxFuture<'static, Answer> {
        self.0.send(request)
    }
}

impl Service<http::Request<Body>> for LayeredService {
    type Response = http::Response<Body>;
    type Error = Status;
    type Future = BoxFuture<'static, Answer>;

    /// Always ready: a call does its waiting in its own future.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        self.send(request)
    }
}

impl fmt::Debug for LayeredService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LayeredService").finish_non_exhaustive()
    }
}

trait Erased: Send + Sync {
    fn send(&self, request: http::Request<Body>) -> BoxFuture<'static, Answer>;
}

struct Bottom(Weak<Core>);

impl Erased for Bottom {
    fn send(&self, request: http::Request<Body>) -> BoxFuture<'static, Answer> {
        if let Some(mark) = request.extensions().get::<RequestMark>() {
            mark.set();
        }
        let Some(core) = self.0.upgrade() else {
            return Box::pin(async { Err(Status::unavailable("the channel below this layer is gone")) });
        };
        let max_message = core.settings().max_receive_message_size;
        let channel = Channel::from_core(core);
        let mut call = Box::new(start(&channel, request).directly_on(channel));
        Box::pin(async move {
            poll_fn(|cx| call.poll_begun(cx)).await?;
            Ok(response(call, None, max_message).map(Body::new))
        })
    }
}

struct OnTop<S>(S);

impl<S, B> Erased for OnTop<S>
where
    S: Service<http::Request<Body>, Response = http::Response<B>> + Clone + Send + Sync + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    fn send(&self, request: http::Request<Body>) -> BoxFuture<'static, Answer> {
        let mut service = self.0.clone();
        Box::pin(async move {
            let status = |error: S::Error| Status::from_error(error.into());
            poll_fn(|cx| service.poll_ready(cx)).await.map_err(status)?;
            Ok(service.call(request).await.map_err(status)?.map(Body::new))
        })
    }
}
