//! Metadata holds tokens: nothing that Trunkline prints ever holds metadata.

use std::fmt::Debug;

use rstest::rstest;
use tracing::Level;
use trunkline::Transport::{self, H2, Trunkline};
use trunkline::metadata::MetadataValue;
use trunkline::{Channel, Request, Status, StatusExt};
use trunkline_tests::greeter::HelloRequest;
use trunkline_tests::{Answer, LogCapture, LoopbackServer, MemoryServer, Network, TestGreeter, ms};

use crate::asking::{greet, greeter, hello, loopback};

/// What must never be seen.
const CANARY: &str = "canary-4b6f70c1";

/// Somebody to greet, with a token.
fn with_token(name: &str) -> Request<HelloRequest> {
    let mut request = Request::new(hello(name));
    request.metadata_mut().insert("authorization", format!("Bearer {CANARY}").parse().unwrap());
    request.metadata_mut().insert("x-api-key", CANARY.parse().unwrap());
    request.metadata_mut().insert_bin("x-key-bin", MetadataValue::from_bytes(CANARY.as_bytes()));
    request
}

#[track_caller]
fn assert_silent(what: &str, text: &str) {
    assert!(!text.contains(CANARY), "{what} tells the token: {text}");
}

#[track_caller]
fn assert_debug_silent(what: impl Debug) {
    assert_silent("Debug", &format!("{what:?} {what:#?}"));
}

fn assert_status_silent(status: &Status) {
    assert_silent("a status", &format!("{status} {}", status.message()));
    let mut error: Option<&dyn std::error::Error> = Some(status);
    while let Some(source) = error {
        assert_silent("a source of a status", &format!("{source} {source:?}"));
        error = source.source();
    }
    let report = status.call_report().expect("a status of a channel has a report");
    assert_silent("a report", &format!("{report} {report:?} {:?}", report.causes()));
}

/// Calls of every shape, with every end; all that is there to be printed of them is printed.
async fn call_in_every_way(channel: &Channel) {
    let client = greeter(channel);
    assert_debug_silent((&client, channel));

    let call = client.say_hello(with_token("you"));
    assert_debug_silent(&call);
    let future = call.into_future();
    assert_debug_silent(&future);
    let _ = future.await;
    if let Ok(response) = client.say_hello(with_token("you")).response().await {
        assert_debug_silent(response.extensions());
    }

    let statuses = [
        client.say_hello(with_token("denied")).await.err(),
        client.say_hello(with_token("slow")).timeout(ms(30)).await.err(),
        client.say_hello(with_token("you")).timeout(ms(0)).await.err(),
    ];
    statuses.iter().flatten().for_each(assert_status_silent);

    // A name that is reserved is refused, without its value.
    let mut reserved = Request::new(hello("you"));
    reserved.metadata_mut().insert("grpc-status", CANARY.parse().unwrap());
    assert_status_silent(&client.say_hello(reserved).await.expect_err("a reserved name"));

    let requests = || tokio_stream::iter([hello("Ada"), hello("Grace")]);
    let mut upload = Request::new(requests());
    upload.metadata_mut().insert("x-api-key", CANARY.parse().unwrap());
    let call = client.record(upload);
    assert_debug_silent(&call);
    let _ = call.await;
    let mut conversation = Request::new(requests());
    conversation.metadata_mut().insert("x-api-key", CANARY.parse().unwrap());
    let call = client.chat(conversation);
    assert_debug_silent(&call);
    if let Ok(mut replies) = call.await {
        assert_debug_silent(&replies);
        while let Ok(Some(_)) = replies.message().await {}
        assert_debug_silent(&replies);
    }
}

fn greeter_of_all_kinds() -> TestGreeter {
    TestGreeter::new("a").answering(|name| match name {
        "denied" => Answer::error(tonic::Code::PermissionDenied, "no"),
        "slow" => Answer::after(ms(10_000)),
        _ => Answer::default(),
    })
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn no_token_is_ever_logged_or_printed(#[values(H2, Trunkline)] engine: Transport) {
    let log = LogCapture::start(Level::TRACE);
    let network = Network::new(engine);
    let channel = network.channel(&["a"]).connect_lazy().unwrap();
    call_in_every_way(&channel).await;
    let server_side = greeter_of_all_kinds();
    let server = MemoryServer::start(&network, "a", &server_side);
    channel.reset_backoff();
    channel.ready(ms(10_000)).await.unwrap();
    call_in_every_way(&channel).await;
    server.kill();
    call_in_every_way(&channel).await;
    let heard = server_side.heard();
    assert!(heard.iter().any(|call| call.metadata.contains_key("authorization")), "the token did go out");
    log.records().iter().for_each(|record| assert_silent("the log", record));
    assert!(!log.records().is_empty());
}

// All that the process logs on this thread, the HTTP/2 engine and the resolver included.
#[rstest]
#[tokio::test]
async fn over_sockets_no_token_is_ever_logged_or_printed(#[values(H2, Trunkline)] engine: Transport) {
    let log = LogCapture::start(Level::TRACE);
    let server = LoopbackServer::start(&greeter_of_all_kinds());
    let channel = loopback(engine, &[server.address()]).connect_lazy().unwrap();
    greet(&channel).await.unwrap();
    call_in_every_way(&channel).await;
    server.kill();
    call_in_every_way(&channel).await;
    assert_silent("the log", &log.text());
    assert!(!log.text().is_empty());
}
