//! Every failed call has a report: who ended it, how far it got, and what happened on the way.

use std::error::Error;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use http::uri::PathAndQuery;
use rstest::rstest;
use trunkline::Transport::{self, H2, Trunkline};
use trunkline::{
    CallReport, Channel, Code, ConnectError, FailFast, Origin, Request, RequestExt, Sent, Status, StatusExt,
};
use trunkline_tests::greeter::greeter_client::GreeterClient;
use trunkline_tests::greeter::{HelloReply, HelloRequest, WatchRequest};
use trunkline_tests::script::{Code as ErrorCode, Peer, Setting};
use trunkline_tests::{Answer, Incoming, TestGreeter};

use crate::lab::{Lab, MODES, NAME, Speaks, call, hello, here, secs};
use crate::peers::{self, greets};

/// A channel to a server that does what the test does.
fn scripted(lab: &Lab) -> (Channel, Incoming) {
    lab.resolve(&[&here()]);
    let incoming = lab.network.listen(&here().to_string());
    (lab.channel(Speaks::Plaintext).connect_lazy().unwrap(), incoming)
}

#[track_caller]
fn report(status: &Status) -> &CallReport {
    status.call_report().unwrap_or_else(|| panic!("no report: {status:?}"))
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn what_the_server_said_is_told_apart_from_what_was_said_here(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let lab = Lab::new(engine);
    let greeter =
        TestGreeter::new("strict").answering(|_| Answer::error(Code::NotFound, "nobody of that name"));
    lab.serve(&here().to_string(), greets(&greeter));
    lab.resolve(&[&here()]);
    let channel = lab.channel(Speaks::Plaintext).connect_lazy().unwrap();
    let status = call(&channel, secs(5)).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::NotFound, "nobody of that name"));
    let report = report(&status);
    assert_eq!(
        (report.origin(), report.sent(), report.address()),
        (Origin::Server, Sent::Yes, Some(&here()))
    );
    assert!(report.causes().is_empty() && !report.is_permanent());
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_call_that_succeeds_has_a_report_too(#[values(H2, Trunkline)] engine: Transport) {
    let lab = Lab::new(engine);
    lab.mend(&here(), Speaks::Plaintext);
    lab.network.delay(&here().to_string(), secs(2));
    lab.resolve(&[&here()]);
    let channel = lab.channel(Speaks::Plaintext).connect_lazy().unwrap();
    let response = GreeterClient::new(channel).say_hello(hello()).response().await.unwrap();
    let report = response.extensions().get::<CallReport>().unwrap();
    assert_eq!(
        (report.origin(), report.sent(), report.address()),
        (Origin::Server, Sent::Yes, Some(&here()))
    );
    assert_eq!((report.connecting_time(), report.total_time()), (secs(2), secs(2)));
}

