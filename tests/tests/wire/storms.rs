//! What many calls, or many frames, cost those who share the connection with them: nothing.

use tokio::time::timeout;
use trunkline::Request;
use trunkline_tests::script::Kind;

use crate::road::{Road, Shape};
use crate::stage::{LONG, Stage, framed, reply, settle};

#[tokio::test(start_paused = true)]
async fn three_thousand_cancelled_calls_with_late_answers_cost_nobody_anything() {
    const CALLS: usize = 3000;
    for road in Road::BOTH {
        let mut stage = Stage::set().await;
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
            stage.server.respond(*stream, &reply("too late"), "0").await;
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

#[tokio::test(start_paused = true)]
async fn three_thousand_cancelled_calls_whose_servers_say_nothing_cost_nobody_anything() {
    for road in Road::BOTH {
        let mut stage = Stage::set().await;
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

#[tokio::test(start_paused = true)]
async fn a_reader_who_does_not_read_twenty_thousand_small_messages_costs_nobody_anything() {
    const MESSAGES: usize = 20_000;
    for road in Road::BOTH {
        let mut stage = Stage::set().await;
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

#[tokio::test(start_paused = true)]
async fn thousands_of_settings_and_pings_and_window_updates_cost_nobody_anything() {
    let mut stage = Stage::set().await;
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
            }
            server.message(stream, &reply("hello")).await;
            server.trailers(stream, &[("grpc-status", "0")]).await;
        });
        assert_eq!(answered.await.unwrap().messages, ["hello"], "{road:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_empty_frames_cost_nobody_anything() {
    let mut stage = Stage::set().await;
    for (road, shape) in Road::every() {
        let answered = stage.answered(road, shape, async |server, stream| {
            server.head(stream, &[]).await;
            for _ in 0..10_000 {
                server.data(stream, vec![], false).await;
            }
            server.message(stream, &reply("hello")).await;
            server.trailers(stream, &[("grpc-status", "0")]).await;
        });
        assert_eq!(answered.await.unwrap().messages, ["hello"], "{road:?} {shape:?}");
    }
}
