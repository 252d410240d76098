//! Calls with many messages, up or down.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::{Answer, Rig, framed, lost};
use crate::stub::{BidiStreamingCall, ClientStreamingCall, ServerStreamingCall};
use crate::transport::{Connection, StreamError};
use crate::{Address, Code, Origin, Sent, StatusExt, Streaming};

async fn chat(rig: &Rig, capacity: usize) -> (mpsc::Sender<String>, Streaming<String>) {
    let (say, said) = mpsc::channel(capacity);
    let call = BidiStreamingCall::<String>::new(&rig.channel, &super::METHOD, ReceiverStream::new(said));
    (say, call.await.unwrap())
}

#[tokio::test]
async fn a_bidirectional_stream_is_handed_out_before_the_server_says_anything() {
    let (connection, mut server) = Connection::memory();
    let rig = Rig::connected(&connection);
    let (say, mut replies) = chat(&rig, 1).await;
    let mut request = server.accept().await;
    // More than the queue holds, and nobody reads: the call goes on by itself.
    for text in ["one", "two", "three"] {
        say.send(text.to_owned()).await.unwrap();
    }
    for text in ["one", "two", "three"] {
        assert_eq!(request.chunk().await.unwrap(), framed(text));
    }
    request.headers();
    request.say("heard");
    assert_eq!(replies.message().await.unwrap().as_deref(), Some("heard"));
    // The rest of the request goes on after the response has begun.
    say.send("four".to_owned()).await.unwrap();
    assert_eq!(request.chunk().await.unwrap(), framed("four"));
    drop(say);
    assert_eq!(request.chunk().await, None);
    request.ok();
    assert_eq!(replies.message().await.unwrap(), None);
    assert!(replies.trailers().is_some());
    let report = replies.report().unwrap();
    assert_eq!((report.origin(), report.sent()), (Origin::Server, Sent::Yes), "also after the end");
}

#[tokio::test]
async fn a_request_that_says_nothing_more_has_no_task_until_it_goes_on() {
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let (connection, mut server) = Connection::memory();
    let rig = Rig::connected(&connection);
    let before = tasks();
    let (say, mut replies) = chat(&rig, 1).await;
    let mut request = server.accept().await;
    request.headers();
    request.say("heard");
    assert_eq!(replies.message().await.unwrap().as_deref(), Some("heard"));
    tokio::task::yield_now().await;
    assert_eq!(tasks(), before);
    // Woken from where no runtime is.
    std::thread::scope(|scope| scope.spawn(|| say.try_send("one".to_owned()).unwrap()).join().unwrap());
    assert_eq!(request.chunk().await.unwrap(), framed("one"));
    assert_eq!(tasks(), before + 1);
    drop(replies);
    say.closed().await;
    assert!(request.was_reset().await);
    assert_eq!(tasks(), before);
}

#[tokio::test]
async fn a_request_that_waits_for_room_when_the_response_begins_goes_on_and_ends_with_its_call() {
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    for goes_on in [true, false] {
        let (connection, mut server) = Connection::memory();
        let rig = Rig::connected(&connection);
        let before = tasks();
        let (say, mut replies) = chat(&rig, 1).await;
        let mut request = server.accept().await;
        request.set_window(false);
        say.send("one".to_owned()).await.unwrap();
        request.headers();
        request.say("heard");
        assert_eq!(replies.message().await.unwrap().as_deref(), Some("heard"));
        if goes_on {
            request.set_window(true);
            assert_eq!(request.chunk().await.unwrap(), framed("one"));
        }
        drop(replies);
        // No task was made for it, only to be dropped.
        assert_eq!(tasks(), before + usize::from(goes_on));
        say.closed().await;
        assert!(request.was_reset().await);
    }
}

/// Says a number each third time that it is asked, and has itself asked again at once, for ever.
struct Restless(u32);

impl Stream for Restless {
    type Item = String;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<String>> {
        cx.waker().wake_by_ref();
        self.0 += 1;
        if self.0.is_multiple_of(3) { Poll::Ready(Some(self.0.to_string())) } else { Poll::Pending }
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_goes_on_in_the_moment_in_which_the_response_begins_goes_on() {
    let (connection, mut server) = Connection::memory();
    let rig = Rig::connected(&connection);
    let call = BidiStreamingCall::<String>::new(&rig.channel, &super::METHOD, Restless(0));
    let mut replies = call.await.unwrap();
    let mut request = server.accept().await;
    request.headers();
    request.say("heard");
    assert_eq!(replies.message().await.unwrap().as_deref(), Some("heard"));
    for number in 1..=1000 {
        let chunk = tokio::time::timeout(Duration::from_secs(1), request.chunk()).await.expect("it goes on");
        assert_eq!(chunk.unwrap(), framed(&(3 * number).to_string()));
    }
}

#[tokio::test]
async fn a_streamed_request_is_sent_again_from_the_beginning() {
    let (connection, mut server) = Connection::memory();
    let rig = Rig::connected(&connection);
    let (say, mut replies) = chat(&rig, 4).await;
    let mut request = server.accept().await;
    for text in ["one", "two"] {
        say.send(text.to_owned()).await.unwrap();
        assert_eq!(request.chunk().await.unwrap(), framed(text));
    }
    request.fail(StreamError::AboveGoAway(lost()));
    let mut request = server.accept().await;
    say.send("three".to_owned()).await.unwrap();
    for text in ["one", "two", "three"] {
        assert_eq!(request.chunk().await.unwrap(), framed(text));
    }
    request.reply("all heard");
    assert_eq!(replies.message().await.unwrap().as_deref(), Some("all heard"));
    assert_eq!(replies.message().await.unwrap(), None);
}

#[tokio::test]
async fn dropping_the_replies_ends_the_request_too() {
    let (connection, mut server) = Connection::memory();
    let rig = Rig::connected(&connection);
    let (say, replies) = chat(&rig, 1).await;
    let mut request = server.accept().await;
    request.headers();
    drop(replies);
    assert!(request.was_reset().await);
    say.closed().await;
}

// behaviour 94
#[tokio::test]
async fn an_early_status_is_the_status_although_the_request_goes_on() {
    let (connection, mut server) = Connection::memory();
    let rig = Rig::connected(&connection);
    let (say, said) = mpsc::channel::<String>(1);
    let call = ClientStreamingCall::<String>::new(&rig.channel, &super::METHOD, ReceiverStream::new(said));
    let call = tokio::spawn(call.into_future());
    let request = server.accept().await;
    request.headers();
    request.status("9", "enough");
    let status = call.await.unwrap().unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::FailedPrecondition, "enough"));
    say.closed().await;
}

