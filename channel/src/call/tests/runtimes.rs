//! Where a channel runs, and what its calls do when that is nowhere.

use std::time::Duration;

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use tokio::runtime::{Builder, Runtime};

use super::{Answer, METHOD, Rig};
use crate::stub::{ServerStreamingCall, UnaryCall};
use crate::transport::Connection;
use crate::{Channel, Code, ConnectivityState, Sent, StatusExt};

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

/// A channel to a port that nobody listens on, on a runtime that has shut down.
fn channel_of_the_dead() -> Channel {
    let gone = runtime();
    let handle = gone.handle().clone();
    drop(gone);
    Channel::builder("static:127.0.0.1:1").plaintext().runtime(handle).connect_lazy().unwrap()
}

#[test]
fn a_channel_whose_own_runtime_has_shut_down_says_so_and_never_hangs() {
    let channel = channel_of_the_dead();
    runtime().block_on(async {
        let say = || UnaryCall::<String>::new::<String>(&channel, &METHOD, "x".to_owned());
        let (one, two) =
            tokio::join!(say().into_future(), say().timeout(Duration::from_secs(5)).into_future());
        for status in [one.unwrap_err(), two.unwrap_err()] {
            assert_eq!(status.code(), Code::Internal);
            assert!(status.message().contains("has shut down"), "{status}");
        }
        let not_ready = channel.ready(Duration::from_secs(5)).await.unwrap_err();
        assert!(not_ready.to_string().contains("has shut down"), "{not_ready}");
        channel.close(Duration::from_secs(5)).await;
    });
}

/// What the future says at once, where no runtime is.
fn outside<F: Future>(future: F) -> F::Output {
    let Poll::Ready(said) = pin!(future).poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("nothing could ever wake it")
    };
    said
}

#[test]
fn a_call_that_loses_its_runtime_says_how_far_its_request_had_come() {
    let (connection, mut server) = Connection::memory();
    let rig = Rig::connected(&connection);
    let status = outside(rig.say("hello").into_future()).unwrap_err();
    assert_eq!((status.code(), status.call_report().unwrap().sent()), (Code::Internal, Sent::Maybe));
    assert!(server.try_accept().is_some(), "it went out before anybody asked where it could wait");

    let here = runtime();
    let mut replies = here.block_on(async {
        let watch = ServerStreamingCall::<String>::new::<String>(&rig.channel, &METHOD, "hello".to_owned());
        let replies = watch.await.unwrap();
        let request = server.accept().await;
        request.headers();
        request.say("hello");
        (replies, request)
    });
    assert_eq!(here.block_on(replies.0.message()).unwrap().unwrap(), "hello");
    let status = outside(replies.0.message()).unwrap_err();
    assert_eq!((status.code(), status.call_report().unwrap().sent()), (Code::Internal, Sent::Yes));
}

#[test]
fn a_request_that_is_taken_back_where_no_runtime_is_was_not_sent() {
    let (connection, mut server) = Connection::memory();
    let rig = Rig::connected(&connection);
    let mut call = rig.say("hello").into_future();
    {
        let here = runtime();
        let _entered = here.enter();
        assert!(pin!(&mut call).poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    server.try_accept().unwrap().set_unsent();
    let status = outside(call).unwrap_err();
    assert_eq!((status.code(), status.call_report().unwrap().sent()), (Code::Internal, Sent::No));
}

#[test]
fn a_runtime_without_timers_fails_calls_instead_of_hanging_them() {
    let channel = Channel::builder("static:127.0.0.1:1").plaintext().connect_lazy().unwrap();
    let no_timers = Builder::new_current_thread().build().unwrap();
    let call = UnaryCall::<String>::new::<String>(&channel, &METHOD, "x".to_owned());
    let status = no_timers.block_on(call.into_future()).unwrap_err();
    assert_eq!(status.code(), Code::Internal);
    assert!(status.message().contains("enable_time"), "{status}");
    let not_ready = no_timers.block_on(channel.ready(Duration::from_secs(1))).unwrap_err();
    assert!(not_ready.to_string().contains("enable_time"), "{not_ready}");
    // That is no fault of the channel: on another runtime it finds that nobody listens.
    let call = UnaryCall::<String>::new::<String>(&channel, &METHOD, "x".to_owned());
    assert_eq!(runtime().block_on(call.into_future()).unwrap_err().code(), Code::Unavailable);
}

#[test]
fn where_no_timers_are_nobody_can_wait_for_a_channel_that_runs_elsewhere() {
    let channel = Channel::builder("static:127.0.0.1:1").plaintext().connect_lazy().unwrap();
    let (good, no_timers) = (runtime(), Builder::new_current_thread().build().unwrap());
    good.block_on(async { channel.ready(Duration::ZERO).await.unwrap_err() });
    let not_ready = no_timers.block_on(channel.ready(Duration::from_secs(1))).unwrap_err();
    assert!(not_ready.to_string().contains("enable_time"), "{not_ready}");
}

#[tokio::test]
async fn a_closed_channel_is_not_ready_because_it_was_closed() {
    let channel = Channel::builder("static:127.0.0.1:1").plaintext().connect_lazy().unwrap();
    channel.close(Duration::ZERO).await;
    let not_ready = channel.ready(Duration::from_secs(1)).await.unwrap_err();
    assert!(not_ready.to_string().contains("channel is closed"), "{not_ready}");
}

#[tokio::test]
async fn who_watches_the_state_sees_the_last_handle_go() {
    let channel = Channel::builder("static:127.0.0.1:1").plaintext().connect_lazy().unwrap();
    let mut watch = channel.watch_state();
    let watching = tokio::spawn(async move { watch.changed().await });
    tokio::task::yield_now().await;
    drop(channel);
    assert_eq!(watching.await.unwrap(), ConnectivityState::Shutdown);
}

#[tokio::test(start_paused = true)]
async fn the_longest_of_times_are_no_times() {
    let channel = Channel::builder("static:127.0.0.1:1")
        .plaintext()
        .keepalive(Duration::MAX, Duration::MAX)
        .connect_timeout(Duration::MAX)
        .idle_timeout(Duration::MAX)
        .timeout(Duration::MAX)
        .connect_lazy()
        .unwrap();
    let waiting = tokio::time::timeout(Duration::from_secs(60), channel.ready(Duration::MAX));
    assert!(waiting.await.is_err(), "it goes on waiting");
    channel.close(Duration::MAX).await;
}
