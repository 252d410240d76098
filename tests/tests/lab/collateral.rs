//! What one call does to the others on its connection: nothing.

use std::time::Duration;

use rstest::rstest;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use trunkline::Transport::{self, H2, Trunkline};
use trunkline::{Channel, Code, Origin};
use trunkline_tests::{Answer, CountingConnector, LoopbackServer, MemoryServer, Network, TestGreeter, ms};

use crate::asking::{failed, greet, greeter, hello, loopback};

const HEALTHY: usize = 50;

/// Its errors are as long as the name it is asked to greet says, if that is a number.
fn talkative() -> TestGreeter {
    TestGreeter::new("a").answering(|name| match name.parse() {
        Ok(length) => Answer::error(Code::FailedPrecondition, "x".repeat(length)),
        Err(_) => Answer::after(ms(500)),
    })
}

/// One call with an error of so many bytes among healthy ones, none of which may notice: the length of the
/// message that came, or why it did not.
async fn huge_error(channel: &Channel, server_side: &TestGreeter, length: usize) -> Result<usize, String> {
    let mut healthy = JoinSet::new();
    for _ in 0..HEALTHY {
        let channel = channel.clone();
        healthy.spawn(async move { greet(&channel).await });
    }
    while server_side.in_flight() < HEALTHY {
        tokio::task::yield_now().await;
    }
    let result = greeter(channel).say_hello(hello(&length.to_string())).await;
    for result in healthy.join_all().await {
        result.expect("a neighbour's error is not mine");
    }
    let status = result.expect_err("it asked for an error");
    match status.code() {
        Code::FailedPrecondition => Ok(status.message().len()),
        Code::ResourceExhausted => Err(status.message().to_owned()),
        code => panic!("{code:?} is neither the server's nor about its size: {status}"),
    }
}

// E14
#[rstest]
#[tokio::test(start_paused = true)]
async fn an_error_text_of_100_kb_arrives_and_costs_nobody_anything(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let network = Network::new(engine);
    let server_side = talkative();
    let _server = MemoryServer::start(&network, "a", &server_side);
    let channel = network.channel(&["a"]).connect_lazy().unwrap();
    assert_eq!(huge_error(&channel, &server_side, 100_000).await, Ok(100_000));
    assert_eq!(network.dials("a").len(), 1);
}

// E14
#[rstest]
#[tokio::test]
async fn over_sockets_an_error_text_of_100_kb_arrives_and_costs_nobody_anything(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let server_side = talkative();
    let server = LoopbackServer::start(&server_side);
    let channel = loopback(engine, &[server.address()]).connect_lazy().unwrap();
    assert_eq!(huge_error(&channel, &server_side, 100_000).await, Ok(100_000));
}

// E15
#[rstest]
#[tokio::test(start_paused = true)]
async fn an_error_text_beyond_the_limit_costs_its_own_call_alone(#[values(H2, Trunkline)] engine: Transport) {
    let network = Network::new(engine);
    let server_side = talkative();
    let _server = MemoryServer::start(&network, "a", &server_side);
    let channel = network.channel(&["a"]).connect_lazy().unwrap();
    let problem = huge_error(&channel, &server_side, 300_000).await.unwrap_err();
    assert!(problem.contains("limit of 262144 bytes"), "{problem}");
    assert_eq!(network.dials("a").len(), 1);
}

// E15
#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_sockets_an_error_text_beyond_the_limit_costs_its_own_call_alone(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let server_side = talkative();
    let server = LoopbackServer::start(&server_side);
    let channel = loopback(engine, &[server.address()]).connect_lazy().unwrap();
    huge_error(&channel, &server_side, 300_000).await.unwrap_err();
}

/// Calls that are cancelled, a hundred at a time, beside healthy ones, none of which may notice.
async fn cancel(channel: &Channel, rounds: usize) {
    let healthy = {
        let channel = channel.clone();
        tokio::spawn(async move {
            for _ in 0..800 {
                greet(&channel).await.expect("a neighbour's cancellation is not mine");
            }
        })
    };
    for round in 0..rounds {
        let mut cancelled = JoinSet::new();
        for call in 0..100 {
            let channel = channel.clone();
            cancelled.spawn(async move {
                let calling = greeter(&channel).say_hello(hello("slow")).into_future();
                // Some are cancelled before they are sent, some just after, some while they are processed.
                match (round + call) % 3 {
                    0 => drop(calling),
                    1 => drop(timeout(Duration::ZERO, calling).await),
                    _ => drop(timeout(ms(1), calling).await),
                }
            });
        }
        cancelled.join_all().await;
    }
    healthy.await.unwrap();
}

/// Slow for those who will cancel, quick for the others.
fn patient() -> TestGreeter {
    TestGreeter::new("a").answering(|name| match name {
        "slow" => Answer::after(Duration::from_secs(3600)),
        _ => Answer::after(ms(1)),
    })
}

// E16
#[rstest]
#[tokio::test(start_paused = true)]
async fn ten_thousand_cancelled_calls_cost_no_healthy_one(#[values(H2, Trunkline)] engine: Transport) {
    let network = Network::new(engine);
    let server_side = patient();
    let _server = MemoryServer::start(&network, "a", &server_side);
    let channel = network.channel(&["a"]).connect_lazy().unwrap();
    cancel(&channel, 100).await;
    sleep(ms(1)).await;
    assert_eq!(server_side.in_flight(), 0, "the server was told of every one");
}

// E16
#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_sockets_thousands_of_cancelled_calls_cost_no_healthy_one(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let server = LoopbackServer::start(&patient());
    let connector = CountingConnector::default();
    let channel = loopback(engine, &[server.address()]).connector(connector.clone()).connect_lazy().unwrap();
    cancel(&channel, 30).await;
}

// E14: who said it can be told.
#[rstest]
#[tokio::test(start_paused = true)]
async fn an_error_of_the_server_is_told_apart_from_one_of_the_channel(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let network = Network::new(engine);
    let server = MemoryServer::start(&network, "a", &talkative());
    let channel = network.channel(&["a"]).connect_lazy().unwrap();
    let result = greeter(&channel).say_hello(hello("3")).await;
    assert_eq!(failed(&result, Code::FailedPrecondition).origin(), Origin::Server);
    server.kill();
    let result = greeter(&channel).say_hello(hello("3")).await;
    assert_eq!(failed(&result, Code::Unavailable).origin(), Origin::Channel);
}
