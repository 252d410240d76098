//! Messages in DATA frames: they may be cut anywhere, since frames mean nothing to gRPC.

use rstest::rstest;
use trunkline::Code;
use trunkline::Transport::{self, H2, Trunkline};
use trunkline_tests::script::{Kind, flags};

use crate::road::Road;
use crate::stage::{Stage, framed};

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_message_may_be_cut_at_any_byte(#[values(H2, Trunkline)] engine: Transport) {
    let mut stage = Stage::set(engine).await;
    let message = framed("hello");
    for (road, shape) in Road::every() {
        for cut in 0..=message.len() {
            let answered = stage.answered(road, shape, async |server, stream| {
                server.head(stream, &[]).await;
                server.data(stream, message[..cut].to_vec(), false).await;
                tokio::task::yield_now().await;
                server.data(stream, message[cut..].to_vec(), false).await;
                server.trailers(stream, &[("grpc-status", "0")]).await;
            });
            assert_eq!(answered.await.unwrap().messages, ["hello"], "{road:?} {shape:?}, cut at {cut}");
        }
    }
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_message_may_come_byte_by_byte_with_empty_frames_between(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let mut stage = Stage::set(engine).await;
    for (road, shape) in Road::every() {
        let answered = stage.answered(road, shape, async |server, stream| {
            server.head(stream, &[]).await;
            for byte in framed("hello") {
                server.data(stream, vec![byte], false).await;
                server.data(stream, vec![], false).await;
            }
            server.trailers(stream, &[("grpc-status", "0")]).await;
        });
        assert_eq!(answered.await.unwrap().messages, ["hello"], "{road:?} {shape:?}");
    }
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn many_messages_may_come_in_one_frame(#[values(H2, Trunkline)] engine: Transport) {
    let mut stage = Stage::set(engine).await;
    for (road, shape) in Road::every().filter(|(_, shape)| *shape != crate::road::Shape::Unary) {
        let answered = stage.answered(road, shape, async |server, stream| {
            server.head(stream, &[]).await;
            // The last one goes over into a second frame.
            let all = [framed("one"), framed(""), framed("three")].concat();
            let (first, second) = all.split_at(all.len() - 2);
            server.data(stream, first.to_vec(), false).await;
            server.data(stream, second.to_vec(), false).await;
            server.trailers(stream, &[("grpc-status", "0")]).await;
        });
        assert_eq!(answered.await.unwrap().messages, ["one", "", "three"], "{road:?} {shape:?}");
    }
}

// behaviour 89
#[rstest]
#[tokio::test(start_paused = true)]
async fn padding_is_no_data(#[values(H2, Trunkline)] engine: Transport) {
    let mut stage = Stage::set(engine).await;
    for (road, shape) in Road::every() {
        for padding in [0, 1, 255_u8] {
            let answered = stage.answered(road, shape, async |server, stream| {
                server.head(stream, &[]).await;
                let zeros = vec![0; usize::from(padding)];
                let only_padding = [&[padding][..], &zeros].concat();
                server.send(Kind::DATA, flags::PADDED, stream, only_padding).await;
                let padded = [&[padding][..], &framed("hello"), &zeros].concat();
                server.send(Kind::DATA, flags::PADDED, stream, padded).await;
                server.trailers(stream, &[("grpc-status", "0")]).await;
            });
            assert_eq!(answered.await.unwrap().messages, ["hello"], "{road:?} {shape:?}, {padding} bytes");
        }
    }
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_response_that_ends_within_a_message_is_internal(#[values(H2, Trunkline)] engine: Transport) {
    let mut stage = Stage::set(engine).await;
    let message = framed("hello");
    for (road, shape) in Road::every() {
        for cut in [1, 4, 5, message.len() - 1] {
            let status = stage.failed(road, shape, async |server, stream| {
                server.head(stream, &[]).await;
                server.data(stream, message[..cut].to_vec(), false).await;
                server.trailers(stream, &[("grpc-status", "0")]).await;
            });
            assert_eq!(status.await.code(), Code::Internal, "{road:?} {shape:?}, cut at {cut}");
        }
    }
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn bytes_that_are_no_message_are_internal(#[values(H2, Trunkline)] engine: Transport) {
    let mut stage = Stage::set(engine).await;
    let compressed = [&[1][..], &framed("hello")[1..]].concat();
    let no_flag = [&[b'<'][..], &framed("hello")[1..]].concat();
    let no_protobuf = vec![0, 0, 0, 0, 2, 0xff, 0xff];
    for (road, shape) in Road::every() {
        for (what, bytes) in [
            ("compressed, and nothing was agreed", &compressed),
            ("a flag that nobody knows", &no_flag),
            ("no protobuf", &no_protobuf),
        ] {
            let status = stage.failed(road, shape, async |server, stream| {
                server.head(stream, &[]).await;
                server.data(stream, bytes.clone(), false).await;
                server.trailers(stream, &[("grpc-status", "0")]).await;
            });
            let status = status.await;
            assert_eq!(status.code(), Code::Internal, "{road:?} {shape:?}, {what}: {status}");
        }
    }
}
