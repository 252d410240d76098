//! What readers who leave, readers who gather, and servers that do not read must not cost: the connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::Waker;
use std::time::Duration;

use bytes::Bytes;
use rstest::rstest;

use super::fixture::*;
use crate::transport::{Connection, Keepalive, Reply, RequestHead, Slot, Stream, StreamEvent};

async fn call_for_whole(connection: &Connection) -> Stream {
    let slot = connection.reserve().await.unwrap();
    let head = RequestHead { reply: Reply::Whole, ..head() };
    slot.start(head, few(b"hello"), true, Waker::noop()).unwrap()
}

/// What is left of the connection's window for a server, who keeps to it.
struct Allowance {
    sent: usize,
    opened: usize,
}

impl Allowance {
    fn new() -> Self {
        Self { sent: 0, opened: 65_535 }
    }

    fn left(&self) -> usize {
        self.opened - self.sent
    }

    /// Takes all that the client says now, and returns the streams that it began.
    async fn hear(&mut self, peer: &mut Frames) -> Vec<u32> {
        const WINDOW_UPDATE: u8 = 8;
        let mut begun = Vec::new();
        let soon = Duration::from_millis(1);
        while let Ok(Some((kind, _, stream, payload))) = tokio::time::timeout(soon, peer.next()).await {
            match kind {
                HEADERS => begun.push(stream),
                WINDOW_UPDATE if stream == 0 => {
                    self.opened += u32::from_be_bytes(payload.try_into().unwrap()) as usize;
                }
                _ => {}
            }
        }
        begun
    }

    async fn send(&mut self, peer: &mut Frames, stream: u32, bytes: usize) {
        peer.send(DATA, 0, stream, &vec![0; bytes]).await;
        self.sent += bytes;
    }
}

/// A peer that lets everything in, as far as a pipe of so many bytes takes it.
async fn behind_a_narrow_pipe(engine: Transport, bytes: usize) -> (Dial, Connection, Frames) {
    let (mut dial, io) = Dial::begin_narrow(engine, bytes).await;
    let mut peer = Frames::accept(io).await;
    peer.settings(&[(INITIAL_WINDOW_SIZE, 1 << 24)]).await;
    let connection = dial.ready().await;
    peer.open_window(0, 1 << 24).await;
    (dial, connection, peer)
}

