//! What a client must let pass: frames, settings and heads that are not for it.

use rstest::rstest;
use trunkline::Transport::{self, H2, Trunkline};
use trunkline_tests::script::{Kind, Setting, flags, literal};

use crate::road::Road;
use crate::stage::{Stage, framed, reply};

const ALTSVC: Kind = Kind(10);
const ORIGIN: Kind = Kind(12);
const UNKNOWN: Kind = Kind(0xfa);

// behaviour 98
#[rstest]
#[tokio::test(start_paused = true)]
async fn frames_and_settings_that_nobody_knows_are_ignored_wherever_they_come(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let mut stage = Stage::set(engine).await;
    for (road, shape) in Road::every() {
        let answered = stage.answered(road, shape, async |server, stream| {
            let noise = async |server: &mut crate::stage::Server| {
                server.send(UNKNOWN, 0xff, stream, &b"whatever"[..]).await;
                server.send(UNKNOWN, 0xff, 0, vec![7; 16 << 10]).await;
                server.send(Kind::PRIORITY, flags::NONE, stream, &[0, 0, 0, 0, 16][..]).await;
                server.send(Kind::PRIORITY, flags::NONE, stream + 1000, &[0, 0, 0, 0, 16][..]).await;
                server.send(ALTSVC, flags::NONE, 0, &b"\0\x01ah2=\":1\""[..]).await;
                server.send(ALTSVC, flags::NONE, stream, &b"\0\0h2=\":1\""[..]).await;
                server.send(ORIGIN, flags::NONE, 0, &b"\0\x01a"[..]).await;
                server.settings(&[(Setting(0x1234), 7), (Setting(0xffff), u32::MAX), (Setting(8), 1)]).await;
            };
            noise(server).await;
            server.head(stream, &[]).await;
            noise(server).await;
            let message = framed("hello");
            server.data(stream, message[..3].to_vec(), false).await;
            noise(server).await;
            server.data(stream, message[3..].to_vec(), false).await;
            noise(server).await;
            server.trailers(stream, &[("grpc-status", "0")]).await;
            noise(server).await;
        });
        assert_eq!(answered.await.unwrap().messages, ["hello"], "{road:?} {shape:?}");
    }
}

// behaviour 98
#[rstest]
#[tokio::test(start_paused = true)]
async fn informational_heads_are_no_response(#[values(H2, Trunkline)] engine: Transport) {
    let mut stage = Stage::set(engine).await;
    for (road, shape) in Road::every() {
        let answered = stage.answered(road, shape, async |server, stream| {
            for status in ["100", "103", "103", "199"] {
                let head = [literal(":status", status), literal("x-early", "hint")].concat();
                server.headers(stream, head, false).await;
            }
            server.respond(stream, &reply("hello"), "0").await;
        });
        let answered = answered.await.unwrap();
        assert_eq!(answered.messages, ["hello"], "{road:?} {shape:?}");
        assert!(answered.metadata.get("x-early").is_none(), "{road:?} {shape:?}");
    }
}

// behaviour 98
#[rstest]
#[tokio::test(start_paused = true)]
async fn heads_with_priority_and_padding_are_heads(#[values(H2, Trunkline)] engine: Transport) {
    let mut stage = Stage::set(engine).await;
    for (road, shape) in Road::every() {
        let answered = stage.answered(road, shape, async |server, stream| {
            let block = [literal(":status", "200"), literal("content-type", "application/grpc")].concat();
            let priority = [0x80, 0, 0, 0, 200];
            let payload = [&[3][..], &priority, &block, &[0; 3]].concat();
            let flags = flags::END_HEADERS | flags::PADDED | flags::PRIORITY;
            server.send(Kind::HEADERS, flags, stream, payload).await;
            server.message(stream, &reply("hello")).await;
            server.trailers(stream, &[("grpc-status", "0")]).await;
        });
        assert_eq!(answered.await.unwrap().messages, ["hello"], "{road:?} {shape:?}");
    }
}

// behaviour 98
#[rstest]
#[tokio::test(start_paused = true)]
async fn pings_of_the_server_are_answered(#[values(H2, Trunkline)] engine: Transport) {
    let mut stage = Stage::set(engine).await;
    stage.server.ping(*b"are you?").await;
    let answer = stage.server.next_of(Kind::PING).await;
    assert!(answer.has(flags::ACK));
    assert_eq!(answer.payload, &b"are you?"[..]);
    stage.still_serves().await;
}
