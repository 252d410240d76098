//! Servers that turn their connections over, as every server in production does: no call is lost, and none is
//! made twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use rstest::rstest;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tonic::transport::Server;
use trunkline::Transport::{self, H2, Trunkline};
use trunkline::balancer::RoundRobin;
use trunkline::{Backoff, Channel};
use trunkline_tests::{CountingConnector, LoopbackServer, MemoryServer, Network, Port, TestGreeter, ms};

use crate::asking::{greet, loopback};

const CALLERS: usize = 16;

/// All callers call, one call after the other, until `enough`: how many calls they made, none of which may
/// fail.
async fn call_until(channel: &Channel, enough: impl Fn() -> bool + Clone + Send + 'static) -> usize {
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let (channel, enough) = (channel.clone(), enough.clone());
        callers.spawn(async move {
            let mut calls = 0;
            while !enough() {
                greet(&channel).await.expect("a turnover loses nothing");
                calls += 1;
            }
            calls
        });
    }
    callers.join_all().await.into_iter().sum()
}

// E7b
#[rstest]
#[tokio::test(start_paused = true)]
async fn connections_that_reach_their_age_cost_no_call(#[values(H2, Trunkline)] engine: Transport) {
    let network = Network::new(engine);
    let server_side = TestGreeter::new("a").slow(ms(10));
    let server = Server::builder().max_connection_age(ms(300));
    let _server = MemoryServer::start_with(&network, "a", &server_side, server);
    let channel = network.channel(&["a"]).connect_lazy().unwrap();
    let end = Instant::now() + Duration::from_secs(3);
    let calls = call_until(&channel, move || Instant::now() >= end).await;
    assert_eq!(server_side.started(), calls, "no call was made twice");
    assert!(calls >= CALLERS * 280, "calls waited: only {calls} in 3 s");
    let dials = network.dials("a").len();
    assert!((9..=11).contains(&dials), "{:?}", network.dials("a"));
}

// E7b
#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_sockets_connections_that_reach_their_age_cost_no_call(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let server_side = TestGreeter::new("a").slow(ms(1));
    // Long enough for a call to be answered on each connection, on however slow a machine.
    let server = Server::builder().max_connection_age(ms(1000));
    let server = LoopbackServer::start_with(([127, 0, 0, 1], 0).into(), &server_side, server);
    let connector = CountingConnector::default();
    let channel = loopback(engine, &[server.address()]).connector(connector.clone()).connect_lazy().unwrap();
    let calls = call_until(&channel, move || connector.dialled().len() > 3).await;
    assert_eq!(server_side.started(), calls, "no call was made twice");
}

// E7b: a deploy, server by server, each once the one before it has calls again.
#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_sockets_a_rolling_restart_costs_no_call(#[values(H2, Trunkline)] engine: Transport) {
    let places = [(); 3].map(|()| (Port::reserve(), TestGreeter::new("a").slow(ms(1))));
    let start = |(port, greeter): &(Port, TestGreeter)| {
        LoopbackServer::start_with(port.address(), greeter, Server::builder())
    };
    let mut servers: Vec<_> = places.iter().map(start).collect();
    let channel = loopback(engine, &places.each_ref().map(|(port, _)| port.address()))
        .balancer(RoundRobin)
        .backoff(Backoff::new(ms(50), ms(100)))
        .connect(Duration::from_secs(60))
        .await
        .unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let enough = Arc::clone(&done);
    let callers = tokio::spawn(async move { call_until(&channel, move || enough.load(SeqCst)).await });
    for place in &places {
        more_calls(&place.1).await;
        // The old process ends its calls while nobody listens; then the new one comes up in its place.
        servers.remove(0).stop().await;
        servers.push(start(place));
        more_calls(&place.1).await;
    }
    done.store(true, SeqCst);
    let calls = callers.await.unwrap();
    let served: usize = places.iter().map(|(_, greeter)| greeter.started()).sum();
    assert_eq!(served, calls, "no call was made twice");
}

/// Waits until the greeter has got a hundred more calls.
async fn more_calls(greeter: &TestGreeter) {
    let enough = greeter.started() + 100;
    while greeter.started() < enough {
        tokio::task::yield_now().await;
    }
}
