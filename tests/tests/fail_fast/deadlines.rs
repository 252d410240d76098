//! One deadline per call, from the moment the method is called, whatever the call is doing when it passes.

use std::iter::repeat;
use std::time::Duration;

use rstest::rstest;
use tokio::time::sleep;
use tokio_stream::iter;
use trunkline::Transport::{self, H2, Trunkline};
use trunkline::balancer::choosing;
use trunkline::{CallReport, Channel, Code, FailFast, Request, RequestExt, Sent, Status, StatusExt};
use trunkline_proto::timeout;
use trunkline_tests::greeter::greeter_client::GreeterClient;
use trunkline_tests::greeter::{HelloRequest, WatchRequest};
use trunkline_tests::script::{self, Code as ErrorCode, Peer, Setting};
use trunkline_tests::{Incoming, TestGreeter};

use crate::lab::{Lab, Speaks, call, hello, here, secs, timed};
use crate::peers::greets;

/// RST_STREAM's CANCEL.
const CANCEL: u32 = ErrorCode::Cancel as u32;

/// A channel to a server that does what the test does.
fn scripted(lab: &Lab) -> (Channel, Incoming) {
    lab.resolve(&[&here()]);
    let incoming = lab.network.listen(&here().to_string());
    (lab.channel(Speaks::Plaintext).connect_lazy().unwrap(), incoming)
}

/// What the server was told of a call's deadline.
fn told(request: &script::Request) -> Option<Duration> {
    let header = request.headers.get("grpc-timeout")?;
    Some(timeout::parse(&header.parse().unwrap()).unwrap())
}

/// A status of a call that had 5 s and used them up, `doing` this last.
#[track_caller]
fn assert_expired(status: &Status, took: Duration, doing: &str, sent: Sent) -> CallReport {
    assert_eq!((status.code(), took), (Code::DeadlineExceeded, secs(5)), "{status}");
    let report = status.call_report().expect("every failed call has a report");
    assert_eq!((report.sent(), report.total_time()), (sent, secs(5)), "{status}");
    let said = format!("deadline of 5s exceeded while {doing}");
    assert!(status.message().contains(&said), "{status}");
    report.clone()
}

// behaviours 1, 64
#[tokio::test(start_paused = true)]
async fn it_passes_while_resolving() {
    let lab = Lab::new(Transport::default());
    let channel = lab.channel(Speaks::Plaintext).connect_lazy().unwrap();
    let (answer, took) = timed(call(&channel, secs(5))).await;
    let report = assert_expired(&answer.unwrap_err(), took, "waiting for a connection", Sent::No);
    assert_eq!(report.connecting_time(), secs(5));
    assert!(report.causes().is_empty(), "nothing has failed");
}

// behaviour 64
#[tokio::test(start_paused = true)]
async fn it_passes_while_connecting() {
    let lab = Lab::new(Transport::default());
    lab.resolve(&[&here()]);
    lab.network.black_hole(&here().to_string());
    let channel = lab.channel(Speaks::Plaintext).connect_lazy().unwrap();
    let (answer, took) = timed(call(&channel, secs(5))).await;
    let report = assert_expired(&answer.unwrap_err(), took, "waiting for a connection", Sent::No);
    assert_eq!(report.connecting_time(), secs(5));
}

// behaviour 64
#[tokio::test(start_paused = true)]
async fn it_passes_while_no_server_is_picked() {
    let lab = Lab::new(Transport::default());
    lab.mend(&here(), Speaks::Plaintext);
    lab.resolve(&[&here()]);
    let nobody = choosing("nobody", |_, _| None);
    let channel = lab.channel(Speaks::Plaintext).balancer(nobody).connect_lazy().unwrap();
    channel.ready(secs(1)).await.unwrap();
    let (answer, took) = timed(call(&channel, secs(5))).await;
    assert_expired(&answer.unwrap_err(), took, "waiting for a connection", Sent::No);
    assert_eq!(lab.greeter.started(), 0);
}

// behaviour 64
#[rstest]
#[tokio::test(start_paused = true)]
async fn it_passes_in_the_queue_of_a_full_connection(#[values(H2, Trunkline)] engine: Transport) {
    let lab = Lab::new(engine);
    let (channel, mut incoming) = scripted(&lab);
    let first = channel.clone();
    let first = tokio::spawn(async move { call(&first, secs(60)).await });
    let mut peer = Peer::new(incoming.accept().await);
    peer.greet(&[(Setting::MAX_CONCURRENT_STREAMS, 1)]).await;
    let request = peer.request().await;
    let (answer, took) = timed(call(&channel, secs(5))).await;
    let report = assert_expired(&answer.unwrap_err(), took, "queued for a stream", Sent::No);
    assert_eq!((report.queued_time(), report.address()), (secs(5), Some(&here())));
    // Who gave up has left the queue.
    peer.respond(request.stream, b"", "0").await;
    first.await.unwrap().unwrap();
    let next = tokio::spawn(async move { call(&channel, secs(60)).await });
    let request = peer.request().await;
    assert_eq!(request.stream, 3);
    peer.respond(request.stream, b"", "0").await;
    next.await.unwrap().unwrap();
}

