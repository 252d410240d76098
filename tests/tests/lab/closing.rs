//! The end of a channel: on purpose, or because nobody holds it any more. Nothing is cut off that may finish,
//! and nothing is left behind.

use std::time::Duration;

use rstest::rstest;
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep, timeout};
use trunkline::Transport::{self, H2, Trunkline};
use trunkline::{Code, ConnectivityState, FailFast};
use trunkline_tests::{LoopbackServer, MemoryServer, Network, TestGreeter, ms};

use crate::asking::{failed, greet, greeter, hello, loopback, timed, watch};

/// Tasks alive on this runtime. The test itself is none of them.
fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

/// Waits until as few tasks are alive as there were before the channel.
async fn until_tasks_are(before: usize) {
    let fewer = async {
        while tasks() > before {
            sleep(ms(1)).await;
        }
    };
    timeout(Duration::from_secs(60), fewer).await.expect("every task of the channel ends");
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn after_the_last_clone_streams_finish_and_then_everything_ends(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let network = Network::new(engine);
    let _server = MemoryServer::start(&network, "a", &TestGreeter::new("a"));
    let before = tasks();
    let channel = network.channel(&["a"]).connect_lazy().unwrap();
    let client = greeter(&channel);
    let mut replies = client.watch(watch(5, 100)).await.unwrap();
    assert!(replies.message().await.unwrap().is_some());
    let state = channel.watch_state();
    drop((client, channel));
    for _ in 1..5 {
        assert!(replies.message().await.unwrap().is_some(), "what is in flight finishes");
    }
    assert!(replies.message().await.unwrap().is_none());
    drop(replies);
    until_tasks_are(before).await;
    assert_eq!(network.open_connections("a"), 0);
    assert_eq!(network.elapsed(), ms(401), "nothing is waited for");
    let mut state = state;
    assert_eq!(state.changed().await, ConnectivityState::Shutdown);
}

#[rstest]
#[tokio::test]
async fn over_sockets_after_the_last_clone_streams_finish_and_then_everything_ends(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let server = LoopbackServer::start(&TestGreeter::new("a"));
    let before = tasks();
    let channel = loopback(engine, &[server.address()]).connect_lazy().unwrap();
    let mut replies = greeter(&channel).watch(watch(5, 10)).await.unwrap();
    drop(channel);
    for _ in 0..5 {
        assert!(replies.message().await.unwrap().is_some(), "what is in flight finishes");
    }
    assert!(replies.message().await.unwrap().is_none());
    drop(replies);
    until_tasks_are(before).await;
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_channel_that_was_never_used_leaves_no_trace(#[values(H2, Trunkline)] engine: Transport) {
    let network = Network::new(engine);
    let before = tasks();
    drop(network.channel(&["a"]).connect_lazy().unwrap());
    assert_eq!((tasks(), network.dialled().len()), (before, 0));
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn after_the_last_clone_a_channel_that_never_connected_ends_too(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let network = Network::new(engine);
    network.black_hole("hole");
    let before = tasks();
    for names in [["refused"], ["hole"]] {
        let channel = network.channel(&names).connect_lazy().unwrap();
        channel.wake();
        sleep(ms(10)).await;
        assert!(tasks() > before);
        drop(channel);
        until_tasks_are(before).await;
    }
    assert_eq!(network.elapsed(), ms(22), "no dial and no backoff is waited for");
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn within_its_grace_a_close_lets_streams_finish(#[values(H2, Trunkline)] engine: Transport) {
    let network = Network::new(engine);
    let _server = MemoryServer::start(&network, "a", &TestGreeter::new("a").slow(ms(300)));
    let before = tasks();
    let channel = network.channel(&["a"]).connect_lazy().unwrap();
    let calling = tokio::spawn({
        let channel = channel.clone();
        async move { greet(&channel).await }
    });
    sleep(ms(100)).await;
    let (after, report) = timed(channel.close(Duration::from_secs(10))).await;
    assert_eq!((after, report.in_flight), (ms(200), 1));
    calling.await.unwrap().unwrap();
    assert_eq!(channel.state(), ConnectivityState::Shutdown);
    until_tasks_are(before).await;
}

// behaviour 66
#[rstest]
#[tokio::test(start_paused = true)]
async fn after_its_grace_a_close_cuts_off_what_is_left(#[values(H2, Trunkline)] engine: Transport) {
    let network = Network::new(engine);
    let server_side = TestGreeter::new("a").slow(Duration::from_secs(3600));
    let _server = MemoryServer::start(&network, "a", &server_side);
    let before = tasks();
    let channel = network.channel(&["a"]).connect_lazy().unwrap();
    let calling = tokio::spawn({
        let channel = channel.clone();
        async move { timed(greet(&channel)).await }
    });
    sleep(ms(100)).await;
    let (after, _) = timed(channel.close(Duration::from_secs(2))).await;
    assert_eq!(after, Duration::from_secs(2));
    let (after, result) = calling.await.unwrap();
    assert_eq!(after, ms(2_100));
    assert!(failed(&result, Code::Unavailable).to_string().contains("closed"));
    until_tasks_are(before).await;
    assert_eq!(server_side.in_flight(), 0);
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_closed_channel_says_so_to_calls_at_once(#[values(H2, Trunkline)] engine: Transport) {
    let network = Network::new(engine);
    network.black_hole("a");
    let channel = network.channel(&["a"]).fail_fast(FailFast::Never).connect_lazy().unwrap();
    let waiting = tokio::spawn({
        let channel = channel.clone();
        async move { timed(greet(&channel)).await }
    });
    sleep(ms(100)).await;
    channel.close(Duration::from_secs(10)).await;
    let (after, result) = waiting.await.unwrap();
    assert_eq!(after, ms(100), "a call that waits for a connection does not wait for the grace");
    assert!(failed(&result, Code::Unavailable).to_string().contains("closed"));

    let (after, result) = timed(greet(&channel)).await;
    assert_eq!(after, Duration::ZERO);
    assert!(failed(&result, Code::Unavailable).to_string().contains("closed"));
    let (after, _) = timed(channel.close(Duration::from_secs(10))).await;
    assert_eq!(after, Duration::ZERO, "it may be closed again");
}

// behaviours 11 and 14
#[rstest]
#[tokio::test(start_paused = true)]
async fn a_close_waits_neither_for_a_dial_nor_for_a_backoff(#[values(H2, Trunkline)] engine: Transport) {
    let network = Network::new(engine);
    network.black_hole("hole");
    let before = tasks();
    for names in [["refused"], ["hole"]] {
        let channel = network.channel(&names).connect_lazy().unwrap();
        channel.wake();
        sleep(ms(100)).await;
        let (after, _) = timed(channel.close(Duration::from_secs(3600))).await;
        assert_eq!(after, Duration::ZERO);
        until_tasks_are(before).await;
    }
}

// behaviour 31, and 13: the same list is no news.
#[rstest]
#[tokio::test(start_paused = true)]
async fn a_thousand_lists_leave_one_connection(#[values(H2, Trunkline)] engine: Transport) {
    let network = Network::new(engine);
    let names: Vec<_> = (0..10).map(|name| name.to_string()).collect();
    let _servers: Vec<_> =
        names.iter().map(|name| MemoryServer::start(&network, name, &TestGreeter::new(name))).collect();
    let channel = network.channel(&["0"]).connect_lazy().unwrap();
    greet(&channel).await.unwrap();
    for round in 0..1000 {
        let mut list: Vec<_> = names.iter().map(String::as_str).collect();
        list.rotate_left(round % names.len());
        network.resolve(&list);
        if round % 100 == 0 {
            assert_eq!(greet(&channel).await.unwrap().server, "0", "it is in every list");
        }
    }
    let open: usize = names.iter().map(|name| network.open_connections(name)).sum();
    assert_eq!((open, network.dialled()), (1, vec!["0".to_owned()]));
}

// Behaviour 59 for calls: what is dropped at any time is no trouble to the others.
#[rstest]
#[tokio::test(start_paused = true)]
async fn calls_that_are_dropped_while_they_wait_leave_nothing_behind(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let network = Network::new(engine);
    network.black_hole("a");
    let before = tasks();
    let channel = network.channel(&["a"]).connect_lazy().unwrap();
    for _ in 0..1000 {
        let calling = greeter(&channel).say_hello(hello("you")).into_future();
        assert!(timeout(Duration::ZERO, calling).await.is_err());
    }
    assert_eq!(network.dials("a").len(), 1);
    let began = Instant::now();
    drop(channel);
    until_tasks_are(before).await;
    assert!(began.elapsed() <= ms(1));
}
