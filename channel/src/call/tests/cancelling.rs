//! Dropping a call in each phase: it leaves every queue, and the server hears of it if it has heard of the
//! call.

use super::{Answer, Rig};
use crate::stub::ServerStreamingCall;
use crate::transport::Connection;

// behaviour 65
#[tokio::test]
async fn before_it_was_sent_nothing_is_said() {
    let (connection, mut server) = Connection::memory();
    let rig = Rig::new();
    rig.publish_queue([]);
    let call = tokio::spawn(rig.say("hello").into_future());
    tokio::task::yield_now().await;
    assert_eq!(rig.in_flight(), 1);
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    rig.publish_ready("a", &connection);
    tokio::task::yield_now().await;
    assert!(server.try_accept().is_none());
    assert_eq!(rig.in_flight(), 0);
}

// behaviour 65
#[tokio::test]
async fn in_the_queue_for_a_stream_its_place_passes_to_the_next() {
    let (connection, mut server) = Connection::memory();
    server.set_limit(1);
    let rig = Rig::connected(&connection);
    let first = tokio::spawn(rig.say("first").into_future());
    let request = server.accept().await;
    let second = tokio::spawn(rig.say("second").into_future());
    tokio::task::yield_now().await;
    let third = tokio::spawn(rig.say("third").into_future());
    tokio::task::yield_now().await;
    second.abort();
    assert!(second.await.unwrap_err().is_cancelled());
    request.reply("one");
    first.await.unwrap().unwrap();
    let mut request = server.accept().await;
    assert_eq!(request.body().await, super::framed("third"));
    request.reply("three");
    third.await.unwrap().unwrap();
}

// behaviour 65
#[tokio::test]
async fn after_it_was_sent_the_stream_is_reset() {
    let (connection, mut server) = Connection::memory();
    let rig = Rig::connected(&connection);
    let call = tokio::spawn(rig.say("hello").into_future());
    let mut request = server.accept().await;
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    assert!(request.was_reset().await);
    let counts = rig.live.counts();
    assert_eq!((counts.failed, counts.in_flight(), server.streams()), (1, 0, 0));
}

// behaviour 65
#[tokio::test]
async fn a_stream_of_replies_that_is_dropped_is_reset() {
    let (connection, mut server) = Connection::memory();
    let rig = Rig::connected(&connection);
    let call = ServerStreamingCall::<String>::new::<String>(&rig.channel, &super::METHOD, "x".to_owned());
    let mut replies = call.await.unwrap();
    let mut request = server.accept().await;
    request.headers();
    request.say("one");
    replies.message().await.unwrap();
    drop(replies);
    assert!(request.was_reset().await);
    assert_eq!((rig.in_flight(), server.streams()), (0, 0));
}
