//! Deadlines of calls that have reached a server.

use std::future::IntoFuture;
use std::time::Duration;

use rstest::rstest;
use tokio::io::AsyncWriteExt;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_stream::StreamExt;
use trunkline::Transport::{self, H2, Trunkline};
use trunkline::{Code, Request, RequestExt, Sent};
use trunkline_tests::{LoopbackServer, MemoryServer, Network, TestGreeter, ms};

use crate::asking::{failed, greeter, hello, loopback, timed, watch};

/// A server's answers take this long: longer than any call here waits.
const SLOW: Duration = Duration::from_secs(10);

// E5
#[rstest]
#[tokio::test(start_paused = true)]
async fn a_slow_server_is_deadline_exceeded_and_is_told_what_is_left(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let network = Network::new(engine);
    let slow = TestGreeter::new("a").slow(SLOW);
    let _server = MemoryServer::start(&network, "a", &slow);
    network.delay("a", ms(100));
    let channel = network.channel(&["a"]).connect_lazy().unwrap();
    let (after, result) =
        timed(async { greeter(&channel).say_hello(hello("you")).timeout(ms(300)).await }).await;
    assert_eq!(after, ms(300));
    let report = failed(&result, Code::DeadlineExceeded);
    assert_eq!((report.sent(), report.connecting_time()), (Sent::Maybe, ms(100)));
    assert!(report.to_string().contains("waiting for the response"), "{report}");
    let told = slow.heard()[0].metadata.get("grpc-timeout").cloned().unwrap();
    assert_eq!(told.to_str().unwrap(), "200000u");
}

// E5: the server has a timer too, and says CANCELLED when it rings.
#[rstest]
#[tokio::test]
async fn over_sockets_a_slow_server_is_deadline_exceeded_however_the_timers_race(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let server = LoopbackServer::start(&TestGreeter::new("a").slow(SLOW));
    let channel = loopback(engine, &[server.address()]).connect(SLOW).await.unwrap();
    for _ in 0..10 {
        let mut calls = JoinSet::new();
        for call in 0..100 {
            let client = greeter(&channel);
            calls.spawn(async move {
                let timeout = Duration::from_micros(50_000 + 37 * call);
                client.say_hello(hello("you")).timeout(timeout).await
            });
        }
        for result in calls.join_all().await {
            failed(&result, Code::DeadlineExceeded);
        }
    }
}

// E5, on a request as stubs of tonic's make it.
#[rstest]
#[tokio::test(start_paused = true)]
async fn the_timeout_of_a_request_counts_and_ours_counts_more(#[values(H2, Trunkline)] engine: Transport) {
    let network = Network::new(engine);
    let _server = MemoryServer::start(&network, "a", &TestGreeter::new("a").slow(SLOW));
    let channel = network.channel(&["a"]).timeout(ms(700)).connect_lazy().unwrap();
    let mut theirs = Request::new(hello("you"));
    theirs.set_timeout(ms(250));
    let (after, result) = timed(async { greeter(&channel).say_hello(theirs).await }).await;
    assert_eq!((after, failed(&result, Code::DeadlineExceeded).sent()), (ms(250), Sent::Maybe));

    let mut both = Request::new(hello("you")).with_timeout(ms(150));
    both.set_timeout(ms(250));
    let (after, result) = timed(async { greeter(&channel).say_hello(both).await }).await;
    assert_eq!((after, failed(&result, Code::DeadlineExceeded).sent()), (ms(150), Sent::Maybe));

    let (after, _) = timed(async { greeter(&channel).say_hello(hello("you")).await }).await;
    assert_eq!(after, ms(700), "the channel's own, where a call has none");
}

