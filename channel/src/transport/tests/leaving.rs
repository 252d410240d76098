//! Connections that take no more streams, by GOAWAY, by a drain or at the end of their ids, and what becomes
//! of those that they have.

use std::task::Waker;

use rstest::rstest;
use trunkline_proto::{ConnectError, Phase, framing::SmallBytes};

use super::fixture::*;
use crate::transport::options::STREAM_WINDOW;
use crate::transport::{Connection, DriverNews, StreamError, StreamEvent, TransportOptions};

#[rstest]
#[tokio::test(start_paused = true)]
async fn goaway_on_an_idle_connection_is_seen_at_once_and_the_connection_closes(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let (mut dial, connection, mut peer) = Dial::with_frames(engine).await;
    peer.goaway((1 << 31) - 1, 0, "").await;
    let cause = dial.draining().await;
    assert_eq!(cause.to_string(), "10.0.0.7:443: HTTP/2: the server said GOAWAY: NO_ERROR");
    assert!(!connection.is_open());
    assert_eq!(dial.lost().await.message(), cause.message());
    assert_eq!(connection.reserve().await.unwrap_err().message(), cause.message());
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn streams_up_to_the_last_finish_and_those_above_were_never_processed(
    #[values(H2, Trunkline)] engine: Transport,
) {
    // behaviour 78
    let (mut dial, connection, mut peer) = Dial::with_frames(engine).await;
    let (mut first, mut second) = (call(&connection, "a").await, call(&connection, "b").await);
    let (_, id, _) = peer.next_of(HEADERS).await;
    settle().await;
    peer.goaway(id, 0, "").await;
    dial.draining().await;
    assert!(matches!(failed(&mut second).await, StreamError::AboveGoAway(_)));
    peer.answer(id, b"x").await;
    assert_eq!(answer(&mut first).await, (b"x".to_vec(), "0".to_owned()));
    drop((first, second));
    dial.lost().await;
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn the_second_goaway_of_a_graceful_server_decides_which_streams_are_lost(
    #[values(H2, Trunkline)] engine: Transport,
) {
    // behaviour 77
    let (mut dial, connection, mut peer) = Dial::with_frames(engine).await;
    let (mut first, mut second) = (call(&connection, "a").await, call(&connection, "b").await);
    let (_, id, _) = peer.next_of(HEADERS).await;
    settle().await;
    peer.goaway((1 << 31) - 1, 0, "").await;
    dial.draining().await;
    peer.goaway(id, 0, "").await;
    assert!(matches!(failed(&mut second).await, StreamError::AboveGoAway(_)));
    peer.answer(id, b"x").await;
    assert_eq!(answer(&mut first).await.1, "0");
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn an_answer_that_comes_together_with_goaway_tells_that_the_connection_was_good(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let (mut dial, connection, mut peer) = Dial::with_frames(engine).await;
    let (mut stream, _unanswered) = (call(&connection, "a").await, call(&connection, "b").await);
    let (_, id, _) = peer.next_of(HEADERS).await;
    settle().await;
    peer.answer(id, b"x").await;
    peer.goaway(id + 2, 0, "").await;
    dial.draining().await;
    // Whoever called has not looked yet.
    assert!(dial.usage().await.answered);
    assert_eq!(answer(&mut stream).await, (b"x".to_vec(), "0".to_owned()));
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn goaway_and_close_at_once_lets_answers_through_and_tells_what_was_not_processed(
    #[values(H2, Trunkline)] engine: Transport,
) {
    // behaviour 77
    let (mut dial, connection, mut peer) = Dial::with_frames(engine).await;
    let mut calls = Vec::new();
    for _ in 0..3 {
        calls.push(call(&connection, "a").await);
    }
    let (_, id, _) = peer.next_of(HEADERS).await;
    settle().await;
    peer.answer(id, b"x").await;
    peer.goaway(id + 2, 0, "").await;
    drop(peer);
    dial.draining().await;
    assert_eq!(dial.lost().await.message(), "the server said GOAWAY: NO_ERROR");
    assert_eq!(answer(&mut calls[0]).await.1, "0");
    // It may have been processed, and the first reason for the end of the connection is GOAWAY.
    match failed(&mut calls[1]).await {
        StreamError::Lost(cause) => assert_eq!(cause.message(), "the server said GOAWAY: NO_ERROR"),
        error => panic!("{error:?}"),
    }
    assert!(matches!(failed(&mut calls[2]).await, StreamError::AboveGoAway(_)));
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_stream_started_after_goaway_arrived_was_never_sent(#[values(H2, Trunkline)] engine: Transport) {
    let (mut dial, connection, mut peer) = Dial::with_frames(engine).await;
    let slot = connection.reserve().await.unwrap();
    peer.goaway((1 << 31) - 1, 0, "").await;
    dial.draining().await;
    let error = slot.start(head(), SmallBytes::default(), true, Waker::noop()).unwrap_err();
    assert!(matches!(error, StreamError::NeverSent(_)), "{error:?}");
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn draining_finishes_what_runs_starts_nothing_and_closes(#[values(H2, Trunkline)] engine: Transport) {
    let (mut dial, connection, mut peer) = Dial::with_frames(engine).await;
    let mut stream = call(&connection, "a").await;
    let (_, id, _) = peer.next_of(HEADERS).await;
    dial.drain();
    settle().await;
    assert!(!connection.is_open());
    assert!(connection.reserve().await.is_err());
    assert!(dial.no_news());
    peer.answer(id, b"x").await;
    assert_eq!(answer(&mut stream).await.1, "0");
    assert!(!dial.lost().await.is_permanent());
    // A client says GOAWAY too when it closes.
    peer.next_of(GOAWAY).await;
}

/// Who wants the connection to end.
#[derive(Clone, Copy)]
enum Leaving {
    Server,
    Channel,
}

impl Leaving {
    async fn says_so(self, dial: &mut Dial, peer: &mut Frames) {
        match self {
            Self::Server => {
                peer.goaway((1 << 31) - 1, 0, "").await;
                dial.draining().await;
            }
            Self::Channel => {
                dial.drain();
                settle().await;
            }
        }
    }
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_draining_connection_carries_its_streams_on_both_ways(
    #[values(H2, Trunkline)] engine: Transport,
    #[values(Leaving::Server, Leaving::Channel)] leaving: Leaving,
) {
    // behaviours 77, 78
    let (mut dial, connection, mut peer) = Dial::with_frames(engine).await;
    let (mut stream, mut sender) = call_streaming(&connection).await;
    let (_, id, _) = peer.next_of(HEADERS).await;
    leaving.says_so(&mut dial, &mut peer).await;
    // Up, with an upload of several pieces.
    for piece in [&b"one"[..], b"two"] {
        ready_to_send(&mut sender).await.unwrap();
        sender.send(bytes::Bytes::from_static(piece), false).unwrap();
        assert_eq!(peer.next_of(DATA).await, (0, id, piece.to_vec()));
    }
    sender.send(bytes::Bytes::new(), true).unwrap();
    assert_eq!(peer.next_of(DATA).await.0, END_STREAM);
    // And down, with more than the window of a stream.
    peer.send(HEADERS, END_HEADERS, id, STATUS_200).await;
    assert!(matches!(event(&mut stream).await, StreamEvent::Head(_)));
    let frame = vec![b'x'; 16 << 10];
    let frames = 3 * usize::try_from(STREAM_WINDOW).unwrap() / frame.len();
    let (mut window, mut read) = (usize::try_from(STREAM_WINDOW).unwrap(), 0);
    for _ in 0..frames {
        while window < frame.len() {
            window += peer.window_updates(id).await;
            assert!(window > 0, "what was read was not given back");
        }
        window -= frame.len();
        peer.send(DATA, 0, id, &frame).await;
        match event(&mut stream).await {
            StreamEvent::Data(data) => read += data.len(),
            event => panic!("{event:?}"),
        }
    }
    assert_eq!(read, frames * frame.len());
    peer.send(HEADERS, END_HEADERS | END_STREAM, id, GRPC_STATUS_0).await;
    assert!(matches!(event(&mut stream).await, StreamEvent::Trailers(_)));
    dial.lost().await;
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_call_given_up_on_a_draining_connection_is_reset(
    #[values(H2, Trunkline)] engine: Transport,
    #[values(Leaving::Server, Leaving::Channel)] leaving: Leaving,
) {
    // behaviour 65
    let (mut dial, connection, mut peer) = Dial::with_frames(engine).await;
    let (stream, other) = (call(&connection, "a").await, call(&connection, "b").await);
    let (_, id, _) = peer.next_of(HEADERS).await;
    leaving.says_so(&mut dial, &mut peer).await;
    drop(stream);
    assert_eq!(peer.next_of(RST_STREAM).await, (0, id, CANCEL.to_be_bytes().to_vec()));
    // And the connection does not wait for those that nobody waits for.
    drop(other);
    assert_eq!(peer.next_of(RST_STREAM).await.1, id + 2);
    dial.lost().await;
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn draining_an_idle_connection_closes_it_at_once(#[values(H2, Trunkline)] engine: Transport) {
    let (mut dial, _connection, _peer) = Dial::with_frames(engine).await;
    dial.drain();
    dial.lost().await;
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn draining_before_the_settings_is_the_end(#[values(H2, Trunkline)] engine: Transport) {
    let (mut dial, _io) = Dial::begin(engine).await;
    dial.drain();
    assert!(matches!(dial.news().await, DriverNews::Lost(_)));
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn aborting_a_connection_that_drains_tells_the_streams_why(#[values(H2, Trunkline)] engine: Transport) {
    let (dial, connection, mut peer) = Dial::with_frames(engine).await;
    let mut stream = call(&connection, "a").await;
    peer.next_of(DATA).await;
    dial.drain();
    settle().await;
    // The drain was no reason for any stream to end.
    dial.abort(ConnectError::new(Phase::Http2, "closed by the application"));
    match failed(&mut stream).await {
        StreamError::Lost(cause) => assert_eq!(cause.message(), "closed by the application"),
        error => panic!("{error:?}"),
    }
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_drained_connection_says_all_it_has_to_say_before_it_closes(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let (mut dial, io) = Dial::begin_narrow(engine, 1000).await;
    let mut peer = Frames::accept(io).await;
    peer.settings(&[]).await;
    let connection = dial.ready().await;
    peer.hear_everything().await;
    let slot = connection.reserve().await.unwrap();
    let large = bytes::Bytes::from(vec![b'x'; 50_000]);
    let stream = slot.start(head(), large.into(), true, Waker::noop()).unwrap();
    // The pipe is full in the middle of a frame when the call is given up, and the connection with it.
    settle().await;
    drop(stream);
    dial.drain();
    settle().await;
    peer.next_of(RST_STREAM).await;
    peer.next_of(GOAWAY).await;
    assert!(peer.next().await.is_none());
    dial.lost().await;
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_connection_whose_stream_ids_are_used_up_drains(#[values(H2, Trunkline)] engine: Transport) {
    // behaviour 82
    let (mut dial, connection, mut peer) = before_the_last_id(engine).await;
    let mut stream = call(&connection, "a").await;
    let (_, id, _) = peer.next_of(HEADERS).await;
    assert_eq!(id, LAST_ID);
    let cause = dial.draining().await;
    assert_eq!(cause.message(), "the stream ids of this connection are used up");
    assert!(!connection.is_open() && connection.reserve().await.is_err());
    peer.answer(id, b"x").await;
    assert_eq!(answer(&mut stream).await.1, "0");
    dial.lost().await;
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_call_that_comes_at_once_after_the_last_id_hears_that_it_is_used_up(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let (mut dial, connection, mut peer) = before_the_last_id(engine).await;
    let (first, second) = (connection.reserve().await.unwrap(), connection.reserve().await.unwrap());
    let _last = first.start(head(), few(b"a"), true, Waker::noop()).unwrap();
    let error = match second.start(head(), few(b"b"), true, Waker::noop()) {
        Ok(mut late) => failed(&mut late).await,
        Err(error) => error,
    };
    assert!(
        matches!(&error, StreamError::NeverSent(cause) if cause.message().contains("used up")),
        "{error:?}"
    );
    assert_eq!(peer.next_of(HEADERS).await.1, LAST_ID);
    dial.draining().await;
}

/// RFC 9113 5.1.1: ids have 31 bits, and those of clients are odd.
const LAST_ID: u32 = (1 << 31) - 1;

/// A ready connection whose next stream has the last id there is. Nobody waits for 2^30 streams, so there is a
/// shortcut for each engine.
async fn before_the_last_id(engine: Transport) -> (Dial, Connection, Frames) {
    let options = TransportOptions { first_stream_id: LAST_ID, ..options(engine) };
    let (dial, connection, mut peer) = Dial::with_frames_and(&options, &[]).await;
    if engine == H2 {
        // It answers a malformed block on a stream that was not yet opened with RST_STREAM, and goes on
        // behind it.
        peer.send(HEADERS, END_HEADERS, LAST_ID - 2, &literal("connection", b"x")).await;
        peer.next_of(RST_STREAM).await;
    }
    (dial, connection, peer)
}
