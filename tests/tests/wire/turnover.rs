//! GOAWAY: one connection ends, another takes its place, and no call is lost in between.

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use rstest::rstest;
use tokio::time::{Instant, sleep, timeout};
use trunkline::Transport::{self, H2, Trunkline};
use trunkline::{Channel, Code, ConnectivityState, Request, Sent, StatusExt};
use trunkline_tests::ms;
use trunkline_tests::script::{Code as ErrorCode, Kind, Setting, pipes};

use crate::load::{Counter, Farewell, call_all, serve_in_turns};
use crate::road::{Road, Shape};
use crate::stage::{LONG, Stage, TARGET, reply, settle};

const CALLERS: usize = 24;
const CALLS: usize = 60;
const CALLS_PER_CONNECTION: usize = 36;

// behaviour 77
#[rstest]
#[tokio::test(start_paused = true)]
async fn no_call_is_lost_or_made_twice_while_connections_are_turned_over(
    #[values(H2, Trunkline)] engine: Transport,
) {
    for farewell in [Farewell::Twice, Farewell::Once, Farewell::OnceAndGone] {
        let (connector, pipes) = pipes();
        let channel = Channel::builder(TARGET)
            .transport(engine)
            .plaintext()
            .connector(connector)
            .connect_lazy()
            .unwrap();
        let processed = Counter::default();
        let server = tokio::spawn(serve_in_turns(pipes, farewell, CALLS_PER_CONNECTION, processed.clone()));
        let began = Instant::now();
        let failures = timeout(LONG, call_all(&channel, CALLERS, CALLS)).await.unwrap();
        assert!(failures.is_empty(), "{farewell:?}: {} lost, such as {}", failures.len(), failures[0]);
        assert_eq!(processed.load(SeqCst), CALLERS * CALLS, "{farewell:?}");
        // Forty turnovers of at most a few milliseconds each: nobody waited for a backoff.
        assert!(began.elapsed() < Duration::from_secs(1), "{farewell:?}: {:?}", began.elapsed());
        server.abort();
    }
}