// behaviour 64
#[rstest]
#[tokio::test(start_paused = true)]
async fn it_passes_while_sending(#[values(H2, Trunkline)] engine: Transport) {
    let lab = Lab::new(engine);
    let (channel, mut incoming) = scripted(&lab);
    let calling = tokio::spawn(async move {
        let people = iter(repeat(HelloRequest { name: "x".repeat(1 << 14) }));
        timed(GreeterClient::new(channel).record(people).timeout(secs(5)).into_future()).await
    });
    let mut peer = Peer::new(incoming.accept().await);
    peer.give_window(false);
    peer.greet(&[]).await;
    let request = peer.request().await;
    let (answer, took) = calling.await.unwrap();
    assert_expired(&answer.unwrap_err(), took, "sending the request", Sent::Maybe);
    assert_eq!(peer.reset_of(request.stream).await, CANCEL);
}

// behaviour 64
#[rstest]
#[tokio::test(start_paused = true)]
async fn it_passes_while_waiting_for_the_response(#[values(H2, Trunkline)] engine: Transport) {
    let lab = Lab::new(engine);
    let (channel, mut incoming) = scripted(&lab);
    let calling = tokio::spawn(async move { timed(call(&channel, secs(5))).await });
    let mut peer = Peer::new(incoming.accept().await);
    peer.greet(&[]).await;
    let request = peer.request().await;
    assert_eq!(told(&request), Some(secs(5)));
    let (answer, took) = calling.await.unwrap();
    assert_expired(&answer.unwrap_err(), took, "waiting for the response", Sent::Maybe);
    assert_eq!(peer.reset_of(request.stream).await, CANCEL);
}

// behaviour 64
#[rstest]
#[tokio::test(start_paused = true)]
async fn it_passes_while_reading_a_reply_of_which_only_the_head_has_come(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let lab = Lab::new(engine);
    let (channel, mut incoming) = scripted(&lab);
    let calling = tokio::spawn(async move { timed(call(&channel, secs(5))).await });
    let mut peer = Peer::new(incoming.accept().await);
    peer.greet(&[]).await;
    let request = peer.request().await;
    peer.head(request.stream, &[]).await;
    let (answer, took) = calling.await.unwrap();
    assert_expired(&answer.unwrap_err(), took, "reading the response", Sent::Yes);
    assert_eq!(peer.reset_of(request.stream).await, CANCEL);
}

// behaviour 64
#[rstest]
#[tokio::test(start_paused = true)]
async fn it_passes_while_reading_an_error_page_that_never_ends(#[values(H2, Trunkline)] engine: Transport) {
    let lab = Lab::new(engine);
    let (channel, mut incoming) = scripted(&lab);
    let calling = tokio::spawn(async move { timed(call(&channel, secs(5))).await });
    let mut peer = Peer::new(incoming.accept().await);
    peer.greet(&[]).await;
    let request = peer.request().await;
    let page = [script::literal(":status", "502"), script::literal("content-type", "text/html")];
    peer.headers(request.stream, page.concat(), false).await;
    let (answer, took) = calling.await.unwrap();
    assert_expired(&answer.unwrap_err(), took, "reading a response that is not gRPC", Sent::Yes);
    assert_eq!(peer.reset_of(request.stream).await, CANCEL);
}

// behaviour 64
#[rstest]
#[tokio::test(start_paused = true)]
async fn it_passes_in_the_middle_of_a_stream_of_replies(#[values(H2, Trunkline)] engine: Transport) {
    let lab = Lab::new(engine);
    let greeter = TestGreeter::new("slow");
    lab.serve(&here().to_string(), greets(&greeter));
    lab.resolve(&[&here()]);
    let greeter_client = GreeterClient::new(lab.channel(Speaks::Plaintext).connect_lazy().unwrap());
    let watch = WatchRequest { name: "you".to_owned(), count: 0, interval_ms: 2000 };
    let reading = async {
        let mut replies = greeter_client.watch(watch).timeout(secs(5)).await.unwrap();
        for _ in 0..3 {
            replies.message().await.unwrap().unwrap();
        }
        replies.message().await
    };
    // Greetings come after 0, 2 and 4 s.
    let (answer, took) = timed(reading).await;
    assert_expired(&answer.unwrap_err(), took, "reading the response", Sent::Yes);
    sleep(secs(1)).await;
    assert_eq!((greeter.started(), greeter.in_flight()), (1, 0), "the server has heard of it");
}

