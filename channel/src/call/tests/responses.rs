//! What servers answer, right and wrong.

use std::future::{Future as _, IntoFuture as _};
use std::pin::pin;
use std::task::Poll;

use http::{HeaderMap, HeaderValue, StatusCode};

use super::{Answer, Rig, framed, grpc_headers};
use crate::stub::ClientStreamingCall;
use crate::transport::{Connection, MemoryRequest, StreamError, StreamViolation};
use crate::{Channel, Code, Origin, Response, Sent, Status, StatusExt};

/// A call whose server does what `answer` says.
async fn answered(answer: impl FnOnce(&MemoryRequest)) -> Result<Response<String>, Status> {
    answered_on(&Rig::new(), answer).await
}

async fn answered_on(rig: &Rig, answer: impl FnOnce(&MemoryRequest)) -> Result<Response<String>, Status> {
    let (connection, mut server) = Connection::memory();
    rig.publish_ready("a", &connection);
    let call = tokio::spawn(rig.say("hello").response());
    let request = server.accept().await;
    answer(&request);
    let result = call.await.unwrap();
    assert_eq!(server.streams(), 0, "whatever was answered, the stream is over");
    result
}

fn header(name: &'static str, value: &'static str) -> HeaderMap {
    let mut headers = grpc_headers();
    headers.insert(name, HeaderValue::from_static(value));
    headers
}

#[tokio::test]
async fn a_reply_has_headers_trailers_and_a_report() {
    let response = answered(|request| {
        request.send_head(header("early", "1"));
        request.say("hi");
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static("0"));
        trailers.insert("late", HeaderValue::from_static("2"));
        request.send_trailers(trailers);
    });
    let response = response.await.unwrap();
    assert_eq!(response.get_ref(), "hi");
    assert_eq!(response.metadata().get("early").unwrap(), "1");
    assert_eq!(response.metadata().get("late").unwrap(), "2");
    let report = response.extensions().get::<crate::CallReport>().unwrap();
    assert_eq!(report.origin(), Origin::Server);
}

// behaviour 95
#[tokio::test]
async fn none_or_two_messages_are_no_reply() {
    let none = answered(|request| {
        request.headers();
        request.ok();
    });
    assert_eq!(none.await.unwrap_err().code(), Code::Internal);
    let two = answered(|request| {
        request.headers();
        request.send_data([framed("one"), framed("two")].concat());
        request.ok();
    });
    let status = two.await.unwrap_err();
    assert_eq!(status.code(), Code::Internal);
    assert!(status.message().contains("more than one message"), "{status}");
    let trailers_only =
        answered(|request| request.send_head_only(StatusCode::OK, header("grpc-status", "0")));
    assert_eq!(trailers_only.await.unwrap_err().code(), Code::Internal);
}

#[tokio::test]
async fn a_status_of_the_server_is_told_apart_from_one_made_here() {
    let status = answered(|request| {
        request.headers();
        request.status("5", "no such person");
    });
    let status = status.await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::NotFound, "no such person"));
    assert_eq!(status.call_report().unwrap().origin(), Origin::Server);
    let status = answered(|request| request.fail(StreamError::Reset(2))).await.unwrap_err();
    assert_eq!(status.call_report().unwrap().origin(), Origin::Channel);
}

#[tokio::test]
async fn malformed_details_never_panic_and_keep_the_status() {
    let status = answered(|request| {
        let mut headers = header("grpc-status", "13");
        headers.insert("grpc-status-details-bin", HeaderValue::from_static("!!!not base64!!!"));
        headers.insert("x-kept", HeaderValue::from_static("yes"));
        request.send_head_only(StatusCode::OK, headers);
    });
    let status = status.await.unwrap_err();
    assert_eq!(status.code(), Code::Internal);
    assert!(status.details().is_empty());
    assert_eq!(status.metadata().get("x-kept").unwrap(), "yes");
}

// behaviour 92
#[tokio::test]
async fn a_proxys_page_becomes_a_status_with_its_first_bytes() {
    let status = answered(|request| {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("text/html"));
        request.send_head(headers);
        request.send_data("<h1>It works!</h1>");
        request.end();
    });
    let status = status.await.unwrap_err();
    assert_eq!(status.code(), Code::Unknown);
    assert!(status.message().contains("It works!"), "{status}");
    assert_eq!(status.call_report().unwrap().sent(), Sent::Yes);
}