// behaviour 78
#[rstest]
#[tokio::test(start_paused = true)]
async fn calls_up_to_the_last_id_finish_and_those_above_it_are_made_elsewhere(
    #[values(H2, Trunkline)] engine: Transport,
) {
    for (road, shape) in Road::every() {
        let mut stage = Stage::proven(engine).await;
        let below = stage.call(road, shape);
        let finishing = stage.server.request().await.stream;
        let above = stage.call(road, shape);
        assert!(stage.server.request().await.stream > finishing);
        stage.server.go_away(finishing, ErrorCode::NoError, "").await;

        let mut replacement = stage.pipes.accept().await;
        replacement.greet(&[]).await;
        let stream = replacement.request().await.stream;
        replacement.respond(stream, &reply("from the new one"), "0").await;
        assert_eq!(above.end().await.unwrap().messages, ["from the new one"], "{road:?} {shape:?}");

        assert!(!below.is_finished());
        stage.server.respond(finishing, &reply("from the old one"), "0").await;
        assert_eq!(below.end().await.unwrap().messages, ["from the old one"], "{road:?} {shape:?}");
        // Its last call has ended, so the client hangs up.
        stage.server.closed().await;
    }
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_call_of_the_moment_of_goaway_waits_for_the_replacement_and_for_nothing_else(
    #[values(H2, Trunkline)] engine: Transport,
) {
    for (road, shape) in Road::every() {
        for connecting in [ms(0), ms(40), ms(1000)] {
            let mut stage = Stage::proven(engine).await;
            let old = stage.call(road, shape);
            let old_stream = stage.server.request().await.stream;
            let began = Instant::now();
            stage.server.go_away_gently().await;
            let new = stage.call(road, shape);
            let mut replacement = stage.pipes.accept().await;
            assert_eq!(began.elapsed(), ms(0), "{road:?} {shape:?}: it is dialled at once");
            sleep(connecting).await;
            replacement.greet(&[]).await;
            let stream = replacement.request().await.stream;
            replacement.respond(stream, &reply("hello"), "0").await;
            new.end().await.unwrap();
            assert_eq!(began.elapsed(), connecting, "{road:?} {shape:?}");
            // The old connection serves what it has all the while.
            stage.server.respond(old_stream, &reply("hello"), "0").await;
            old.end().await.unwrap();
            assert_eq!(stage.pipes.waiting(), 0, "one replacement is enough");
        }
    }
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_call_that_waits_for_a_place_gets_one_on_the_replacement(
    #[values(H2, Trunkline)] engine: Transport,
) {
    for (road, shape) in Road::every() {
        let mut stage = Stage::with(engine, &[(Setting::MAX_CONCURRENT_STREAMS, 1)], |builder| builder).await;
        stage.still_serves().await;
        let running = stage.call(road, shape);
        let running_stream = stage.server.request().await.stream;
        let waiting = stage.call(road, shape);
        assert!(!stage.server.has_sent(Kind::HEADERS).await, "{road:?} {shape:?}");
        stage.server.go_away_gently().await;
        let mut replacement = stage.pipes.accept().await;
        replacement.greet(&[]).await;
        let stream = replacement.request().await.stream;
        replacement.respond(stream, &reply("hello"), "0").await;
        waiting.end().await.unwrap();
        assert!(!running.is_finished(), "{road:?} {shape:?}");
        stage.server.respond(running_stream, &reply("hello"), "0").await;
        running.end().await.unwrap();
    }
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn the_channel_stays_ready_through_a_turnover(#[values(H2, Trunkline)] engine: Transport) {
    let mut stage = Stage::proven(engine).await;
    let call = stage.call(Road::Own, Shape::Unary);
    let stream = stage.server.request().await.stream;
    stage.server.go_away_gently().await;
    let mut replacement = stage.pipes.accept().await;
    assert_eq!(stage.channel.state(), ConnectivityState::Ready);
    sleep(ms(200)).await;
    assert_eq!(stage.channel.state(), ConnectivityState::Ready);
    replacement.greet(&[]).await;
    settle().await;
    assert_eq!(stage.channel.state(), ConnectivityState::Ready);
    stage.server.respond(stream, &reply("hello"), "0").await;
    call.end().await.unwrap();
    stage.server.closed().await;
    assert_eq!(stage.channel.state(), ConnectivityState::Ready);
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_call_that_was_on_its_way_when_the_connection_broke_is_not_made_twice(
    #[values(H2, Trunkline)] engine: Transport,
) {
    for (road, shape) in Road::every() {
        let mut stage = Stage::proven(engine).await;
        let call = stage.call(road, shape);
        stage.server.request().await;
        // No GOAWAY: nobody knows whether it was processed.
        drop(stage.server);
        let status = call.fails(Code::Unavailable).await;
        assert_eq!(status.call_report().unwrap().sent(), Sent::Maybe, "{road:?} {shape:?}: {status}");
    }
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn goaway_with_an_error_fails_what_it_may_have_processed_and_moves_the_rest(
    #[values(H2, Trunkline)] engine: Transport,
) {
    for road in Road::BOTH {
        let mut stage = Stage::proven(engine).await;
        let below = stage.call(road, Shape::Unary);
        let last = stage.server.request().await.stream;
        let above = stage.call(road, Shape::Unary);
        stage.server.request().await;
        stage.server.go_away(last, ErrorCode::InternalError, "out of luck").await;
        drop(stage.server);
        let status = below.fails(Code::Unavailable).await;
        assert!(status.message().contains("out of luck"), "{status}");
        assert_eq!(status.call_report().unwrap().sent(), Sent::Maybe, "{status}");
        let mut replacement = stage.pipes.accept().await;
        replacement.greet(&[]).await;
        let stream = replacement.request().await.stream;
        replacement.respond(stream, &reply("hello"), "0").await;
        assert_eq!(above.end().await.unwrap().messages, ["hello"], "{road:?}");
    }
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_server_that_turns_every_request_away_ends_it_after_a_while(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let (connector, mut pipes) = pipes();
    let channel =
        Channel::builder(TARGET).transport(engine).plaintext().connector(connector).connect_lazy().unwrap();
    let call = tokio::spawn(Road::Own.call(channel, Shape::Unary, Request::new("you".to_owned())));
    let server = tokio::spawn(async move {
        let mut turned_away = 0;
        loop {
            let mut server = pipes.accept().await;
            server.greet(&[]).await;
            server.request().await;
            turned_away += 1;
            server.go_away(0, ErrorCode::NoError, "").await;
            if turned_away == 6 {
                return turned_away;
            }
        }
    });
    let status = timeout(LONG, call).await.unwrap().unwrap().unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    assert_eq!(status.call_report().unwrap().sent(), Sent::No, "{status}");
    server.abort();
}