// behaviour 64
#[rstest]
#[tokio::test(start_paused = true)]
async fn what_is_left_of_it_goes_to_the_server_with_each_attempt(#[values(H2, Trunkline)] engine: Transport) {
    let lab = Lab::new(engine);
    let mut incoming = lab.network.listen(&here().to_string());
    lab.network.delay(&here().to_string(), secs(3));
    let channel = lab.channel(Speaks::Plaintext).connect_lazy().unwrap();
    let calling = tokio::spawn(async move { timed(call(&channel, secs(10))).await });
    sleep(secs(2)).await;
    lab.resolve(&[&here()]);
    let mut peer = Peer::new(incoming.accept().await);
    peer.greet(&[]).await;
    let request = peer.request().await;
    assert_eq!(told(&request), Some(secs(5)), "2 s without an address and 3 s without a connection are gone");
    sleep(secs(1)).await;
    peer.reset(request.stream, ErrorCode::RefusedStream).await;
    let request = peer.request().await;
    assert_eq!(told(&request), Some(secs(4)));
    let (answer, took) = calling.await.unwrap();
    let status = answer.unwrap_err();
    assert_eq!((status.code(), took), (Code::DeadlineExceeded, secs(10)), "one deadline over all");
    assert_eq!(peer.reset_of(request.stream).await, CANCEL);
}

// behaviour 64
#[rstest]
#[tokio::test(start_paused = true)]
async fn a_call_without_time_is_not_sent_and_one_with_all_the_time_in_the_world_is(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let lab = Lab::new(engine);
    lab.mend(&here(), Speaks::Plaintext);
    lab.resolve(&[&here()]);
    let channel = lab.channel(Speaks::Plaintext).connect_lazy().unwrap();
    channel.ready(secs(1)).await.unwrap();
    let (answer, took) = timed(call(&channel, Duration::ZERO)).await;
    assert_eq!((answer.unwrap_err().code(), took), (Code::DeadlineExceeded, secs(0)));
    sleep(secs(1)).await;
    assert_eq!(lab.greeter.started(), 0);
    for long in [Duration::MAX, secs(u64::MAX), secs(200 * 365 * 86_400), secs(50 * 365 * 86_400)] {
        assert_eq!(call(&channel, long).await.unwrap().server, "good", "{long:?}");
    }
}

// behaviour 64
#[rstest]
#[tokio::test(start_paused = true)]
async fn whoever_is_nearest_to_the_call_says_how_long_it_may_take(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let lab = Lab::new(engine);
    lab.resolve(&[&here()]);
    let builder = || lab.channel(Speaks::Plaintext).fail_fast(FailFast::Never);
    let greeter = |timeout| GreeterClient::new(builder().timeout(timeout).connect_lazy().unwrap());
    let (status, took) = timed(greeter(secs(4)).say_hello(hello()).into_future()).await;
    assert_eq!((status.unwrap_err().code(), took), (Code::DeadlineExceeded, secs(4)), "the channel's");
    let own = greeter(secs(4)).say_hello(hello()).timeout(secs(7));
    assert_eq!(timed(own.into_future()).await.1, secs(7), "the call's own, though it is longer");
    let mut request = Request::new(hello());
    request.set_timeout(secs(3));
    assert_eq!(timed(greeter(secs(4)).say_hello(request).into_future()).await.1, secs(3), "a request's");
    let request = Request::new(hello()).with_timeout(secs(6));
    assert_eq!(timed(greeter(secs(4)).say_hello(request).into_future()).await.1, secs(6), "a request's");
}

// behaviour 64
#[rstest]
#[tokio::test(start_paused = true)]
async fn it_runs_from_the_making_of_the_call(#[values(H2, Trunkline)] engine: Transport) {
    let lab = Lab::new(engine);
    let channel = lab.channel(Speaks::Plaintext).connect_lazy().unwrap();
    let (took, status) = {
        let (answer, took) = timed(async {
            let made = GreeterClient::new(channel).say_hello(hello()).timeout(secs(5));
            sleep(secs(2)).await;
            made.await
        })
        .await;
        (took, answer.unwrap_err())
    };
    assert_expired(&status, took, "waiting for a connection", Sent::No);
}