#[tokio::test(start_paused = true)]
async fn a_call_whose_turn_never_came_on_a_connection_that_is_stuck_says_that_it_was_not_sent() {
    let network = Network::new(Trunkline);
    let mut incoming = network.listen("a");
    let _stuck = tokio::spawn(async move {
        let mut io = incoming.next().await.unwrap().unwrap();
        // Empty SETTINGS (RFC 9113 6.5), after which nothing is read.
        io.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await.unwrap();
        std::future::pending::<()>().await;
    });
    let channel = network.channel(&["a"]).connect_lazy().unwrap();
    let mut calls = JoinSet::new();
    for number in 0..150 {
        let client = greeter(&channel);
        let mut request = Request::new(hello("you"));
        request.metadata_mut().insert("x-large", "x".repeat(8 << 10).parse().unwrap());
        calls.spawn(async move { (number, client.say_hello(request).timeout(SLOW).await) });
    }
    let mut results = calls.join_all().await;
    results.sort_by_key(|(number, _)| *number);
    let report = |number: usize| failed(&results[number].1, Code::DeadlineExceeded);
    assert_eq!(report(0).sent(), Sent::Maybe);
    assert_eq!(report(149).sent(), Sent::No);
    assert!(report(149).to_string().contains("waiting for its turn on the connection"), "{}", report(149));
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_call_that_is_first_polled_when_its_time_is_up_is_not_sent(
    #[values(H2, Trunkline)] engine: Transport,
    #[values(true, false)] is_connected: bool,
) {
    let network = Network::new(engine);
    let server_side = TestGreeter::new("a");
    let _server = MemoryServer::start(&network, "a", &server_side);
    let channel = network.channel(&["a"]).connect_lazy().unwrap();
    let client = greeter(&channel);
    if is_connected {
        client.say_hello(hello("before")).await.unwrap();
    }
    let late = client.say_hello(hello("late")).timeout(ms(100)).into_future();
    tokio::time::sleep(SLOW).await;
    let (after, result) = timed(late).await;
    assert_eq!(after, Duration::ZERO);
    assert_eq!(failed(&result, Code::DeadlineExceeded).sent(), Sent::No);
    client.say_hello(hello("after")).await.unwrap();
    assert_eq!(server_side.heard().len(), 1 + usize::from(is_connected));
}

// E5b
#[rstest]
#[tokio::test(start_paused = true)]
async fn a_deadline_ends_a_stream_in_the_middle(#[values(H2, Trunkline)] engine: Transport) {
    let network = Network::new(engine);
    let server_side = TestGreeter::new("a");
    let _server = MemoryServer::start(&network, "a", &server_side);
    let channel = network.channel(&["a"]).connect_lazy().unwrap();
    let began = Instant::now();
    let mut replies = greeter(&channel).watch(watch(0, 80)).timeout(ms(300)).await.unwrap();
    for tick in 0..4 {
        assert!(replies.message().await.unwrap().is_some());
        assert_eq!(began.elapsed(), ms(80) * tick);
    }
    let result = replies.message().await;
    assert_eq!(began.elapsed(), ms(300));
    assert_eq!(failed(&result, Code::DeadlineExceeded).sent(), Sent::Yes);
    assert!(replies.message().await.unwrap().is_none(), "an error is told once");
    tokio::time::sleep(ms(1)).await;
    assert_eq!(server_side.in_flight(), 0, "the server was told");
}

// E5b
#[rstest]
#[tokio::test]
async fn over_sockets_a_deadline_ends_a_stream_in_the_middle(#[values(H2, Trunkline)] engine: Transport) {
    let server = LoopbackServer::start(&TestGreeter::new("a"));
    let channel = loopback(engine, &[server.address()]).connect_lazy().unwrap();
    let mut replies = greeter(&channel).watch(watch(0, 10)).timeout(ms(300)).await.unwrap();
    let mut heard = 0;
    let result = loop {
        match replies.message().await {
            Ok(Some(_)) => heard += 1,
            end => break end,
        }
    };
    failed(&result, Code::DeadlineExceeded);
    assert!(heard > 0);
}
