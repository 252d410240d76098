//! Tower layers of the application's, between its calls and the call path.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use tower_layer::layer_fn;
use tower_service::Service;

use super::{Answer, METHOD, Rig, framed};
use crate::connect::BoxFuture;
use crate::stub::{BidiStreamingCall, ServerStreamingCall, Streaming};
use crate::transport::Connection;
use crate::{Body, Code, LayeredService, Origin, Sent, Status, StatusExt};

/// What a layer does with a call before it hands it on.
#[derive(Clone)]
struct Seen<F> {
    below: LayeredService,
    see: F,
}

impl<F> Service<http::Request<Body>> for Seen<F>
where
    F: Fn(&mut http::Request<Body>) -> Result<bool, Status> + Clone,
{
    type Response = http::Response<Body>;
    type Error = Status;
    type Future = BoxFuture<'static, Result<http::Response<Body>, Status>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: http::Request<Body>) -> Self::Future {
        match (self.see)(&mut request) {
            Ok(true) => self.below.call(request),
            Ok(false) => Box::pin(std::future::pending()),
            Err(status) => Box::pin(async { Ok(status.into_http()) }),
        }
    }
}

/// A rig whose calls go to `connection` through a layer that does this.
fn layered<F>(connection: &Connection, see: F) -> Rig
where
    F: Fn(&mut http::Request<Body>) -> Result<bool, Status> + Clone + Send + Sync + 'static,
{
    let rig = Rig::with(|builder| builder.layer(layer_fn(move |below| Seen { below, see: see.clone() })));
    rig.publish_ready("a", connection);
    rig
}

#[tokio::test]
async fn the_first_layer_added_sees_a_call_first_and_each_may_change_it() {
    let (connection, mut server) = Connection::memory();
    let order = Arc::new(Mutex::new(Vec::new()));
    let named = |name: &'static str| {
        let order = Arc::clone(&order);
        layer_fn(move |below| {
            let order = Arc::clone(&order);
            let see = move |request: &mut http::Request<Body>| {
                order.lock().unwrap().push(format!("{name} {}", request.uri().path()));
                request.headers_mut().insert(name, HeaderValue::from_static("seen"));
                Ok(true)
            };
            Seen { below, see }
        })
    };
    let rig = Rig::with(|builder| builder.layer(named("outer")).layer(named("inner")));
    rig.publish_ready("a", &connection);
    let call = tokio::spawn(rig.say("hello").timeout(Duration::from_secs(5)).response());
    let mut request = server.accept().await;
    assert_eq!(request.body().await, framed("hello"));
    let headers = request.head.headers.as_ref().unwrap();
    assert_eq!((&headers["outer"], &headers["inner"]), (&"seen".parse().unwrap(), &"seen".parse().unwrap()));
    assert!(request.head.deadline.is_some(), "the deadline goes through the layers");
    request.reply("ok");
    let response = call.await.unwrap().unwrap();
    assert_eq!(response.get_ref(), "ok");
    assert!(response.extensions().get::<crate::CallReport>().is_some());
    assert_eq!(*order.lock().unwrap(), ["outer /test.Echo/Say", "inner /test.Echo/Say"]);
    assert_eq!(rig.in_flight(), 0);
}

#[tokio::test]
async fn a_layer_may_refuse_a_call() {
    let (connection, mut server) = Connection::memory();
    let rig = layered(&connection, |_| Err(Status::permission_denied("not today")));
    let status = rig.say("hello").await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::PermissionDenied, "not today"));
    assert!(server.try_accept().is_none());
    let report = status.call_report().unwrap();
    assert_eq!((report.origin(), report.sent()), (Origin::Channel, Sent::No), "{report}");
    assert!(report.to_string().contains("a layer of the channel answered PERMISSION_DENIED"), "{report}");
}

