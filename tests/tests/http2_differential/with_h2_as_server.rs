//! h2 as the server of our engine: whatever their settings, calls come and go as they should.

use h2::Reason;
use h2::server::Builder;
use trunkline_http2::{Config, ErrorCode, Event};

use crate::echo::{Order, serve, serve_with_orders};
use crate::pipe::{Client, End};

fn body(length: usize) -> Vec<u8> {
    (0..length as u32).map(|i| (i / 3) as u8).collect()
}

#[tokio::test(start_paused = true)]
async fn unary_calls_one_after_the_other() {
    let mut client = Client::new(Config::default(), serve(&Builder::new()));
    for length in [0, 1, 5, 100, 511, 512, 513, 1_023, 1_024, 16_384, 16_385, 65_535, 65_536] {
        let call = client.open("/echo", body(length), true);
        let reply = client.finish(call).await;
        assert_eq!((reply.status, reply.end), (Some(200), Some(End::Complete)));
        assert!(reply.body == body(length), "{length}");
        assert_eq!(reply.trailers, [("grpc-status".to_owned(), "0".to_owned())]);
    }
    assert_eq!(client.engine.active_streams(), 0);
}

#[tokio::test(start_paused = true)]
async fn many_streams_within_the_servers_limit() {
    let mut client = Client::new(Config::default(), serve(Builder::new().max_concurrent_streams(30)));
    client.until(|client| !client.news.is_empty()).await;
    let mut calls = Vec::new();
    while calls.len() < 500 {
        let length = calls.len() * 7;
        client.until(|client| client.engine.can_open()).await;
        calls.push((client.open("/echo", body(length), true), length));
        assert!(client.engine.active_streams() <= 30);
    }
    for (call, length) in calls {
        let reply = client.finish(call).await;
        assert_eq!(reply.end, Some(End::Complete), "h2 refuses what is above its limit");
        assert!(reply.body == body(length));
    }
}

