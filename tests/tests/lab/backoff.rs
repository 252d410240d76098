//! When a whole channel dials: after failures, after losses, and when somebody says that things have changed.

use std::time::Duration;

use rstest::rstest;
use tokio::time::sleep;
use trunkline::Transport::{self, H2, Trunkline};
use trunkline::balancer::RoundRobin;
use trunkline::{Backoff, Channel, Code, ConnectivityState, FailFast, Phase};
use trunkline_tests::{MemoryServer, Network, TestGreeter, ms};

use crate::asking::{failed, greet, timed};

/// A second of waits.
const SECOND: Duration = Duration::from_secs(1);

/// One call that fails, so that the channel wants its server.
async fn fail_once(channel: &Channel) {
    failed(&greet(channel).await, Code::Unavailable);
}

// behaviour 8
#[tokio::test(start_paused = true)]
async fn attempts_are_further_and_further_apart_as_grpc_says() {
    let network = Network::new(Transport::default());
    let channel = network.channel(&["a"]).connect_lazy().unwrap();
    fail_once(&channel).await;
    sleep(Duration::from_secs(1200)).await;
    let dials = network.dials("a");
    let mut expected = 1.0_f64;
    for pair in dials.windows(2) {
        let wait = (pair[1] - pair[0]).as_secs_f64();
        assert!(
            (0.8 * expected..=1.2 * expected + 0.001).contains(&wait),
            "{wait} after {expected}: {dials:?}"
        );
        expected = (expected * 1.6).min(120.0);
    }
    assert!(dials.len() > 15, "{dials:?}");
}

// behaviour 9
#[tokio::test(start_paused = true)]
async fn the_applications_own_backoff_counts_from_the_starts_of_attempts() {
    let network = Network::new(Transport::default());
    network.delay("a", ms(50));
    let backoff = Backoff::new(ms(100), ms(300)).multiplier(2.0).jitter(0.0);
    let channel = network.channel(&["a"]).backoff(backoff).connect_lazy().unwrap();
    fail_once(&channel).await;
    sleep(SECOND).await;
    assert_eq!(network.dials("a"), [0, 100, 300, 600, 900].map(ms));
}

// behaviour 9
#[tokio::test(start_paused = true)]
async fn an_attempt_has_20_s_even_where_its_backoff_is_shorter() {
    let network = Network::new(Transport::default());
    network.black_hole("a");
    let backoff = Backoff::new(ms(100), ms(300)).jitter(0.0);
    let channel = network.channel(&["a"]).backoff(backoff).connect_lazy().unwrap();
    let (after, result) = timed(greet(&channel)).await;
    let report = failed(&result, Code::Unavailable);
    assert_eq!(after, Duration::from_secs(20));
    assert_eq!(
        report.cause().map(|cause| (cause.phase(), cause.is_permanent())),
        Some((Phase::Connect, false))
    );
    sleep(ms(1)).await;
    assert_eq!(network.dials("a"), [Duration::ZERO, Duration::from_secs(20)], "its wait is over by then");
}

// behaviour 10
#[tokio::test(start_paused = true)]
async fn a_reset_backoff_dials_at_once_and_begins_anew() {
    let network = Network::new(Transport::default());
    let backoff = Backoff::default().jitter(0.0);
    let channel = network.channel(&["a"]).backoff(backoff).connect_lazy().unwrap();
    fail_once(&channel).await;
    sleep(Duration::from_secs(4)).await;
    let before = network.dials("a");
    assert_eq!(before, [0, 1000, 2600].map(ms));

    channel.reset_backoff();
    sleep(ms(2_700)).await;
    assert_eq!(network.dials("a")[3..], [4000, 5000, 6600].map(ms));
}

// behaviour 10
#[rstest]
#[tokio::test(start_paused = true)]
async fn a_reset_backoff_leaves_alone_what_is_idle_connecting_or_connected(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let network = Network::new(engine);
    let channel = network.channel(&["a"]).connect_lazy().unwrap();
    channel.reset_backoff();
    sleep(SECOND).await;
    assert_eq!((channel.state(), network.dialled().len()), (ConnectivityState::Idle, 0));

    let _server = MemoryServer::start(&network, "a", &TestGreeter::new("a"));
    network.delay("a", SECOND);
    channel.wake();
    sleep(SECOND / 2).await;
    channel.reset_backoff();
    sleep(SECOND).await;
    assert_eq!(channel.state(), ConnectivityState::Ready);
    channel.reset_backoff();
    sleep(SECOND).await;
    assert_eq!((channel.state(), network.dialled().len()), (ConnectivityState::Ready, 1));
}

// behaviour 14
#[tokio::test(start_paused = true)]
async fn an_attempt_at_an_address_that_swallows_it_ends_at_the_connect_timeout() {
    let network = Network::new(Transport::default());
    network.black_hole("a");
    let channel = network.channel(&["a"]).connect_timeout(ms(700)).connect_lazy().unwrap();
    let (after, result) = timed(greet(&channel)).await;
    failed(&result, Code::Unavailable);
    assert_eq!(after, ms(700));
}

// behaviour 36
#[rstest]
#[tokio::test(start_paused = true)]
async fn a_lost_connection_is_dialled_once_at_once_and_then_with_backoff(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let network = Network::new(engine);
    let mut servers =
        ["a", "b"].map(|name| Some(MemoryServer::start(&network, name, &TestGreeter::new(name))));
    let backoff = Backoff::default().jitter(0.0);
    let builder = network.channel(&["a", "b"]).balancer(RoundRobin).backoff(backoff);
    let channel = builder.connect_lazy().unwrap();
    for _ in 0..4 {
        greet(&channel).await.unwrap();
    }
    sleep(Duration::from_secs(5)).await;
    let lost = network.elapsed();
    servers[0] = None;
    // No call is needed for it, and none notices.
    sleep(ms(2_700)).await;
    let waits: Vec<_> = network.dials("a").into_iter().skip(1).map(|at| at - lost).collect();
    assert_eq!(waits, [0, 1000, 2600].map(ms));
    assert_eq!(network.dials("b").len(), 1);
    for _ in 0..4 {
        assert_eq!(greet(&channel).await.unwrap().server, "b");
    }
}

// A server that accepts and hangs up is no server: it is not dialled in a loop.
#[rstest]
#[tokio::test(start_paused = true)]
async fn a_server_that_accepts_and_hangs_up_is_dialled_with_backoff(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let network = Network::new(engine);
    network.accept_and_drop("a");
    let backoff = Backoff::default().jitter(0.0);
    let channel = network.channel(&["a"]).backoff(backoff).fail_fast(FailFast::Never).connect_lazy().unwrap();
    channel.wake();
    sleep(Duration::from_secs(10)).await;
    assert_eq!(network.dials("a"), [0, 1000, 2600, 5160, 9256].map(ms));
}
