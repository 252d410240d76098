//! Watching how a channel stands, while its server comes, goes and comes back. Nothing of this is needed to
//! make calls: it is for whoever wants to show it, or to wait at the start.

#![allow(clippy::print_stdout, reason = "it is there to be watched")]

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use trunkline::balancer::RoundRobin;
use trunkline::{Backoff, Channel, ConnectivityState};
use trunkline_examples::port::ReservedPort;
use trunkline_examples::server::RunningServer;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let port = ReservedPort::take()?;
    let server = RunningServer::start("alpha", port.address(), Arc::default())?;
    let channel = Channel::builder(format!("http://{}", port.address()))
        // Unlike `pick_first`, it reconnects without being called.
        .balancer(RoundRobin)
        .backoff(Backoff::new(Duration::from_millis(50), Duration::from_millis(100)))
        .connect_lazy()?;
    let mut watch = channel.watch_state();
    println!("at first: {}", watch.state());

    // Starts connecting, and waits for it; a call would do the same.
    channel.ready(Duration::from_secs(5)).await?;
    println!("a server is there: {}", channel.state());

    server.stop().await;
    // Changes that follow each other quickly may be seen as one, so wait for a state, not for a number of
    // changes.
    while watch.changed().await != ConnectivityState::TransientFailure {}
    println!("the server is gone: {}", watch.state());
    if let Err(error) = channel.ready(Duration::from_millis(200)).await {
        println!("not ready: {error}");
    }

    let _server = RunningServer::start("alpha", port.address(), Arc::default())?;
    while watch.changed().await != ConnectivityState::Ready {}
    println!("the server is back: {}", watch.state());

    channel.close(Duration::from_secs(1)).await;
    println!("closed: {}", channel.state());
    Ok(())
}
