//! Calls with many messages: down, up, and both ways at once.

#![allow(clippy::print_stdout, reason = "it is there to be watched")]

use std::error::Error;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use trunkline::Channel;
use trunkline_examples::greeter::greeter_client::GreeterClient;
use trunkline_examples::greeter::{HelloRequest, WatchRequest};
use trunkline_examples::server::RunningServer;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = RunningServer::start("alpha", "127.0.0.1:0".parse()?, Arc::default())?;
    let channel = Channel::builder(format!("http://{}", server.address())).connect_lazy()?;
    let greeter = GreeterClient::new(channel);
    watch(&greeter).await?;
    record(&greeter).await?;
    chat(&greeter).await?;
    Ok(())
}

/// Many messages down. The stream is there at once; its first message may take as long as it takes.
async fn watch(greeter: &GreeterClient) -> Result<(), trunkline::Status> {
    let request = WatchRequest { name: "Ada".to_owned(), count: 3, interval_ms: 10 };
    let mut replies = greeter.watch(request).await?;
    while let Some(reply) = replies.message().await? {
        println!("watch: {}", reply.message);
    }

    // A call without end: dropping it cancels it, on the server too.
    let endless = WatchRequest { name: "Ada".to_owned(), count: 0, interval_ms: 10 };
    let mut replies = greeter.watch(endless).await?;
    replies.message().await?;
    drop(replies);
    println!("watch: enough");
    Ok(())
}

/// Many messages up, from any `Stream`, and one down.
async fn record(greeter: &GreeterClient) -> Result<(), trunkline::Status> {
    let people = tokio_stream::iter(["Ada", "Grace", "Edsger"].map(hello));
    let reply = greeter.record(people).await?;
    println!("record: {} people: {}", reply.count, reply.names.join(", "));
    Ok(())
}

/// Both ways at once: each person is sent when the one before was greeted.
async fn chat(greeter: &GreeterClient) -> Result<(), Box<dyn Error>> {
    let (people, stream) = mpsc::channel(1);
    let mut replies = greeter.chat(ReceiverStream::new(stream)).await?;
    for name in ["Ada", "Grace"] {
        people.send(hello(name)).await?;
        if let Some(reply) = replies.message().await? {
            println!("chat: {}", reply.message);
        }
    }
    // The end of what goes up lets the server end the call; `None` says that it did, with OK.
    drop(people);
    assert!(replies.message().await?.is_none());
    println!("chat: over");
    Ok(())
}

fn hello(name: &str) -> HelloRequest {
    HelloRequest { name: name.to_owned() }
}