#[tokio::test(start_paused = true)]
async fn large_bodies_both_ways_through_windows_of_any_size() {
    // h2 takes no connection window below its initial one.
    for (theirs, ours) in
        [(65_535, 1 << 20), (1, 1 << 20), (10, 50), (3_000, 3_000), (1 << 20, 65_535), (1 << 24, 1 << 24)]
    {
        let config = Config { stream_window: ours, ..Config::default() };
        let mut client = Client::new(config, serve(Builder::new().initial_window_size(theirs)));
        let length = if theirs.min(ours) < 100 { 2_000 } else { 2_000_000 };
        let calls = [client.open("/echo", body(length), true), client.open("/echo", body(length), true)];
        for call in calls {
            let reply = client.finish(call).await;
            assert!(reply.body == body(length), "windows of {theirs} and {ours}");
            assert_eq!(reply.end, Some(End::Complete));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn uploads_in_pieces() {
    let mut client = Client::new(Config::default(), serve(&Builder::new()));
    let upload = client.open("/echo", "", false);
    let all = body(700_000);
    for piece in all.chunks(9_973) {
        client.engine.send(upload, piece.to_vec().into(), false).unwrap();
        client.write().await;
    }
    client.engine.send(upload, "".into(), true).unwrap();
    let reply = client.finish(upload).await;
    assert!(reply.body == all);
}

#[tokio::test(start_paused = true)]
async fn a_stream_of_messages() {
    let mut client = Client::new(Config::default(), serve(&Builder::new()));
    let call = client.open("/messages/20000", "", true);
    let reply = client.finish(call).await;
    let expected: String = (0..20_000).map(|i| format!("{i:010}")).collect();
    assert!(reply.body == expected.as_bytes());
    assert_eq!(reply.trailers.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_nobody_reads_waits_and_others_do_not() {
    let mut client =
        Client::new(Config { stream_window: 1_000, ..Config::default() }, serve(&Builder::new()));
    client.reads = false;
    let slow = client.open("/messages/10000", "", true);
    client
        .until(|client| client.replies.get(&slow.id()).is_some_and(|reply| reply.body.len() == 1_000))
        .await;
    client.reads = true;
    let quick = client.open("/messages/10000", "", true);
    assert_eq!(client.finish(quick).await.body.len(), 100_000);
    assert_eq!(client.reply(slow).body.len(), 1_000);
    client.engine.release(slow, 1_000);
    assert_eq!(client.finish(slow).await.body.len(), 100_000);
}

#[tokio::test(start_paused = true)]
async fn responses_of_every_shape() {
    let mut client = Client::new(Config::default(), serve(&Builder::new()));
    let (trailers, early, informational) = (
        client.open("/only-trailers", "", true),
        client.open("/early", "", false),
        client.open("/continue", "", true),
    );
    let reply = client.finish(trailers).await;
    assert!(reply.fields.contains(&("grpc-status".to_owned(), "12".to_owned())));
    assert_eq!(client.finish(early).await.trailers.len(), 1);
    assert_eq!(client.finish(informational).await.status, Some(200));
    client.engine.reset(early, ErrorCode::NO_ERROR);
    client.write().await;
    let call = client.open("/echo", "still there", true);
    assert_eq!(client.finish(call).await.body, b"still there");
}

#[tokio::test(start_paused = true)]
async fn resets_of_the_server() {
    let mut client = Client::new(Config::default(), serve(&Builder::new()));
    for code in [0, 2, 7, 8, 11] {
        let (at_once, within) = (
            client.open(&format!("/reset/{code}"), "", false),
            client.open(&format!("/reset-within/{code}"), "", false),
        );
        assert_eq!(client.finish(at_once).await.end, Some(End::Reset(ErrorCode(code))));
        assert_eq!(client.finish(within).await.end, Some(End::Reset(ErrorCode(code))));
    }
    let call = client.open("/echo", "still there", true);
    assert_eq!(client.finish(call).await.body, b"still there");
}

#[tokio::test(start_paused = true)]
async fn resets_of_the_client_at_any_moment() {
    // h2 gives connections up at twenty resets that its application has not seen; a channel paces them.
    let mut client =
        Client::new(Config::default(), serve(Builder::new().max_pending_accept_reset_streams(1_000)));
    for round in 0..300 {
        let stream =
            client.open(["/messages/50", "/silent", "/echo", "/early"][round % 4], body(round * 40), false);
        if round % 3 > 0 {
            client.write().await;
        }
        if round % 3 > 1 {
            let call = client.open("/echo", "in between", true);
            assert_eq!(client.finish(call).await.body, b"in between");
        }
        client.engine.reset(stream, ErrorCode::CANCEL);
    }
    let call = client.open("/echo", "still there", true);
    assert_eq!(client.finish(call).await.body, b"still there");
    assert_eq!(client.engine.active_streams(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_graceful_shutdown_lets_streams_finish() {
    let (io, orders) = serve_with_orders(&Builder::new());
    let mut client = Client::new(Config::default(), io);
    let upload = client.open("/echo", "part ", false);
    client.until(|client| !client.news.is_empty()).await;
    orders.send(Order::ShutDown).unwrap();
    client.until(|client| client.engine.is_draining()).await;
    assert!(!client.engine.can_open());
    client.engine.send(upload, "and the rest".into(), true).unwrap();
    assert_eq!(client.finish(upload).await.body, b"part and the rest");
    // h2 names the largest id first, then the last that it took.
    let last = |event: &Event| match event {
        Event::GoAway { last_stream_id, code: ErrorCode::NO_ERROR, .. } => Some(*last_stream_id),
        _ => None,
    };
    let said: Vec<_> = client.news.iter().filter_map(last).collect();
    assert!(said.ends_with(&[upload.id()]) || said == [(1 << 31) - 1], "{said:?}");
}

#[tokio::test(start_paused = true)]
async fn an_abrupt_shutdown_is_told_with_its_reason() {
    let (io, orders) = serve_with_orders(&Builder::new());
    let mut client = Client::new(Config::default(), io);
    client.open("/silent", "", true);
    client.until(|client| !client.news.is_empty()).await;
    orders.send(Order::Abort(Reason::ENHANCE_YOUR_CALM)).unwrap();
    client.until(|client| client.engine.is_draining()).await;
    let calm = |event: &Event| matches!(event, Event::GoAway { code: ErrorCode::ENHANCE_YOUR_CALM, .. });
    assert!(client.news.iter().any(calm), "{:?}", client.news);
}

#[tokio::test(start_paused = true)]
async fn header_tables_of_any_size() {
    for theirs in [0, 50, 200, 4_096, 20_000] {
        for ours in [0, 50, 200, 4_096, 20_000] {
            let config = Config {
                decoder_table_size: ours,
                encoder_table_limit: theirs / 2 + ours,
                ..Config::default()
            };
            let mut client = Client::new(config, serve(Builder::new().header_table_size(theirs)));
            for round in 0..30 {
                let (passing, long) = (format!("value-{round}"), "v".repeat(round * 20));
                let fields =
                    [("x-same", "value"), ("x-passing", &passing), ("x-long", &long), ("x-same", "value")];
                let call = client.open_with("/mirror", &fields, "", true);
                let reply = client.finish(call).await;
                for (name, value) in fields {
                    let field = (name.to_owned(), value.to_owned());
                    assert!(reply.fields.contains(&field), "{field:?} in {reply:?}");
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn heads_longer_than_a_frame_both_ways() {
    let mut client = Client::new(Config::default(), serve(Builder::new().max_header_list_size(1 << 20)));
    let long = "v".repeat(100_000);
    let call = client.open_with("/mirror", &[("x-long", &long)], "", true);
    let reply = client.finish(call).await;
    assert!(reply.fields.contains(&("x-long".to_owned(), long)));
    let call = client.open("/long-head/200000", "", true);
    assert_eq!(client.finish(call).await.end, Some(End::Complete));
}

#[tokio::test(start_paused = true)]
async fn larger_frames_both_ways() {
    let config = Config { max_frame_size: 1 << 20, ..Config::default() };
    let builder = Builder::new().max_frame_size(1 << 20).initial_window_size(1 << 24).clone();
    let mut client = Client::new(config, serve(&builder));
    for _ in 0..3 {
        let call = client.open("/echo", body(3_000_000), true);
        assert!(client.finish(call).await.body == body(3_000_000));
    }
}

#[tokio::test(start_paused = true)]
async fn pings_and_probes_are_answered() {
    let mut client = Client::new(Config::default(), serve(&Builder::new()));
    client.until(|client| client.news.len() >= 3).await;
    let now = tokio::time::Instant::now().into_std();
    assert!(client.engine.ping(now, 77) && client.engine.probe(now));
    client.until(|client| client.engine.unanswered_since().is_none()).await;
    assert!(client.news.iter().any(|event| matches!(event, Event::Pong { opaque: 77 })));
    assert!(matches!(client.news.last(), Some(Event::SettingsAcknowledged)));
}
