//! The head of a request, as it is on the wire.

use std::time::Duration;

use rstest::rstest;
use trunkline::Transport::{self, H2, Trunkline};
use trunkline::{Request, RequestExt};
use trunkline_tests::script::Headers;

use crate::road::{Road, Shape};
use crate::stage::{Stage, reply};

/// The heads of one call on each road.
async fn heads(stage: &mut Stage, shape: Shape, timeout: Option<Duration>) -> [Headers; 2] {
    let mut heads = Vec::new();
    for road in Road::BOTH {
        let mut request = Request::new("you".to_owned());
        if let Some(timeout) = timeout {
            request = request.with_timeout(timeout);
        }
        let call = stage.call_with(road, shape, request);
        let request = stage.server.request().await;
        stage.server.respond(request.stream, &reply("hello"), "0").await;
        call.end().await.unwrap();
        heads.push(request.headers);
    }
    heads.try_into().unwrap()
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn the_head_is_what_grpc_asks_for_and_the_same_on_both_roads(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let mut stage = Stage::set(engine).await;
    for (shape, path) in [
        (Shape::Unary, "/greeter.v1.Greeter/SayHello"),
        (Shape::ServerStreaming, "/greeter.v1.Greeter/Watch"),
        (Shape::Bidi, "/greeter.v1.Greeter/Chat"),
    ] {
        let [own, tonic] = heads(&mut stage, shape, Some(Duration::from_millis(1500))).await;
        assert_eq!(own, tonic, "{shape:?}");
        // Pseudo-headers come first, in any order (RFC 9113 8.3).
        let mut pseudo: Vec<_> = own.iter().take(4).collect();
        pseudo.sort_unstable();
        let expected =
            [(":authority", "10.0.0.7:443"), (":method", "POST"), (":path", path), (":scheme", "http")];
        assert_eq!(pseudo, expected);
        assert_eq!(own.get("te"), Some("trailers"));
        assert_eq!(own.get("content-type"), Some("application/grpc"));
        assert_eq!(own.get("grpc-timeout"), Some("1500000u"));
        assert_eq!(own.iter().count(), 8, "and nothing else: {own:?}");
    }
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn without_a_deadline_there_is_no_timeout_in_the_head(#[values(H2, Trunkline)] engine: Transport) {
    let mut stage = Stage::set(engine).await;
    for head in heads(&mut stage, Shape::Unary, None).await {
        assert_eq!(head.get("grpc-timeout"), None);
    }
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn authority_and_user_agent_are_as_they_were_set(#[values(H2, Trunkline)] engine: Transport) {
    let own_name = concat!("grpc-rust-trunkline/", env!("CARGO_PKG_VERSION"));
    let mut stage = Stage::set(engine).await;
    for head in heads(&mut stage, Shape::Unary, None).await {
        assert_eq!(head.get("user-agent"), Some(own_name));
        assert_eq!(head.get(":authority"), Some("10.0.0.7:443"));
    }
    let mut stage =
        Stage::with(engine, &[], |builder| builder.authority("greeter.test").user_agent("shop/1.2")).await;
    for head in heads(&mut stage, Shape::Unary, None).await {
        assert_eq!(head.get("user-agent"), Some(&*format!("shop/1.2 {own_name}")));
        assert_eq!(head.get(":authority"), Some("greeter.test"));
    }
    // RFC 9113 8.2.1: no white space at either end.
    for (set, sent) in [("", own_name.to_owned()), (" shop\t", format!("shop {own_name}"))] {
        let mut stage = Stage::with(engine, &[], |builder| builder.user_agent(set)).await;
        for head in heads(&mut stage, Shape::Unary, None).await {
            assert_eq!(head.get("user-agent"), Some(&*sent));
        }
    }
}
