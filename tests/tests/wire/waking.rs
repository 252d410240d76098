//! How often a call wakes whoever waits for it.

use std::future::IntoFuture;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll, Wake, Waker};

use rstest::rstest;
use tokio_stream::iter;
use trunkline::Transport::{self, H2, Trunkline};
use trunkline_tests::greeter::greeter_client::GreeterClient;
use trunkline_tests::greeter::{HelloRequest, RecordReply};

use crate::stage::{Stage, framed, settle};

/// A waker that counts.
#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

fn hello() -> HelloRequest {
    HelloRequest { name: "you".to_owned() }
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_unary_call_wakes_its_caller_once(#[values(H2, Trunkline)] engine: Transport) {
    let mut stage = Stage::proven(engine).await;
    let wakes = Arc::<Wakes>::default();
    let waker = Waker::from(wakes.clone());
    let mut cx = Context::from_waker(&waker);
    let mut call = pin!(GreeterClient::new(stage.channel.clone()).say_hello(hello()).into_future());
    assert!(call.as_mut().poll(&mut cx).is_pending());
    let stream = stage.server.request().await.stream;
    // In pieces, each of which comes alone.
    stage.server.head(stream, &[]).await;
    settle().await;
    for piece in framed("hello").chunks(4) {
        stage.server.data(stream, piece.to_vec(), false).await;
        settle().await;
        if engine == H2 {
            // It wakes for whatever comes.
            assert!(call.as_mut().poll(&mut cx).is_pending());
        }
    }
    if engine == Trunkline {
        assert_eq!(wakes.0.load(SeqCst), 0, "there was nothing that it could have done");
    }
    stage.server.trailers(stream, &[("grpc-status", "0")]).await;
    settle().await;
    if engine == Trunkline {
        assert_eq!(wakes.0.load(SeqCst), 1);
    }
    let Poll::Ready(reply) = call.as_mut().poll(&mut cx) else { panic!("all of it is there") };
    assert_eq!(reply.unwrap().message, "hello");
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_unary_call_whose_answer_was_there_before_it_looked_is_answered_by_the_next_look(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let mut stage = Stage::proven(engine).await;
    let mut call = pin!(GreeterClient::new(stage.channel.clone()).say_hello(hello()).into_future());
    let mut cx = Context::from_waker(Waker::noop());
    assert!(call.as_mut().poll(&mut cx).is_pending());
    let stream = stage.server.request().await.stream;
    stage.server.respond(stream, &crate::stage::reply("hello"), "0").await;
    settle().await;
    let Poll::Ready(reply) = call.as_mut().poll(&mut cx) else { panic!("all of it is there") };
    assert_eq!(reply.unwrap().message, "hello");
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_client_stream_hears_of_its_one_reply(#[values(H2, Trunkline)] engine: Transport) {
    use prost::Message;

    let mut stage = Stage::proven(engine).await;
    let people = iter((0..100).map(|_| hello()));
    let call = tokio::spawn(GreeterClient::new(stage.channel.clone()).record(people).into_future());
    let stream = stage.server.request().await.stream;
    stage.server.body(stream).await;
    let reply = RecordReply { count: 100, ..RecordReply::default() };
    stage.server.respond(stream, &reply.encode_to_vec(), "0").await;
    assert_eq!(call.await.unwrap().unwrap().count, 100);
}
