//! How a connection begins and breaks, and what its streams are told.

use std::task::Waker;
use std::time::Duration;

use rstest::rstest;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use trunkline_proto::{ConnectError, Phase, framing::SmallBytes};

use super::fixture::*;
use crate::transport::StreamError;

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_connection_is_ready_only_once_the_servers_settings_are_in(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let (mut dial, io) = Dial::begin(engine).await;
    let mut peer = Frames::accept(io).await;
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert!(dial.no_news());
    peer.settings(&[]).await;
    assert!(dial.ready().await.is_open());
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_peer_that_speaks_http1_is_a_permanent_failure(#[values(H2, Trunkline)] engine: Transport) {
    let (mut dial, io) = Dial::begin(engine).await;
    let mut peer = Frames::accept(io).await;
    peer.io.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
    let error = dial.lost().await;
    assert_eq!(error.to_string(), "10.0.0.7:443: HTTP/2: the peer speaks HTTP/1.1, not HTTP/2");
    assert!(error.is_permanent());
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_peer_that_closes_before_its_settings_is_a_retryable_failure(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let (mut dial, io) = Dial::begin(engine).await;
    drop(Frames::accept(io).await);
    let error = dial.lost().await;
    assert_eq!(
        error.to_string(),
        "10.0.0.7:443: HTTP/2: the server closed the connection before its SETTINGS came"
    );
    assert!(!error.is_permanent());
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn goaway_before_settings_is_a_failure_that_says_what_the_server_said(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let (mut dial, io) = Dial::begin(engine).await;
    let mut peer = Frames::accept(io).await;
    peer.goaway(0, 11, "full house").await;
    let error = dial.lost().await;
    assert_eq!(error.message(), "the server said GOAWAY: ENHANCE_YOUR_CALM, \"full house\"");
    assert!(!error.is_permanent());
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_stream_on_a_connection_that_had_already_ended_was_never_sent(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let (mut dial, connection, peer) = Dial::with_frames(engine).await;
    drop(peer);
    // The driver has not been polled since, as when a call is quicker than the news of the loss.
    let mut stream = {
        let slot = connection.reserve().await.unwrap();
        slot.start(head(), SmallBytes::default(), true, Waker::noop()).unwrap()
    };
    match failed(&mut stream).await {
        StreamError::NeverSent(cause) => assert_eq!(cause.message(), "the server closed the connection"),
        error => panic!("{error:?}"),
    }
    dial.lost().await;
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_stream_that_was_written_when_the_connection_broke_may_have_been_processed(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let (mut dial, connection, mut peer) = Dial::with_frames(engine).await;
    let mut stream = call(&connection, "a").await;
    peer.next_of(DATA).await;
    drop(peer);
    let cause = dial.lost().await;
    assert_eq!(cause.to_string(), "10.0.0.7:443: HTTP/2: the server closed the connection");
    match failed(&mut stream).await {
        StreamError::Lost(found) => assert_eq!(found.message(), cause.message()),
        error => panic!("{error:?}"),
    }
    assert!(!connection.is_open());
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_broken_connection_tells_each_stream_how_far_it_came(#[values(H2, Trunkline)] engine: Transport) {
    let (mut dial, connection, mut peer) = Dial::with_frames(engine).await;
    let (mut answered, mut below) = (call(&connection, "a").await, call(&connection, "b").await);
    let mut above = call(&connection, "c").await;
    let (_, id, _) = peer.next_of(HEADERS).await;
    settle().await;
    peer.answer(id, b"x").await;
    peer.goaway(id + 2, 0, "").await;
    dial.draining().await;
    drop(peer);
    dial.lost().await;
    assert_eq!(answer(&mut answered).await.1, "0");
    let fates = (failed(&mut below).await, failed(&mut above).await);
    assert!(matches!(fates, (StreamError::Lost(_), StreamError::AboveGoAway(_))), "{fates:?}");

    // Without a GOAWAY, what was written may have been processed, and what was not was not.
    let (mut dial, connection, mut peer) = Dial::with_frames(engine).await;
    let (mut written, mut streaming) = (call(&connection, "a").await, call_streaming(&connection).await);
    peer.next_of(HEADERS).await;
    peer.next_of(HEADERS).await;
    drop(peer);
    let mut unwritten = call(&connection, "b").await;
    dial.lost().await;
    let fates = (failed(&mut written).await, failed(&mut streaming.0).await, failed(&mut unwritten).await);
    let expected = matches!(fates, (StreamError::Lost(_), StreamError::Lost(_), StreamError::NeverSent(_)));
    assert!(expected, "{fates:?}");
    assert_eq!(streams(&connection), 0);
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_stream_behind_a_full_pipe_was_never_sent_and_the_one_that_fills_it_was(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let (mut dial, io) = Dial::begin_narrow(engine, 1000).await;
    let mut peer = Frames::accept(io).await;
    peer.settings(&[]).await;
    let connection = dial.ready().await;
    peer.hear_everything().await;
    let slot = connection.reserve().await.unwrap();
    let large = bytes::Bytes::from(vec![b'x'; 50_000]);
    let mut partly = slot.start(head(), large.into(), true, Waker::noop()).unwrap();
    settle().await;
    let mut behind = call(&connection, "b").await;
    settle().await;
    drop(peer);
    dial.lost().await;
    let fates = (failed(&mut partly).await, failed(&mut behind).await);
    assert!(matches!(fates, (StreamError::Lost(_), StreamError::NeverSent(_))), "{fates:?}");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_has_closed_its_side_is_sent_no_more_requests() {
    // What the h2 crate has queued it writes also then.
    let (mut dial, io) = Dial::begin_narrow(Trunkline, 1000).await;
    let mut peer = Frames::accept(io).await;
    peer.settings(&[]).await;
    let connection = dial.ready().await;
    peer.hear_everything().await;
    // Begun together, when nothing waited: some more than fit.
    let mut calls = Vec::new();
    for _ in 0..100 {
        calls.push(call(&connection, "0123456789").await);
    }
    settle().await;
    peer.io.shutdown().await.unwrap();
    let mut bytes = vec![0; 1000];
    peer.io.read_exact(&mut bytes).await.unwrap();
    dial.lost().await;
    assert_eq!(peer.io.read(&mut bytes).await.unwrap(), 0, "nothing is said to who cannot answer");
    let (mut lost, mut never_sent) = (0, 0);
    for stream in &mut calls {
        match failed(stream).await {
            StreamError::Lost(_) => lost += 1,
            StreamError::NeverSent(_) => never_sent += 1,
            error => panic!("{error:?}"),
        }
    }
    assert!(lost > 0 && lost < 40 && never_sent > 60, "{lost} and {never_sent}");
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn what_the_server_said_before_it_closed_is_heard_although_writing_fails(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let (mut dial, connection, mut peer) = Dial::with_frames(engine).await;
    let mut first = call(&connection, "a").await;
    let (_, id, _) = peer.next_of(HEADERS).await;
    settle().await;
    peer.answer(id, b"x").await;
    peer.goaway(id, 0, "").await;
    drop(peer);
    // Its bytes meet a closed pipe.
    let mut second = call(&connection, "b").await;
    assert_eq!(answer(&mut first).await, (b"x".to_vec(), "0".to_owned()));
    let error = failed(&mut second).await;
    assert!(matches!(error, StreamError::NeverSent(_) | StreamError::AboveGoAway(_)), "{error:?}");
    dial.draining().await;
    dial.lost().await;
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_peer_that_breaks_the_rules_ends_the_connection_and_the_reason_is_told(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let (mut dial, connection, mut peer) = Dial::with_frames(engine).await;
    let mut stream = call(&connection, "a").await;
    let (_, id, _) = peer.next_of(DATA).await;
    // CONTINUATION without HEADERS.
    peer.send(9, END_HEADERS, id, b"").await;
    let cause = dial.lost().await;
    // The server is told, too, before the connection is closed (RFC 9113 5.4.1).
    let (_, _, goaway) = peer.next_of(GOAWAY).await;
    assert_eq!(goaway[..8], [0, 0, 0, 0, 0, 0, 0, 1], "PROTOCOL_ERROR, and no stream of the server's");
    assert!(peer.next().await.is_none());
    // The code is the same by every engine; which rule it was not all of them tell.
    let expected = "the server broke the rules of HTTP/2: PROTOCOL_ERROR";
    assert!(cause.message().starts_with(expected), "{cause}");
    assert!(
        matches!(failed(&mut stream).await, StreamError::Lost(found) if found.message() == cause.message())
    );
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn aborting_tells_the_streams_why(#[values(H2, Trunkline)] engine: Transport) {
    let (dial, connection, mut peer) = Dial::with_frames(engine).await;
    let mut stream = call(&connection, "a").await;
    peer.next_of(DATA).await;
    let waiting = tokio::spawn({
        let connection = connection.clone();
        async move { connection.reserve().await.map(|_slot| ()) }
    });
    dial.abort(ConnectError::new(Phase::Http2, "closed by the application"));
    match failed(&mut stream).await {
        StreamError::Lost(cause) => assert_eq!(cause.message(), "closed by the application"),
        error => panic!("{error:?}"),
    }
    waiting.await.unwrap().unwrap();
    assert!(!connection.is_open());
    while peer.next().await.is_some() {}
}
