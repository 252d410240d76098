//! Lists of servers that change while calls are made: new servers get their share, those that left finish
//! what they have, and no call notices.

use std::collections::BTreeMap;
use std::time::Duration;

use rstest::rstest;
use tokio::time::sleep;
use trunkline::Transport::{self, H2, Trunkline};
use trunkline::balancer::RoundRobin;
use trunkline::{Channel, Code, ConnectivityState, FailFast};
use trunkline_resolver::ResolveError;
use trunkline_tests::{MemoryServer, Network, TestGreeter, ms};

use crate::asking::{failed, greet, timed};

/// Servers at these names, which answer at once.
fn serve(network: &Network, names: &[&str]) -> Vec<MemoryServer> {
    names.iter().map(|name| MemoryServer::start(network, name, &TestGreeter::new(name))).collect()
}

/// So many calls, one after the other, none of which may fail: how many each server got.
async fn shares(channel: &Channel, calls: usize) -> BTreeMap<String, usize> {
    let mut shares = BTreeMap::new();
    for _ in 0..calls {
        *shares.entry(greet(channel).await.expect("a server is there").server).or_default() += 1;
    }
    shares
}

fn even(names: &[&str], calls: usize) -> BTreeMap<String, usize> {
    names.iter().map(|name| ((*name).to_owned(), calls)).collect()
}

// behaviours 33 and 39
#[rstest]
#[tokio::test(start_paused = true)]
async fn servers_that_come_get_their_share_at_once(#[values(H2, Trunkline)] engine: Transport) {
    let network = Network::new(engine);
    let _servers = serve(&network, &["a", "b", "c"]);
    let channel = network.channel(&["a"]).balancer(RoundRobin).connect_lazy().unwrap();
    assert_eq!(shares(&channel, 30).await, even(&["a"], 30));
    network.resolve(&["a", "b", "c"]);
    // While they are being connected, calls go where they can.
    greet(&channel).await.unwrap();
    sleep(ms(1)).await;
    assert_eq!(shares(&channel, 30).await, even(&["a", "b", "c"], 10));
}

// behaviour 38
#[rstest]
#[tokio::test(start_paused = true)]
async fn a_server_that_left_finishes_what_it_has_and_gets_nothing_new(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let network = Network::new(engine);
    let _a = MemoryServer::start(&network, "a", &TestGreeter::new("a").slow(Duration::from_secs(5)));
    let _others = serve(&network, &["b", "c"]);
    let channel = network.channel(&["a"]).balancer(RoundRobin).connect_lazy().unwrap();
    let in_flight = tokio::spawn({
        let channel = channel.clone();
        async move { timed(greet(&channel)).await }
    });
    sleep(ms(100)).await;
    network.resolve(&["b", "c"]);
    sleep(ms(100)).await;
    assert_eq!(shares(&channel, 30).await, even(&["b", "c"], 15));
    assert_eq!(network.open_connections("a"), 1, "until its last call has ended");
    let (after, result) = in_flight.await.unwrap();
    assert_eq!((after, result.unwrap().server.as_str()), (Duration::from_secs(5), "a"));
    sleep(ms(1)).await;
    assert_eq!(network.open_connections("a"), 0);
}

// behaviour 34: with E4, what "one of three is killed and comes back" is to a user.
#[rstest]
#[tokio::test(start_paused = true)]
async fn a_server_killed_and_restarted_costs_no_call_and_has_its_share_again_within_its_backoff(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let network = Network::new(engine);
    let names = ["a", "b", "c"];
    let mut servers = serve(&network, &names);
    let channel = network.channel(&names).balancer(RoundRobin).connect_lazy().unwrap();
    shares(&channel, 3).await;
    sleep(ms(1)).await;
    for _ in 0..10 {
        drop(servers.remove(0));
        let alive = shares(&channel, 30).await;
        assert_eq!(alive.len(), 2, "its share moved at once: {alive:?}");
        let gone = names.iter().find(|name| !alive.contains_key(**name)).expect("one of three");
        sleep(Duration::from_secs(30)).await;
        servers.push(MemoryServer::start(&network, gone, &TestGreeter::new(gone)));
        // Nobody calls meanwhile: it comes back by itself.
        sleep(Duration::from_secs(30)).await;
        assert_eq!(shares(&channel, 30).await, even(&names, 10));
    }
}

