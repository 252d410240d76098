//! How often a caller is woken, and that it is woken at all.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use rstest::rstest;

use super::fixture::*;
use crate::transport::{Connection, Reply, RequestHead, Stream, StreamEvent};

async fn call_for(connection: &Connection, reply: Reply) -> Stream {
    let slot = connection.reserve().await.unwrap();
    let head = RequestHead { reply, ..head() };
    slot.start(head, few(b"hello"), true, Waker::noop()).unwrap()
}

/// All that is there now.
fn ready_events(stream: &mut Stream, waker: &Waker) -> Vec<StreamEvent> {
    let mut events = Vec::new();
    while let Poll::Ready(event) = stream.poll_event(&mut Context::from_waker(waker)) {
        events.push(event);
    }
    events
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_call_with_one_reply_is_woken_once_when_all_of_it_is_there(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let (_dial, connection, mut peer) = Dial::with_frames(engine).await;
    let mut stream = call_for(&connection, Reply::Whole).await;
    let wakes = Arc::<Wakes>::default();
    let waker = Waker::from(wakes.clone());
    assert!(ready_events(&mut stream, &waker).is_empty());
    let (_, id, _) = peer.next_of(HEADERS).await;
    // In pieces, each of which comes alone.
    peer.send(HEADERS, END_HEADERS, id, GRPC_HEAD).await;
    settle().await;
    for piece in [&b"hel"[..], b"lo"] {
        peer.send(DATA, 0, id, piece).await;
        settle().await;
    }
    if engine == Trunkline {
        assert_eq!(wakes.count(), 0, "none of this is a reply");
    }
    peer.send(HEADERS, END_HEADERS | END_STREAM, id, GRPC_STATUS_0).await;
    settle().await;
    // The hint is one: an engine may wake more often, and h2 knows nothing of it.
    match engine {
        Trunkline => assert_eq!(wakes.count(), 1),
        _ => assert!(wakes.count() >= 1),
    }
    let events = ready_events(&mut stream, &waker);
    let [StreamEvent::Head(head), data @ .., StreamEvent::Trailers(_)] = &*events else {
        panic!("{events:?}")
    };
    assert!(!head.end);
    let body: Vec<u8> = data
        .iter()
        .flat_map(|event| match event {
            StreamEvent::Data(data) => data.to_vec(),
            event => panic!("{event:?}"),
        })
        .collect();
    assert_eq!(body, b"hello");
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_reply_of_more_than_the_window_reaches_a_caller_who_wants_it_whole(
    #[values(H2, Trunkline)] engine: Transport,
) {
    // Who is not woken does not read, who does not read gives no window back: the server would wait for ever.
    let (mut dial, io) = Dial::begin(engine).await;
    serve_large(io, 3 << 20);
    let connection = dial.ready().await;
    let mut stream = call_for(&connection, Reply::Whole).await;
    let (body, status) = answer(&mut stream).await;
    assert_eq!((body.len(), &*status), (3 << 20, "0"));
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_caller_that_wants_it_whole_hears_of_every_other_end_too(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let (_dial, connection, mut peer) = Dial::with_frames(engine).await;
    let mut reset = call_for(&connection, Reply::Whole).await;
    let (_, id, _) = peer.next_of(HEADERS).await;
    peer.send(HEADERS, END_HEADERS, id, STATUS_200).await;
    peer.reset(id, CANCEL).await;
    assert!(matches!(event(&mut reset).await, StreamEvent::Head(_)));
    failed(&mut reset).await;

    let mut without_trailers = call_for(&connection, Reply::Whole).await;
    let (_, id, _) = peer.next_of(HEADERS).await;
    peer.send(HEADERS, END_HEADERS, id, STATUS_200).await;
    peer.send(DATA, END_STREAM, id, b"x").await;
    assert!(matches!(event(&mut without_trailers).await, StreamEvent::Head(_)));
    assert!(matches!(event(&mut without_trailers).await, StreamEvent::Data(_)));
    assert!(matches!(event(&mut without_trailers).await, StreamEvent::End));

    let mut lost = call_for(&connection, Reply::Whole).await;
    peer.next_of(DATA).await;
    drop(peer);
    failed(&mut lost).await;
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_caller_that_wants_it_whole_is_told_what_there_is_when_it_asks(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let (_dial, connection, mut peer) = Dial::with_frames(engine).await;
    let mut stream = call_for(&connection, Reply::Whole).await;
    assert!(ready_events(&mut stream, Waker::noop()).is_empty());
    let (_, id, _) = peer.next_of(HEADERS).await;
    peer.send(HEADERS, END_HEADERS, id, GRPC_HEAD).await;
    settle().await;
    // As a call does whose deadline has passed.
    let events = ready_events(&mut stream, Waker::noop());
    assert!(matches!(&*events, [StreamEvent::Head(_)]), "{events:?}");
    peer.send(DATA, 0, id, b"hel").await;
    settle().await;
    let events = ready_events(&mut stream, Waker::noop());
    assert!(matches!(&*events, [StreamEvent::Data(data)] if data == "hel"), "{events:?}");
    peer.send(DATA, 0, id, b"lo").await;
    peer.send(HEADERS, END_HEADERS | END_STREAM, id, GRPC_STATUS_0).await;
    assert_eq!(answer(&mut stream).await, (b"lo".to_vec(), "0".to_owned()));
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_response_that_is_no_grpc_is_told_as_it_comes(#[values(H2, Trunkline)] engine: Transport) {
    let status_200_html = [STATUS_200, &literal("content-type", b"text/html")].concat();
    for head in [&literal(":status", b"502"), &status_200_html, STATUS_200] {
        let (_dial, connection, mut peer) = Dial::with_frames(engine).await;
        let mut stream = call_for(&connection, Reply::Whole).await;
        let wakes = Arc::<Wakes>::default();
        let waker = Waker::from(wakes.clone());
        assert!(ready_events(&mut stream, &waker).is_empty());
        let (_, id, _) = peer.next_of(HEADERS).await;
        peer.send(HEADERS, END_HEADERS, id, head).await;
        settle().await;
        // Whoever got a page wants to see its beginning, and not to wait for its end.
        assert_eq!(wakes.count(), 1, "{engine:?}");
        assert!(matches!(&*ready_events(&mut stream, &waker), [StreamEvent::Head(_)]));
        peer.send(DATA, 0, id, b"<html>").await;
        settle().await;
        assert_eq!(wakes.count(), 2, "{engine:?}");
        assert!(matches!(&*ready_events(&mut stream, &waker), [StreamEvent::Data(_)]));
    }
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_caller_that_wants_it_as_it_comes_gets_it_as_it_comes(#[values(H2, Trunkline)] engine: Transport) {
    let (_dial, connection, mut peer) = Dial::with_frames(engine).await;
    let mut stream = call_for(&connection, Reply::Stream).await;
    let (_, id, _) = peer.next_of(HEADERS).await;
    let wakes = Arc::<Wakes>::default();
    let waker = Waker::from(wakes.clone());
    assert!(ready_events(&mut stream, &waker).is_empty());
    peer.send(HEADERS, END_HEADERS, id, STATUS_200).await;
    settle().await;
    assert_eq!(wakes.count(), 1);
    assert!(matches!(&*ready_events(&mut stream, &waker), [StreamEvent::Head(_)]));
    for (number, piece) in [b"one", b"two"].into_iter().enumerate() {
        peer.send(DATA, 0, id, piece).await;
        settle().await;
        assert_eq!(wakes.count(), 2 + number);
        let events = ready_events(&mut stream, &waker);
        assert!(matches!(&*events, [StreamEvent::Data(data)] if data == &piece[..]), "{events:?}");
    }
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn whoever_asked_last_is_woken(#[values(H2, Trunkline)] engine: Transport) {
    let (_dial, connection, mut peer) = Dial::with_frames(engine).await;
    let mut stream = call_for(&connection, Reply::Stream).await;
    let (_, id, _) = peer.next_of(HEADERS).await;
    let [before, after] = [(); 2].map(|()| Arc::<Wakes>::default());
    assert!(ready_events(&mut stream, &before.clone().into()).is_empty());
    assert!(ready_events(&mut stream, &after.clone().into()).is_empty());
    peer.answer(id, b"x").await;
    settle().await;
    assert!(after.count() >= 1);
    assert_eq!(answer(&mut stream).await.1, "0");
}
