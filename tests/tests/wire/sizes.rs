//! Messages and headers above the limits: the call fails, its neighbours and its connection do not.

use rstest::rstest;
use trunkline::Transport::{self, H2, Trunkline};
use trunkline::{Code, Request, Sent, StatusExt};
use trunkline_tests::script::{Kind, Setting, flags, literal};

use crate::road::{Road, Shape};
use crate::stage::{Stage, framed, name_in, reply};

// behaviour 90
#[rstest]
#[tokio::test(start_paused = true)]
async fn a_reply_above_the_limit_costs_its_call_alone(#[values(H2, Trunkline)] engine: Transport) {
    let limit = reply(&"x".repeat(100)).len();
    let mut stage = Stage::with(engine, &[], |builder| builder.max_receive_message_size(limit)).await;
    for (road, shape) in Road::every() {
        let longest = "x".repeat(100);
        let answered = stage.answered(road, shape, async |server, stream| {
            server.respond(stream, &reply(&longest), "0").await;
        });
        assert_eq!(answered.await.unwrap().messages, [longest], "{road:?} {shape:?}: at the limit");
        let status = stage.failed(road, shape, async |server, stream| {
            server.respond(stream, &reply(&"x".repeat(101)), "0").await;
        });
        let status = status.await;
        assert_eq!(status.code(), Code::ResourceExhausted, "{road:?} {shape:?}: {status}");
        assert!(status.message().contains(&limit.to_string()), "{status}");
    }
}

// behaviour 90
#[rstest]
#[tokio::test(start_paused = true)]
async fn a_reply_above_the_limit_is_refused_as_soon_as_it_is_announced(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let mut stage = Stage::set(engine).await;
    for (road, shape) in Road::every() {
        for announced in [(4 << 20) + 1, u32::MAX] {
            let status = stage.failed(road, shape, async |server, stream| {
                server.head(stream, &[]).await;
                server.data(stream, [&[0][..], &announced.to_be_bytes()].concat(), false).await;
                if engine == Trunkline && (road, shape) == (Road::Own, Shape::Unary) {
                    // This engine wakes a caller with one reply when there is enough to make a difference:
                    // all of it, or a good part of a window.
                    for _ in 0..60 {
                        server.data(stream, vec![0; 16 << 10], false).await;
                    }
                }
                assert_eq!(server.reset_of(stream).await, trunkline_tests::script::Code::Cancel as u32);
            });
            let status = status.await;
            assert_eq!(status.code(), Code::ResourceExhausted, "{road:?} {shape:?}: {status}");
        }
    }
}

// behaviour 90
#[rstest]
#[tokio::test(start_paused = true)]
async fn a_request_above_the_limit_is_not_sent(#[values(H2, Trunkline)] engine: Transport) {
    let limit = 102;
    let mut stage = Stage::with(engine, &[], |builder| builder.max_send_message_size(limit)).await;
    for (road, shape) in Road::every() {
        let call = stage.call_with(road, shape, Request::new("x".repeat(100)));
        let stream = stage.server.request().await.stream;
        assert_eq!(name_in(&stage.server.body(stream).await).len(), 100);
        stage.server.respond(stream, &reply("hello"), "0").await;
        call.end().await.unwrap();
        let status = stage.call_with(road, shape, Request::new("x".repeat(101))).end().await.unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted, "{road:?} {shape:?}: {status}");
        assert!(!stage.server.has_sent(Kind::HEADERS).await, "{road:?} {shape:?}");
        stage.still_serves().await;
    }
}

// behaviour 91
#[rstest]
#[tokio::test(start_paused = true)]
async fn headers_above_the_limit_cost_their_call_alone(#[values(H2, Trunkline)] engine: Transport) {
    let mut stage = Stage::set(engine).await;
    let large = "x".repeat(300_000);
    for (road, shape) in Road::every() {
        let status = stage.failed(road, shape, async |server, stream| {
            server.head(stream, &[("x-large", &large)]).await;
        });
        let status = status.await;
        assert_eq!(status.code(), Code::ResourceExhausted, "{road:?} {shape:?}, head: {status}");
        let status = stage.failed(road, shape, async |server, stream| {
            server.head(stream, &[]).await;
            server.message(stream, &reply("hello")).await;
            server.trailers(stream, &[("grpc-status", "5"), ("grpc-message", &large)]).await;
        });
        let status = status.await;
        assert_eq!(status.code(), Code::ResourceExhausted, "{road:?} {shape:?}, trailers: {status}");
        let status = stage.failed(road, shape, async |server, stream| {
            let many = (0..5000).flat_map(|number| literal(&format!("x-{number}"), "v".repeat(30)));
            let head = [literal(":status", "200"), many.collect()].concat();
            server.headers(stream, head, true).await;
        });
        let status = status.await;
        assert_eq!(status.code(), Code::ResourceExhausted, "{road:?} {shape:?}, many: {status}");
    }
}

