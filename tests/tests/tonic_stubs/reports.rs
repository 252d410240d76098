//! What happened to a call: in the extensions of its response, and behind its status, through tonic's stub.

use std::error::Error;

use rstest::rstest;
use trunkline::Transport::{self, H2, Trunkline};
use trunkline::{CallReport, Code, Origin, Phase, Sent, StatusExt};
use trunkline_tests::{Answer, Network, TestGreeter};

use super::greeter::greeter_client::GreeterClient;
use super::{Here, hello, watch};

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_response_carries_its_report(#[values(H2, Trunkline)] engine: Transport) {
    let here = Here::new(engine);
    let response = here.client().say_hello(hello("Ada")).await.unwrap();
    let report = response.extensions().get::<CallReport>().expect("every response has one");
    assert_eq!(report.address().map(ToString::to_string).as_deref(), Some("a"));
    assert_eq!(report.sent(), Sent::Yes);

    let response = here.client().watch(watch(1)).await.unwrap();
    assert!(response.extensions().get::<CallReport>().is_some(), "streams have one too");
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_status_of_the_server_is_told_apart(#[values(H2, Trunkline)] engine: Transport) {
    let greeter = TestGreeter::new("a").answering(|_| Answer::error(Code::NotFound, "no such person"));
    let here = Here::with(engine, greeter);
    let status = here.client().say_hello(hello("Ada")).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::NotFound, "no such person"));
    let report = status.call_report().expect("every status has one");
    assert_eq!((report.origin(), report.sent()), (Origin::Server, Sent::Yes));
    assert_eq!(report.address().map(ToString::to_string).as_deref(), Some("a"));
}

#[tokio::test(start_paused = true)]
async fn a_status_made_here_has_its_cause_behind_it() {
    let channel = Network::new(Transport::default()).channel(&["nowhere"]).connect_lazy().unwrap();
    let status = GreeterClient::new(channel).say_hello(hello("Ada")).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    let report = status.call_report().expect("every status has one");
    assert_eq!((report.origin(), report.sent(), report.is_permanent()), (Origin::Channel, Sent::No, false));
    assert_eq!(report.cause().map(|cause| cause.phase()), Some(Phase::Connect));
    assert!(status.message().contains("nowhere"), "{status}");

    // By the means of the standard library, too: the report, and the error of the connection behind it.
    let source = status.source().and_then(|source| source.downcast_ref::<CallReport>());
    assert!(source.and_then(Error::source).is_some_and(|cause| cause.to_string().contains("refused")));
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_stream_that_breaks_has_a_report_behind_its_status(#[values(H2, Trunkline)] engine: Transport) {
    let here = Here::new(engine);
    let mut replies = here.client().watch(watch(0)).await.unwrap().into_inner();
    replies.message().await.unwrap();
    here.network.reset("a");
    let status = loop {
        match replies.message().await {
            Ok(reply) => assert!(reply.is_some(), "the server has no end"),
            Err(status) => break status,
        }
    };
    assert_eq!(status.code(), Code::Unavailable);
    let report = status.call_report().expect("every status has one");
    assert_eq!((report.origin(), report.sent()), (Origin::Channel, Sent::Yes));
}
