//! How many messages a call of one reply may get: one.

use rstest::rstest;
use trunkline::Code;
use trunkline::Transport::{self, H2, Trunkline};

use crate::road::{Road, Shape};
use crate::stage::{Stage, reply};

// behaviour 95
#[rstest]
#[tokio::test(start_paused = true)]
async fn a_unary_call_without_a_message_is_internal_however_the_server_says_ok(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let mut stage = Stage::set(engine).await;
    for road in Road::BOTH {
        let status = stage.failed(road, Shape::Unary, async |server, stream| {
            server.head(stream, &[]).await;
            server.trailers(stream, &[("grpc-status", "0")]).await;
        });
        assert_eq!(status.await.code(), Code::Internal, "{road:?}: head and trailers");
        let status = stage.failed(road, Shape::Unary, async |server, stream| {
            server.trailers_only(stream, &[("grpc-status", "0")]).await;
        });
        assert_eq!(status.await.code(), Code::Internal, "{road:?}: trailers only");
    }
}

// behaviour 95
#[rstest]
#[tokio::test(start_paused = true)]
async fn a_second_message_of_a_unary_call_is_internal_where_the_channel_knows_that_it_is_unary(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let mut stage = Stage::set(engine).await;
    let answer = async |server: &mut crate::stage::Server, stream| {
        server.head(stream, &[]).await;
        server.message(stream, &reply("one")).await;
        server.message(stream, &reply("two")).await;
        server.trailers(stream, &[("grpc-status", "0")]).await;
    };
    let status = stage.failed(Road::Own, Shape::Unary, answer).await;
    assert_eq!(status.code(), Code::Internal);
    assert!(status.message().contains("more than one message"), "{status}");
    // Below tonic's stub a call is a stream of bytes of no known shape; that stub takes the first message and
    // leaves the others unread.
    let answered = stage.answered(Road::Tonic, Shape::Unary, answer).await.unwrap();
    assert_eq!(answered.messages, ["one"]);
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_message_before_an_error_is_an_error_all_the_same(#[values(H2, Trunkline)] engine: Transport) {
    let mut stage = Stage::set(engine).await;
    for (road, shape) in Road::every() {
        let status = stage.failed(road, shape, async |server, stream| {
            server.respond(stream, &reply("almost"), "5").await;
        });
        assert_eq!(status.await.code(), Code::NotFound, "{road:?} {shape:?}");
    }
}

// behaviour 95
#[rstest]
#[tokio::test(start_paused = true)]
async fn a_stream_may_have_no_message_and_many(#[values(H2, Trunkline)] engine: Transport) {
    let mut stage = Stage::set(engine).await;
    for road in Road::BOTH {
        for shape in [Shape::ServerStreaming, Shape::Bidi] {
            let answered = stage.answered(road, shape, async |server, stream| {
                server.trailers_only(stream, &[("grpc-status", "0")]).await;
            });
            assert_eq!(answered.await.unwrap().messages, [""; 0], "{road:?} {shape:?}");
            let answered = stage.answered(road, shape, async |server, stream| {
                server.head(stream, &[]).await;
                for message in ["one", "two", "three"] {
                    server.message(stream, &reply(message)).await;
                }
                server.trailers(stream, &[("grpc-status", "0")]).await;
            });
            assert_eq!(answered.await.unwrap().messages, ["one", "two", "three"], "{road:?} {shape:?}");
        }
    }
}