#[tokio::test(start_paused = true)]
async fn the_total_time_of_a_reply_ends_when_it_is_here_however_late_its_caller_looks() {
    let lab = Lab::new(Trunkline);
    lab.mend(&here(), Speaks::Plaintext);
    lab.resolve(&[&here()]);
    let channel = lab.channel(Speaks::Plaintext).connect_lazy().unwrap();
    let greeter = GreeterClient::new(channel);
    greeter.say_hello(hello()).await.unwrap();
    let mut call = pin!(greeter.say_hello(hello()).response());
    assert!(poll_fn(|cx| Poll::Ready(call.as_mut().poll(cx).is_pending())).await);
    tokio::time::sleep(secs(3)).await;
    let response = call.await.unwrap();
    assert_eq!(response.extensions().get::<CallReport>().unwrap().total_time(), secs(0));
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_connection_lost_in_the_middle_of_a_call_may_have_done_its_work(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let lab = Lab::new(engine);
    let (channel, mut incoming) = scripted(&lab);
    let calling = tokio::spawn(async move { call(&channel, secs(60)).await });
    let mut peer = Peer::new(incoming.accept().await);
    peer.greet(&[]).await;
    peer.request().await;
    drop(peer);
    let status = calling.await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    let report = report(&status);
    assert_eq!(
        (report.origin(), report.sent(), report.address()),
        (Origin::Channel, Sent::Maybe, Some(&here()))
    );
    assert!(status.message().ends_with("[the request may have been processed]"), "{status}");
    assert_eq!(report.causes().len(), 1);
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_server_that_refuses_again_and_again_has_not_done_the_work(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let lab = Lab::new(engine);
    let (channel, mut incoming) = scripted(&lab);
    let calling = tokio::spawn(async move { call(&channel, secs(60)).await });
    let mut peer = Peer::new(incoming.accept().await);
    peer.greet(&[]).await;
    for _ in 0..2 {
        let request = peer.request().await;
        peer.reset(request.stream, ErrorCode::RefusedStream).await;
    }
    let status = calling.await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    let report = report(&status);
    assert_eq!((report.origin(), report.sent()), (Origin::Channel, Sent::No));
    assert_eq!(report.earlier_attempts().len(), 1);
    assert_eq!(report.earlier_attempts()[0].address, here());
    assert!(status.message().contains("tried 2 times, not processed"), "{status}");
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn time_in_the_queue_of_a_full_connection_is_told(#[values(H2, Trunkline)] engine: Transport) {
    let lab = Lab::new(engine);
    let (channel, mut incoming) = scripted(&lab);
    let first = tokio::spawn({
        let channel = channel.clone();
        async move { call(&channel, secs(60)).await }
    });
    let mut peer = Peer::new(incoming.accept().await);
    peer.greet(&[(Setting::MAX_CONCURRENT_STREAMS, 1)]).await;
    peer.request().await;
    let status = call(&channel, secs(7)).await.unwrap_err();
    let report = report(&status);
    assert_eq!((status.code(), report.sent()), (Code::DeadlineExceeded, Sent::No));
    assert_eq!((report.queued_time(), report.total_time()), (secs(7), secs(7)));
    first.abort();
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn the_causes_can_be_reached_by_whoever_only_knows_errors(#[values(H2, Trunkline)] engine: Transport) {
    let lab = Lab::new(engine);
    lab.resolve(&[&here()]);
    let channel = lab.channel(Speaks::Plaintext).connect_lazy().unwrap();
    let status = call(&channel, secs(5)).await.unwrap_err();
    let source = status.source().unwrap();
    let report = source.downcast_ref::<CallReport>().unwrap();
    let cause = report.source().unwrap().downcast_ref::<ConnectError>().unwrap();
    let io = cause.source().unwrap().downcast_ref::<std::io::Error>().unwrap();
    assert_eq!(io.kind(), std::io::ErrorKind::ConnectionRefused);
}

/// Each way in which a call can fail that no other test here has.
#[rstest]
#[tokio::test(start_paused = true)]
async fn every_failed_call_has_a_report(#[values(H2, Trunkline)] engine: Transport) {
    let lab = Lab::new(engine);
    lab.mend(&here(), Speaks::Plaintext);
    lab.resolve(&[&here()]);
    let channel = lab.channel(Speaks::Plaintext).max_send_message_size(64).max_receive_message_size(32);
    let channel = channel.connect_lazy().unwrap();
    let greeter = GreeterClient::new(channel.clone());
    let named = |length: usize| HelloRequest { name: "x".repeat(length) };

    // Too long to be sent, alone and in the middle of a stream.
    let status = greeter.say_hello(named(100)).await.unwrap_err();
    assert_eq!((status.code(), report(&status).sent()), (Code::ResourceExhausted, Sent::No));
    let status = greeter.record(tokio_stream::iter([named(1), named(100)])).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert_eq!((report(&status).origin(), report(&status).sent()), (Origin::Channel, Sent::No));
    // Too long to be received, alone and in the middle of a stream.
    let status = greeter.say_hello(named(60)).await.unwrap_err();
    assert_eq!((status.code(), report(&status).sent()), (Code::ResourceExhausted, Sent::Yes));
    let watch = WatchRequest { name: "x".repeat(50), count: 1, interval_ms: 1 };
    let status = greeter.watch(watch).await.unwrap().message().await.unwrap_err();
    assert_eq!((status.code(), report(&status).sent()), (Code::ResourceExhausted, Sent::Yes));
    // What gRPC keeps for itself.
    let mut reserved = Request::new(hello());
    reserved.metadata_mut().insert("grpc-mine", "1".parse().unwrap());
    let status = greeter.say_hello(reserved).await.unwrap_err();
    assert_eq!((status.code(), report(&status).sent()), (Code::Internal, Sent::No));
    // A deadline that has passed already.
    let status = call(&channel, secs(0)).await.unwrap_err();
    assert_eq!((status.code(), report(&status).sent()), (Code::DeadlineExceeded, Sent::No));
    // A channel that is closed.
    channel.close(secs(1)).await;
    let status = greeter.say_hello(hello()).fail_fast(FailFast::Never).await.unwrap_err();
    assert_eq!((status.code(), report(&status).sent()), (Code::Unavailable, Sent::No));
    assert!(status.message().contains("channel is closed"), "{status}");
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_request_that_fails_after_the_response_has_begun_says_why(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let lab = Lab::new(engine);
    lab.mend(&here(), Speaks::Plaintext);
    lab.resolve(&[&here()]);
    let channel = lab.channel(Speaks::Plaintext).max_send_message_size(64).connect_lazy().unwrap();
    let (say, said) = tokio::sync::mpsc::channel(1);
    let people = tokio_stream::wrappers::ReceiverStream::new(said);
    let mut replies = GreeterClient::new(channel).chat(people).await.unwrap();
    say.send(HelloRequest { name: "x".to_owned() }).await.unwrap();
    assert_eq!(replies.message().await.unwrap().unwrap().message, "Hello, x!");
    say.send(HelloRequest { name: "x".repeat(100) }).await.unwrap();
    let status = replies.message().await.unwrap_err();
    let said = "message to send is 102 bytes long, the limit is 64 bytes";
    assert_eq!((status.code(), status.message()), (Code::ResourceExhausted, said));
    assert_eq!(report(&status).sent(), Sent::Yes);
    assert_eq!(replies.message().await.unwrap(), None);
}

/// Our stubs are one road to a call, and what tonic's stubs are made of is the other.
#[rstest]
#[tokio::test(start_paused = true)]
async fn both_roads_tell_the_same(#[values(H2, Trunkline)] engine: Transport) {
    for mode in MODES {
        let lab = Lab::new(engine);
        let bad = peers::greets_over_tls(&lab.strangers.issue(&[NAME]), &lab.unheard);
        lab.place(&here(), peers::Peer::Serves(bad)).await;
        lab.resolve(&[&here()]);
        let channel = lab.channel(Speaks::Tls).connect_lazy().unwrap();
        let request = || Request::new(hello()).with_timeout(secs(5)).with_fail_fast(mode);
        let ours = GreeterClient::new(channel.clone()).say_hello(request()).await.unwrap_err();
        let mut tonics = tonic::client::Grpc::new(channel);
        tonics.ready().await.unwrap();
        let codec = tonic_prost::ProstCodec::<HelloRequest, HelloReply>::default();
        let path = PathAndQuery::from_static("/greeter.v1.Greeter/SayHello");
        let theirs = tonics.unary(request(), path, codec).await.unwrap_err();
        for status in [&ours, &theirs] {
            assert!(status.message().contains("10.0.0.1:443"), "{status}");
            let report = report(status);
            assert_eq!((report.origin(), report.sent()), (Origin::Channel, Sent::No));
            assert!(report.cause().unwrap().is_permanent());
        }
        assert_eq!(ours.code(), theirs.code(), "{mode:?}");
        assert_eq!(report(&ours).is_permanent(), report(&theirs).is_permanent());
    }
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn one_line_says_all(#[values(H2, Trunkline)] engine: Transport) {
    let lab = Lab::new(engine);
    let addresses: Vec<_> = (1..=3).map(|host| crate::lab::tcp(&format!("10.0.0.{host}:443"))).collect();
    for address in &addresses {
        let bad = peers::greets_over_tls(&lab.strangers.issue(&[NAME]), &lab.unheard);
        lab.place(address, peers::Peer::Serves(bad)).await;
    }
    lab.resolve(&addresses.iter().collect::<Vec<_>>());
    let channel = lab.channel(Speaks::Tls).connect_lazy().unwrap();
    let status = call(&channel, secs(5)).await.unwrap_err();
    assert_eq!(
        status.message(),
        "memory:///greeter.test (10.0.0.3:443): TLS: certificate signed by unknown issuer \
         [permanent; 3 of 3 addresses failed; next attempt in 120 s]"
    );
}
