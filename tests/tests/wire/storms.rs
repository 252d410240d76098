//! What many calls, or many frames, cost those who share the connection with them: nothing.

use rstest::rstest;
use tokio::time::timeout;
use trunkline::Request;
use trunkline::Transport::{self, H2, Trunkline};
use trunkline_tests::ms;
use trunkline_tests::script::Kind;

use crate::road::{Road, Shape};
use crate::stage::{LONG, Stage, framed, reply, settle};

#[rstest]
#[tokio::test(start_paused = true)]
async fn three_thousand_cancelled_calls_with_late_answers_cost_nobody_anything(
    #[values(H2, Trunkline)] engine: Transport,
) {
    const CALLS: usize = 3000;
    for road in Road::BOTH {
        let mut stage = Stage::set(engine).await;
        let survivor = stage.call(road, Shape::Bidi);
        let survivors_stream = stage.server.request().await.stream;
        let calls: Vec<_> = (0..CALLS).map(|_| stage.call(road, Shape::Unary)).collect();
        let mut streams = Vec::new();
        for _ in 0..CALLS {
            streams.push(stage.server.request().await.stream);
        }
        calls.into_iter().for_each(|call| call.cancel());
        // These answers cross with the resets.
        for stream in &streams {
            stage.server.head(*stream, &[]).await;
            stage.server.message(*stream, &reply("too late")).await;
        }
        settle().await;
        stage.still_serves().await;
        // And these come long after them.
        tokio::time::sleep(LONG / 10).await;
        for stream in streams {
            stage.server.data(stream, framed("much too late"), false).await;
        }
        stage.server.respond(survivors_stream, &reply("hello"), "0").await;
        assert_eq!(survivor.end().await.unwrap().messages, ["hello"], "{road:?}");
        stage.still_serves().await;
    }
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn three_thousand_cancelled_calls_whose_servers_say_nothing_cost_nobody_anything(
    #[values(H2, Trunkline)] engine: Transport,
) {
    for road in Road::BOTH {
        let mut stage = Stage::set(engine).await;
        for _ in 0..30 {
            let calls: Vec<_> = (0..100).map(|_| stage.call(road, Shape::ServerStreaming)).collect();
            let mut streams = Vec::new();
            for _ in 0..100 {
                streams.push(stage.server.request().await.stream);
            }
            calls.into_iter().for_each(|call| call.cancel());
            for stream in streams {
                assert_eq!(stage.server.reset_of(stream).await, 8, "{road:?}: CANCEL");
            }
        }
        stage.still_serves().await;
    }
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_reader_who_does_not_read_twenty_thousand_small_messages_costs_nobody_anything(
    #[values(H2, Trunkline)] engine: Transport,
) {
    const MESSAGES: usize = 20_000;
    for road in Road::BOTH {
        let mut stage = Stage::set(engine).await;
        let call = tokio::spawn({
            let channel = stage.channel.clone();
            async move {
                let mut replies = road.watch(channel, Request::new("you".to_owned())).await.unwrap();
                assert_eq!(replies.message().await.unwrap().unwrap(), "x");
                replies
            }
        });
        let stream = stage.server.request().await.stream;
        stage.server.head(stream, &[]).await;
        for _ in 0..MESSAGES {
            stage.server.data(stream, framed("x"), false).await;
        }
        stage.server.trailers(stream, &[("grpc-status", "0")]).await;
        let mut replies = timeout(LONG, call).await.unwrap().unwrap();
        settle().await;
        stage.still_serves().await;
        let mut read = 1;
        while let Some(message) = replies.message().await.unwrap() {
            assert_eq!(message, "x");
            read += 1;
        }
        assert_eq!(read, MESSAGES, "{road:?}");
        stage.still_serves().await;
    }
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn thousands_of_settings_and_pings_and_window_updates_cost_nobody_anything(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let mut stage = Stage::set(engine).await;
    for road in Road::BOTH {
        let answered = stage.answered(road, Shape::Unary, async |server, stream| {
            server.head(stream, &[]).await;
            for number in 0..5000_u64 {
                server.settings(&[]).await;
                server.ping(number.to_be_bytes()).await;
                server.open_window(0, 1).await;
                server.open_window(stream, 1).await;
                // It listens too, as servers do that mean no harm.
                server.next_where("its answer", |frame| frame.kind == Kind::PING).await;
                server.next_where("its answer", |frame| frame.kind == Kind::SETTINGS).await;
                // Four hundred such frames in a second, for almost a minute.
                tokio::time::sleep(ms(10)).await;
            }
            server.message(stream, &reply("hello")).await;
            server.trailers(stream, &[("grpc-status", "0")]).await;
        });
        assert_eq!(answered.await.unwrap().messages, ["hello"], "{road:?}");
    }
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn thousands_of_empty_frames_again_and_again_cost_nobody_anything(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let mut stage = Stage::set(engine).await;
    for (road, shape) in Road::every() {
        let answered = stage.answered(road, shape, async |server, stream| {
            server.head(stream, &[]).await;
            for _ in 0..5000 {
                server.data(stream, vec![], false).await;
            }
            server.message(stream, &reply("hello")).await;
            server.trailers(stream, &[("grpc-status", "0")]).await;
        });
        assert_eq!(answered.await.unwrap().messages, ["hello"], "{road:?} {shape:?}");
        // What is borne of them in so short a time has a bound; over a long life there is none.
        tokio::time::sleep(LONG / 10).await;
    }
}
