//! How a call ends: by the server's status, and by all that comes in place of one.

use rstest::rstest;
use trunkline::Transport::{self, H2, Trunkline};
use trunkline::{Code, Origin, Status, StatusExt};
use trunkline_tests::script::{Code as ErrorCode, literal};

use crate::road::{Road, Shape};
use crate::stage::{LONG, Server, Stage, framed, reply, settle};

/// Ends a response with these trailers: after a message, or as Trailers-Only.
async fn end(server: &mut Server, stream: u32, after_message: bool, trailers: &[(&str, &str)]) {
    if after_message {
        server.head(stream, &[]).await;
        server.message(stream, &reply("hello")).await;
        server.trailers(stream, trailers).await;
    } else {
        server.trailers_only(stream, trailers).await;
    }
}

/// Every way that a call can fail with these trailers.
async fn failures(engine: Transport, trailers: &[(&str, &str)]) -> Vec<(String, Status)> {
    let mut stage = Stage::set(engine).await;
    let mut failures = Vec::new();
    for (road, shape) in Road::every() {
        for after_message in [false, true] {
            let status = stage.failed(road, shape, async |server, stream| {
                end(server, stream, after_message, trailers).await;
            });
            let what = format!("{road:?} {shape:?}, after a message: {after_message}");
            failures.push((what, status.await));
        }
    }
    failures
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_status_of_the_server_arrives_with_its_text_details_and_metadata(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let trailers = [
        ("grpc-status", "9"),
        ("grpc-message", "50%25 of %E2%98%BA"),
        ("grpc-status-details-bin", "CAkSA3doeQ"),
        ("x-kept", "yes"),
    ];
    for (what, status) in failures(engine, &trailers).await {
        assert_eq!((status.code(), status.message()), (Code::FailedPrecondition, "50% of ☺"), "{what}");
        assert_eq!(status.details(), b"\x08\x09\x12\x03why", "{what}");
        assert_eq!(status.metadata().get("x-kept").unwrap(), "yes", "{what}");
        assert_eq!(status.call_report().unwrap().origin(), Origin::Server, "{what}");
    }
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_grpc_status_that_is_none_is_unknown(#[values(H2, Trunkline)] engine: Transport) {
    for bad in ["", "x", "-1", "1.0", "17", "4294967296", "5, 5", "５"] {
        for (what, status) in failures(engine, &[("grpc-status", bad), ("grpc-message", "why")]).await {
            assert_eq!(status.code(), Code::Unknown, "{bad:?}, {what}: {status}");
            assert!(status.message().contains("why"), "{bad:?}, {what}: {status}");
        }
    }
}

// behaviour 99
#[rstest]
#[tokio::test(start_paused = true)]
async fn a_message_that_is_badly_coded_is_kept_as_far_as_it_goes(#[values(H2, Trunkline)] engine: Transport) {
    for (coded, read) in [
        ("%", "%"),
        ("100%", "100%"),
        ("%zz%4", "%zz%4"),
        ("%FF%fe!", "\u{fffd}\u{fffd}!"),
        ("%48%65y", "Hey"),
        ("a%00b", "a\0b"),
    ] {
        for (what, status) in failures(engine, &[("grpc-status", "3"), ("grpc-message", coded)]).await {
            assert_eq!((status.code(), status.message()), (Code::InvalidArgument, read), "{what}");
        }
    }
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn details_that_are_no_base64_panic_nobody_and_spoil_nothing(
    #[values(H2, Trunkline)] engine: Transport,
) {
    for bad in ["!!!", "a", "====", "CAk,CAk", "\u{e9}", ""] {
        let trailers = [("grpc-status", "9"), ("grpc-message", "why"), ("grpc-status-details-bin", bad)];
        for (what, status) in failures(engine, &trailers).await {
            assert_eq!(
                (status.code(), status.message()),
                (Code::FailedPrecondition, "why"),
                "{bad:?}, {what}"
            );
            assert!(status.details().is_empty(), "{bad:?}, {what}");
        }
    }
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn bad_details_beside_ok_spoil_nothing(#[values(H2, Trunkline)] engine: Transport) {
    let mut stage = Stage::set(engine).await;
    for (road, shape) in Road::every() {
        let answered = stage.answered(road, shape, async |server, stream| {
            end(server, stream, true, &[("grpc-status", "0"), ("grpc-status-details-bin", "!!!")]).await;
        });
        assert_eq!(answered.await.unwrap().messages, ["hello"], "{road:?} {shape:?}");
    }
}

// behaviour 100
#[rstest]
#[tokio::test(start_paused = true)]
async fn details_of_another_code_than_the_status_are_internal_and_name_both(
    #[values(H2, Trunkline)] engine: Transport,
) {
    // A `google.rpc.Status` of code 5.
    let trailers = [("grpc-status", "9"), ("grpc-message", "why"), ("grpc-status-details-bin", "CAU=")];
    for (what, status) in failures(engine, &trailers).await {
        assert_eq!(status.code(), Code::Internal, "{what}");
        let text = status.message();
        assert!(text.contains("FAILED_PRECONDITION") && text.contains("NOT_FOUND"), "{what}: {text}");
    }
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_response_that_ends_without_a_status_is_unknown(#[values(H2, Trunkline)] engine: Transport) {
    let mut stage = Stage::set(engine).await;
    for (road, shape) in Road::every() {
        let status = stage.failed(road, shape, async |server, stream| {
            server.head(stream, &[]).await;
            server.data(stream, framed("hello"), true).await;
        });
        assert_eq!(status.await.code(), Code::Unknown, "{road:?} {shape:?}: the data ends it");
        let status = stage.failed(road, shape, async |server, stream| {
            server.head(stream, &[]).await;
            server.trailers(stream, &[("x-other", "1")]).await;
        });
        assert_eq!(status.await.code(), Code::Unknown, "{road:?} {shape:?}: trailers without it");
        let status = stage.failed(road, shape, async |server, stream| {
            server.trailers_only(stream, &[]).await;
        });
        assert_eq!(status.await.code(), Code::Unknown, "{road:?} {shape:?}: a head alone");
    }
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn an_error_in_the_head_is_the_status_although_the_end_comes_in_a_frame_of_its_own(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let mut stage = Stage::set(engine).await;
    for (road, shape) in Road::every() {
        let status = stage.failed(road, shape, async |server, stream| {
            server.head(stream, &[("grpc-status", "5"), ("grpc-message", "nothing here")]).await;
            server.data(stream, "", true).await;
        });
        let status = status.await;
        assert_eq!((status.code(), status.message()), (Code::NotFound, "nothing here"), "{road:?} {shape:?}");
    }
}

// behaviour 92
#[rstest]
#[tokio::test(start_paused = true)]
async fn an_http_status_without_a_grpc_status_becomes_grpcs(#[values(H2, Trunkline)] engine: Transport) {
    let mut stage = Stage::set(engine).await;
    for (http, code) in [
        ("200", Code::Unknown),
        ("204", Code::Unknown),
        ("302", Code::Unknown),
        ("400", Code::Internal),
        ("401", Code::Unauthenticated),
        ("403", Code::PermissionDenied),
        ("404", Code::Unimplemented),
        ("429", Code::Unavailable),
        ("431", Code::Unknown),
        ("500", Code::Unknown),
        ("502", Code::Unavailable),
        ("503", Code::Unavailable),
        ("504", Code::Unavailable),
    ] {
        for (road, shape) in Road::every() {
            for with_page in [false, true] {
                let status = stage.failed(road, shape, async |server, stream| {
                    let head = [literal(":status", http), literal("content-type", "text/html")].concat();
                    server.headers(stream, head, !with_page).await;
                    if with_page {
                        server.data(stream, &b"<h1>nginx</h1>"[..], true).await;
                    }
                });
                let status = status.await;
                assert_eq!(status.code(), code, "{road:?} {shape:?}, HTTP {http}: {status}");
                assert!(status.message().contains(http), "{status}");
                assert_eq!(status.message().contains("<h1>nginx</h1>"), with_page, "{status}");
            }
        }
    }
}

// behaviour 92
#[rstest]
#[tokio::test(start_paused = true)]
async fn a_content_type_that_is_not_grpcs_is_unknown_with_the_first_of_the_page(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let mut stage = Stage::set(engine).await;
    for content_type in ["text/html", "application/json", "application/grpc-web", "application/grpcx", ""] {
        for (road, shape) in Road::every() {
            let status = stage.failed(road, shape, async |server, stream| {
                let head = [literal(":status", "200"), literal("content-type", content_type)].concat();
                server.headers(stream, head, false).await;
                server.data(stream, &b"It works!"[..], true).await;
            });
            let status = status.await;
            assert_eq!(status.code(), Code::Unknown, "{road:?} {shape:?}: {status}");
            assert!(status.message().contains("It works!"), "{status}");
            assert!(status.message().contains(content_type), "{status}");
        }
    }
}

// behaviour 92
#[rstest]
#[tokio::test(start_paused = true)]
async fn a_page_without_end_is_not_read_to_its_end(#[values(H2, Trunkline)] engine: Transport) {
    let mut stage = Stage::set(engine).await;
    for (road, shape) in Road::every() {
        let status = stage.failed(road, shape, async |server, stream| {
            server.headers(stream, literal(":status", "502"), false).await;
            server.data(stream, vec![b'x'; 10_000], false).await;
        });
        let status = status.await;
        assert_eq!(status.code(), Code::Unavailable, "{road:?} {shape:?}: {status}");
        assert!(status.message().len() < 1000, "{} bytes", status.message().len());
    }
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn content_types_of_grpc_with_a_subtype_or_parameters_are_grpcs(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let mut stage = Stage::set(engine).await;
    for content_type in ["application/grpc+proto", "application/grpc;charset=utf-8", "Application/GRPC"] {
        for (road, shape) in Road::every() {
            let answered = stage.answered(road, shape, async |server, stream| {
                let head = [literal(":status", "200"), literal("content-type", content_type)].concat();
                server.headers(stream, head, false).await;
                server.message(stream, &reply("hello")).await;
                server.trailers(stream, &[("grpc-status", "0")]).await;
            });
            assert_eq!(answered.await.unwrap().messages, ["hello"], "{road:?} {shape:?}");
        }
    }
}

/// What each error code of RST_STREAM means to a call, apart from REFUSED_STREAM.
const RESETS: [(ErrorCode, Code); 13] = [
    (ErrorCode::NoError, Code::Internal),
    (ErrorCode::ProtocolError, Code::Internal),
    (ErrorCode::InternalError, Code::Internal),
    (ErrorCode::FlowControlError, Code::Internal),
    (ErrorCode::SettingsTimeout, Code::Internal),
    (ErrorCode::StreamClosed, Code::Unknown),
    (ErrorCode::FrameSizeError, Code::Internal),
    (ErrorCode::Cancel, Code::Cancelled),
    (ErrorCode::CompressionError, Code::Internal),
    (ErrorCode::ConnectError, Code::Internal),
    (ErrorCode::EnhanceYourCalm, Code::ResourceExhausted),
    (ErrorCode::InadequateSecurity, Code::PermissionDenied),
    (ErrorCode::Http11Required, Code::Unknown),
];

// behaviour 93
#[rstest]
#[tokio::test(start_paused = true)]
async fn a_reset_is_a_status_by_its_error_code(#[values(H2, Trunkline)] engine: Transport) {
    let mut stage = Stage::set(engine).await;
    for (error_code, code) in RESETS {
        for (road, shape) in Road::every() {
            let status = stage.failed(road, shape, async |server, stream| {
                server.reset(stream, error_code).await;
            });
            let status = status.await;
            assert_eq!(status.code(), code, "{road:?} {shape:?}, {error_code:?} at once: {status}");
            let status = stage.failed(road, shape, async |server, stream| {
                server.head(stream, &[]).await;
                server.data(stream, framed("hello")[..7].to_vec(), false).await;
                settle().await;
                server.reset(stream, error_code).await;
            });
            let status = status.await;
            assert_eq!(status.code(), code, "{road:?} {shape:?}, {error_code:?} in the middle: {status}");
        }
    }
}

// behaviour 93
#[rstest]
#[tokio::test(start_paused = true)]
async fn a_refused_stream_is_tried_again_once_and_then_unavailable(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let mut stage = Stage::set(engine).await;
    for (road, shape) in Road::every() {
        let status = stage.failed(road, shape, async |server, stream| {
            server.reset(stream, ErrorCode::RefusedStream).await;
            let again = server.request().await.stream;
            server.reset(again, ErrorCode::RefusedStream).await;
        });
        let status = status.await;
        assert_eq!(status.code(), Code::Unavailable, "{road:?} {shape:?}: {status}");
        let answered = stage.answered(road, shape, async |server, stream| {
            server.reset(stream, ErrorCode::RefusedStream).await;
            let again = server.request().await.stream;
            server.respond(again, &reply("after all"), "0").await;
        });
        assert_eq!(answered.await.unwrap().messages, ["after all"], "{road:?} {shape:?}");
    }
}

// behaviour 94
#[rstest]
#[tokio::test(start_paused = true)]
async fn a_status_that_comes_while_the_client_still_sends_is_the_calls_status(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let mut stage = Stage::set(engine).await;
    for road in Road::BOTH {
        for (reset, with_head) in [(false, false), (true, false), (true, true)] {
            let requests = tokio_stream::StreamExt::map(tokio_stream::iter(0..), |_| {
                let name = "x".repeat(1000);
                trunkline_tests::greeter::HelloRequest { name }
            });
            let channel = stage.channel.clone();
            let call = tokio::spawn(async move {
                road.chat(channel, trunkline::Request::new(requests)).await?.all().await
            });
            let stream = stage.server.request().await.stream;
            // The server never gives window for this stream, so it can never have been sent all.
            if with_head {
                stage.server.head(stream, &[]).await;
                stage.server.trailers(stream, &[("grpc-status", "9"), ("grpc-message", "enough")]).await;
            } else {
                let trailers = [("grpc-status", "9"), ("grpc-message", "enough")];
                stage.server.trailers_only(stream, &trailers).await;
            }
            if reset {
                // RFC 9113 8.1: a server that has answered may ask the client to stop.
                stage.server.reset(stream, ErrorCode::NoError).await;
            }
            let status = tokio::time::timeout(LONG, call).await.unwrap().unwrap().unwrap_err();
            let what = format!("{road:?}, reset: {reset}, with a head: {with_head}");
            assert_eq!((status.code(), status.message()), (Code::FailedPrecondition, "enough"), "{what}");
            stage.still_serves().await;
        }
    }
}

// behaviour 94
#[rstest]
#[tokio::test(start_paused = true)]
async fn a_status_before_the_end_of_a_large_request_is_the_calls_status(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let mut stage = Stage::set(engine).await;
    for (road, shape) in Road::every() {
        let name = trunkline::Request::new("x".repeat(300_000));
        let call = stage.call_with(road, shape, name);
        let request = stage.server.request().await;
        stage.server.trailers_only(request.stream, &[("grpc-status", "16")]).await;
        stage.server.reset(request.stream, ErrorCode::NoError).await;
        call.fails(Code::Unauthenticated).await;
        stage.still_serves().await;
    }
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn what_comes_after_the_end_costs_the_connection_nothing(#[values(H2, Trunkline)] engine: Transport) {
    let mut stage = Stage::set(engine).await;
    for road in Road::BOTH {
        let answered = stage.answered(road, Shape::Unary, async |server, stream| {
            server.respond(stream, &reply("hello"), "0").await;
            server.reset(stream, ErrorCode::Cancel).await;
            server.open_window(stream, 1000).await;
        });
        assert_eq!(answered.await.unwrap().messages, ["hello"], "{road:?}");
    }
}
