//! One message up, one down: the plain call, a call with options and metadata, and a call that fails and says
//! why.

#![allow(clippy::print_stdout, reason = "it is there to be watched")]

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use trunkline::metadata::MetadataValue;
use trunkline::{CallReport, Channel, Request, StatusExt};
use trunkline_examples::greeter::HelloRequest;
use trunkline_examples::greeter::greeter_client::GreeterClient;
use trunkline_examples::server::RunningServer;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // Stands in for a service somewhere in a data centre, such as `http://greeter.prod:50051`.
    let server = RunningServer::start("alpha", "127.0.0.1:0".parse()?, Arc::default())?;
    // HTTP/2 is the `h2` crate's unless `.transport(Transport::Trunkline)` asks for our own engine.
    let channel = Channel::builder(format!("http://{}", server.address())).connect_lazy()?;
    let greeter = GreeterClient::new(channel);

    // `.await` gives the message.
    let reply = greeter.say_hello(hello("Ada")).await?;
    println!("{} says: {}", reply.server, reply.message);

    // `.response()` gives the metadata too, and what happened to the call.
    let mut request = Request::new(hello("Grace"));
    request.metadata_mut().insert("x-request-id", MetadataValue::from_static("42"));
    let response = greeter.say_hello(request).timeout(Duration::from_millis(500)).response().await?;
    println!("{}", response.get_ref().message);
    if let Some(address) = response.extensions().get::<CallReport>().and_then(CallReport::address) {
        println!("answered by {address}");
    }

    // Nobody listens there any more. By default a call fails at once when no server can be reached.
    server.stop().await;
    match greeter.say_hello(hello("Edsger")).await {
        Ok(reply) => println!("{}", reply.message),
        Err(status) => {
            println!("{:?}: {}", status.code(), status.message());
            if let Some(report) = status.call_report() {
                println!("sent: {:?}, permanent: {}", report.sent(), report.is_permanent());
            }
        }
    }
    Ok(())
}

fn hello(name: &str) -> HelloRequest {
    HelloRequest { name: name.to_owned() }
}