// behaviours 17, 18 and 29
#[rstest]
#[tokio::test(start_paused = true)]
async fn pick_first_stays_with_the_first_that_serves_and_starts_from_the_top_when_it_is_lost(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let network = Network::new(engine);
    let mut servers = serve(&network, &["b", "c"]);
    let channel = network.channel(&["a", "b", "c"]).connect_lazy().unwrap();
    assert_eq!(shares(&channel, 30).await, even(&["b"], 30));
    assert_eq!(network.dialled(), ["a", "b"]);

    // It is lost, and the first of the list is back.
    servers.extend(serve(&network, &["a"]));
    drop(servers.remove(0));
    assert_eq!(channel.state(), ConnectivityState::Ready, "nobody has told the channel yet");
    sleep(Duration::from_secs(2)).await;
    assert_eq!(channel.state(), ConnectivityState::Idle, "nobody wants a connection now");
    assert_eq!(shares(&channel, 30).await, even(&["a"], 30));
}

// behaviour 19
#[rstest]
#[tokio::test(start_paused = true)]
async fn after_all_servers_were_down_calls_work_again_without_touching_the_channel(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let network = Network::new(engine);
    let channel = network.channel(&["a", "b"]).connect_lazy().unwrap();
    failed(&greet(&channel).await, Code::Unavailable);
    sleep(Duration::from_secs(600)).await;
    let _servers = serve(&network, &["b"]);
    let mut state = channel.watch_state();
    while state.changed().await != ConnectivityState::Ready {}
    assert!(network.elapsed() <= Duration::from_secs(600 + 144), "within its backoff: 120 s and 20 %");
    assert_eq!(greet(&channel).await.unwrap().server, "b");
}

// behaviour 24
#[rstest]
#[tokio::test(start_paused = true)]
async fn an_error_of_the_resolver_costs_no_call_while_there_is_a_good_list(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let network = Network::new(engine);
    let _servers = serve(&network, &["a"]);
    let channel = network.channel(&["a"]).connect_lazy().unwrap();
    greet(&channel).await.unwrap();
    for _ in 0..5 {
        network.resolver().fail(ResolveError::new("the name server is asleep"));
        sleep(Duration::from_secs(60)).await;
        greet(&channel).await.unwrap();
    }
    assert_eq!(network.dialled(), ["a"]);
}

// behaviours 23 and 39
#[rstest]
#[tokio::test(start_paused = true)]
async fn an_empty_list_says_so_and_calls_that_wait_use_the_next_one(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let network = Network::new(engine);
    let _servers = serve(&network, &["a"]);
    let channel = network.channel(&[]).connect_lazy().unwrap();
    let report = failed(&greet(&channel).await, Code::Unavailable);
    let text = "memory:///greeter: resolve: the resolver knows no address for this target";
    assert_eq!(report.to_string(), text, "no address was tried, so none has failed");
    assert!(network.resolver().rejections() >= 1, "the resolver heard of it");

    let waiting = network.channel(&[]).fail_fast(FailFast::Never).connect_lazy().unwrap();
    let call = tokio::spawn(async move { timed(greet(&waiting)).await });
    sleep(Duration::from_secs(7)).await;
    network.resolve(&["a"]);
    let (after, result) = call.await.unwrap();
    result.unwrap();
    assert_eq!(after, Duration::from_secs(7));
}

// behaviour 37
#[rstest]
#[tokio::test(start_paused = true)]
async fn a_lost_server_makes_the_resolver_look_again(#[values(H2, Trunkline)] engine: Transport) {
    let network = Network::new(engine);
    let mut servers = serve(&network, &["a", "b"]);
    let channel = network.channel(&["a", "b"]).balancer(RoundRobin).connect_lazy().unwrap();
    shares(&channel, 4).await;
    sleep(Duration::from_secs(5)).await;
    let before = network.resolver().refreshes();
    drop(servers.remove(0));
    sleep(ms(1)).await;
    assert_eq!(network.resolver().refreshes(), before + 1);
}