#[tokio::test]
async fn a_proxys_page_is_read_to_its_end_while_the_request_is_open() {
    let (connection, mut server) = Connection::memory();
    let rig = Rig::connected(&connection);
    let (say, said) = tokio::sync::mpsc::channel(1);
    let requests = tokio_stream::wrappers::ReceiverStream::new(said);
    let call = ClientStreamingCall::<String>::new(&rig.channel, &super::METHOD, requests);
    let call = tokio::spawn(call.into_future());
    say.send("one".to_owned()).await.unwrap();
    let mut request = server.accept().await;
    assert_eq!(request.chunk().await.unwrap(), framed("one"));
    request.send_head(header("content-type", "text/html"));
    tokio::task::yield_now().await;
    let is_untouched =
        std::future::poll_fn(|cx| Poll::Ready(pin!(request.chunk()).as_mut().poll(cx).is_pending())).await;
    assert!(is_untouched, "the stream is not reset before its page was read");
    request.send_data("<h1>It works!</h1>");
    request.end();
    let status = call.await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::Unknown);
    assert!(status.message().contains("It works!"), "{status}");
    assert!(request.was_reset().await, "nobody wants the rest of the request");
}

#[tokio::test]
async fn an_end_without_a_status_is_unknown_and_an_end_within_a_message_internal() {
    let status = answered(|request| {
        request.headers();
        request.say("hi");
        request.end();
    });
    assert_eq!(status.await.unwrap_err().code(), Code::Unknown);
    let status = answered(|request| {
        request.headers();
        request.send_data(framed("hi")[..4].to_vec());
        request.ok();
    });
    assert_eq!(status.await.unwrap_err().code(), Code::Internal);
}

// behaviour 90
#[tokio::test]
async fn too_long_a_reply_is_refused_when_its_prefix_is_read() {
    let rig = Rig::with(|builder| builder.max_receive_message_size(16));
    let status = answered_on(&rig, |request| {
        request.headers();
        request.send_data(framed(&"x".repeat(100))[..10].to_vec());
    });
    let status = status.await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert!(status.message().contains("limit is 16 bytes"), "{status}");
}

// behaviour 91
#[tokio::test]
async fn headers_above_the_limit_fail_their_call() {
    let violation = StreamViolation::HeadersTooLarge { limit: 65_536 };
    let status = answered(|request| request.fail(StreamError::Violation(violation))).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
}

#[tokio::test]
async fn a_reply_that_cannot_be_decoded_is_internal() {
    let status = answered(|request| {
        request.headers();
        request.send_data(b"\0\0\0\0\x02\xff\xff".to_vec());
        request.ok();
    });
    assert_eq!(status.await.unwrap_err().code(), Code::Internal);
}

#[tokio::test]
async fn both_roads_say_the_same_of_a_foreign_page() {
    use http_body::Body as _;
    use tower_service::Service;
    let (connection, mut server) = Connection::memory();
    let rig = Rig::connected(&connection);
    let mut channel: Channel = rig.channel.clone();
    let request = http::Request::post("/test.Echo/Say").body(crate::vocabulary::Body::empty()).unwrap();
    let call = tokio::spawn(channel.call(request));
    let request = server.accept().await;
    assert_eq!(request.head.path.as_str(), "/test.Echo/Say");
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("text/html"));
    request.send_head_only(StatusCode::BAD_GATEWAY, headers);
    let status = call.await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(crate::ResponseBody::default().is_end_stream());
}

#[tokio::test]
async fn a_response_through_the_service_has_its_report_and_nothing_of_its_request() {
    use tower_service::Service;
    let (connection, mut server) = Connection::memory();
    let rig = Rig::connected(&connection);
    let mut channel: Channel = rig.channel.clone();
    let request = http::Request::post("/test.Echo/Say").header("x-token", "canary").extension(7_u32);
    let call = tokio::spawn(channel.call(request.body(crate::vocabulary::Body::empty()).unwrap()));
    let request = server.accept().await;
    request.headers();
    let response = call.await.unwrap().unwrap();
    assert_eq!(response.headers(), &grpc_headers());
    assert!(response.extensions().get::<crate::CallReport>().is_some());
    assert_eq!(response.extensions().len(), 1);
}
