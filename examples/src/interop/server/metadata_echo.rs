//! Sends two entries of a request's metadata back. It is around the service, since tonic lets no unary method
//! write trailers.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::{HeaderName, HeaderValue};
use http_body::Frame;
use http_body_util::BodyExt;
use tonic::body::Body;
use tonic::server::NamedService;
use tower_service::Service;

/// Comes back at the begin of the response.
pub(crate) const ECHO_INITIAL: &str = "x-grpc-test-echo-initial";
/// Comes back at its end.
pub(crate) const ECHO_TRAILING: &str = "x-grpc-test-echo-trailing-bin";

/// A service that echoes metadata.
#[derive(Clone, Debug)]
pub(super) struct MetadataEcho<S>(pub(super) S);

impl<S: NamedService> NamedService for MetadataEcho<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> Service<http::Request<Body>> for MetadataEcho<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<http::Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let initial = request.headers().get(ECHO_INITIAL).cloned();
        let trailing = request.headers().get(ECHO_TRAILING).cloned();
        let response = self.0.call(request);
        Box::pin(async move {
            let mut response = response.await?;
            if let Some(value) = initial {
                response.headers_mut().insert(HeaderName::from_static(ECHO_INITIAL), value);
            }
            Ok(match trailing {
                Some(value) => response.map(|body| with_trailer(body, value)),
                None => response,
            })
        })
    }
}

fn with_trailer(body: Body, value: HeaderValue) -> Body {
    Body::new(body.map_frame(move |frame| match frame.into_trailers() {
        Ok(mut trailers) => {
            trailers.insert(HeaderName::from_static(ECHO_TRAILING), value.clone());
            Frame::trailers(trailers)
        }
        Err(frame) => frame,
    }))
}
