//! PINGs on a connection, and what servers may say of them.

use std::time::Duration;

use rstest::rstest;
use tokio::time::Instant;

use super::fixture::*;
use crate::transport::{Connection, Keepalive, StreamError, TransportOptions};

const EVERY: Duration = Duration::from_secs(10);
const TIMEOUT: Duration = Duration::from_secs(2);

fn pinging(engine: Transport, while_idle: bool) -> TransportOptions {
    let keepalive = Some(Keepalive { every: EVERY, timeout: TIMEOUT, while_idle });
    TransportOptions { keepalive, ..options(engine) }
}

async fn begin(options: &TransportOptions) -> (Dial, Connection, Frames) {
    Dial::with_frames_and(options, &[]).await
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_peer_that_vanished_is_found_out_within_interval_and_timeout(
    #[values(H2, Trunkline)] engine: Transport,
) {
    // behaviour 83
    let (mut dial, connection, mut peer) = begin(&pinging(engine, false)).await;
    let mut stream = call(&connection, "x").await;
    peer.next_of(DATA).await;
    let start = Instant::now();
    let cause = dial.lost().await;
    assert_eq!(start.elapsed().as_secs(), 12);
    assert_eq!(cause.message(), "keepalive: the server did not answer a PING within 2s");
    assert!(!cause.is_permanent());
    assert!(
        matches!(failed(&mut stream).await, StreamError::Lost(found) if found.message() == cause.message())
    );
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn answered_pings_keep_the_connection_and_come_once_per_interval(
    #[values(H2, Trunkline)] engine: Transport,
) {
    // behaviour 83
    let (mut dial, connection, mut peer) = begin(&pinging(engine, false)).await;
    let _stream = call(&connection, "x").await;
    let start = Instant::now();
    for ping in 1..=5 {
        let (_, _, payload) = peer.next_of(PING).await;
        assert_eq!(start.elapsed().as_secs(), ping * EVERY.as_secs());
        let ack = 1;
        peer.send(PING, ack, 0, &payload).await;
    }
    assert!(dial.no_news());
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn without_streams_there_are_no_pings_unless_they_are_wanted(
    #[values(H2, Trunkline)] engine: Transport,
) {
    // behaviour 83
    let hour = Duration::from_secs(3600);
    let (mut resting, _connection, _peer) = begin(&pinging(engine, false)).await;
    tokio::time::sleep(hour).await;
    assert!(resting.no_news());
    let (mut watching, _connection, _peer) = begin(&pinging(engine, true)).await;
    let start = Instant::now();
    watching.lost().await;
    assert_eq!(start.elapsed().as_secs(), 12);
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_stream_after_a_long_rest_finds_a_dead_peer_within_the_timeout(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let (mut dial, connection, _peer) = begin(&pinging(engine, false)).await;
    tokio::time::sleep(Duration::from_secs(3600)).await;
    let start = Instant::now();
    let _stream = call(&connection, "x").await;
    dial.lost().await;
    assert_eq!(start.elapsed().as_secs(), 2);
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_server_that_complains_gets_pings_half_as_often_on_the_next_connections(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let options = pinging(engine, true);
    let (mut dial, _connection, mut peer) = begin(&options).await;
    peer.next_of(PING).await;
    peer.goaway(0, 11, "too_many_pings").await;
    assert_eq!(
        dial.draining().await.message(),
        "the server said GOAWAY: ENHANCE_YOUR_CALM, \"too_many_pings\""
    );
    let (_dial, _connection, mut peer) = begin(&options).await;
    let start = Instant::now();
    peer.next_of(PING).await;
    assert_eq!(start.elapsed().as_secs(), 2 * EVERY.as_secs());
}
