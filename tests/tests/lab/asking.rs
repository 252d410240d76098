//! How the scenarios ask and measure.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;
use trunkline::{CallReport, Channel, ChannelBuilder, Code, Status, StatusExt, Transport};
use trunkline_tests::greeter::greeter_client::GreeterClient;
use trunkline_tests::greeter::{HelloReply, HelloRequest, WatchRequest};

/// Somebody to greet.
pub(crate) fn hello(name: &str) -> HelloRequest {
    HelloRequest { name: name.to_owned() }
}

/// Somebody to greet so often, or without end (0), with so many milliseconds in between.
pub(crate) fn watch(count: u32, interval_ms: u32) -> WatchRequest {
    WatchRequest { name: "you".to_owned(), count, interval_ms }
}

/// A stub on `channel`.
pub(crate) fn greeter(channel: &Channel) -> GreeterClient {
    GreeterClient::new(channel.clone())
}

/// One call without a deadline of its own.
pub(crate) async fn greet(channel: &Channel) -> Result<HelloReply, Status> {
    greeter(channel).say_hello(hello("you")).await
}

/// So many calls at once; their results and when each came.
pub(crate) async fn greet_at_once(
    channel: &Channel,
    calls: usize,
) -> Vec<(Duration, Result<HelloReply, Status>)> {
    let mut tasks = JoinSet::new();
    for _ in 0..calls {
        let channel = channel.clone();
        tasks.spawn(async move { timed(greet(&channel)).await });
    }
    tasks.join_all().await
}

/// How long something took, and what came of it.
pub(crate) async fn timed<T>(something: impl Future<Output = T>) -> (Duration, T) {
    let began = Instant::now();
    let outcome = something.await;
    (began.elapsed(), outcome)
}

/// A plaintext channel to these places of loopback.
pub(crate) fn loopback(engine: Transport, addresses: &[SocketAddr]) -> ChannelBuilder {
    let list: Vec<_> = addresses.iter().map(ToString::to_string).collect();
    Channel::builder(format!("static:{}", list.join(","))).transport(engine).plaintext()
}

/// The report of a call that must have failed with `code`.
#[track_caller]
pub(crate) fn failed<T: std::fmt::Debug>(result: &Result<T, Status>, code: Code) -> CallReport {
    let status = result.as_ref().expect_err("the call was to fail");
    assert_eq!(status.code(), code, "{status}");
    status.call_report().expect("a status of a channel has a report").clone()
}