#[tokio::test]
async fn what_a_layer_ends_says_how_far_the_request_had_come() {
    fn refused() -> Result<http::Response<Body>, Status> {
        Err(Status::aborted("no"))
    }
    fn not_grpc() -> Result<http::Response<Body>, Status> {
        Ok(http::Response::builder().status(503).body(Body::empty()).unwrap())
    }
    for (answer, code) in [(refused as fn() -> _, Code::Aborted), (not_grpc, Code::Unavailable)] {
        let rig = Rig::with(|builder| builder.layer(layer_fn(move |_below| Answers(answer))));
        let status = rig.say("hello").await.unwrap_err();
        assert_eq!(status.code(), code);
        let report = status.call_report().unwrap();
        assert_eq!((report.origin(), report.sent()), (Origin::Channel, Sent::No), "{report}");
    }

    /// Answers by itself when the server has.
    #[derive(Clone)]
    struct Afterwards {
        below: LayeredService,
        /// Another body goes out in the place of the call's.
        is_exchanged: bool,
    }
    impl Service<http::Request<Body>> for Afterwards {
        type Response = http::Response<Body>;
        type Error = Status;
        type Future = BoxFuture<'static, Result<http::Response<Body>, Status>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, request: http::Request<Body>) -> Self::Future {
            let (head, body) = request.into_parts();
            let body = if self.is_exchanged { Body::empty() } else { body };
            let below = self.below.call(http::Request::from_parts(head, body));
            Box::pin(async { below.await.and(Ok(Status::data_loss("not good enough").into_http())) })
        }
    }
    for is_exchanged in [false, true] {
        let (connection, mut server) = Connection::memory();
        let layer = move |below| Afterwards { below, is_exchanged };
        let rig = Rig::with(|builder| builder.layer(layer_fn(layer)));
        rig.publish_ready("a", &connection);
        let call = tokio::spawn(rig.say("hello").into_future());
        server.accept().await.reply("ok");
        let status = call.await.unwrap().unwrap_err();
        let report = status.call_report().unwrap();
        assert_eq!((report.origin(), report.sent()), (Origin::Channel, Sent::Maybe), "{report}");
    }
}

#[tokio::test]
async fn a_layer_that_answers_and_lets_the_request_go_on_elsewhere_does_not_say_that_it_was_not_sent() {
    let kept = Arc::new(Mutex::new(None));
    let keep = Arc::clone(&kept);
    let (connection, _server) = Connection::memory();
    let rig = layered(&connection, move |request| {
        *keep.lock().unwrap() = Some(std::mem::replace(request, http::Request::new(Body::empty())));
        Err(Status::aborted("later"))
    });
    let status = rig.say("hello").await.unwrap_err();
    assert_eq!(status.call_report().unwrap().sent(), Sent::Maybe);
    assert!(kept.lock().unwrap().is_some());
}

#[tokio::test]
async fn layers_see_what_goes_out_on_the_wire_on_both_roads() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let see = Arc::clone(&seen);
    let (connection, _server) = Connection::memory();
    let mut rig = layered(&connection, move |request| {
        let header = |name: &str| request.headers()[name].to_str().unwrap().to_owned();
        let line = format!("{} {} {:?}", request.method(), request.uri().path(), request.version());
        see.lock().unwrap().push((line, header("content-type"), header("te")));
        Err(Status::aborted("seen"))
    });
    rig.say("hello").await.unwrap_err();
    let request = http::Request::post("http://anything/test.Echo/Say").body(Body::empty()).unwrap();
    let response = rig.channel.call(request).await;
    assert_eq!(response.unwrap_err().code(), Code::Aborted);
    let line = "POST /test.Echo/Say HTTP/2.0".to_owned();
    let expected = (line, "application/grpc".to_owned(), "trailers".to_owned());
    assert_eq!(*seen.lock().unwrap(), [expected.clone(), expected]);
}

#[tokio::test(start_paused = true)]
async fn the_deadline_covers_the_layers() {
    let (connection, _server) = Connection::memory();
    let rig = layered(&connection, |_| Ok(false));
    let status = rig.say("hello").timeout(Duration::from_millis(100)).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert!(status.message().contains("layers"), "{status}");
}

