//! A load-balancing policy of one's own, in its short form: a function that chooses among the servers that
//! are ready. This one sends calls where their header says, and the others to whoever has the least to do.

#![allow(clippy::print_stdout, reason = "it is there to be watched")]

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;

use trunkline::balancer::{BalancerConfig, choosing};
use trunkline::metadata::MetadataValue;
use trunkline::{Channel, Request};
use trunkline_examples::greeter::HelloRequest;
use trunkline_examples::greeter::greeter_client::GreeterClient;
use trunkline_examples::server::RunningServer;

/// `x-server: 10.0.0.7:443` goes there. Connecting, reconnecting and failing are as in `round_robin`.
fn by_header() -> BalancerConfig {
    choosing("by_header", |ready, call| match call.metadata("x-server") {
        // A call to a server that is not ready waits for it, until its deadline.
        Some(name) => ready.iter().find(|server| server.address().to_string() == name),
        None => ready.iter().min_by_key(|server| server.in_flight()),
    })
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut servers = Vec::new();
    for name in ["alpha", "beta", "gamma"] {
        servers.push(RunningServer::start(name, "127.0.0.1:0".parse()?, Arc::default())?);
    }
    let list: Vec<_> = servers.iter().map(|server| server.address().to_string()).collect();
    let channel = Channel::builder(format!("static:{}", list.join(",")))
        .plaintext()
        .balancer(by_header())
        .connect_lazy()?;
    let greeter = GreeterClient::new(channel);

    for server in &servers {
        let reply = greeter.say_hello(request_for(server.address())?).await?;
        println!("{} was asked for: {} answers", server.address(), reply.server);
    }
    let reply = greeter.say_hello(HelloRequest { name: "Ada".to_owned() }).await?;
    println!("nobody was asked for: {} answers", reply.server);
    Ok(())
}

fn request_for(server: SocketAddr) -> Result<Request<HelloRequest>, Box<dyn Error>> {
    let mut request = Request::new(HelloRequest { name: "Ada".to_owned() });
    request.metadata_mut().insert("x-server", MetadataValue::try_from(server.to_string())?);
    Ok(request)
}
