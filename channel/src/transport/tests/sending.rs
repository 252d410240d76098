//! The request side: backpressure, its end, and what happens when the answer comes first.

use std::task::Waker;
use std::time::Duration;

use bytes::Bytes;
use rstest::rstest;
use trunkline_proto::framing::SmallBytes;

use super::fixture::*;
use crate::transport::options::SEND_BUFFER;
use crate::transport::{Reply, RequestHead, SendClosed, StreamError, StreamEvent};

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_unary_request_is_one_write(#[values(H2, Trunkline)] engine: Transport) {
    let (mut dial, io, counters) = Dial::begin_counting(engine).await;
    let mut peer = Frames::accept(io).await;
    peer.settings(&[]).await;
    let connection = dial.ready().await;
    settle().await;
    let before = counters.writes();
    let _stream = call(&connection, "hello").await;
    let (flags, id, _) = peer.next_of(HEADERS).await;
    assert_eq!(flags & END_STREAM, 0);
    assert_eq!(peer.next_of(DATA).await, (END_STREAM, id, b"hello".to_vec()));
    settle().await;
    assert_eq!(counters.writes() - before, 1);
}

#[tokio::test(start_paused = true)]
async fn a_sender_hears_of_room_although_the_socket_takes_nothing() {
    // What was staged is the engine's: a sender that were told only when it is written would wait for all of a large
    // request of somebody else's.
    let (_dial, connection, mut peer) =
        Dial::with_settings(Trunkline, &[(INITIAL_WINDOW_SIZE, 1 << 30)]).await;
    peer.open_window(0, 1 << 30).await;
    settle().await;
    let (_stream, mut sender) = call_streaming(&connection).await;
    ready_to_send(&mut sender).await.unwrap();
    sender.send(Bytes::from(vec![0; SEND_BUFFER]), false).unwrap();
    let slot = connection.reserve().await.unwrap();
    let _bulk = slot.start(head(), Bytes::from(vec![0; 100 << 20]).into(), true, Waker::noop()).unwrap();
    let ready = tokio::time::timeout(Duration::from_secs(3600), ready_to_send(&mut sender));
    assert_eq!(ready.await, Ok(Ok(())), "the server has read nothing");
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_request_may_go_on_in_another_task_and_end(#[values(H2, Trunkline)] engine: Transport) {
    let (_dial, connection) = Dial::echoing(engine).await;
    let (mut stream, mut sender) = call_streaming(&connection).await;
    let sending = tokio::spawn(async move {
        for part in ["a", "b", "c"] {
            ready_to_send(&mut sender).await.unwrap();
            sender.send(Bytes::from_static(part.as_bytes()), false).unwrap();
        }
        sender.send(Bytes::new(), true).unwrap();
        assert_eq!(ready_to_send(&mut sender).await, Err(SendClosed));
        assert_eq!(sender.send(Bytes::new(), true), Err(SendClosed));
    });
    assert_eq!(answer(&mut stream).await, (b"abc".to_vec(), "0".to_owned()));
    sending.await.unwrap();
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn the_sender_is_taken_once_and_only_if_the_request_goes_on(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let (_dial, connection) = Dial::echoing(engine).await;
    let slot = connection.reserve().await.unwrap();
    let mut stream = slot.start(head(), Bytes::new().into(), false, Waker::noop()).unwrap();
    let sender = stream.take_sender();
    assert!(sender.is_some() && stream.take_sender().is_none());
    assert!(call(&connection, "x").await.take_sender().is_none());
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_full_window_makes_the_sender_wait_until_it_opens(#[values(H2, Trunkline)] engine: Transport) {
    // behaviour 89
    let (_dial, connection, mut peer) = Dial::with_frames(engine).await;
    let (_stream, mut sender) = call_streaming(&connection).await;
    ready_to_send(&mut sender).await.unwrap();
    // HTTP/2's first window is 65 535 bytes.
    sender.send(Bytes::from(vec![0; 65_535]), false).unwrap();
    let (_, id, _) = peer.next_of(HEADERS).await;
    let mut ready = tokio::spawn(async move {
        ready_to_send(&mut sender).await.unwrap();
        sender
    });
    let hour = Duration::from_secs(3600);
    assert!(tokio::time::timeout(hour, &mut ready).await.is_err());
    peer.open_window(0, 1000).await;
    peer.open_window(id, 1000).await;
    let mut sender = ready.await.unwrap();
    sender.send(Bytes::from_static(b"more"), true).unwrap();
    loop {
        let (flags, _, payload) = peer.next_of(DATA).await;
        if flags & END_STREAM != 0 {
            assert_eq!(payload, b"more");
            break;
        }
    }
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_window_of_zero_holds_back_data_and_nothing_else(#[values(H2, Trunkline)] engine: Transport) {
    // behaviour 89
    let (_dial, connection, mut peer) = Dial::with_settings(engine, &[(INITIAL_WINDOW_SIZE, 0)]).await;
    let _stream = call(&connection, "hello").await;
    let (_, id, _) = peer.next_of(HEADERS).await;
    for byte in b"hello" {
        peer.open_window(id, 1).await;
        assert_eq!(peer.next_of(DATA).await.2, [*byte]);
    }
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_sender_that_waits_for_nothing_takes_no_window_from_the_others(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let (_dial, connection, mut peer) = Dial::with_frames(engine).await;
    let (_one, mut idle) = call_streaming(&connection).await;
    ready_to_send(&mut idle).await.unwrap();
    let (_other, mut busy) = call_streaming(&connection).await;
    ready_to_send(&mut busy).await.unwrap();
    // All of the connection's first window: one byte kept for `idle` would hold the last byte back.
    busy.send(Bytes::from(vec![0; 65_535]), true).unwrap();
    let mut arrived = 0;
    while arrived < 65_535 {
        arrived += peer.next_of(DATA).await.2.len();
    }
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn an_early_answer_stops_what_is_left_of_a_large_request(#[values(H2, Trunkline)] engine: Transport) {
    // behaviour 94
    let (_dial, connection, mut peer) = Dial::with_frames(engine).await;
    let slot = connection.reserve().await.unwrap();
    let large = Bytes::from(vec![0; 1 << 20]);
    let mut stream = slot.start(head(), large.into(), true, Waker::noop()).unwrap();
    let (_, id, _) = peer.next_of(HEADERS).await;
    peer.answer(id, b"").await;
    assert_eq!(answer(&mut stream).await.1, "0");
    assert_eq!(streams(&connection), 0);
    drop(stream);
    assert_eq!(peer.next_of(RST_STREAM).await, (0, id, 0_u32.to_be_bytes().to_vec()));
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn an_early_answer_stops_what_is_left_of_a_request_that_was_sent_in_pieces(
    #[values(H2, Trunkline)] engine: Transport,
) {
    // behaviour 94
    let (_dial, connection, mut peer) = Dial::with_frames(engine).await;
    let (mut stream, mut sender) = call_streaming(&connection).await;
    ready_to_send(&mut sender).await.unwrap();
    sender.send(Bytes::from(vec![0; 1 << 20]), true).unwrap();
    assert_eq!(ready_to_send(&mut sender).await, Err(SendClosed));
    assert_eq!(sender.send(Bytes::new(), true), Err(SendClosed));
    drop(sender);
    let (_, id, _) = peer.next_of(HEADERS).await;
    peer.answer(id, b"").await;
    assert_eq!(answer(&mut stream).await.1, "0");
    assert_eq!(streams(&connection), 0);
    drop(stream);
    assert_eq!(peer.next_of(RST_STREAM).await, (0, id, NO_ERROR.to_be_bytes().to_vec()));
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn early_answers_stop_what_is_left_of_many_large_requests(#[values(H2, Trunkline)] engine: Transport) {
    // behaviour 94
    const REQUESTS: usize = 20;
    let (_dial, connection, mut peer) = Dial::with_frames(engine).await;
    peer.open_window(0, 16 << 20).await;
    let mut calls = Vec::new();
    for _ in 0..REQUESTS {
        let slot = connection.reserve().await.unwrap();
        let large = Bytes::from(vec![0; 1 << 20]);
        calls.push(slot.start(head(), large.into(), true, Waker::noop()).unwrap());
    }
    // Of each a window; of all together more than one of them has.
    let mut ids = Vec::new();
    let mut written = 0;
    while written < REQUESTS * 65_535 {
        let (kind, _, stream, payload) = peer.next().await.expect("the client closed the connection");
        match kind {
            HEADERS => ids.push(stream),
            DATA => written += payload.len(),
            _ => {}
        }
    }
    for id in ids {
        peer.answer(id, b"").await;
    }
    for call in &mut calls {
        assert_eq!(answer(call).await.1, "0");
    }
    let mut reset = 0;
    while peer.next_of(RST_STREAM).await.2 == NO_ERROR.to_be_bytes() {
        reset += 1;
        if reset == REQUESTS {
            break;
        }
    }
    assert_eq!(reset, REQUESTS);
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn an_answer_to_a_large_request_that_was_written_stops_nothing(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let (_dial, connection, mut peer) = Dial::with_settings(engine, &[(INITIAL_WINDOW_SIZE, 1 << 20)]).await;
    let slot = connection.reserve().await.unwrap();
    let large = Bytes::from(vec![0; 60_000]);
    let mut stream = slot.start(head(), large.into(), true, Waker::noop()).unwrap();
    let id = loop {
        let (flags, id, _) = peer.next_of(DATA).await;
        if flags & END_STREAM != 0 {
            break id;
        }
    };
    peer.answer(id, b"").await;
    assert_eq!(answer(&mut stream).await.1, "0");
    drop(stream);
    assert!(!peer.says(RST_STREAM).await);
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn an_early_answer_is_the_answer_and_stops_the_sender(#[values(H2, Trunkline)] engine: Transport) {
    // behaviour 94
    let (_dial, connection, mut peer) = Dial::with_frames(engine).await;
    let (mut stream, mut sender) = call_streaming(&connection).await;
    ready_to_send(&mut sender).await.unwrap();
    sender.send(Bytes::from(vec![0; 65_535]), false).unwrap();
    let waiting = tokio::spawn(async move { ready_to_send(&mut sender).await });
    let (_, id, _) = peer.next_of(HEADERS).await;
    peer.answer(id, b"").await;
    assert_eq!(answer(&mut stream).await.1, "0");
    assert_eq!(waiting.await.unwrap(), Err(SendClosed));
    assert_eq!(streams(&connection), 0);
    // And the server is told that nothing more comes, without a reproach.
    let (_, reset, code) = peer.next_of(RST_STREAM).await;
    assert_eq!(reset, id);
    assert!([NO_ERROR, CANCEL].map(u32::to_be_bytes).contains(&code.try_into().unwrap()));
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_server_that_resets_after_its_early_answer_changes_nothing(
    #[values(H2, Trunkline)] engine: Transport,
) {
    // behaviour 94
    let (_dial, connection, mut peer) = Dial::with_frames(engine).await;
    let (mut stream, mut sender) = call_streaming(&connection).await;
    let (_, id, _) = peer.next_of(HEADERS).await;
    peer.answer(id, b"x").await;
    peer.reset(id, 0).await;
    settle().await;
    assert_eq!(ready_to_send(&mut sender).await, Err(SendClosed));
    assert_eq!(answer(&mut stream).await, (b"x".to_vec(), "0".to_owned()));
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_sender_dropped_in_the_middle_cancels_the_stream(#[values(H2, Trunkline)] engine: Transport) {
    let (_dial, connection, mut peer) = Dial::with_frames(engine).await;
    let (mut stream, sender) = call_streaming(&connection).await;
    let (_, id, _) = peer.next_of(HEADERS).await;
    drop(sender);
    assert_eq!(peer.next_of(RST_STREAM).await, (0, id, CANCEL.to_be_bytes().to_vec()));
    assert!(matches!(failed(&mut stream).await, StreamError::Violation(_)));
    assert_eq!(streams(&connection), 0);
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_dropped_stream_stops_its_sender_in_another_task(#[values(H2, Trunkline)] engine: Transport) {
    let (_dial, connection, mut peer) = Dial::with_frames(engine).await;
    let (stream, mut sender) = call_streaming(&connection).await;
    ready_to_send(&mut sender).await.unwrap();
    sender.send(Bytes::from(vec![0; 65_535]), false).unwrap();
    let waiting = tokio::spawn(async move { ready_to_send(&mut sender).await });
    settle().await;
    drop(stream);
    assert_eq!(waiting.await.unwrap(), Err(SendClosed));
    let (_, id, _) = peer.next_of(HEADERS).await;
    assert_eq!(peer.next_of(RST_STREAM).await, (0, id, CANCEL.to_be_bytes().to_vec()));
    assert_eq!(streams(&connection), 0);
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_server_that_resets_the_stream_stops_its_sender(#[values(H2, Trunkline)] engine: Transport) {
    let (_dial, connection, mut peer) = Dial::with_frames(engine).await;
    let (mut stream, mut sender) = call_streaming(&connection).await;
    ready_to_send(&mut sender).await.unwrap();
    sender.send(Bytes::from(vec![0; 65_535]), false).unwrap();
    let waiting = tokio::spawn(async move { (ready_to_send(&mut sender).await, sender) });
    let (_, id, _) = peer.next_of(HEADERS).await;
    peer.reset(id, CANCEL).await;
    let (ready, mut sender) = waiting.await.unwrap();
    assert_eq!((ready, sender.send(Bytes::new(), true)), (Err(SendClosed), Err(SendClosed)));
    assert!(matches!(failed(&mut stream).await, StreamError::Reset(CANCEL)));
    assert_eq!(streams(&connection), 0);
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn an_upload_of_one_reply_hears_an_early_answer(#[values(H2, Trunkline)] engine: Transport) {
    // behaviour 94
    let (_dial, connection, mut peer) = Dial::with_frames(engine).await;
    let slot = connection.reserve().await.unwrap();
    let head = RequestHead { reply: Reply::Whole, ..head() };
    let mut stream = slot.start(head, Bytes::from_static(b"first").into(), false, Waker::noop()).unwrap();
    let mut sender = stream.take_sender().unwrap();
    let (_, id, _) = peer.next_of(HEADERS).await;
    peer.answer(id, b"enough").await;
    assert_eq!(answer(&mut stream).await, (b"enough".to_vec(), "0".to_owned()));
    assert_eq!(ready_to_send(&mut sender).await, Err(SendClosed));
    assert_eq!(peer.next_of(RST_STREAM).await.1, id);
    assert_eq!(streams(&connection), 0);
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_request_may_have_no_body_however_that_is_said(#[values(H2, Trunkline)] engine: Transport) {
    let (_dial, connection, mut peer) = Dial::with_frames(engine).await;
    for first in [SmallBytes::default(), Bytes::new().into()] {
        let slot = connection.reserve().await.unwrap();
        let mut stream = slot.start(head(), first, true, Waker::noop()).unwrap();
        let (mut flags, id, _) = peer.next_of(HEADERS).await;
        if flags & END_STREAM == 0 {
            let (later, _, body) = peer.next_of(DATA).await;
            assert!(body.is_empty());
            flags = later;
        }
        assert_eq!(flags & END_STREAM, END_STREAM);
        peer.answer(id, b"x").await;
        assert_eq!(answer(&mut stream).await.0, b"x");
    }
    // And an end that comes later.
    let (mut stream, mut sender) = call_streaming(&connection).await;
    let (flags, id, _) = peer.next_of(HEADERS).await;
    assert_eq!(flags & END_STREAM, 0);
    sender.send(Bytes::new(), true).unwrap();
    assert_eq!(peer.next_of(DATA).await, (END_STREAM, id, vec![]));
    peer.answer(id, b"x").await;
    assert_eq!(answer(&mut stream).await.0, b"x");
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_sender_hears_that_the_connection_is_lost(#[values(H2, Trunkline)] engine: Transport) {
    let (mut dial, connection, peer) = Dial::with_frames(engine).await;
    let (mut stream, mut sender) = call_streaming(&connection).await;
    settle().await;
    drop(peer);
    dial.lost().await;
    assert_eq!(ready_to_send(&mut sender).await, Err(SendClosed));
    assert!(matches!(event(&mut stream).await, StreamEvent::Failed(StreamError::Lost(_))));
}
