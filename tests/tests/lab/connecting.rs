//! Calls that wait for a connection which does not come: none waits for longer than it must, and none dials
//! for itself.

use std::time::Duration;

use rstest::rstest;
use trunkline::Transport::{self, H2, Trunkline};
use trunkline::{Code, FailFast, Phase, Sent};
use trunkline_tests::{CertificateAuthority, CountingConnector, Network, Port, SilentPeer, ms};

use crate::asking::{failed, greet, greet_at_once, greeter, hello, loopback, timed};

// E1
#[rstest]
#[tokio::test(start_paused = true)]
async fn a_deadline_ends_a_call_whose_connector_never_ends(#[values(H2, Trunkline)] engine: Transport) {
    let network = Network::new(engine);
    network.black_hole("a");
    let channel = network.channel(&["a"]).connect_lazy().unwrap();
    let (after, result) =
        timed(async { greeter(&channel).say_hello(hello("you")).timeout(ms(200)).await }).await;
    assert_eq!(after, ms(200));
    let report = failed(&result, Code::DeadlineExceeded);
    assert_eq!((report.sent(), report.connecting_time()), (Sent::No, ms(200)));
    assert!(report.to_string().contains("waiting for a connection"), "{report}");
}

// E1
#[rstest]
#[tokio::test]
async fn over_sockets_a_deadline_ends_a_call_to_a_peer_that_never_speaks(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let peer = SilentPeer::start();
    let channel = loopback(engine, &[peer.address()]).connect_lazy().unwrap();
    let result = greeter(&channel).say_hello(hello("you")).timeout(ms(200)).await;
    assert_eq!(failed(&result, Code::DeadlineExceeded).sent(), Sent::No);
}

// E2
#[rstest]
#[tokio::test(start_paused = true)]
async fn calls_that_wait_for_the_same_dial_share_its_failure(#[values(H2, Trunkline)] engine: Transport) {
    let network = Network::new(engine);
    network.delay("a", ms(300));
    let channel = network.channel(&["a"]).connect_lazy().unwrap();
    for (after, result) in greet_at_once(&channel, 10).await {
        assert_eq!(after, ms(300));
        let report = failed(&result, Code::Unavailable);
        assert_eq!(report.address().map(ToString::to_string).as_deref(), Some("a"));
        assert!(report.to_string().contains("connection refused"), "{report}");
    }
    assert_eq!(network.dials("a"), [Duration::ZERO]);
}

// E2
#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_sockets_calls_that_wait_for_the_same_dial_share_its_failure(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let port = Port::reserve();
    let connector = CountingConnector::slow(ms(300));
    let channel = loopback(engine, &[port.address()]).connector(connector.clone()).connect_lazy().unwrap();
    for (_, result) in greet_at_once(&channel, 10).await {
        failed(&result, Code::Unavailable);
    }
    assert_eq!(connector.dialled().len(), 1);
}

// E2b
#[rstest]
#[tokio::test(start_paused = true)]
async fn calls_after_a_failed_dial_fail_at_once_with_its_cause_and_dial_nothing(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let network = Network::new(engine);
    let channel = network.channel(&["a"]).connect_lazy().unwrap();
    for _ in 0..50 {
        let (after, result) = timed(greet(&channel)).await;
        assert_eq!(after, Duration::ZERO);
        let report = failed(&result, Code::Unavailable);
        assert_eq!(report.cause().map(|cause| cause.message()), Some("connection refused"));
        assert_eq!((report.sent(), report.is_permanent()), (Sent::No, false));
    }
    assert_eq!(network.dials("a"), [Duration::ZERO]);
}

// E2b
#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_sockets_calls_after_a_failed_dial_fail_with_its_cause_and_dial_nothing(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let port = Port::reserve();
    let connector = CountingConnector::default();
    let channel = loopback(engine, &[port.address()]).connector(connector.clone()).connect_lazy().unwrap();
    for _ in 0..50 {
        let report = failed(&greet(&channel).await, Code::Unavailable);
        assert!(report.to_string().contains(&format!("{}", port.address())), "{report}");
        assert!(report.to_string().contains("connection refused"), "{report}");
    }
    assert!(connector.dialled().len() <= 2, "{:?}", connector.dialled());
}

// E17
#[rstest]
#[tokio::test(start_paused = true)]
async fn a_stalled_handshake_ends_at_the_connect_timeout_and_a_call_at_its_deadline(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let network = Network::new(engine);
    network.accept_in_silence("a");
    let builder = network.builder(&["a"]).tls(CertificateAuthority::new().trusted()).connect_timeout(ms(300));
    let channel = builder.fail_fast(FailFast::Never).connect_lazy().unwrap();
    let (after, result) =
        timed(async { greeter(&channel).say_hello(hello("you")).timeout(ms(300)).await }).await;
    assert_eq!(after, ms(300));
    failed(&result, Code::DeadlineExceeded);

    // The attempt has ended too: a call that does not wait has its cause.
    let (after, result) =
        timed(async { greeter(&channel).say_hello(hello("you")).fail_fast(FailFast::Always).await }).await;
    assert_eq!(after, Duration::ZERO);
    let report = failed(&result, Code::Unavailable);
    let cause = report.cause().expect("the attempt's error");
    assert_eq!((cause.phase(), cause.is_permanent()), (Phase::Tls, false), "a timeout is never permanent");
    assert_eq!(network.open_connections("a"), 0);

    // And the next attempt comes by itself, after its backoff.
    tokio::time::sleep(ms(1_300)).await;
    assert_eq!(network.dials("a").len(), 2);
}

// E17
#[tokio::test]
async fn over_sockets_a_stalled_handshake_ends_at_the_connect_timeout_and_a_call_at_its_deadline() {
    let peer = SilentPeer::start();
    let target = format!("ipv4:{}", peer.address());
    let builder = trunkline::Channel::builder(target)
        .authority("greeter.test")
        .tls(CertificateAuthority::new().trusted());
    let channel = builder.connect_timeout(ms(300)).connect_lazy().unwrap();
    let result = greeter(&channel).say_hello(hello("you")).fail_fast(FailFast::Never).timeout(ms(300)).await;
    failed(&result, Code::DeadlineExceeded);
    let report = failed(&greet(&channel).await, Code::Unavailable);
    assert_eq!(report.cause().map(|cause| cause.phase()), Some(Phase::Tls));
}
