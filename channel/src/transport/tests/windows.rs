//! Flow control between streams: who does not read, or may not send, holds up nobody else.

use std::sync::Arc;
use std::task::Waker;

use bytes::Bytes;
use rstest::rstest;

use super::fixture::*;
use crate::transport::options::{FAREWELL, STREAM_WINDOW};
use crate::transport::{Reply, RequestHead, StreamEvent};

#[rstest]
#[tokio::test(start_paused = true)]
async fn readers_that_do_not_read_starve_nobody(#[values(H2, Trunkline)] engine: Transport) {
    // behaviour 89
    let size = 2 * usize::try_from(STREAM_WINDOW).unwrap();
    let (mut dial, io) = Dial::begin(engine).await;
    serve_large(io, size);
    let connection = dial.ready().await;
    // Each holds as much as the window of a stream lets the server send. All together stay below the window
    // of the connection; an engine that gives that back on receipt bears as many as memory may cost.
    let count = match engine {
        Trunkline => 40,
        _ => 15,
    };
    let mut stalled = Vec::new();
    for _ in 0..count {
        stalled.push(call(&connection, "x").await);
        settle().await;
    }
    let mut reader = call(&connection, "x").await;
    let (body, status) = answer(&mut reader).await;
    assert_eq!((body.len(), &*status), (size, "0"));
    // And they lose nothing, however late they begin.
    for stream in &mut stalled {
        let (body, status) = answer(stream).await;
        assert_eq!((body.len(), &*status), (size, "0"));
    }
    assert_eq!(streams(&connection), 0);
    assert!(connection.is_open() && dial.no_news());
}

