//! A call that is dropped leaves no trace: nothing on the wire if nothing was sent, RST_STREAM(CANCEL) if
//! something was, and no place taken.

use std::iter::repeat;

use rstest::rstest;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_stream::{StreamExt, iter, pending};
use trunkline::Channel;
use trunkline::Transport::{self, H2, Trunkline};
use trunkline::balancer::choosing;
use trunkline_tests::greeter::greeter_client::GreeterClient;
use trunkline_tests::greeter::{HelloRequest, WatchRequest};
use trunkline_tests::script::{Code as ErrorCode, Kind, Peer, Setting};
use trunkline_tests::{Incoming, TestGreeter};

use crate::lab::{Lab, Speaks, call, here, secs};
use crate::peers::greets;

/// RST_STREAM's CANCEL.
const CANCEL: u32 = ErrorCode::Cancel as u32;

/// A channel to a server that does what the test does.
fn scripted(lab: &Lab) -> (Channel, Incoming) {
    lab.resolve(&[&here()]);
    let incoming = lab.network.listen(&here().to_string());
    (lab.channel(Speaks::Plaintext).connect_lazy().unwrap(), incoming)
}

fn start(channel: &Channel) -> JoinHandle<()> {
    let channel = channel.clone();
    tokio::spawn(async move { drop(call(&channel, secs(600)).await) })
}

/// Drops a call that has come as far as it can.
async fn drop_after_a_while(call: JoinHandle<()>) {
    sleep(secs(1)).await;
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled(), "it was still running");
}

/// The connection goes on, and the next call on it is the first or second stream as it should be.
async fn assert_next_is_answered(channel: &Channel, peer: &mut Peer<tokio::io::DuplexStream>, stream: u32) {
    let next = start(channel);
    let request = peer.request().await;
    assert_eq!(request.stream, stream);
    peer.respond(request.stream, b"", "0").await;
    next.await.unwrap();
}

// behaviour 65
#[tokio::test(start_paused = true)]
async fn while_resolving_nothing_is_left_of_it() {
    let lab = Lab::new(Transport::default());
    let mut incoming = lab.network.listen(&here().to_string());
    let channel = lab.channel(Speaks::Plaintext).connect_lazy().unwrap();
    drop_after_a_while(start(&channel)).await;
    lab.resolve(&[&here()]);
    let mut peer = Peer::new(incoming.accept().await);
    peer.greet(&[]).await;
    assert!(!peer.has_sent(Kind::HEADERS).await);
    assert_next_is_answered(&channel, &mut peer, 1).await;
}

// behaviour 65
#[rstest]
#[tokio::test(start_paused = true)]
async fn while_connecting_nothing_is_left_of_it_and_the_attempt_goes_on(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let lab = Lab::new(engine);
    let (channel, mut incoming) = scripted(&lab);
    lab.network.delay(&here().to_string(), secs(3));
    drop_after_a_while(start(&channel)).await;
    let mut peer = Peer::new(incoming.accept().await);
    peer.greet(&[]).await;
    assert!(!peer.has_sent(Kind::HEADERS).await);
    assert_next_is_answered(&channel, &mut peer, 1).await;
    assert_eq!(lab.dials(&here()), 1);
}

// behaviour 65
#[tokio::test(start_paused = true)]
async fn while_no_server_is_picked_nothing_is_left_of_it() {
    let lab = Lab::new(Transport::default());
    lab.mend(&here(), Speaks::Plaintext);
    lab.resolve(&[&here()]);
    let nobody = choosing("nobody", |_, _| None);
    let channel = lab.channel(Speaks::Plaintext).balancer(nobody).connect_lazy().unwrap();
    drop_after_a_while(start(&channel)).await;
    assert_eq!(lab.greeter.started(), 0);
}

// behaviour 65
#[rstest]
#[tokio::test(start_paused = true)]
async fn in_the_queue_of_a_full_connection_nothing_is_left_of_it(#[values(H2, Trunkline)] engine: Transport) {
    let lab = Lab::new(engine);
    let (channel, mut incoming) = scripted(&lab);
    let first = start(&channel);
    let mut peer = Peer::new(incoming.accept().await);
    peer.greet(&[(Setting::MAX_CONCURRENT_STREAMS, 1)]).await;
    let request = peer.request().await;
    drop_after_a_while(start(&channel)).await;
    peer.respond(request.stream, b"", "0").await;
    first.await.unwrap();
    assert!(!peer.has_sent(Kind::HEADERS).await);
    assert_next_is_answered(&channel, &mut peer, 3).await;
}

// behaviour 65
#[rstest]
#[tokio::test(start_paused = true)]
async fn while_it_waits_for_the_response_its_stream_is_reset(#[values(H2, Trunkline)] engine: Transport) {
    let lab = Lab::new(engine);
    let (channel, mut incoming) = scripted(&lab);
    let calling = start(&channel);
    let mut peer = Peer::new(incoming.accept().await);
    // One place, so that the next call shows that it was given back.
    peer.greet(&[(Setting::MAX_CONCURRENT_STREAMS, 1)]).await;
    let request = peer.request().await;
    drop_after_a_while(calling).await;
    assert_eq!(peer.reset_of(request.stream).await, CANCEL);
    assert_next_is_answered(&channel, &mut peer, 3).await;
}

