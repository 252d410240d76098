//! The four shapes of call.

use rstest::rstest;
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use trunkline::Transport::{self, H2, Trunkline};

use super::{Here, hello, watch};

#[rstest]
#[tokio::test(start_paused = true)]
async fn one_message_up_and_one_down(#[values(H2, Trunkline)] engine: Transport) {
    let here = Here::new(engine);
    let reply = here.client().say_hello(hello("Ada")).await.unwrap().into_inner();
    assert_eq!((reply.message.as_str(), reply.server.as_str()), ("Hello, Ada!", "a"));
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn many_messages_down(#[values(H2, Trunkline)] engine: Transport) {
    let here = Here::new(engine);
    let replies = here.client().watch(watch(3)).await.unwrap().into_inner();
    let replies: Vec<_> = replies.map(|reply| reply.unwrap().message).collect().await;
    assert_eq!(replies, ["Hello, Ada!"; 3]);
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn many_messages_up(#[values(H2, Trunkline)] engine: Transport) {
    let people = tokio_stream::iter(["Ada", "Grace", "Edsger"].map(hello));
    let here = Here::new(engine);
    let reply = here.client().record(people).await.unwrap().into_inner();
    assert_eq!((reply.count, reply.names), (3, ["Ada", "Grace", "Edsger"].map(str::to_owned).to_vec()));
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn messages_both_ways_one_after_the_other(#[values(H2, Trunkline)] engine: Transport) {
    let (people, stream) = mpsc::channel(1);
    people.send(hello("Ada")).await.unwrap();
    let here = Here::new(engine);
    let mut replies = here.client().chat(ReceiverStream::new(stream)).await.unwrap().into_inner();
    assert_eq!(replies.message().await.unwrap().unwrap().message, "Hello, Ada!");
    people.send(hello("Grace")).await.unwrap();
    assert_eq!(replies.message().await.unwrap().unwrap().message, "Hello, Grace!");
    drop(people);
    assert_eq!(replies.message().await.unwrap(), None);
    assert!(replies.trailers().await.unwrap().is_some(), "the server's trailers are there");
}

// behaviour 65
#[rstest]
#[tokio::test(start_paused = true)]
async fn a_stream_that_is_dropped_is_cancelled_on_the_server_too(#[values(H2, Trunkline)] engine: Transport) {
    let here = Here::new(engine);
    let mut replies = here.client().watch(watch(0)).await.unwrap().into_inner();
    replies.message().await.unwrap();
    assert_eq!(here.greeter.in_flight(), 1);
    drop(replies);
    while here.greeter.in_flight() > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(here.greeter.finished(), 0);
}
