//! TLS in both directions: the channel checks the server's certificate, the server checks the channel's. Then
//! a channel without a certificate, which the server turns away.

#![allow(clippy::print_stdout, reason = "it is there to be watched")]

use std::error::Error;
use std::sync::Arc;

use trunkline::Channel;
use trunkline::connect::{Roots, Tls};
use trunkline_examples::certificates::CertificateAuthority;
use trunkline_examples::greeter::HelloRequest;
use trunkline_examples::greeter::greeter_client::GreeterClient;
use trunkline_examples::server::{RunningServer, greeter};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let authority = CertificateAuthority::new("an authority of our own")?;
    let client = authority.client("billing.prod")?;
    let tls = authority.server("greeter.prod")?.mutual_tls(&authority);
    let services = greeter("alpha", Arc::default());
    let server = RunningServer::serve(services, "127.0.0.1:0".parse()?, Some(tls))?;

    // From files it would be `Roots::pem_file("ca.pem")` and `.identity_files("client.pem", "client.key")`;
    // without roots, those of the operating system count.
    let trusting = Tls::new().roots(Roots::pem(authority.pem()));
    let known = trusting.clone().identity_pem(client.certificate, client.key);
    let channel = Channel::builder(format!("https://{}", server.address()))
        // The certificate is for this name. Where the target has it (`https://greeter.prod:443`), this line
        // is not needed.
        .authority("greeter.prod")
        .tls(known)
        .connect_lazy()?;
    let reply = GreeterClient::new(channel).say_hello(hello()).await?;
    println!("{} over TLS, both sides known", reply.message);

    let nameless = Channel::builder(format!("https://{}", server.address()))
        .authority("greeter.prod")
        .tls(trusting)
        .connect_lazy()?;
    match GreeterClient::new(nameless).say_hello(hello()).await {
        Ok(reply) => println!("{}", reply.message),
        Err(status) => println!("without a certificate: {}", status.message()),
    }
    Ok(())
}

fn hello() -> HelloRequest {
    HelloRequest { name: "Ada".to_owned() }
}
