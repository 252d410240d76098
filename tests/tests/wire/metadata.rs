//! Metadata, up and down, on both roads.

use rstest::rstest;
use trunkline::Transport::{self, H2, Trunkline};
use trunkline::metadata::{MetadataMap, MetadataValue};
use trunkline::{Code, Request, Sent, StatusExt};
use trunkline_tests::script::Kind;

use crate::road::{Road, Shape};
use crate::stage::{Stage, reply};

fn texts(metadata: &MetadataMap, name: &str) -> Vec<String> {
    metadata.get_all(name).iter().map(|value| value.to_str().unwrap().to_owned()).collect()
}

fn bytes(metadata: &MetadataMap, name: &str) -> Vec<Vec<u8>> {
    metadata.get_all_bin(name).iter().map(|value| value.to_bytes().unwrap().to_vec()).collect()
}

// behaviour 99
#[rstest]
#[tokio::test(start_paused = true)]
async fn metadata_goes_up_in_order_with_duplicates_and_bytes_in_base64_without_padding(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let mut stage = Stage::set(engine).await;
    for (road, shape) in Road::every() {
        let mut request = Request::new("you".to_owned());
        for value in ["2", "1", "2", "a,b"] {
            request.metadata_mut().append("x-many", value.parse().unwrap());
        }
        request.metadata_mut().insert("x-one", "1".parse().unwrap());
        for value in [&[0xab][..], &[], &[0, 0xff, 7]] {
            request.metadata_mut().append_bin("x-bytes-bin", MetadataValue::from_bytes(value));
        }
        let call = stage.call_with(road, shape, request);
        let request = stage.server.request().await;
        let sent = |name: &str| -> Vec<_> {
            let headers = request.headers.iter().filter(|(found, _)| *found == name);
            headers.map(|(_, value)| value.to_owned()).collect()
        };
        assert_eq!(sent("x-many"), ["2", "1", "2", "a,b"], "{road:?} {shape:?}");
        assert_eq!(sent("x-one"), ["1"], "{road:?} {shape:?}");
        assert_eq!(sent("x-bytes-bin"), ["qw", "", "AP8H"], "{road:?} {shape:?}");
        stage.server.respond(request.stream, &reply("hello"), "0").await;
        call.end().await.unwrap();
    }
}

// behaviour 99
#[rstest]
#[tokio::test(start_paused = true)]
async fn metadata_comes_down_in_order_with_duplicates_and_bytes_with_and_without_padding(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let mut stage = Stage::set(engine).await;
    for (road, shape) in Road::every() {
        let answered = stage.answered(road, shape, async |server, stream| {
            let early = [("x-early", "2"), ("x-early", "1"), ("x-early", "2"), ("x-early-bin", "qw==")];
            server.head(stream, &early).await;
            server.message(stream, &reply("hello")).await;
            let late = [("x-late", "b"), ("x-late", "a"), ("x-late-bin", "qw"), ("x-late-bin", "")];
            server.trailers(stream, &[&[("grpc-status", "0")][..], &late].concat()).await;
        });
        let metadata = answered.await.unwrap().metadata;
        assert_eq!(texts(&metadata, "x-early"), ["2", "1", "2"], "{road:?} {shape:?}");
        assert_eq!(texts(&metadata, "x-late"), ["b", "a"], "{road:?} {shape:?}");
        assert_eq!(bytes(&metadata, "x-early-bin"), [[0xab]], "{road:?} {shape:?}");
        assert_eq!(bytes(&metadata, "x-late-bin"), [&[0xab][..], &[]], "{road:?} {shape:?}");
    }
}

