//! Coming from tonic: the client that tonic generates, unchanged, on a channel of ours. The line that makes the channel is
//! the one that changes; its stubs, requests and statuses stay.

#![allow(clippy::print_stdout, reason = "it is there to be watched")]

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use tonic::{Code, Request};
use trunkline::{StatusExt, Transport};
use trunkline_examples::greeter::HelloRequest;
use trunkline_examples::greeter_by_tonic::greeter_client::GreeterClient;
use trunkline_examples::server::RunningServer;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = RunningServer::start("alpha", "127.0.0.1:0".parse()?, Arc::default())?;

    // It was `tonic::transport::Channel::from_shared(..)?.connect_lazy()`.
    let channel = trunkline::Channel::builder(format!("http://{}", server.address()))
        // Settings of a stub's that a channel has, too, are the channel's: see `ChannelBuilder`.
        .max_receive_message_size(16 << 20)
        .transport(Transport::Trunkline)
        .connect_lazy()?;

    let mut greeter = GreeterClient::new(channel);
    let mut request = Request::new(HelloRequest { name: "Ada".to_owned() });
    request.set_timeout(Duration::from_secs(1));
    let reply = greeter.say_hello(request).await?.into_inner();
    println!("{} says: {}", reply.server, reply.message);

    // And what a status did not say before.
    server.stop().await;
    if let Err(status) = greeter.say_hello(HelloRequest::default()).await {
        assert_eq!(status.code(), Code::Unavailable);
        println!("{}", status.message());
        println!("sent: {:?}", status.call_report().map(|report| report.sent()));
    }
    Ok(())
}
