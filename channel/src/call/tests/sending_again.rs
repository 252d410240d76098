//! Never sent is never lost, and what may have been processed is never sent twice.

use std::future::{Future as _, poll_fn};
use std::pin::pin;
use std::task::Poll;

use super::{Answer, InTurn, METHOD, Rig, framed, lost, refused};
use crate::stub::ServerStreamingCall;
use crate::transport::{Connection, Reply, StreamError};
use crate::{Code, Sent, StatusExt};

#[tokio::test]
async fn a_call_sends_all_it_has_at_once_and_takes_the_reply() {
    let (connection, mut server) = Connection::memory();
    let rig = Rig::connected(&connection);
    let call = tokio::spawn(rig.say("hello").into_future());
    let mut request = server.accept().await;
    assert_eq!(request.head.path.as_str(), "/test.Echo/Say");
    assert_eq!(request.body().await, framed("hello"));
    assert_eq!(request.head.reply, Reply::Whole, "it need not be woken before the end");
    assert_eq!(rig.live.in_flight(), 1);
    request.reply("hello yourself");
    assert_eq!(call.await.unwrap().unwrap(), "hello yourself");
    let counts = rig.live.counts();
    assert_eq!((counts.started, counts.succeeded, counts.failed), (1, 1, 0));
    assert_eq!((rig.in_flight(), server.streams()), (0, 0));
}

#[tokio::test]
async fn a_call_waits_for_a_snapshot_that_can_serve_it() {
    let (connection, mut server) = Connection::memory();
    let rig = Rig::new();
    rig.publish_queue([]);
    let call = tokio::spawn(rig.say("hello").into_future());
    tokio::task::yield_now().await;
    rig.publish_queue([refused()]);
    tokio::task::yield_now().await;
    rig.publish_ready("a", &connection);
    server.accept().await.reply("ok");
    assert_eq!(call.await.unwrap().unwrap(), "ok");
}

#[tokio::test]
async fn a_connection_that_has_just_closed_costs_a_call_nothing() {
    let (gone, gone_server) = Connection::memory();
    let (connection, mut server) = Connection::memory();
    gone_server.close(&lost());
    let rig = Rig::connected(&gone);
    let call = tokio::spawn(rig.say("hello").into_future());
    tokio::task::yield_now().await;
    assert!(!call.is_finished(), "the news of the loss brings a newer snapshot");
    rig.publish_ready("b", &connection);
    server.accept().await.reply("ok");
    assert_eq!(call.await.unwrap().unwrap(), "ok");
    assert_eq!(rig.live.counts().started, 1, "what was never sent is no attempt");
}

#[tokio::test]
async fn a_call_that_waits_for_a_place_goes_elsewhere_when_the_connection_closes() {
    let (full, full_server) = Connection::memory();
    full_server.set_limit(0);
    let (connection, mut server) = Connection::memory();
    let rig = Rig::new();
    rig.publish(InTurn::of(&["full", "free"]), &[("full", &full), ("free", &connection)]);
    let call = tokio::spawn(rig.say("hello").into_future());
    tokio::task::yield_now().await;
    full_server.close(&lost());
    server.accept().await.reply("ok");
    assert_eq!(call.await.unwrap().unwrap(), "ok");
}

// behaviour 78
#[tokio::test]
async fn a_request_above_the_last_id_is_sent_elsewhere_five_times_and_no_more() {
    let (connection, mut server) = Connection::memory();
    let rig = Rig::connected(&connection);
    let call = tokio::spawn(rig.say("hello").into_future());
    for _ in 0..6 {
        let mut request = server.accept().await;
        assert_eq!(request.body().await, framed("hello"), "each time all of it");
        request.fail(StreamError::AboveGoAway(lost()));
    }
    let status = call.await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    let report = status.call_report().unwrap();
    assert_eq!((report.sent(), report.earlier_attempts().len()), (Sent::No, 5));
}

#[tokio::test]
async fn a_refused_stream_is_tried_again_once_and_elsewhere_if_there_is_an_elsewhere() {
    let (one, mut server_one) = Connection::memory();
    let (two, mut server_two) = Connection::memory();
    let rig = Rig::new();
    // The picker would name `one` again; the call asks for another.
    rig.publish(InTurn::of(&["one", "one", "two"]), &[("one", &one), ("two", &two)]);
    let call = tokio::spawn(rig.say("hello").into_future());
    server_one.accept().await.fail(StreamError::Refused);
    server_two.accept().await.fail(StreamError::Refused);
    let status = call.await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(status.call_report().unwrap().sent(), Sent::No);
}

#[tokio::test]
async fn what_the_server_may_have_seen_is_not_sent_again() {
    let (connection, mut server) = Connection::memory();
    let rig = Rig::connected(&connection);
    let call = tokio::spawn(rig.say("hello").into_future());
    server.accept().await.fail(StreamError::Lost(lost()));
    let status = call.await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    let report = status.call_report().unwrap();
    assert_eq!(report.sent(), Sent::Maybe);
    assert!(status.message().contains("may have been processed"), "{status}");
    assert!(server.try_accept().is_none());
}

#[tokio::test]
async fn a_stream_that_is_sent_again_holds_no_place_that_nobody_polls() {
    let (leaving, mut leaving_server) = Connection::memory();
    let (full, mut full_server) = Connection::memory();
    full_server.set_limit(1);
    let rig = Rig::new();
    rig.publish(InTurn::of(&["leaving", "full", "full"]), &[("leaving", &leaving), ("full", &full)]);
    let watch = ServerStreamingCall::<String>::new::<String>(&rig.channel, &METHOD, "watch".to_owned());
    let mut replies = watch.await.unwrap();
    let first = leaving_server.accept().await;
    let _other = tokio::spawn(rig.say("first").into_future());
    let other = full_server.accept().await;
    first.fail(StreamError::AboveGoAway(lost()));
    // The application looks once, and has something else to do.
    let looks = poll_fn(|cx| Poll::Ready(pin!(replies.message()).poll(cx).is_pending()));
    assert!(looks.await);
    rig.publish_ready("full", &full);
    let third = tokio::spawn(rig.say("third").into_future());
    tokio::task::yield_now().await;
    other.reply("ok");
    let mut again = full_server.accept().await;
    assert_eq!(again.body().await, framed("watch"), "it is sent as soon as there is a place");
    again.reply("tick");
    assert_eq!(replies.message().await.unwrap().unwrap(), "tick");
    assert_eq!(replies.message().await.unwrap(), None);
    full_server.accept().await.reply("ok");
    assert_eq!(third.await.unwrap().unwrap(), "ok");
}

// behaviour 93
#[tokio::test]
async fn a_reset_is_a_status_by_its_code() {
    let table = [
        (2, Code::Internal),
        (7, Code::Unavailable),
        (8, Code::Cancelled),
        (11, Code::ResourceExhausted),
        (12, Code::PermissionDenied),
    ];
    let (connection, mut server) = Connection::memory();
    let rig = Rig::connected(&connection);
    for (error_code, code) in table {
        let call = tokio::spawn(rig.say("hello").into_future());
        server.accept().await.fail(StreamError::Reset(error_code));
        assert_eq!(call.await.unwrap().unwrap_err().code(), code, "HTTP/2 error code {error_code}");
    }
}
