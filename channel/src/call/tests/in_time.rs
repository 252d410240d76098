//! One absolute deadline, in every phase, exactly: the clock is tokio's, paused.

use std::future::{Future as _, IntoFuture as _, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use http::StatusCode;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;

use super::{Answer, Rig, grpc_headers, refused, untrusted};
use crate::stub::{ClientStreamingCall, ServerStreamingCall};
use crate::transport::{Connection, MemoryRequest, StreamError};
use crate::{Code, Sent, Status, StatusExt};

const LIMIT: Duration = Duration::from_millis(300);

/// The call ends at its deadline and says what it was doing.
fn assert_expired(began: Instant, status: &Status, sent: Sent, doing: &str) {
    // tokio's timers fire in steps of a millisecond.
    let took = began.elapsed();
    assert!((LIMIT..=LIMIT + Duration::from_millis(1)).contains(&took), "{took:?}");
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert!(status.message().contains(doing), "{status}");
    assert_eq!(status.call_report().unwrap().sent(), sent);
}

// behaviour 64
#[tokio::test(start_paused = true)]
async fn while_it_waits_for_a_connection_it_names_the_last_cause() {
    let rig = Rig::new();
    rig.publish_queue([untrusted(), refused()]);
    let began = Instant::now();
    let status = rig.say("hello").timeout(LIMIT).await.unwrap_err();
    assert_expired(began, &status, Sent::No, "waiting for a connection");
    assert!(status.message().contains("connection refused"), "{status}");
    assert!(
        status.message().contains("unknown issuer"),
        "what only a person can mend is not hidden: {status}"
    );
    assert_eq!(status.call_report().unwrap().connecting_time(), began.elapsed());
}

// behaviour 64
#[tokio::test(start_paused = true)]
async fn while_it_is_queued_for_a_stream_it_says_so() {
    let (connection, server) = Connection::memory();
    server.set_limit(0);
    let rig = Rig::connected(&connection);
    let began = Instant::now();
    let status = rig.say("hello").timeout(LIMIT).await.unwrap_err();
    assert_expired(began, &status, Sent::No, "queued for a stream");
    assert_eq!(status.call_report().unwrap().queued_time(), began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn where_the_connection_keeps_the_deadline_each_later_poll_looks_at_the_clock() {
    let (connection, mut server) = Connection::memory();
    server.keep_deadlines();
    let rig = Rig::connected(&connection);
    for begins in [false, true] {
        let began = Instant::now();
        let call = ServerStreamingCall::<String>::new::<String>(&rig.channel, &super::METHOD, "x".to_owned());
        let mut replies = call.timeout(LIMIT).await.unwrap();
        let request = server.accept().await;
        if begins {
            request.headers();
        }
        let mut message = pin!(replies.message());
        assert!(poll_fn(|cx| Poll::Ready(message.as_mut().poll(cx).is_pending())).await);
        tokio::time::advance(LIMIT).await;
        // Nobody wakes it here: it is polled as if it were woken.
        let Poll::Ready(result) = poll_fn(|cx| Poll::Ready(message.as_mut().poll(cx))).await else {
            panic!("its deadline has passed");
        };
        let (sent, doing) = match begins {
            false => (Sent::Maybe, "waiting for the response"),
            true => (Sent::Yes, "reading the response"),
        };
        assert_expired(began, &result.unwrap_err(), sent, doing);
    }
}

// behaviour 64
#[tokio::test(start_paused = true)]
async fn while_the_server_thinks_the_stream_is_reset() {
    let (connection, mut server) = Connection::memory();
    let rig = Rig::connected(&connection);
    let began = Instant::now();
    let status = rig.say("hello").timeout(LIMIT).await.unwrap_err();
    assert_expired(began, &status, Sent::Maybe, "waiting for the response");
    assert!(server.accept().await.was_reset().await);
    assert_eq!(server.streams(), 0);
}

// behaviour 64
#[tokio::test(start_paused = true)]
async fn while_it_waits_for_its_turn_it_is_taken_back() {
    let (connection, mut server) = Connection::memory();
    let rig = Rig::connected(&connection);
    let began = Instant::now();
    let call = tokio::spawn(rig.say("hello").timeout(LIMIT).into_future());
    server.accept().await.set_unsent();
    let status = call.await.unwrap().unwrap_err();
    assert_expired(began, &status, Sent::No, "waiting for its turn on the connection");
}

// behaviour 64
#[tokio::test(start_paused = true)]
async fn while_the_server_takes_no_more_of_the_request_it_says_so() {
    let (connection, mut server) = Connection::memory();
    let rig = Rig::connected(&connection);
    let (say, said) = mpsc::channel::<String>(1);
    let call = ClientStreamingCall::<String>::new(&rig.channel, &super::METHOD, ReceiverStream::new(said));
    let began = Instant::now();
    let call = tokio::spawn(call.timeout(LIMIT).into_future());
    let mut request = server.accept().await;
    request.set_window(false);
    say.send("one".to_owned()).await.unwrap();
    let status = call.await.unwrap().unwrap_err();
    assert_expired(began, &status, Sent::Maybe, "sending the request");
    assert!(request.was_reset().await);
}

#[tokio::test(start_paused = true)]
async fn the_body_of_a_stream_is_under_the_deadline_too() {
    let (connection, mut server) = Connection::memory();
    let rig = Rig::connected(&connection);
    let began = Instant::now();
    let call = ServerStreamingCall::<String>::new::<String>(&rig.channel, &super::METHOD, "x".to_owned());
    let mut replies = call.timeout(LIMIT).await.unwrap();
    let mut request = server.accept().await;
    request.headers();
    request.say("one");
    assert_eq!(replies.message().await.unwrap().as_deref(), Some("one"));
    let status = replies.message().await.unwrap_err();
    assert_expired(began, &status, Sent::Yes, "reading the response");
    assert!(request.was_reset().await);
    assert_eq!(replies.message().await.unwrap(), None, "after an error there is nothing");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_pauses_does_not_outrun_the_deadline() {
    let (connection, mut server) = Connection::memory();
    let rig = Rig::connected(&connection);
    let call = ServerStreamingCall::<String>::new::<String>(&rig.channel, &super::METHOD, "x".to_owned());
    let mut replies = call.timeout(LIMIT).await.unwrap();
    let request = server.accept().await;
    request.headers();
    for _ in 0..100 {
        request.say("more");
    }
    replies.message().await.unwrap();
    tokio::time::advance(LIMIT).await;
    assert_eq!(replies.message().await.unwrap_err().code(), Code::DeadlineExceeded);
}

#[tokio::test(start_paused = true)]
async fn the_server_is_told_what_is_left_when_the_request_is_sent() {
    let (connection, mut server) = Connection::memory();
    let rig = Rig::new();
    rig.publish_queue([]);
    let call = tokio::spawn(rig.say("hello").timeout(LIMIT).into_future());
    tokio::time::sleep(Duration::from_millis(100)).await;
    rig.publish_ready("a", &connection);
    let request = server.accept().await;
    let left = request.head.deadline.unwrap() - Instant::now().into_std();
    assert!((Duration::from_millis(199)..=Duration::from_millis(200)).contains(&left), "{left:?}");
    request.reply("ok");
    call.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_has_passed_touches_no_network() {
    let (connection, mut server) = Connection::memory();
    let rig = Rig::connected(&connection);
    let status = rig.say("hello").timeout(Duration::ZERO).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert!(server.try_accept().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_calls_own_timeout_replaces_the_channels() {
    let rig = Rig::with(|builder| builder.timeout(Duration::from_millis(10)));
    rig.publish_queue([]);
    let began = Instant::now();
    rig.say("hello").timeout(LIMIT).await.unwrap_err();
    assert!(began.elapsed() >= LIMIT);
    let began = Instant::now();
    rig.say("hello").await.unwrap_err();
    assert!(began.elapsed() < LIMIT);
}

#[tokio::test(start_paused = true)]
async fn the_longest_of_timeouts_is_no_deadline() {
    let (connection, mut server) = Connection::memory();
    let rig = Rig::connected(&connection);
    let call = tokio::spawn(rig.say("hello").timeout(Duration::MAX).into_future());
    let request = server.accept().await;
    assert!(request.head.deadline.is_none());
    request.reply("ok");
    call.await.unwrap().unwrap();
}

/// How a call ends whose server ends it like this, `after` it was begun and before its own timer is looked
/// at.
async fn ended_by_the_server(after: Duration, answer: impl FnOnce(&MemoryRequest)) -> Code {
    let (connection, mut server) = Connection::memory();
    let rig = Rig::connected(&connection);
    let mut call = pin!(rig.say("hello").timeout(LIMIT).into_future());
    let pending = poll_fn(|cx| Poll::Ready(call.as_mut().poll(cx).is_pending())).await;
    assert!(pending);
    let request = server.accept().await;
    tokio::time::advance(after).await;
    answer(&request);
    call.await.unwrap_err().code()
}

// behaviour 64: the server's timer rings too, and which of both is heard first is chance.
#[tokio::test(start_paused = true)]
async fn a_server_that_cancels_when_the_deadline_has_passed_says_no_more_than_that() {
    let answers: [fn(&MemoryRequest); 3] = [
        |request| {
            let mut headers = grpc_headers();
            headers.insert("grpc-status", "1".parse().unwrap());
            request.send_head_only(StatusCode::OK, headers);
        },
        |request| {
            request.headers();
            request.status("1", "Timeout expired");
        },
        |request| request.fail(StreamError::Reset(8)),
    ];
    for answer in answers {
        assert_eq!(ended_by_the_server(LIMIT, answer).await, Code::DeadlineExceeded);
        let before = LIMIT - Duration::from_millis(1);
        assert_eq!(ended_by_the_server(before, answer).await, Code::Cancelled, "that is the server's own");
    }
    let another = |request: &MemoryRequest| {
        request.headers();
        request.status("5", "no such thing");
    };
    assert_eq!(ended_by_the_server(LIMIT, another).await, Code::NotFound, "an answer is an answer");
}
