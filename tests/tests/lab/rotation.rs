//! Several servers, some of which do not serve: no call fails while one of them does.

use std::collections::HashMap;
use std::time::Duration;

use rstest::rstest;
use tokio::time::Instant;
use trunkline::Transport::{self, H2, Trunkline};
use trunkline::balancer::RoundRobin;
use trunkline::{Backoff, Channel, Code};
use trunkline_tests::{
    CountingConnector, LoopbackServer, MemoryServer, Network, Port, SilentPeer, TestGreeter, ms,
};

use crate::asking::{failed, greet, loopback};

/// So many calls, one after the other, none of which may fail: how many each server got.
async fn greet_in_turn(channel: &Channel, calls: usize) -> HashMap<String, usize> {
    let mut shares = HashMap::new();
    for _ in 0..calls {
        let reply = greet(channel).await.expect("a server is there");
        *shares.entry(reply.server).or_default() += 1;
    }
    shares
}

// E3
#[rstest]
#[tokio::test(start_paused = true)]
async fn no_call_goes_to_a_server_that_refuses(#[values(H2, Trunkline)] engine: Transport) {
    let network = Network::new(engine);
    let _live = MemoryServer::start(&network, "live", &TestGreeter::new("live"));
    let channel = network.channel(&["live", "refused"]).balancer(RoundRobin).connect_lazy().unwrap();
    assert_eq!(greet_in_turn(&channel, 400).await["live"], 400);
    assert_eq!(network.dials("refused"), [Duration::ZERO]);
}

// E3
#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_sockets_no_call_goes_to_a_server_that_refuses(#[values(H2, Trunkline)] engine: Transport) {
    let (live, refused) = (LoopbackServer::start(&TestGreeter::new("live")), Port::reserve());
    let builder = loopback(engine, &[live.address(), refused.address()]).balancer(RoundRobin);
    let channel = builder.connect_lazy().unwrap();
    assert_eq!(greet_in_turn(&channel, 400).await["live"], 400);
}

// E3b
#[rstest]
#[tokio::test(start_paused = true)]
async fn no_call_waits_for_a_server_that_swallows_connections(#[values(H2, Trunkline)] engine: Transport) {
    let network = Network::new(engine);
    let _live = MemoryServer::start(&network, "live", &TestGreeter::new("live"));
    network.black_hole("hole");
    let builder = network.channel(&["live", "hole"]).balancer(RoundRobin).connect_timeout(ms(500));
    let channel = builder.connect_lazy().unwrap();
    let began = Instant::now();
    for call in 1..=400 {
        greet(&channel).await.expect("a server is there");
        assert_eq!(began.elapsed(), ms(15) * (call - 1), "a call took time");
        tokio::time::sleep(ms(15)).await;
    }
    assert!(network.dials("hole").len() > 2, "the other server was tried again and again");
}

// E3b
#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_sockets_no_call_waits_for_a_server_that_never_speaks(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let (live, silent) = (LoopbackServer::start(&TestGreeter::new("live")), SilentPeer::start());
    let connector = CountingConnector::default();
    let channel = loopback(engine, &[live.address(), silent.address()])
        .balancer(RoundRobin)
        .connector(connector.clone())
        .connect_timeout(ms(100))
        .backoff(Backoff::new(ms(100), ms(200)))
        .connect_lazy()
        .unwrap();
    while connector.dials(silent.address()) < 3 {
        assert_eq!(greet_in_turn(&channel, 20).await["live"], 20);
    }
}

// E4
#[rstest]
#[tokio::test(start_paused = true)]
async fn no_call_fails_once_servers_that_were_down_are_back(#[values(H2, Trunkline)] engine: Transport) {
    let network = Network::new(engine);
    let names = ["a", "b", "c", "d"];
    let greeters = names.map(TestGreeter::new);
    let start = || -> Vec<_> {
        names
            .iter()
            .zip(&greeters)
            .map(|(name, greeter)| MemoryServer::start(&network, name, greeter))
            .collect()
    };
    let servers = start();
    let channel = network.channel(&names).balancer(RoundRobin).connect_lazy().unwrap();
    greet_in_turn(&channel, 40).await;

    drop(servers);
    tokio::time::sleep(Duration::from_secs(30)).await;
    for _ in 0..40 {
        failed(&greet(&channel).await, Code::Unavailable);
    }

    let _servers = start();
    channel.ready(Duration::from_secs(120)).await.unwrap();
    greet_in_turn(&channel, 400).await;
    // The others come back by themselves, each within its backoff.
    tokio::time::sleep(Duration::from_secs(60)).await;
    let shares = greet_in_turn(&channel, 400).await;
    assert_eq!(names.map(|name| shares[name]), [100; 4]);
}

// E4
#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_sockets_no_call_fails_once_servers_that_were_down_are_back(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let ports = [(); 4].map(|()| Port::reserve());
    let addresses = ports.each_ref().map(Port::address);
    let start = || {
        addresses.map(|address| {
            let greeter = TestGreeter::new(&address.to_string());
            LoopbackServer::start_with(address, &greeter, tonic::transport::Server::builder())
        })
    };
    let servers = start();
    let builder = loopback(engine, &addresses).balancer(RoundRobin).backoff(Backoff::new(ms(50), ms(100)));
    let channel = builder.connect_lazy().unwrap();
    greet_in_turn(&channel, 40).await;

    drop(servers);
    // Calls on the dying connections may fail as they like; then all do at once.
    while !greet(&channel).await.is_err_and(|status| status.message().contains("refused")) {}

    let _servers = start();
    channel.ready(Duration::from_secs(60)).await.unwrap();
    greet_in_turn(&channel, 400).await;
    while greet_in_turn(&channel, 40).await.len() < 4 {}
}