#[tokio::test(start_paused = true)]
async fn calls_that_come_and_go_while_the_connection_does_not_run_are_not_kept_without_end() {
    /// Counts those that are there.
    struct Body(Arc<AtomicUsize>);
    impl AsRef<[u8]> for Body {
        fn as_ref(&self) -> &[u8] {
            &[7; 1024]
        }
    }
    impl Drop for Body {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Relaxed);
        }
    }
    let (_dial, connection, mut peer) =
        Dial::with_settings(Trunkline, &[(MAX_CONCURRENT_STREAMS, 100)]).await;
    let (bodies, mut most) = (Arc::new(AtomicUsize::new(0)), 0);
    for _ in 0..100_000 {
        let Some(slot) = connection.try_reserve() else { break };
        most = most.max(bodies.fetch_add(1, Relaxed) + 1);
        let body = Bytes::from_owner(Body(Arc::clone(&bodies)));
        drop(slot.start(head(), body.into(), true, Waker::noop()).unwrap());
    }
    assert!((1000..3000).contains(&most), "{most} requests are kept");
    assert!(connection.try_reserve().is_none(), "they hold their places");
    settle().await;
    assert_eq!((bodies.load(Relaxed), streams(&connection)), (0, 0));
    let mut stream = call(&connection, "x").await;
    let (_, id, _) = peer.next_of(HEADERS).await;
    assert_eq!(id, 1, "nothing of them was sent");
    peer.answer(id, b"x").await;
    assert_eq!(answer(&mut stream).await.1, "0");
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn data_that_arrives_while_its_reader_leaves_is_given_back(#[values(H2, Trunkline)] engine: Transport) {
    let (_dial, connection, mut peer) = Dial::with_frames(engine).await;
    let mut allowance = Allowance::new();
    for round in 0..200 {
        let stream = call(&connection, "x").await;
        settle().await;
        let id = allowance.hear(&mut peer).await[0];
        peer.send(HEADERS, END_HEADERS, id, GRPC_HEAD).await;
        settle().await;
        assert!(allowance.left() >= 16_384, "the window of the connection is used up after {round} calls");
        let mut left = allowance.left().min(500_000);
        while left > 0 {
            let part = left.min(16_384);
            allowance.send(&mut peer, id, part).await;
            left -= part;
        }
        // The driver has not read it yet.
        drop(stream);
        settle().await;
        allowance.hear(&mut peer).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_is_taken_as_a_whole_gives_back_what_was_delivered_before_its_end() {
    let (_dial, connection, mut peer) = Dial::with_frames(Trunkline).await;
    let mut allowance = Allowance::new();
    // In all more than a connection has for what nobody reads.
    for round in 0..6000 {
        let mut stream = call_for_whole(&connection).await;
        settle().await;
        let id = allowance.hear(&mut peer).await[0];
        assert!(allowance.left() >= 16_384, "the window of the connection is used up after {round} calls");
        peer.send(HEADERS, END_HEADERS, id, GRPC_HEAD).await;
        allowance.send(&mut peer, id, 16_384).await;
        settle().await;
        assert!(stream.take_plain().is_none(), "the end is not here");
        peer.send(HEADERS, END_HEADERS | END_STREAM, id, GRPC_STATUS_0).await;
        settle().await;
        assert_eq!(stream.take_plain().expect("all is here").body.len(), 16_384);
    }
}

#[tokio::test(start_paused = true)]
async fn answers_whose_frames_take_turns_are_taken_as_wholes() {
    let (_dial, connection, mut peer) = Dial::with_frames(Trunkline).await;
    let mut allowance = Allowance::new();
    let mut streams = [call_for_whole(&connection).await, call_for_whole(&connection).await];
    settle().await;
    let ids = allowance.hear(&mut peer).await;
    for id in &ids {
        peer.send(HEADERS, END_HEADERS, *id, GRPC_HEAD).await;
    }
    for id in &ids {
        peer.send(DATA, 0, *id, &id.to_be_bytes()).await;
    }
    for id in &ids {
        peer.send(HEADERS, END_HEADERS | END_STREAM, *id, GRPC_STATUS_0).await;
    }
    settle().await;
    for (stream, id) in streams.iter_mut().zip(ids) {
        assert_eq!(stream.take_plain().expect("all is here").body, id.to_be_bytes()[..]);
        assert!(stream.take_plain().is_none(), "once");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_withdrawn_call_would_have_sent_is_let_go() {
    let (_dial, connection, mut peer) = Dial::with_settings(Trunkline, &[(MAX_CONCURRENT_STREAMS, 4)]).await;
    let slots = [(); 4].map(|()| connection.reserve());
    let [first, second, third, fourth] = slots;
    let slots = [first.await.unwrap(), second.await.unwrap(), third.await.unwrap(), fourth.await.unwrap()];
    // All four have their places; then the server wants no streams.
    peer.settings(&[(MAX_CONCURRENT_STREAMS, 0)]).await;
    settle().await;
    let body = Bytes::from(vec![0; 1 << 20]);
    let start = |slot: Slot| slot.start(head(), body.clone().into(), true, Waker::noop()).unwrap();
    let mut streams: Vec<_> = slots.into_iter().map(start).collect();
    settle().await;
    assert!(!body.is_unique());
    while let Some(stream) = streams.pop() {
        drop(stream);
        settle().await;
    }
    assert!(body.is_unique(), "nobody holds the bodies of calls that are gone");
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn many_replies_that_are_wanted_whole_do_not_hold_the_window_shut(
    #[values(H2, Trunkline)] engine: Transport,
) {
    const CALLS: usize = 1000;
    let (_dial, connection, mut peer) = Dial::with_frames(engine).await;
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..CALLS {
        let mut stream = call_for_whole(&connection).await;
        calls.spawn(async move {
            loop {
                match event(&mut stream).await {
                    StreamEvent::Trailers(_) => return,
                    StreamEvent::Failed(error) => panic!("{error:?}"),
                    _ => {}
                }
            }
        });
    }
    settle().await;
    let mut allowance = Allowance::new();
    let begun = allowance.hear(&mut peer).await;
    assert_eq!(begun.len(), CALLS);
    for stream in &begun {
        peer.send(HEADERS, END_HEADERS, *stream, GRPC_HEAD).await;
    }
    // 96 KiB each, in turns, as a fair server sends.
    for _ in 0..6 {
        for stream in &begun {
            while allowance.left() < 16_384 {
                let before = allowance.left();
                allowance.hear(&mut peer).await;
                assert!(allowance.left() > before, "shut for good after {} bytes", allowance.sent);
            }
            allowance.send(&mut peer, *stream, 16_384).await;
        }
    }
    for stream in &begun {
        peer.send(HEADERS, END_HEADERS | END_STREAM, *stream, GRPC_STATUS_0).await;
    }
    while let Some(result) = calls.join_next().await {
        result.unwrap();
    }
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_stream_that_waits_for_its_turn_hears_of_a_reset_that_makes_room(
    #[values(H2, Trunkline)] engine: Transport,
) {
    // behaviour 88
    let (_dial, connection, mut peer) = Dial::with_settings(engine, &[(MAX_CONCURRENT_STREAMS, 3)]).await;
    let _other = call(&connection, "x").await;
    let first = call(&connection, "x").await;
    settle().await;
    peer.hear_everything().await;
    let slot = connection.reserve().await.unwrap();
    peer.settings(&[(MAX_CONCURRENT_STREAMS, 2)]).await;
    settle().await;
    peer.hear_everything().await;
    // Until no timer is left that could make up for a lost wake-up.
    tokio::time::sleep(Duration::from_secs(5)).await;
    peer.hear_everything().await;
    let _second = slot.start(head(), few(b"y"), true, Waker::noop()).unwrap();
    settle().await;
    drop(first);
    peer.next_of(HEADERS).await;
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn calls_that_give_up_while_the_server_does_not_read_are_never_said(
    // The h2 crate encodes a head when it is given one.
    #[values(Trunkline)] engine: Transport,
) {
    let (mut dial, io) = Dial::begin_narrow(engine, 4096).await;
    let mut peer = Frames::accept(io).await;
    peer.settings(&[]).await;
    let connection = dial.ready().await;
    for number in 0..60_000 {
        let stream = call(&connection, "x").await;
        if number % 1000 == 999 {
            settle().await;
        } else {
            tokio::task::yield_now().await;
        }
        drop(stream);
        tokio::task::yield_now().await;
    }
    settle().await;
    let heads = Allowance::new().hear(&mut peer).await.len();
    assert!(heads < 20_000, "{heads} heads of calls that were given up long before");
}

/// A call that is cancelled when a part of its request is written and the pipe is full.
async fn cancel_when_stuck(connection: &Connection) {
    let slot = connection.reserve().await.unwrap();
    let large = Bytes::from(vec![0; 10_000]);
    let stream = slot.start(head(), large.into(), true, Waker::noop()).unwrap();
    settle().await;
    drop(stream);
    settle().await;
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_farewell_that_nobody_reads_ends_all_the_same(#[values(H2, Trunkline)] engine: Transport) {
    for keepalive in [None, Some(Duration::from_secs(10))] {
        let mut options = options(engine);
        options.keepalive =
            keepalive.map(|every| Keepalive { every, timeout: Duration::from_secs(5), while_idle: false });
        let (ours, theirs) = tokio::io::duplex(200);
        let mut dial = Dial::on(crate::connect::Connected::new(ours), &options).await;
        let mut peer = Frames::accept(theirs).await;
        peer.settings(&[]).await;
        let connection = dial.ready().await;
        peer.hear_everything().await;
        cancel_when_stuck(&connection).await;
        dial.drain();
        let lost = tokio::time::timeout(Duration::from_secs(3600), dial.lost()).await;
        assert!(lost.is_ok(), "with keepalive {keepalive:?}");
    }
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_farewell_begins_when_the_last_call_leaves(#[values(H2, Trunkline)] engine: Transport) {
    let (mut dial, connection, mut peer) = behind_a_narrow_pipe(engine, 200).await;
    peer.hear_everything().await;
    let slot = connection.reserve().await.unwrap();
    let large = Bytes::from(vec![0; 4 << 20]);
    let stream = slot.start(head(), large.into(), true, Waker::noop()).unwrap();
    settle().await;
    dial.drain();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(dial.no_news(), "a call is there, whatever the peer does");
    drop(stream);
    let lost = tokio::time::timeout(Duration::from_secs(3600), dial.lost()).await;
    assert!(lost.is_ok(), "the peer still does not read");
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_place_that_was_never_used_delays_a_farewell_only_until_it_is_given_back(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let (mut dial, connection, mut peer) = behind_a_narrow_pipe(engine, 200).await;
    peer.hear_everything().await;
    let unused = connection.reserve().await.unwrap();
    cancel_when_stuck(&connection).await;
    dial.drain();
    let give_back = async {
        settle().await;
        drop(unused);
    };
    let (lost, ()) = tokio::join!(tokio::time::timeout(Duration::from_secs(3600), dial.lost()), give_back);
    assert!(lost.is_ok(), "nobody is left");
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn what_must_be_answered_while_the_peer_does_not_read_keeps_nobody_from_reading(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let (_dial, connection, mut peer) = behind_a_narrow_pipe(engine, 10_000).await;
    let mut small = call(&connection, "small").await;
    let (_, id, _) = peer.next_of(HEADERS).await;
    peer.hear_everything().await;
    // What fills the socket, and all that lies before it.
    let slot = connection.reserve().await.unwrap();
    let large = Bytes::from(vec![0; 4 << 20]);
    let _large = slot.start(head(), large.into(), true, Waker::noop()).unwrap();
    settle().await;
    // Two peers that read only once their own answer is written would wait for each other for ever.
    for _ in 0..20 {
        peer.send(PING, 0, 0, b"are here").await;
        settle().await;
    }
    peer.answer(id, b"x").await;
    assert_eq!(answer(&mut small).await.0, b"x");
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_small_call_does_not_wait_until_all_of_a_large_request_is_written(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let (_dial, connection, mut peer) = behind_a_narrow_pipe(engine, 10_000).await;
    peer.hear_everything().await;
    let slot = connection.reserve().await.unwrap();
    let large = Bytes::from(vec![0; 8 << 20]);
    let _large = slot.start(head(), large.into(), true, Waker::noop()).unwrap();
    let (_, first, _) = peer.next_of(HEADERS).await;
    settle().await;
    let _small = call(&connection, "small").await;
    settle().await;
    let mut between = 0;
    loop {
        let (kind, _, stream, payload) = peer.next().await.expect("the client closed the connection");
        if kind == HEADERS && stream > first {
            break;
        }
        between += payload.len();
    }
    assert!(between < 1 << 20, "{between} bytes of the large request came before it");
}
