//! The server's limit of concurrent streams.

use std::time::Duration;

use rstest::rstest;
use tokio::time::Instant;
use trunkline::Transport::{self, H2, Trunkline};
use trunkline::{Code, Request, RequestExt, Sent, StatusExt};
use trunkline_tests::script::{Kind, Setting};

use crate::road::{Road, Shape};
use crate::stage::{Calling, Stage, name_in, reply, settle};

const LIMIT: Setting = Setting::MAX_CONCURRENT_STREAMS;

/// Calls on both roads in turn, one after another, each named by its number.
async fn calls(stage: &Stage, count: usize) -> Vec<Calling> {
    let mut calls = Vec::new();
    for (number, road) in (0..count).zip(Road::BOTH.into_iter().cycle()) {
        calls.push(stage.call_with(road, Shape::Unary, Request::new(number.to_string())));
        settle().await;
    }
    calls
}

/// The requests that the server has got by now: their streams and their numbers.
async fn arrived(stage: &mut Stage) -> Vec<(u32, usize)> {
    let mut arrived = Vec::new();
    while stage.server.has_sent(Kind::HEADERS).await {
        let stream = stage.server.request().await.stream;
        let name = name_in(&stage.server.body(stream).await);
        arrived.push((stream, name.parse().unwrap()));
    }
    arrived
}

fn numbers(arrived: &[(u32, usize)]) -> Vec<usize> {
    arrived.iter().map(|(_, number)| *number).collect()
}

// behaviour 88
#[rstest]
#[tokio::test(start_paused = true)]
async fn calls_above_the_limit_wait_and_start_in_order_as_others_end(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let mut stage = Stage::with(engine, &[(LIMIT, 2)], |builder| builder).await;
    let calls = calls(&stage, 7).await;
    let mut open = arrived(&mut stage).await;
    assert_eq!(numbers(&open), [0, 1]);
    for next in 2..9 {
        let (stream, _) = open.remove(0);
        stage.server.respond(stream, &reply("hello"), "0").await;
        let new = arrived(&mut stage).await;
        assert_eq!(numbers(&new), Vec::from_iter((next < 7).then_some(next)));
        open.extend(new);
    }
    for call in calls {
        call.end().await.unwrap();
    }
    stage.assert_same_connection();
}

// behaviour 88
#[rstest]
#[tokio::test(start_paused = true)]
async fn a_place_is_free_after_a_cancel_and_after_a_reset(#[values(H2, Trunkline)] engine: Transport) {
    let mut stage = Stage::with(engine, &[(LIMIT, 1)], |builder| builder).await;
    let mut calls = calls(&stage, 3).await.into_iter();
    let [first, second, third] = std::array::from_fn(|_| calls.next().unwrap());
    assert_eq!(numbers(&arrived(&mut stage).await), [0]);
    first.cancel();
    let open = arrived(&mut stage).await;
    assert_eq!(numbers(&open), [1]);
    stage.server.reset(open[0].0, trunkline_tests::script::Code::InternalError).await;
    second.fails(Code::Internal).await;
    let open = arrived(&mut stage).await;
    assert_eq!(numbers(&open), [2]);
    stage.server.respond(open[0].0, &reply("hello"), "0").await;
    third.end().await.unwrap();
}

// behaviour 88
#[rstest]
#[tokio::test(start_paused = true)]
async fn a_limit_of_zero_makes_calls_wait_and_raising_it_wakes_them_all(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let mut stage = Stage::with(engine, &[(LIMIT, 0)], |builder| builder).await;
    let calls = calls(&stage, 5).await;
    assert!(arrived(&mut stage).await.is_empty());
    stage.server.settings(&[(LIMIT, 3)]).await;
    let mut open = arrived(&mut stage).await;
    assert_eq!(numbers(&open), [0, 1, 2]);
    stage.server.settings(&[(LIMIT, 100)]).await;
    open.extend(arrived(&mut stage).await);
    assert_eq!(numbers(&open), [0, 1, 2, 3, 4]);
    for (stream, _) in open {
        stage.server.respond(stream, &reply("hello"), "0").await;
    }
    for call in calls {
        call.end().await.unwrap();
    }
}

// behaviour 88
#[rstest]
#[tokio::test(start_paused = true)]
async fn a_lowered_limit_ends_nothing_and_starts_nothing_until_there_is_room(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let mut stage = Stage::with(engine, &[(LIMIT, 3)], |builder| builder).await;
    let mut running = calls(&stage, 3).await;
    let open = arrived(&mut stage).await;
    assert_eq!(numbers(&open), [0, 1, 2]);
    stage.server.settings(&[(LIMIT, 1)]).await;
    settle().await;
    running.extend(calls(&stage, 1).await);
    assert!(arrived(&mut stage).await.is_empty());
    for (stream, number) in open {
        stage.server.respond(stream, &reply("hello"), "0").await;
        let expected: &[usize] = if number == 2 { &[0] } else { &[] };
        let new = arrived(&mut stage).await;
        assert_eq!(numbers(&new), expected, "after the end of call {number}");
        for (stream, _) in new {
            stage.server.respond(stream, &reply("hello"), "0").await;
        }
    }
    for call in running {
        call.end().await.unwrap();
    }
}

// behaviour 88
#[rstest]
#[tokio::test(start_paused = true)]
async fn a_call_that_waits_for_a_place_ends_at_its_deadline_and_was_never_sent(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let mut stage = Stage::with(engine, &[(LIMIT, 0)], |builder| builder).await;
    for (road, shape) in Road::every() {
        let (began, timeout) = (Instant::now(), Duration::from_millis(250));
        let request = Request::new("you".to_owned()).with_timeout(timeout);
        let status = stage.call_with(road, shape, request).fails(Code::DeadlineExceeded).await;
        assert_eq!(began.elapsed(), timeout, "{road:?} {shape:?}");
        assert_eq!(status.call_report().unwrap().sent(), Sent::No, "{road:?} {shape:?}: {status}");
        assert!(!stage.server.has_sent(Kind::HEADERS).await, "{road:?} {shape:?}");
    }
}
