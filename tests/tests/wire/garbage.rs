//! Servers that speak no HTTP/2, from the beginning or from some moment on.

use rstest::rstest;
use trunkline::Transport::{self, H2, Trunkline};
use trunkline::balancer::RoundRobin;
use trunkline::{Channel, Code, FailFast, Phase, Sent, StatusExt};
use trunkline_tests::ms;
use trunkline_tests::script::{Kind, flags, literal, pipes};

use crate::road::Road;
use crate::stage::{Stage, TARGET, reply};

// A server of something else.
#[rstest]
#[tokio::test(start_paused = true)]
async fn bytes_that_are_no_http2_fail_calls_with_what_they_look_like(
    #[values(H2, Trunkline)] engine: Transport,
) {
    for (bytes, permanent) in [
        (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], true),
        (b"\x15\x03\x01\x00\x02\x02\x0a", true),
        (b"SSH-2.0-OpenSSH_9.6\r\n", true),
        (&[0xff; 100], true),
        (b"", false),
        // Frames, and not the one that comes first (RFC 9113 3.4).
        (b"\0\0\x08\x06\0\0\0\0\0whatever", false),
    ] {
        for (road, shape) in Road::every() {
            let (connector, mut pipes) = pipes();
            let channel = Channel::builder(TARGET)
                .transport(engine)
                .plaintext()
                .connector(connector)
                .connect_lazy()
                .unwrap();
            let call = tokio::spawn(road.call(channel, shape, trunkline::Request::new("you".to_owned())));
            let mut server = pipes.accept().await;
            server.garbage(bytes).await;
            server.finish_writing().await;
            let status = call.await.unwrap().unwrap_err();
            let seen = bytes.escape_ascii();
            assert_eq!(status.code(), Code::Unavailable, "{road:?} {shape:?}, {seen}: {status}");
            let report = status.call_report().unwrap();
            assert_eq!(report.sent(), Sent::No, "{road:?} {shape:?}, {seen}: {status}");
            assert_eq!(report.causes()[0].phase(), Phase::Http2, "{road:?} {shape:?}, {seen}: {status}");
            assert_eq!(report.is_permanent(), permanent, "{road:?} {shape:?}, {seen}: {status}");
        }
    }
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn an_http1_server_is_named_as_such(#[values(H2, Trunkline)] engine: Transport) {
    let (connector, mut pipes) = pipes();
    let channel =
        Channel::builder(TARGET).transport(engine).plaintext().connector(connector).connect_lazy().unwrap();
    let request = trunkline::Request::new("you".to_owned());
    let call = tokio::spawn(Road::Own.call(channel, crate::road::Shape::Unary, request));
    pipes.accept().await.garbage(b"HTTP/1.1 400 Bad Request\r\nServer: nginx\r\n\r\n").await;
    let status = call.await.unwrap().unwrap_err();
    assert!(status.message().contains("HTTP/1"), "{status}");
}

