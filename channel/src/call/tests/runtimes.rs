//! Where a channel runs, and what its calls do when that is nowhere.

use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use super::METHOD;
use crate::stub::UnaryCall;
use crate::{Channel, Code, ConnectivityState};

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
        assert!(channel.ready(Duration::from_secs(5)).await.is_err());
        channel.close(Duration::from_secs(5)).await;
    });
}

#[test]
fn a_runtime_without_timers_fails_calls_instead_of_hanging_them() {
    let channel = Channel::builder("static:127.0.0.1:1").plaintext().connect_lazy().unwrap();
    let no_timers = Builder::new_current_thread().build().unwrap();
    let call = UnaryCall::<String>::new::<String>(&channel, &METHOD, "x".to_owned());
    assert_eq!(no_timers.block_on(call.into_future()).unwrap_err().code(), Code::Internal);
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