#[tokio::test]
async fn an_error_before_the_headers_is_told_by_both_and_then_there_is_nothing() {
    let (connection, mut server) = Connection::memory();
    let rig = Rig::connected(&connection);
    let call = ServerStreamingCall::<String>::new::<String>(&rig.channel, &super::METHOD, "x".to_owned());
    let mut replies = call.await.unwrap();
    server.accept().await.fail(StreamError::Reset(2));
    assert_eq!(replies.headers().await.unwrap_err().code(), Code::Internal);
    assert_eq!(replies.message().await.unwrap_err().code(), Code::Internal);
    assert_eq!(replies.message().await.unwrap(), None);
    assert_eq!(replies.message().await.unwrap(), None);
}

#[tokio::test]
async fn replies_cut_at_any_byte_are_the_same_replies() {
    let (connection, mut server) = Connection::memory();
    let rig = Rig::connected(&connection);
    let bytes = [framed("one"), framed(""), framed("three")].concat();
    for size in 1..=bytes.len() {
        let call = ServerStreamingCall::<String>::new::<String>(&rig.channel, &super::METHOD, "x".to_owned());
        let mut replies = call.await.unwrap();
        let request = server.accept().await;
        request.headers();
        bytes.chunks(size).for_each(|piece| request.send_data(piece.to_vec()));
        request.ok();
        for text in ["one", "", "three"] {
            assert_eq!(replies.message().await.unwrap().as_deref(), Some(text), "pieces of {size}");
        }
        assert_eq!(replies.message().await.unwrap(), None);
    }
}

#[tokio::test]
async fn headers_and_replies_tell_the_same_failure_in_any_order() {
    let (connection, mut server) = Connection::memory();
    let rig = Rig::connected(&connection);
    let call = ServerStreamingCall::<String>::new::<String>(&rig.channel, &super::METHOD, "x".to_owned());
    let mut replies = call.await.unwrap();
    server.accept().await.fail(StreamError::Reset(2));
    assert_eq!(replies.message().await.unwrap_err().code(), Code::Internal);
    assert_eq!(replies.headers().await.unwrap_err().code(), Code::Internal);
    assert_eq!(replies.message().await.unwrap(), None);
}

#[tokio::test]
async fn a_stream_that_nobody_reads_holds_up_no_place_in_the_queue() {
    let (connection, mut server) = Connection::memory();
    server.set_limit(1);
    let rig = Rig::connected(&connection);
    let watch = || ServerStreamingCall::<String>::new::<String>(&rig.channel, &super::METHOD, "x".to_owned());
    let first = watch().await.unwrap();
    let request = server.accept().await;
    let second = watch().await.unwrap();
    let unary = tokio::spawn(rig.say("third").into_future());
    tokio::task::yield_now().await;
    request.reply("one");
    drop(first);
    // The second goes out although nobody reads it, and leaves its place to the third.
    server.accept().await.reply("two");
    drop(second);
    server.accept().await.reply("three");
    assert_eq!(unary.await.unwrap().unwrap(), "three");
}

/// Says one thing, then panics.
struct Panicking(bool);

impl Stream for Panicking {
    type Item = String;
    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<String>> {
        assert!(!self.0, "oh dear");
        self.0 = true;
        Poll::Ready(Some("one".to_owned()))
    }
}

#[tokio::test]
async fn a_request_stream_that_panics_ends_its_call_and_says_so() {
    let (connection, _server) = Connection::memory();
    let rig = Rig::connected(&connection);
    let call = BidiStreamingCall::<String>::new(&rig.channel, &super::METHOD, Panicking(false));
    let status = call.await.unwrap().message().await.unwrap_err();
    assert_eq!(status.code(), Code::Internal);
    assert!(status.message().contains("oh dear"), "{status}");
    let call = ClientStreamingCall::<String>::new(&rig.channel, &super::METHOD, Panicking(false));
    let status = call.await.unwrap_err();
    assert_eq!(status.code(), Code::Internal);
    assert_eq!(
        status.call_report().unwrap().address(),
        Some(&Address::other("a")),
        "where it was to be sent"
    );
}

#[tokio::test]
async fn a_reset_after_the_head_is_never_called_unprocessed() {
    let (connection, mut server) = Connection::memory();
    let rig = Rig::connected(&connection);
    let call = tokio::spawn(rig.say("hello").into_future());
    let request = server.accept().await;
    request.headers();
    request.fail(StreamError::Refused);
    let status = call.await.unwrap().unwrap_err();
    assert_eq!(status.call_report().unwrap().sent(), Sent::Yes);
}
