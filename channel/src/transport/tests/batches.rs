//! How often bytes are moved, and that they stay the same bytes.

use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use rstest::rstest;

use super::fixture::*;
use crate::transport::{Connection, StreamEvent};

const MEGABYTE: usize = 1 << 20;

/// Bytes that show when some are lost, doubled or out of order.
fn pattern(length: usize) -> Bytes {
    (0..length).map(|index| u8::try_from(index * 7 / 3 % 251).unwrap()).collect()
}

async fn with_large_windows(engine: Transport) -> (Dial, Connection, Frames, Counters) {
    let (mut dial, io, counters) = Dial::begin_counting(engine).await;
    let mut peer = Frames::accept(io).await;
    peer.settings(&[(INITIAL_WINDOW_SIZE, 16 << 20)]).await;
    peer.open_window(0, 16 << 20).await;
    let connection = dial.ready().await;
    settle().await;
    (dial, connection, peer, counters)
}

/// So many callers who ask, and ask again once they are answered; the ids of what they ask first.
async fn callers_who_ask_twice(connection: &Connection, peer: &mut Frames, callers: usize) -> Vec<u32> {
    for _ in 0..callers {
        let connection = connection.clone();
        tokio::spawn(async move {
            for _ in 0..2 {
                answer(&mut call(&connection, "x").await).await;
            }
        });
    }
    let mut ids = Vec::new();
    for _ in 0..callers {
        ids.push(peer.next_of(HEADERS).await.1);
    }
    ids
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_large_message_goes_out_in_few_writes(#[values(H2, Trunkline)] engine: Transport) {
    let (_dial, connection, mut peer, counters) = with_large_windows(engine).await;
    let before = counters.writes();
    let slot = connection.reserve().await.unwrap();
    let _stream = slot.start(head(), pattern(MEGABYTE).into(), true, Waker::noop()).unwrap();
    let mut body = Vec::new();
    loop {
        let (flags, _, payload) = peer.next_of(DATA).await;
        body.extend_from_slice(&payload);
        if flags & END_STREAM != 0 {
            break;
        }
    }
    assert!(body == pattern(MEGABYTE));
    // 64 frames.
    let writes = counters.writes() - before;
    assert!(writes <= 20, "{writes} writes");
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_large_message_comes_in_by_few_reads(#[values(H2, Trunkline)] engine: Transport) {
    let (_dial, connection, mut peer, counters) = with_large_windows(engine).await;
    let mut stream = call(&connection, "x").await;
    let (_, id, _) = peer.next_of(HEADERS).await;
    settle().await;
    let before = counters.reads();
    let message = pattern(MEGABYTE - (16 << 10));
    peer.send(HEADERS, END_HEADERS, id, STATUS_200).await;
    for frame in message.chunks(16 << 10) {
        peer.send(DATA, 0, id, frame).await;
    }
    peer.send(HEADERS, END_HEADERS | END_STREAM, id, GRPC_STATUS_0).await;
    assert!(answer(&mut stream).await.0 == message);
    let reads = counters.reads() - before;
    assert!(reads <= 20, "{reads} reads");
}

// h2 reads on until nothing is left.
#[tokio::test(start_paused = true)]
async fn of_a_large_response_the_reader_takes_a_part_before_the_rest_is_read() {
    const PART: usize = 256 << 10;
    let (_dial, connection, mut peer, _) = with_large_windows(Trunkline).await;
    let mut stream = call(&connection, "x").await;
    let reader = tokio::spawn(async move {
        assert!(matches!(event(&mut stream).await, StreamEvent::Head(_)));
        let (mut taken, mut cx) = (0, Context::from_waker(Waker::noop()));
        while let Poll::Ready(StreamEvent::Data(data)) = stream.poll_event(&mut cx) {
            taken += data.len();
        }
        taken
    });
    let (_, id, _) = peer.next_of(HEADERS).await;
    tokio::task::unconstrained(async {
        peer.send(HEADERS, END_HEADERS, id, STATUS_200).await;
        for frame in pattern(MEGABYTE).chunks(16 << 10) {
            peer.send(DATA, 0, id, frame).await;
        }
    })
    .await;
    let taken = reader.await.unwrap();
    assert!((PART / 2..=2 * PART).contains(&taken), "{taken} bytes were there");
}

// What h2 reads into is its own affair.
#[tokio::test(start_paused = true)]
async fn what_much_was_read_into_is_given_back_in_a_quiet_time_although_a_stream_is_open() {
    let (_dial, connection, mut peer, counters) = with_large_windows(Trunkline).await;
    let mut stream = call(&connection, "x").await;
    let (_, id, _) = peer.next_of(HEADERS).await;
    peer.send(HEADERS, END_HEADERS, id, STATUS_200).await;
    for frame in pattern(MEGABYTE).chunks(16 << 10) {
        peer.send(DATA, 0, id, frame).await;
    }
    let mut taken = 0;
    while taken < MEGABYTE {
        if let StreamEvent::Data(data) = event(&mut stream).await {
            taken += data.len();
        }
    }
    assert!(counters.room() > 64 << 10, "{}", counters.room());
    tokio::time::sleep(Duration::from_secs(3)).await;
    peer.send(DATA, 0, id, b"x").await;
    assert!(matches!(event(&mut stream).await, StreamEvent::Data(data) if data == "x"));
    assert_eq!(counters.room(), 4 << 10);
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn small_calls_are_read_and_written_as_they_come(#[values(H2, Trunkline)] engine: Transport) {
    let (_dial, connection, mut peer, counters) = with_large_windows(engine).await;
    for _ in 0..10 {
        let (reads, writes) = (counters.reads(), counters.writes());
        let mut stream = call(&connection, "x").await;
        let (_, id, _) = peer.next_of(HEADERS).await;
        settle().await;
        peer.answer(id, b"x").await;
        answer(&mut stream).await;
        assert_eq!(counters.writes() - writes, 1);
        assert!(counters.reads() - reads <= 3);
    }
}

// A worker of this runtime runs what was woken last next, ahead of its queue.
#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn those_who_are_answered_at_once_ask_again_in_one_write(#[values(H2, Trunkline)] engine: Transport) {
    const CALLERS: usize = 8;
    let passing = tokio::spawn(async move {
        let (_dial, connection, mut peer, counters) = with_large_windows(engine).await;
        let ids = callers_who_ask_twice(&connection, &mut peer, CALLERS).await;
        // There is one worker and no socket: whoever has something to do does it now.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        let before = counters.writes();
        tokio::task::unconstrained(async {
            for id in ids {
                peer.answer(id, b"x").await;
            }
        })
        .await;
        for _ in 0..CALLERS {
            peer.next_of(HEADERS).await;
        }
        assert_eq!(counters.writes() - before, 1);
    });
    tokio::time::timeout(Duration::from_secs(300), passing).await.expect("somebody waits in vain").unwrap();
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn large_messages_pass_a_narrow_pipe_both_ways_unchanged(#[values(H2, Trunkline)] engine: Transport) {
    for pipe in [1, 100, 10_000, 100_000] {
        let size = (pipe * 2000).min(MEGABYTE);
        let (mut dial, io) = Dial::begin_narrow(engine, pipe).await;
        serve_echo(io);
        let connection = dial.ready().await;
        let mut streams = Vec::new();
        for _ in 0..3 {
            let slot = connection.reserve().await.unwrap();
            streams.push(slot.start(head(), pattern(size).into(), true, Waker::noop()).unwrap());
        }
        for stream in &mut streams {
            let (body, status) = answer(stream).await;
            assert!(body == pattern(size) && status == "0", "through a pipe of {pipe} bytes");
        }
    }
}

// Only our own engine has a say in when callers are woken.
#[tokio::test(start_paused = true)]
async fn of_many_who_are_answered_at_once_half_ask_again_before_the_others_are_woken() {
    // So many that their answers are one read.
    const CALLERS: usize = 80;
    let (_dial, connection, mut peer, counters) = with_large_windows(Trunkline).await;
    let ids = callers_who_ask_twice(&connection, &mut peer, CALLERS).await;
    settle().await;
    let before = counters.writes();
    // In one go: nobody else runs in between.
    tokio::task::unconstrained(async {
        for id in ids {
            peer.answer(id, b"x").await;
        }
    })
    .await;
    for _ in 0..CALLERS {
        peer.next_of(HEADERS).await;
    }
    // Forty, then forty: each share is a write.
    assert_eq!(counters.writes() - before, 2);
}