/// Each of these breaks a rule of the whole connection.
fn breaches() -> Vec<(&'static str, Vec<u8>)> {
    let frame = |length: u32, kind: Kind, flags: u8, stream: u32, payload: &[u8]| {
        [&length.to_be_bytes()[1..], &[kind.0, flags], &stream.to_be_bytes(), payload].concat()
    };
    vec![
        ("noise", vec![0xff; 200]),
        ("another protocol", b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".repeat(10)),
        ("a frame that is too long", frame(1 << 23, Kind::DATA, 0, 1, &[])),
        ("DATA on the connection", frame(4, Kind::DATA, 0, 0, b"data")),
        ("DATA on a stream that nobody opened", frame(4, Kind::DATA, 0, 9999, b"data")),
        ("HEADERS on a stream of the server's", frame(1, Kind::HEADERS, flags::END_HEADERS, 2, &[0x88])),
        ("a broken header block", frame(2, Kind::HEADERS, flags::END_HEADERS, 3, &[0xff, 0xff])),
        ("a CONTINUATION of nothing", frame(1, Kind::CONTINUATION, flags::END_HEADERS, 3, &[0x88])),
        ("SETTINGS of a broken length", frame(5, Kind::SETTINGS, 0, 0, &[0; 5])),
        ("a PING of a broken length", frame(4, Kind::PING, 0, 0, &[0; 4])),
        (
            "a window without limit",
            [(); 2].map(|()| frame(4, Kind::WINDOW_UPDATE, 0, 0, &[0x7f, 255, 255, 255])).concat(),
        ),
        (
            "a promise, which was forbidden",
            frame(5, Kind::PUSH_PROMISE, flags::END_HEADERS, 3, &[0, 0, 0, 2, 0x88]),
        ),
        ("more padding than payload", frame(2, Kind::DATA, flags::PADDED, 3, &[200, 0])),
    ]
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_connection_that_turns_to_garbage_fails_its_calls_honestly_and_the_next_ones_get_another(
    #[values(H2, Trunkline)] engine: Transport,
) {
    for (what, bytes) in breaches() {
        for road in Road::BOTH {
            // Its first stream, number 1, has ended; the call in flight has number 3.
            let mut stage = Stage::proven(engine).await;
            let call = stage.call(road, crate::road::Shape::Unary);
            assert_eq!(stage.server.request().await.stream, 3);
            stage.server.garbage(&bytes).await;
            let status = call.fails(Code::Unavailable).await;
            let report = status.call_report().unwrap();
            assert_eq!(report.sent(), Sent::Maybe, "{road:?}, {what}: {status}");
            let call = stage.call(road, crate::road::Shape::Unary);
            stage.server = stage.pipes.accept().await;
            stage.server.greet(&[]).await;
            let stream = stage.server.request().await.stream;
            stage.server.respond(stream, &reply("hello"), "0").await;
            assert_eq!(call.end().await.unwrap().messages, ["hello"], "{road:?}, {what}");
        }
    }
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_call_that_waits_outlives_any_number_of_impostors(#[values(H2, Trunkline)] engine: Transport) {
    let (connector, mut pipes) = pipes();
    let builder = Channel::builder(TARGET)
        .transport(engine)
        .plaintext()
        .connector(connector)
        .fail_fast(FailFast::Never);
    let channel = builder.connect_lazy().unwrap();
    let request = trunkline::Request::new("you".to_owned());
    let call = tokio::spawn(Road::Own.call(channel, crate::road::Shape::Unary, request));
    for bytes in [&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], &[0xff; 100], b""] {
        pipes.accept().await.garbage(bytes).await;
    }
    let mut server = pipes.accept().await;
    server.greet(&[]).await;
    let stream = server.request().await.stream;
    server.respond(stream, &reply("at last"), "0").await;
    assert_eq!(call.await.unwrap().unwrap().messages, ["at last"]);
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn malformed_heads_fail_their_call_alone(#[values(H2, Trunkline)] engine: Transport) {
    let mut stage = Stage::set(engine).await;
    let ok = literal(":status", "200");
    for (what, block) in [
        ("no status", literal("content-type", "application/grpc")),
        ("a header of a connection", [ok.clone(), literal("connection", "close")].concat()),
        ("a pseudo-header that comes late", [literal("x-one", "1"), ok].concat()),
    ] {
        for (road, shape) in Road::every() {
            let status = stage.failed(road, shape, async |server, stream| {
                server.headers(stream, block.clone(), false).await;
            });
            let status = status.await;
            assert_eq!(status.code(), Code::Internal, "{road:?} {shape:?}, {what}: {status}");
        }
    }
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn fields_that_cannot_be_fail_their_call(#[values(H2, Trunkline)] engine: Transport) {
    let ok = literal(":status", "200");
    for (what, block) in [
        ("a status that is none", literal(":status", "abc")),
        ("a name in capitals", [ok, literal("X-Loud", "1")].concat()),
    ] {
        for road in Road::BOTH {
            let mut stage = Stage::proven(engine).await;
            let call = stage.call(road, crate::road::Shape::Unary);
            let stream = stage.server.request().await.stream;
            stage.server.headers(stream, block.clone(), false).await;
            match engine {
                // RFC 9113 5.4.2 lets an endpoint take an error of a stream for one of the connection.
                H2 => drop(call.fails(Code::Unavailable).await),
                _ => {
                    let status = call.fails(Code::Internal).await;
                    stage.still_serves().await;
                    assert_eq!(status.call_report().unwrap().sent(), Sent::Yes, "{road:?}, {what}");
                }
            }
        }
    }
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_server_that_says_something_of_a_stream_that_nobody_opened_is_dialled_with_backoff(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let (connector, mut pipes) = pipes();
    let channel = Channel::builder(TARGET)
        .transport(engine)
        .plaintext()
        .balancer(RoundRobin)
        .connector(connector)
        .connect_lazy()
        .unwrap();
    channel.wake();
    let mut dials = 0;
    let serving = async {
        loop {
            let mut server = pipes.accept().await;
            dials += 1;
            server.greet(&[]).await;
            tokio::time::sleep(ms(10)).await;
            server.headers(1, &b"\x88"[..], false).await;
            server.finish_writing().await;
        }
    };
    tokio::time::timeout(ms(60_000), serving).await.unwrap_err();
    // 1 + 1.6 + 2.56 + ..., give or take a fifth.
    assert!((6..12).contains(&dials), "{dials} dials in a minute");
}
