//! What one peer, or one call, may cost the others on the connection: nothing.

use std::task::Waker;

use bytes::Bytes;
use rstest::rstest;
use trunkline_proto::wire::names::GRPC_MESSAGE;

use super::fixture::*;
use crate::transport::{StreamError, StreamEvent, StreamViolation};

#[rstest]
#[tokio::test(start_paused = true)]
async fn the_servers_limit_of_streams_is_obeyed_and_places_go_to_who_waits_longest(
    #[values(H2, Trunkline)] engine: Transport,
) {
    // behaviour 88
    let (_dial, connection, mut peer) = Dial::with_settings(engine, &[(MAX_CONCURRENT_STREAMS, 1)]).await;
    let mut first = call(&connection, "0").await;
    let (started, mut order) = tokio::sync::mpsc::unbounded_channel();
    for number in 1..4 {
        let (connection, started) = (connection.clone(), started.clone());
        tokio::spawn(async move {
            let mut stream = call(&connection, "x").await;
            started.send(number).unwrap();
            answer(&mut stream).await;
        });
        settle().await;
    }
    assert_eq!(streams(&connection), 1);
    for number in 1..4 {
        let (_, id, _) = peer.next_of(HEADERS).await;
        settle().await;
        assert!(order.try_recv().is_err(), "a stream above the limit");
        peer.answer(id, b"").await;
        if number == 1 {
            answer(&mut first).await;
        }
        assert_eq!(order.recv().await, Some(number));
    }
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_server_that_refuses_streams_below_its_limit_is_given_one_less_at_a_time(
    #[values(H2, Trunkline)] engine: Transport,
) {
    const REFUSED_STREAM: u32 = 7;
    let (_dial, connection, mut peer) = Dial::with_settings(engine, &[(MAX_CONCURRENT_STREAMS, 4)]).await;
    let mut calls = Vec::new();
    for _ in 0..4 {
        calls.push(call(&connection, "x").await);
    }
    peer.hear_everything().await;
    peer.reset(7, REFUSED_STREAM).await;
    assert!(matches!(failed(&mut calls[3]).await, StreamError::Refused));
    drop(calls.pop());
    let mut next = Box::pin(call(&connection, "x"));
    let is_early = tokio::time::timeout(std::time::Duration::from_secs(1), &mut next).await.is_ok();
    assert!(!is_early, "a fourth at a time is what it has just refused");
    peer.answer(1, b"").await;
    answer(&mut calls[0]).await;
    next.await;
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_limit_of_zero_is_ready_and_waits_and_raising_it_wakes(#[values(H2, Trunkline)] engine: Transport) {
    // behaviour 88
    let (_dial, connection, mut peer) = Dial::with_settings(engine, &[(MAX_CONCURRENT_STREAMS, 0)]).await;
    let waiting: Vec<_> = (0..3)
        .map(|_| {
            let connection = connection.clone();
            tokio::spawn(async move { call(&connection, "x").await })
        })
        .collect();
    settle().await;
    assert_eq!(streams(&connection), 0);
    peer.settings(&[(MAX_CONCURRENT_STREAMS, 2)]).await;
    settle().await;
    assert_eq!(waiting.iter().filter(|task| task.is_finished()).count(), 2);
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_lowered_limit_ends_nothing_and_starts_nothing_until_there_is_room(
    #[values(H2, Trunkline)] engine: Transport,
) {
    // behaviour 88
    let (_dial, connection, mut peer) = Dial::with_settings(engine, &[(MAX_CONCURRENT_STREAMS, 3)]).await;
    let mut running = Vec::new();
    for _ in 0..3 {
        running.push((call(&connection, "x").await, peer.next_of(HEADERS).await.1));
    }
    peer.settings(&[(MAX_CONCURRENT_STREAMS, 1)]).await;
    settle().await;
    let waiting = tokio::spawn({
        let connection = connection.clone();
        async move { call(&connection, "last").await }
    });
    for (mut stream, id) in running {
        settle().await;
        assert!(!waiting.is_finished(), "a place above the limit");
        peer.answer(id, b"x").await;
        assert_eq!(answer(&mut stream).await.1, "0");
    }
    let mut last = waiting.await.unwrap();
    let (_, id, _) = peer.next_of(HEADERS).await;
    peer.answer(id, b"x").await;
    assert_eq!(answer(&mut last).await.1, "0");
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn what_a_stream_sends_while_it_waits_for_its_turn_is_sent_when_it_comes(
    #[values(H2, Trunkline)] engine: Transport,
) {
    // behaviour 88
    let (_dial, connection, mut peer) = Dial::with_settings(engine, &[(MAX_CONCURRENT_STREAMS, 1)]).await;
    let slot = connection.reserve().await.unwrap();
    peer.settings(&[(MAX_CONCURRENT_STREAMS, 0)]).await;
    settle().await;
    let mut stream = slot.start(head(), few(b"a"), false, Waker::noop()).unwrap();
    let mut sender = stream.take_sender().unwrap();
    sender.send(Bytes::from_static(b"b"), false).unwrap();
    settle().await;
    sender.send(Bytes::from_static(b"c"), true).unwrap();
    assert!(!peer.says(HEADERS).await, "a stream above the limit");
    peer.settings(&[(MAX_CONCURRENT_STREAMS, 1)]).await;
    let (_, id, _) = peer.next_of(HEADERS).await;
    let mut body = Vec::new();
    loop {
        let (flags, _, data) = peer.next_of(DATA).await;
        body.extend_from_slice(&data);
        if flags & END_STREAM != 0 {
            break;
        }
    }
    assert_eq!(body, b"abc");
    peer.answer(id, b"x").await;
    assert_eq!(answer(&mut stream).await.0, b"x");
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_sender_that_gives_up_before_its_turn_ends_the_call(#[values(H2, Trunkline)] engine: Transport) {
    let (_dial, connection, mut peer) = Dial::with_settings(engine, &[(MAX_CONCURRENT_STREAMS, 1)]).await;
    let slot = connection.reserve().await.unwrap();
    peer.settings(&[(MAX_CONCURRENT_STREAMS, 0)]).await;
    settle().await;
    let mut stream = slot.start(head(), Bytes::new().into(), false, Waker::noop()).unwrap();
    drop(stream.take_sender());
    assert!(matches!(failed(&mut stream).await, StreamError::Violation(_)));
    assert_eq!(streams(&connection), 0);
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_place_that_was_given_before_the_limit_fell_is_no_stream_above_it(
    #[values(H2, Trunkline)] engine: Transport,
) {
    // behaviour 88
    let (mut dial, connection, mut peer) = Dial::with_settings(engine, &[(MAX_CONCURRENT_STREAMS, 4)]).await;
    let mut slots = Vec::new();
    for _ in 0..4 {
        slots.push(connection.reserve().await.unwrap());
    }
    peer.settings(&[(MAX_CONCURRENT_STREAMS, 1)]).await;
    settle().await;
    let mut started: Vec<_> = slots
        .into_iter()
        .map(|slot| slot.start(head(), Bytes::new().into(), true, Waker::noop()).unwrap())
        .collect();
    peer.next_of(HEADERS).await;
    let mut never = started.pop().unwrap();
    let dropped = started.pop().unwrap();
    let mut next = started.pop().unwrap();
    let mut first = started.pop().unwrap();
    assert!(!peer.says(HEADERS).await, "a stream above the limit");
    // One of those that wait is given up; it is not said, and in nobody's way.
    drop(dropped);
    peer.answer(1, b"x").await;
    assert_eq!(answer(&mut first).await.0, b"x");
    let (_, id, _) = peer.next_of(HEADERS).await;
    assert!(!peer.says(HEADERS).await, "a stream above the limit");
    // And one hears that its turn never comes.
    peer.goaway(id, 0, "").await;
    dial.draining().await;
    let fate = failed(&mut never).await;
    match engine {
        // It has given the stream a number by now, and that is above the last one.
        H2 => assert!(matches!(fate, StreamError::AboveGoAway(_) | StreamError::NeverSent(_)), "{fate:?}"),
        _ => assert!(matches!(fate, StreamError::NeverSent(_)), "{fate:?}"),
    }
    peer.answer(id, b"y").await;
    assert_eq!(answer(&mut next).await.0, b"y");
    dial.lost().await;
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn the_place_of_a_cancelled_call_is_free_once_its_reset_is_on_its_way(
    #[values(H2, Trunkline)] engine: Transport,
) {
    // behaviour 88
    let (_dial, connection, mut peer) = Dial::with_settings(engine, &[(MAX_CONCURRENT_STREAMS, 1)]).await;
    for _ in 0..50 {
        let stream = call(&connection, "x").await;
        peer.next_of(DATA).await;
        drop(stream);
        // The server never sees a second stream before it has seen the end of the first.
        let next = call(&connection, "x").await;
        let mut said = Vec::new();
        while said.last() != Some(&HEADERS) {
            said.push(peer.next().await.expect("the client closed the connection").0);
        }
        said.retain(|kind| [HEADERS, RST_STREAM].contains(kind));
        assert_eq!(said, [RST_STREAM, HEADERS]);
        peer.next_of(DATA).await;
        drop(next);
        settle().await;
        peer.hear_everything().await;
    }
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn waiting_calls_hear_of_goaway_and_were_never_sent(#[values(H2, Trunkline)] engine: Transport) {
    let (mut dial, connection, mut peer) = Dial::with_settings(engine, &[(MAX_CONCURRENT_STREAMS, 0)]).await;
    let waiting = tokio::spawn(async move { connection.reserve().await.map(|_slot| ()) });
    settle().await;
    peer.goaway(0, 0, "").await;
    dial.draining().await;
    assert_eq!(waiting.await.unwrap().unwrap_err().message(), "the server said GOAWAY: NO_ERROR");
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_header_of_any_likely_size_costs_its_call_alone(#[values(H2, Trunkline)] engine: Transport) {
    // behaviour 91
    for (kilobytes, arrives) in [(100, true), (200, true), (300, false)] {
        let (mut dial, connection, mut peer) = Dial::with_frames(engine).await;
        let (mut large, mut other) = (call(&connection, "a").await, call(&connection, "b").await);
        let (_, first, _) = peer.next_of(HEADERS).await;
        let (_, second, _) = peer.next_of(HEADERS).await;
        let block =
            [STATUS_200, &literal("grpc-message", &vec![b'x'; kilobytes * 1000]), GRPC_STATUS_0].concat();
        peer.send_block(first, &block).await;
        match event(&mut large).await {
            StreamEvent::Head(head) if arrives => {
                assert_eq!(head.headers.get(&GRPC_MESSAGE).unwrap().len(), kilobytes * 1000)
            }
            StreamEvent::Failed(StreamError::Violation(violation)) if !arrives => {
                assert_eq!(violation, StreamViolation::HeadersTooLarge { limit: 256 << 10 });
            }
            event => panic!("{kilobytes} kB: {event:?}"),
        }
        peer.answer(second, b"x").await;
        assert_eq!(answer(&mut other).await.1, "0");
        assert!(connection.is_open() && dial.no_news());
    }
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_list_of_many_headers_costs_its_call_alone(#[values(H2, Trunkline)] engine: Transport) {
    // behaviour 91
    let (mut dial, connection, mut peer) = Dial::with_frames(engine).await;
    let (mut large, mut other) = (call(&connection, "a").await, call(&connection, "b").await);
    let (_, first, _) = peer.next_of(HEADERS).await;
    let (_, second, _) = peer.next_of(HEADERS).await;
    let mut block = STATUS_200.to_vec();
    for number in 0..5000 {
        block.extend_from_slice(&literal(&format!("x-{number}"), &[b'v'; 30]));
    }
    peer.send_block(first, &block).await;
    let error = failed(&mut large).await;
    assert!(matches!(error, StreamError::Violation(StreamViolation::HeadersTooLarge { .. })), "{error:?}");
    peer.answer(second, b"x").await;
    assert_eq!(answer(&mut other).await.1, "0");
    assert!(dial.no_news());
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn thousands_of_cancelled_calls_with_late_answers_cost_nobody_else_anything(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let (mut dial, connection, mut peer) = Dial::with_frames(engine).await;
    let mut survivor = call(&connection, "survivor").await;
    let (_, survivor_id, _) = peer.next_of(HEADERS).await;
    for _ in 0..30 {
        let cancelled: Vec<_> = {
            let mut batch = Vec::new();
            for _ in 0..100 {
                batch.push(call(&connection, "x").await);
            }
            batch
        };
        settle().await;
        drop(cancelled);
        settle().await;
        for _ in 0..100 {
            let (_, id, _) = peer.next_of(HEADERS).await;
            peer.answer(id, b"late").await;
        }
        settle().await;
    }
    peer.answer(survivor_id, b"x").await;
    assert_eq!(answer(&mut survivor).await.1, "0");
    assert!(connection.is_open() && dial.no_news());
    peer.hear_everything().await;
    assert_eq!(streams(&connection), 0);
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_burst_of_cancelled_calls_is_reset_a_few_at_a_time_as_the_server_reads_them(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let (_dial, connection, mut peer) = Dial::with_frames(engine).await;
    let mut burst = Vec::new();
    for _ in 0..100 {
        burst.push(call(&connection, "x").await);
    }
    settle().await;
    drop(burst);
    settle().await;
    let (mut resets, mut most) = (0, 0);
    // Each acknowledgement is for what was read before it.
    let mut since_settings = 0;
    while let Ok(Some((kind, ..))) =
        tokio::time::timeout(std::time::Duration::from_millis(1), peer.next()).await
    {
        match kind {
            RST_STREAM => {
                resets += 1;
                since_settings += 1;
                most = most.max(since_settings);
            }
            SETTINGS => since_settings = 0,
            _ => {}
        }
    }
    assert_eq!(resets, 100);
    assert!(most <= 20, "{most} resets that a server by hyper takes for an attack");
    assert_eq!(streams(&connection), 0);
}

#[tokio::test(start_paused = true)]
async fn cancelled_calls_send_nothing_more_while_their_resets_wait() {
    // The h2 crate cannot drop what waits without a reset.
    let (_dial, connection, mut peer) = Dial::with_frames(Trunkline).await;
    let mut burst = Vec::new();
    for _ in 0..40 {
        burst.push(call(&connection, str::from_utf8(&[b'x'; 100_000]).unwrap()).await);
    }
    settle().await;
    drop(burst);
    settle().await;
    // It has not read the resets yet, nor that it is asked about them.
    peer.open_window(0, 10_000_000).await;
    for number in 0..40 {
        peer.open_window(2 * number + 1, 1_000_000).await;
    }
    settle().await;
    let (mut body, mut resets) = (0, 0);
    while resets < 40 {
        match peer.next().await.expect("the client closed the connection") {
            (DATA, _, _, payload) => body += payload.len(),
            (RST_STREAM, ..) => resets += 1,
            _ => {}
        }
    }
    assert_eq!(body, 65_535, "what the window of the connection let through before they were cancelled");
    settle().await;
    assert_eq!(streams(&connection), 0);
}

#[tokio::test(start_paused = true)]
async fn the_place_of_a_cancelled_call_is_free_when_the_server_ends_its_stream() {
    // The h2 crate tells nobody that a stream has ended of which nothing is asked.
    let (_dial, connection, mut peer) = Dial::with_frames(Trunkline).await;
    let mut burst = Vec::new();
    for _ in 0..100 {
        burst.push(call(&connection, "x").await);
    }
    settle().await;
    drop(burst);
    settle().await;
    // Sixteen are reset, and the server has not read that. It ends the others by itself, the last one first.
    for number in (16..100).rev() {
        peer.reset(2 * number + 1, 8).await;
        settle().await;
        assert_eq!(streams(&connection), usize::try_from(number).unwrap() - 16);
    }
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn late_answers_after_the_resets_are_forgotten_cost_nothing_either(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let (mut dial, connection, mut peer) = Dial::with_frames(engine).await;
    let mut late = Vec::new();
    for _ in 0..2000 {
        let stream = call(&connection, "x").await;
        late.push(peer.next_of(HEADERS).await.1);
        drop(stream);
    }
    tokio::time::sleep(std::time::Duration::from_secs(60)).await;
    for id in late {
        peer.answer(id, b"late").await;
    }
    settle().await;
    let mut survivor = call(&connection, "survivor").await;
    let (_, id, _) = peer.next_of(HEADERS).await;
    peer.answer(id, b"x").await;
    assert_eq!(answer(&mut survivor).await.1, "0");
    assert!(dial.no_news());
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_slow_reader_of_the_smallest_messages_keeps_its_connection(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let (mut dial, connection, mut peer) = Dial::with_frames(engine).await;
    let mut stream = call(&connection, "x").await;
    let (_, id, _) = peer.next_of(HEADERS).await;
    peer.send(HEADERS, END_HEADERS, id, STATUS_200).await;
    // As many empty gRPC messages, each in a frame of its own, as the window of the stream holds.
    let messages = usize::try_from(crate::transport::options::STREAM_WINDOW).unwrap() / 5;
    for _ in 0..messages {
        peer.send(DATA, 0, id, &[0; 5]).await;
    }
    settle().await;
    assert!(dial.no_news());
    assert!(matches!(event(&mut stream).await, StreamEvent::Head(_)));
    // An engine may hand over several frames as one.
    let mut read = 0;
    while read < messages * 5 {
        match event(&mut stream).await {
            StreamEvent::Data(data) => read += data.len(),
            event => panic!("{event:?}"),
        }
    }
    assert_eq!(read, messages * 5);
    peer.send(HEADERS, END_HEADERS | END_STREAM, id, GRPC_STATUS_0).await;
    assert!(matches!(event(&mut stream).await, StreamEvent::Trailers(_)));
    assert!(connection.is_open() && dial.no_news());
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn empty_frames_over_a_long_life_cost_nobody_anything(#[values(H2, Trunkline)] engine: Transport) {
    const CALLS: usize = 1000;
    let (mut dial, connection, mut peer) = Dial::with_frames(engine).await;
    // A server that flushes often: fifty thousand of them, a call a minute.
    for _ in 0..CALLS {
        let mut stream = call(&connection, "x").await;
        let (_, id, _) = peer.next_of(HEADERS).await;
        peer.send(HEADERS, END_HEADERS, id, STATUS_200).await;
        for _ in 0..25 {
            peer.send(DATA, 0, id, b"").await;
        }
        peer.send(DATA, 0, id, b"x").await;
        for _ in 0..25 {
            peer.send(DATA, 0, id, b"").await;
        }
        peer.send(HEADERS, END_HEADERS | END_STREAM, id, GRPC_STATUS_0).await;
        assert_eq!(answer(&mut stream).await, (b"x".to_vec(), "0".to_owned()));
        tokio::time::sleep(std::time::Duration::from_secs(60)).await;
    }
    assert!(connection.is_open() && dial.no_news());
}