// behaviour 65
#[rstest]
#[tokio::test(start_paused = true)]
async fn while_it_sends_against_a_closed_window_its_stream_is_reset(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let lab = Lab::new(engine);
    let (channel, mut incoming) = scripted(&lab);
    let calling = tokio::spawn({
        let greeter = GreeterClient::new(channel.clone());
        async move {
            let people = iter(repeat(HelloRequest { name: "x".repeat(1 << 14) }));
            drop(greeter.record(people).await);
        }
    });
    let mut peer = Peer::new(incoming.accept().await);
    peer.give_window(false);
    peer.greet(&[]).await;
    let request = peer.request().await;
    drop_after_a_while(calling).await;
    assert_eq!(peer.reset_of(request.stream).await, CANCEL);
    assert_next_is_answered(&channel, &mut peer, 3).await;
}

// behaviour 65
#[rstest]
#[tokio::test(start_paused = true)]
async fn while_it_waits_for_the_application_to_go_on_its_stream_is_reset(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let lab = Lab::new(engine);
    let (channel, mut incoming) = scripted(&lab);
    let calling = tokio::spawn({
        let greeter = GreeterClient::new(channel.clone());
        async move {
            let people = iter([HelloRequest { name: "x".to_owned() }]).chain(pending());
            drop(greeter.record(people).await);
        }
    });
    let mut peer = Peer::new(incoming.accept().await);
    peer.greet(&[]).await;
    let request = peer.request().await;
    drop_after_a_while(calling).await;
    assert_eq!(peer.reset_of(request.stream).await, CANCEL);
    assert_next_is_answered(&channel, &mut peer, 3).await;
}

// behaviour 65
#[rstest]
#[tokio::test(start_paused = true)]
async fn while_it_reads_its_stream_is_reset(#[values(H2, Trunkline)] engine: Transport) {
    let lab = Lab::new(engine);
    let (channel, mut incoming) = scripted(&lab);
    let watch = WatchRequest { name: "you".to_owned(), count: 0, interval_ms: 1 };
    let reading = tokio::spawn({
        let greeter = GreeterClient::new(channel.clone());
        async move {
            let mut replies = greeter.watch(watch).await.unwrap();
            replies.message().await.unwrap().unwrap();
            drop(replies.message().await);
        }
    });
    let mut peer = Peer::new(incoming.accept().await);
    peer.greet(&[]).await;
    let request = peer.request().await;
    peer.head(request.stream, &[]).await;
    peer.message(request.stream, b"").await;
    drop_after_a_while(reading).await;
    assert_eq!(peer.reset_of(request.stream).await, CANCEL);
    assert_next_is_answered(&channel, &mut peer, 3).await;
}

// behaviour 65
#[rstest]
#[tokio::test(start_paused = true)]
async fn a_real_server_stops_working_for_whoever_left(#[values(H2, Trunkline)] engine: Transport) {
    let lab = Lab::new(engine);
    let greeter = TestGreeter::new("slow").slow(secs(3600));
    lab.serve(&here().to_string(), greets(&greeter));
    lab.resolve(&[&here()]);
    let channel = lab.channel(Speaks::Plaintext).connect_lazy().unwrap();
    let calls: Vec<_> = (0..10).map(|_| start(&channel)).collect();
    sleep(secs(1)).await;
    assert_eq!(greeter.in_flight(), 10);
    for call in calls {
        call.abort();
    }
    sleep(secs(1)).await;
    assert_eq!((greeter.started(), greeter.finished(), greeter.in_flight()), (10, 0, 0));
    assert_eq!(lab.dials(&here()), 1, "the connection goes on");
}

// behaviour 65
#[rstest]
#[tokio::test(start_paused = true)]
async fn the_others_who_wait_for_the_same_connection_notice_nothing(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let lab = Lab::new(engine);
    lab.mend(&here(), Speaks::Plaintext);
    lab.network.delay(&here().to_string(), secs(3));
    lab.resolve(&[&here()]);
    let channel = lab.channel(Speaks::Plaintext).connect_lazy().unwrap();
    let mut calls: Vec<_> = (0..100).map(|_| start(&channel)).collect();
    sleep(secs(1)).await;
    // The first of them is the one that the dial was for.
    for call in calls.drain(..99) {
        call.abort();
    }
    calls.remove(0).await.unwrap();
    assert_eq!((lab.greeter.started(), lab.greeter.finished(), lab.dials(&here())), (1, 1, 1));
}

// behaviour 65
#[tokio::test(start_paused = true)]
async fn a_call_that_is_never_awaited_is_never_made() {
    let lab = Lab::new(Transport::default());
    let (channel, _incoming) = scripted(&lab);
    drop(GreeterClient::new(channel).say_hello(HelloRequest::default()));
    sleep(secs(1)).await;
    assert_eq!(lab.dials(&here()), 0);
}