// behaviour 99
#[rstest]
#[tokio::test(start_paused = true)]
async fn bytes_that_somebody_on_the_way_joined_by_commas_are_told_apart(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let mut stage = Stage::set(engine).await;
    for (road, shape) in Road::every() {
        let answered = stage.answered(road, shape, async |server, stream| {
            server.head(stream, &[("x-early-bin", "qw==,q6ur, AA")]).await;
            server.message(stream, &reply("hello")).await;
            server.trailers(stream, &[("grpc-status", "0"), ("x-late-bin", "qw,AA==")]).await;
        });
        let metadata = answered.await.unwrap().metadata;
        let expected: [&[u8]; 3] = [&[0xab], &[0xab, 0xab, 0xab], &[0]];
        assert_eq!(bytes(&metadata, "x-early-bin"), expected, "{road:?} {shape:?}");
        assert_eq!(bytes(&metadata, "x-late-bin"), [[0xab], [0]], "{road:?} {shape:?}");
        let status = stage.failed(road, shape, async |server, stream| {
            server.trailers_only(stream, &[("grpc-status", "5"), ("x-late-bin", "qw,AA==")]).await;
        });
        let status = status.await;
        assert_eq!(bytes(status.metadata(), "x-late-bin"), [[0xab], [0]], "{road:?} {shape:?}");
    }
}

// behaviour 99
#[rstest]
#[tokio::test(start_paused = true)]
async fn names_that_grpc_or_http2_reserve_are_refused_before_anything_is_sent(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let mut stage = Stage::set(engine).await;
    for shape in [Shape::Unary, Shape::ServerStreaming, Shape::Bidi] {
        for name in [
            "grpc-status",
            "grpc-encoding",
            "grpc-anything",
            "te",
            "content-type",
            "user-agent",
            "host",
            "connection",
            "transfer-encoding",
            "content-length",
        ] {
            let mut request = Request::new("you".to_owned());
            request.metadata_mut().insert(name, "x".parse().unwrap());
            let status = stage.call_with(Road::Own, shape, request).fails(Code::Internal).await;
            assert!(status.message().contains(name), "{status}");
            assert!(!stage.server.has_sent(Kind::HEADERS).await, "{name}");
        }
    }
    stage.still_serves().await;
}

// behaviour 99
#[rstest]
#[tokio::test(start_paused = true)]
async fn on_tonics_road_reserved_names_do_no_harm(#[values(H2, Trunkline)] engine: Transport) {
    let mut stage = Stage::set(engine).await;
    for shape in [Shape::Unary, Shape::ServerStreaming, Shape::Bidi] {
        // HTTP/2 forbids these: the request cannot be sent.
        for name in ["connection", "transfer-encoding", "upgrade", "keep-alive", "proxy-connection"] {
            let mut request = Request::new("you".to_owned());
            request.metadata_mut().insert(name, "x".parse().unwrap());
            let status = stage.call_with(Road::Tonic, shape, request).fails(Code::Internal).await;
            assert!(status.message().contains("the request breaks HTTP/2"), "{status}");
            assert_eq!(status.call_report().unwrap().sent(), Sent::No);
            assert!(!stage.server.has_sent(Kind::HEADERS).await, "{name}");
        }
        // The stub itself writes headers of gRPC, so the channel cannot tell whose they are; those that it
        // writes it writes alone.
        let mut request = Request::new("you".to_owned());
        for name in ["te", "content-type", "user-agent", "grpc-anything"] {
            request.metadata_mut().insert(name, "mine".parse().unwrap());
        }
        let call = stage.call_with(Road::Tonic, shape, request);
        let request = stage.server.request().await;
        assert_eq!(request.headers.get("te"), Some("trailers"));
        assert_eq!(request.headers.get("content-type"), Some("application/grpc"));
        assert!(request.headers.get("user-agent").unwrap().starts_with("grpc-rust-trunkline/"));
        assert_eq!(request.headers.get("grpc-anything"), Some("mine"));
        stage.server.respond(request.stream, &reply("hello"), "0").await;
        call.end().await.unwrap();
    }
    stage.still_serves().await;
}

// behaviour 99
#[rstest]
#[tokio::test(start_paused = true)]
async fn what_the_status_was_read_from_is_no_metadata(#[values(H2, Trunkline)] engine: Transport) {
    let mut stage = Stage::set(engine).await;
    for (road, shape) in Road::every() {
        let answered = stage.answered(road, shape, async |server, stream| {
            server.head(stream, &[]).await;
            server.message(stream, &reply("hello")).await;
            server.trailers(stream, &[("grpc-status", "0"), ("grpc-message", "fine")]).await;
        });
        let metadata = answered.await.unwrap().metadata;
        assert!(metadata.get("grpc-message").is_none(), "{road:?} {shape:?}: {metadata:?}");
    }
}