#[tokio::test]
async fn streams_and_errors_of_the_server_come_through() {
    let (connection, mut server) = Connection::memory();
    let rig = layered(&connection, |_| Ok(true));
    let call = ServerStreamingCall::<String>::new::<String>(&rig.channel, &METHOD, "x".to_owned());
    let mut replies = call.await.unwrap();
    let request = server.accept().await;
    request.headers();
    request.say("one");
    assert_eq!(replies.message().await.unwrap().as_deref(), Some("one"));
    request.status("5", "no more");
    let status = replies.message().await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::NotFound, "no more"));
    assert_eq!(status.call_report().unwrap().origin(), Origin::Server);
    assert_eq!(replies.message().await.unwrap(), None);

    let words = tokio_stream::iter(["one".to_owned(), "two".to_owned()]);
    let mut replies = BidiStreamingCall::<String>::new(&rig.channel, &METHOD, words).await.unwrap();
    let mut request = server.accept().await;
    assert_eq!(request.body().await, [framed("one"), framed("two")].concat());
    request.reply("heard");
    assert_eq!(replies.message().await.unwrap().as_deref(), Some("heard"));
    assert_eq!(replies.message().await.unwrap(), None);
    assert!(replies.trailers().is_some());
}

#[tokio::test]
async fn a_call_that_is_dropped_is_cancelled_through_the_layers() {
    let (connection, mut server) = Connection::memory();
    let rig = layered(&connection, |_| Ok(true));
    let call = tokio::spawn(rig.say("hello").into_future());
    let mut request = server.accept().await;
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    assert!(request.was_reset().await);
}

#[tokio::test]
async fn layers_keep_no_channel_alive() {
    let (connection, _server) = Connection::memory();
    let rig = layered(&connection, |_| Ok(true));
    let core = Arc::downgrade(rig.channel.core());
    drop(rig);
    assert!(core.upgrade().is_none());
}

/// Trailers, and nothing before them.
struct TrailersAlone(Option<HeaderMap>);

impl http_body::Body for TrailersAlone {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Status>>> {
        Poll::Ready(self.0.take().map(|trailers| Ok(http_body::Frame::trailers(trailers))))
    }
}

/// A layer that answers by itself.
#[derive(Clone)]
struct Answers(fn() -> Result<http::Response<Body>, Status>);

impl Service<http::Request<Body>> for Answers {
    type Response = http::Response<Body>;
    type Error = Status;
    type Future = BoxFuture<'static, Result<http::Response<Body>, Status>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: http::Request<Body>) -> Self::Future {
        let answer = self.0;
        Box::pin(async move { answer() })
    }
}

/// The replies to a call that such a layer answers.
async fn answered(answer: fn() -> Result<http::Response<Body>, Status>) -> Streaming<String> {
    let rig = Rig::with(|builder| builder.layer(layer_fn(move |_below| Answers(answer))));
    ServerStreamingCall::<String>::new::<String>(&rig.channel, &METHOD, "x".to_owned()).await.unwrap()
}

#[tokio::test]
async fn a_status_that_a_layer_says_in_the_head_holds_beside_trailers_that_say_none() {
    let mut replies = answered(|| {
        let mut trailers = HeaderMap::new();
        trailers.insert("x-trailer", HeaderValue::from_static("here"));
        let mut response = http::Response::new(Body::new(TrailersAlone(Some(trailers))));
        response.headers_mut().insert("grpc-status", HeaderValue::from_static("0"));
        Ok(response)
    })
    .await;
    assert_eq!(replies.message().await.unwrap(), None);
    assert_eq!(replies.trailers().unwrap().get("x-trailer").unwrap(), "here");
}

#[tokio::test]
async fn a_layer_that_panics_is_not_taken_for_a_runtime_that_has_stopped() {
    let chat = async {
        let rig =
            Rig::with(|builder| builder.layer(layer_fn(|_below| Answers(|| panic!("the application's")))));
        BidiStreamingCall::<String>::new(&rig.channel, &METHOD, tokio_stream::pending::<String>()).await
    };
    let status = chat.await.unwrap().message().await.unwrap_err();
    assert_eq!(status.code(), Code::Internal, "{status}");
    assert!(status.message().contains("has panicked"), "{status}");
}
