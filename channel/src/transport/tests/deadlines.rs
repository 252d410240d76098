//! Who keeps the deadline of a call whose stream is open. Only our own engine's connections do: on the others a
//! call sets an alarm of its own.

use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use rstest::rstest;
use tokio::runtime::{Builder, Handle};
use tokio::time::Instant;

use super::fixture::*;
use crate::transport::{Slot, Stream};

const LIMIT: Duration = Duration::from_millis(200);

/// A call with a deadline, and how often its starter was woken.
fn start(slot: Slot) -> (Stream, Arc<Wakes>) {
    let wakes = Arc::<Wakes>::default();
    let mut head = head();
    head.deadline = Some((Instant::now() + LIMIT).into_std());
    let body = few(b"hello");
    let stream = slot.start(head, body, true, &Waker::from(Arc::clone(&wakes))).unwrap();
    (stream, wakes)
}

#[tokio::test(start_paused = true)]
async fn the_starter_is_woken_at_the_deadline_once_and_told_nothing() {
    let (_dial, connection, mut peer) = Dial::with_frames(Trunkline).await;
    let (mut stream, wakes) = start(connection.reserve().await.unwrap());
    assert!(stream.wakes_starter() && stream.keeps_deadline(&Handle::current()));
    let (_, id, _) = peer.next_of(HEADERS).await;
    tokio::time::sleep(LIMIT - Duration::from_millis(2)).await;
    assert_eq!(wakes.count(), 0);
    tokio::time::sleep(Duration::from_millis(4)).await;
    assert_eq!(wakes.count(), 1);
    // What becomes of the stream is the call's to say.
    peer.answer(id, b"late").await;
    assert_eq!(answer(&mut stream).await, (b"late".to_vec(), "0".to_owned()));
    tokio::time::sleep(10 * LIMIT).await;
    assert_eq!(wakes.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_out_of_time_before_its_turn_is_never_sent() {
    let (_dial, connection, mut peer) = Dial::with_settings(Trunkline, &[(MAX_CONCURRENT_STREAMS, 2)]).await;
    let slots = [connection.reserve().await.unwrap(), connection.reserve().await.unwrap()];
    // Both have their places; then the server wants one stream at a time.
    peer.settings(&[(MAX_CONCURRENT_STREAMS, 1)]).await;
    settle().await;
    let [first, second] = slots;
    let mut long = call_in(first);
    let (_, id, _) = peer.next_of(HEADERS).await;
    let (_stream, wakes) = start(second);
    tokio::time::sleep(LIMIT + Duration::from_millis(2)).await;
    assert_eq!(wakes.count(), 1);
    peer.answer(id, b"x").await;
    answer(&mut long).await;
    settle().await;
    let next = tokio::time::timeout(Duration::from_secs(1), peer.next_of(HEADERS)).await;
    assert!(next.is_err(), "{next:?}");
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn no_connection_keeps_the_deadline_of_a_reader_on_another_runtime(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let (_dial, connection, _peer) = Dial::with_frames(engine).await;
    let (stream, _) = start(connection.reserve().await.unwrap());
    let elsewhere = Builder::new_current_thread().build().unwrap();
    assert!(!stream.keeps_deadline(elsewhere.handle()));
    elsewhere.shutdown_background();
}

/// A call without a deadline.
fn call_in(slot: Slot) -> Stream {
    slot.start(head(), few(b"hello"), true, Waker::noop()).unwrap()
}