// behaviour 91
#[rstest]
#[tokio::test(start_paused = true)]
async fn an_error_text_of_100_kb_arrives_whole(#[values(H2, Trunkline)] engine: Transport) {
    let mut stage = Stage::set(engine).await;
    let text = "x".repeat(100_000);
    for (road, shape) in Road::every() {
        let status = stage.failed(road, shape, async |server, stream| {
            server.trailers_only(stream, &[("grpc-status", "9"), ("grpc-message", &text)]).await;
        });
        let status = status.await;
        assert_eq!((status.code(), status.message().len()), (Code::FailedPrecondition, 100_000));
    }
}

// behaviour 91
#[rstest]
#[tokio::test(start_paused = true)]
async fn metadata_above_the_servers_limit_costs_its_call_alone(#[values(H2, Trunkline)] engine: Transport) {
    // RFC 9113 6.5.2: the setting is advice.
    let mut stage = Stage::with(engine, &[(Setting::MAX_HEADER_LIST_SIZE, 1000)], |builder| builder).await;
    for (road, shape) in Road::every() {
        let mut request = Request::new("you".to_owned());
        request.metadata_mut().insert("x-large", "x".repeat(5000).parse().unwrap());
        let call = stage.call_with(road, shape, request);
        match engine {
            // It takes the advice, so that the call knows at once.
            Trunkline => {
                let status = call.fails(Code::ResourceExhausted).await;
                assert!(status.message().contains("1000"), "{status}");
                assert_eq!(status.call_report().unwrap().sent(), Sent::No);
                assert!(!stage.server.has_sent(Kind::HEADERS).await, "{road:?} {shape:?}");
            }
            // It does not know of it. Servers that mind answer with 431 or reset the stream.
            _ => {
                let stream = stage.server.request().await.stream;
                stage.server.headers(stream, literal(":status", "431"), true).await;
                let status = call.fails(Code::Unknown).await;
                assert!(status.message().contains("431"), "{status}");
                assert_eq!(status.call_report().unwrap().sent(), Sent::Yes);
            }
        }
        stage.still_serves().await;
    }
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn messages_up_to_the_default_limit_arrive_on_both_roads(#[values(H2, Trunkline)] engine: Transport) {
    // As long as the window of a stream lets the server send without listening.
    let text = "x".repeat(1_000_000);
    let mut stage = Stage::set(engine).await;
    for road in Road::BOTH {
        let answered = stage.answered(road, Shape::Unary, async |server, stream| {
            server.head(stream, &[]).await;
            for part in framed(&text).chunks(16 << 10) {
                server.data(stream, part.to_vec(), false).await;
            }
            server.trailers(stream, &[("grpc-status", "0")]).await;
        });
        assert_eq!(answered.await.unwrap().messages[0].len(), text.len(), "{road:?}");
    }
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn large_requests_go_up_in_frames_that_every_server_takes(#[values(H2, Trunkline)] engine: Transport) {
    // RFC 9113 4.2: without a setting of the server's, 16 KiB.
    const FRAME: usize = 16 << 10;
    let (name, metadata) = ("x".repeat(1_000_000), "y".repeat(100_000));
    let mut stage = Stage::set(engine).await;
    for (road, shape) in Road::every() {
        let mut request = Request::new(name.clone());
        request.metadata_mut().insert("x-large", metadata.parse().unwrap());
        let call = stage.call_with(road, shape, request);
        let request = stage.server.request().await;
        assert_eq!(request.headers.get("x-large"), Some(&*metadata), "{road:?} {shape:?}");
        let mut body = Vec::new();
        loop {
            let frame = stage.server.next_of(Kind::DATA).await;
            assert!(frame.payload.len() <= FRAME, "{road:?} {shape:?}: {} bytes", frame.payload.len());
            body.extend_from_slice(&frame.payload);
            if frame.has(flags::END_STREAM) {
                break;
            }
        }
        assert_eq!(name_in(&body), name, "{road:?} {shape:?}");
        stage.server.respond(request.stream, &reply("hello"), "0").await;
        call.end().await.unwrap();
    }
}