#[tokio::test(start_paused = true)]
async fn what_is_gathered_for_whole_replies_is_not_what_holds_the_connections_window_shut() {
    const WHOLE: usize = 60;
    let (_dial, connection, mut peer) = Dial::with_frames(Trunkline).await;
    let wakes = Arc::<Wakes>::default();
    let waker = Waker::from(Arc::clone(&wakes));
    let mut whole = Vec::new();
    for _ in 0..WHOLE {
        let slot = connection.reserve().await.unwrap();
        let head = RequestHead { reply: Reply::Whole, ..head() };
        whole.push(slot.start(head, few(b"x"), true, &waker).unwrap());
    }
    let mut stalled = Vec::new();
    for _ in 0..40 {
        stalled.push(call(&connection, "x").await);
    }
    peer.hear_everything().await;
    let id = |number: usize| u32::try_from(2 * number + 1).unwrap();
    for number in 0..WHOLE {
        peer.send(HEADERS, END_HEADERS, id(number), GRPC_HEAD).await;
        for part in vec![b'x'; 220_000].chunks(16 << 10) {
            peer.send(DATA, 0, id(number), part).await;
        }
    }
    settle().await;
    assert_eq!(wakes.count(), 0, "none of this is a reply");
    for number in 0..stalled.len() {
        peer.begin_answer(id(WHOLE + number), 1 << 20).await;
    }
    settle().await;
    assert_eq!(wakes.count(), WHOLE);
    for stream in &mut whole {
        let StreamEvent::Head(_) = event(stream).await else { panic!("the head came first") };
        let StreamEvent::Data(data) = event(stream).await else { panic!("and then data") };
        assert!(!data.is_empty());
    }
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn readers_that_leave_give_back_what_they_did_not_read(#[values(H2, Trunkline)] engine: Transport) {
    // behaviour 89
    let size = 2 * usize::try_from(STREAM_WINDOW).unwrap();
    let (mut dial, io) = Dial::begin(engine).await;
    serve_large(io, size);
    let connection = dial.ready().await;
    // In all, ten times the window of the connection.
    for _ in 0..160 {
        let stream = call(&connection, "x").await;
        settle().await;
        drop(stream);
        settle().await;
    }
    let (body, _) = answer(&mut call(&connection, "x").await).await;
    assert_eq!(body.len(), size);
    assert!(connection.is_open() && dial.no_news());
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_server_that_leaves_is_told_of_the_connections_window_when_it_needs_it(
    #[values(H2, Trunkline)] engine: Transport,
) {
    const ANSWERS: u32 = 40;
    let (mut dial, connection, mut peer) = Dial::with_frames(engine).await;
    let mut calls = Vec::new();
    for _ in 0..ANSWERS {
        calls.push(call(&connection, "x").await);
    }
    peer.hear_everything().await;
    peer.goaway(2 * ANSWERS - 1, 0, "max_age").await;
    dial.draining().await;
    let mut told = None;
    for (call, number) in calls.iter_mut().zip(0..) {
        // Somewhat less than a thirtieth of the connection's window.
        peer.answer_long(2 * number + 1, 500_000).await;
        assert_eq!(answer(call).await.0.len(), 500_000);
        if peer.window_updates(0).await > 0 {
            told.get_or_insert(number);
        }
    }
    // It may be gone after each of them, and then what it is told costs what it has said. But it may go on, too.
    assert!(told.is_some_and(|told| told >= 20), "told after {told:?} answers");
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn readers_that_do_not_read_starve_nobody_for_long_where_the_server_leaves(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let (mut dial, connection, mut peer) = Dial::with_frames(engine).await;
    let mut calls = Vec::new();
    for _ in 0..15 {
        calls.push(call(&connection, "x").await);
    }
    peer.hear_everything().await;
    peer.goaway(29, 0, "max_age").await;
    dial.draining().await;
    for number in 0..12 {
        peer.begin_answer(2 * number + 1, 1 << 20).await;
    }
    settle().await;
    for (call, number) in calls[12..].iter_mut().zip(12..) {
        peer.answer_long(2 * number + 1, 1 << 20).await;
        assert_eq!(answer(call).await.0.len(), 1 << 20);
    }
    tokio::time::sleep(FAREWELL).await;
    // A twelfth of it is left, and what was read may come again.
    let given = peer.window_updates(0).await;
    assert!(given >= 3 << 20, "{given}");
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_megabyte_each_way_passes_windows_of_any_size(
    #[values(H2, Trunkline)] engine: Transport,
    #[values(1_000, 16_384, 65_535)] window: u32,
) {
    // behaviour 89
    let message: Bytes = (0..1 << 20).map(|index: u32| u8::try_from(index * 7 / 3 % 251).unwrap()).collect();
    let (mut dial, io) = Dial::begin(engine).await;
    serve_echo_within(io, window);
    let connection = dial.ready().await;
    let mut streams = Vec::new();
    for _ in 0..4 {
        let slot = connection.reserve().await.unwrap();
        streams.push(slot.start(head(), message.clone().into(), true, Waker::noop()).unwrap());
    }
    for stream in &mut streams {
        let (body, status) = answer(stream).await;
        assert!(body == message && status == "0");
    }
    assert!(connection.is_open() && dial.no_news());
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn those_who_send_share_the_connections_window(#[values(H2, Trunkline)] engine: Transport) {
    // behaviour 89
    let (_dial, connection, mut peer) = Dial::with_settings(engine, &[(INITIAL_WINDOW_SIZE, 1 << 20)]).await;
    let mut calls = Vec::new();
    for _ in 0..4 {
        let slot = connection.reserve().await.unwrap();
        let body = Bytes::from(vec![b'x'; 1 << 19]);
        calls.push(slot.start(head(), body.into(), true, Waker::noop()).unwrap());
    }
    // The connection's first window holds an eighth of what one of them wants to say; then it opens by a
    // little at a time.
    let mut heard = [0; 4];
    let mut ended = 0;
    while ended < 4 {
        let Ok(frame) = tokio::time::timeout(std::time::Duration::from_millis(1), peer.next()).await else {
            let (most, least) = (heard.iter().max().unwrap(), heard.iter().min().unwrap());
            let are_served = match engine {
                // Frame by frame.
                H2 => most - least <= 1 << 17,
                // Each its beginning, and then one after the other.
                _ => *least >= 1 << 16 || *most <= (1 << 16) + (1 << 15),
            };
            assert!(ended > 0 || are_served, "some are served and others are not: {heard:?}");
            peer.open_window(0, 1 << 15).await;
            continue;
        };
        if let (DATA, flags, stream, payload) = frame.expect("the client closed the connection") {
            heard[usize::try_from(stream / 2).unwrap()] += payload.len();
            ended += usize::from(flags & END_STREAM != 0);
        }
    }
    assert_eq!(heard, [1 << 19; 4]);
}
