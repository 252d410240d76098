//! A connector of one's own: byte streams to servers from wherever they come. This one connects to servers in
//! the same process, by a pipe in memory, so that a test needs no port.

#![allow(clippy::print_stdout, reason = "it is there to be watched")]

use std::error::Error;
use std::sync::Arc;

use tokio::io::DuplexStream;
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Server;
use trunkline::connect::{BoxFuture, ConnectRequest, Connected, Connector};
use trunkline::{Channel, ConnectError, Phase};
use trunkline_examples::greeter::HelloRequest;
use trunkline_examples::greeter::greeter_client::GreeterClient;
use trunkline_examples::server::greeter;

/// How much a pipe holds.
const PIPE: usize = 64 << 10;

/// Hands one end of a pipe to the server, and the other to the channel.
struct InProcess {
    server: mpsc::Sender<DuplexStream>,
}

impl Connector for InProcess {
    fn connect(&self, _: ConnectRequest) -> BoxFuture<'static, Result<Connected, ConnectError>> {
        let server = self.server.clone();
        Box::pin(async move {
            let (ours, theirs) = tokio::io::duplex(PIPE);
            // Like any error that is not said to be permanent, this one is tried again with backoff.
            let gone = |_| ConnectError::new(Phase::Connect, "the server has ended");
            server.send(theirs).await.map_err(gone)?;
            Ok(Connected::new(ours))
        })
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (server, accepted) = mpsc::channel(8);
    let accepted = ReceiverStream::new(accepted).map(Ok::<_, std::io::Error>);
    let routes = greeter("alpha", Arc::default());
    tokio::spawn(Server::builder().add_routes(routes).serve_with_incoming(accepted));

    // Any name will do: the connector does not look at the address.
    let channel =
        Channel::builder("passthrough:alpha").plaintext().connector(InProcess { server }).connect_lazy()?;
    let reply = GreeterClient::new(channel).say_hello(HelloRequest { name: "Ada".to_owned() }).await?;
    println!("{} says: {}", reply.server, reply.message);
    Ok(())
}
