//! Servers that die in the middle, loudly or without a word.

use std::time::Duration;

use rstest::rstest;
use tokio::task::JoinSet;
use tonic::transport::Server;
use trunkline::Transport::{self, H2, Trunkline};
use trunkline::{Channel, Code, Sent, Status};
use trunkline_tests::greeter::HelloReply;
use trunkline_tests::{FreezingRoad, LoopbackServer, MemoryServer, Network, TestGreeter, ms};

use crate::asking::{failed, greet, loopback, timed};

const IN_FLIGHT: usize = 400;

/// Longer than any call here waits.
const SLOW: Duration = Duration::from_secs(3600);

/// A server that takes so many calls at once.
fn roomy() -> Server {
    Server::builder().max_concurrent_streams(Some(1000))
}

/// So many calls, all of which the server has begun when this returns.
async fn in_flight(
    channel: &Channel,
    greeter: &TestGreeter,
) -> JoinSet<(Duration, Result<HelloReply, Status>)> {
    let mut calls = JoinSet::new();
    for _ in 0..IN_FLIGHT {
        let channel = channel.clone();
        calls.spawn(async move { timed(greet(&channel)).await });
    }
    while greeter.in_flight() < IN_FLIGHT {
        tokio::task::yield_now().await;
    }
    calls
}

// E8
#[rstest]
#[tokio::test(start_paused = true)]
async fn calls_in_flight_on_a_server_that_dies_say_where_they_were_and_that_they_may_have_been_processed(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let network = Network::new(engine);
    let slow = TestGreeter::new("a").slow(SLOW);
    let server = MemoryServer::start_with(&network, "a", &slow, roomy());
    let channel = network.channel(&["a"]).connect_lazy().unwrap();
    let calls = in_flight(&channel, &slow).await;
    tokio::time::sleep(ms(50)).await;
    server.kill();
    for (after, result) in calls.join_all().await {
        assert_eq!(after, ms(50));
        let report = failed(&result, Code::Unavailable);
        assert_eq!(report.sent(), Sent::Maybe);
        assert_eq!(report.address().map(ToString::to_string).as_deref(), Some("a"));
    }
    assert_eq!(slow.started(), IN_FLIGHT, "what may have been processed is not sent again");
}

// E8
#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_sockets_calls_in_flight_on_a_server_that_dies_say_where_they_were(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let slow = TestGreeter::new("a").slow(SLOW);
    let server = LoopbackServer::start_with(([127, 0, 0, 1], 0).into(), &slow, roomy());
    let address = server.address();
    let channel = loopback(engine, &[address]).connect_lazy().unwrap();
    let calls = in_flight(&channel, &slow).await;
    server.kill();
    for (_, result) in calls.join_all().await {
        let report = failed(&result, Code::Unavailable);
        assert_eq!(report.sent(), Sent::Maybe);
        assert!(report.to_string().contains(&address.to_string()), "{report}");
    }
}

// E13
#[rstest]
#[tokio::test(start_paused = true)]
async fn keepalive_finds_a_host_that_vanished_and_the_next_call_goes_elsewhere(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let network = Network::new(engine);
    let _a = MemoryServer::start(&network, "a", &TestGreeter::new("a").slow(ms(500)));
    let _b = MemoryServer::start(&network, "b", &TestGreeter::new("b"));
    let builder = network.channel(&["a", "b"]).keepalive(Duration::from_secs(10), Duration::from_secs(2));
    let channel = builder.connect_lazy().unwrap();
    assert_eq!(greet(&channel).await.unwrap().server, "a");

    network.freeze("a");
    let (after, result) = timed(greet(&channel)).await;
    let report = failed(&result, Code::Unavailable);
    assert_eq!((after, report.sent()), (Duration::from_secs(12), Sent::Maybe));
    assert_eq!(report.address().map(ToString::to_string).as_deref(), Some("a"));

    let (after, result) = timed(greet(&channel)).await;
    assert_eq!(result.unwrap().server, "b");
    assert_eq!(after, ms(250), "happy eyeballs: the host that vanished is not waited for");
}

// E13: if asked for, also while nobody calls, so that the first call finds a good connection.
#[rstest]
#[tokio::test(start_paused = true)]
async fn keepalive_finds_a_host_that_vanished_while_nobody_calls(#[values(H2, Trunkline)] engine: Transport) {
    let network = Network::new(engine);
    let _server = MemoryServer::start(&network, "a", &TestGreeter::new("a"));
    let builder = network.channel(&["a"]).keepalive(Duration::from_secs(1), ms(500));
    let channel = builder.keepalive_while_idle(true).connect_lazy().unwrap();
    greet(&channel).await.unwrap();
    network.freeze("a");
    tokio::time::sleep(ms(1_499)).await;
    assert_eq!(network.open_connections("a"), 1);
    tokio::time::sleep(ms(2)).await;
    assert_eq!(network.open_connections("a"), 0);
}

// E13
#[rstest]
#[tokio::test]
async fn over_sockets_keepalive_finds_a_host_that_vanished_and_the_next_call_works(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let server = LoopbackServer::start(&TestGreeter::new("a"));
    let road = FreezingRoad::start(server.address());
    let builder = loopback(engine, &[road.address()]).keepalive(Duration::from_secs(1), ms(200));
    let channel = builder.connect_lazy().unwrap();
    greet(&channel).await.unwrap();
    road.freeze();
    failed(&greet(&channel).await, Code::Unavailable);
    greet(&channel).await.unwrap();
}
