//! A name service of one's own: a file with an address per line, which is read again and again. A server that
//! is added to the file gets calls without anybody telling the channel.

#![allow(clippy::print_stdout, reason = "it is there to be watched")]

use std::error::Error;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use trunkline::balancer::RoundRobin;
use trunkline::resolver::{
    PollingOptions, Resolution, ResolveError, Resolver, ResolverBuilder, ResolverOptions, Target,
    TargetError, polling,
};
use trunkline::{Address, Channel};
use trunkline_examples::greeter::HelloRequest;
use trunkline_examples::greeter::greeter_client::GreeterClient;
use trunkline_examples::server::RunningServer;

/// Makes resolvers for `file:///some/path`.
struct File;

impl ResolverBuilder for File {
    fn scheme(&self) -> &str {
        "file"
    }

    fn build(&self, target: &Target, options: &ResolverOptions) -> Result<Box<dyn Resolver>, TargetError> {
        let path = PathBuf::from(target.path());
        // A real one would look less often; the default is every 30 s.
        let options = PollingOptions::new(options)
            .interval(Duration::from_millis(50))
            .and_then(|options| options.min_interval(Duration::from_millis(50)))
            .map_err(|error| error.at(target))?;
        Ok(polling(options, move || read(path.clone())))
    }

    fn authority(&self, _: &Target) -> String {
        "greeter".to_owned()
    }
}

async fn read(path: PathBuf) -> Result<Resolution, ResolveError> {
    let text = tokio::fs::read_to_string(path).await?;
    let addresses: Result<Vec<Address>, _> =
        text.lines().map(|line| line.parse().map(Address::tcp)).collect();
    addresses
        .map(Resolution::from_addresses)
        .map_err(|error| ResolveError::new("not an address").caused_by(error))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let alpha = RunningServer::start("alpha", "127.0.0.1:0".parse()?, Arc::default())?;
    let beta = RunningServer::start("beta", "127.0.0.1:0".parse()?, Arc::default())?;
    let path = std::env::temp_dir().join(format!("trunkline-custom-resolver-{}", std::process::id()));
    replace(&path, &[alpha.address()])?;

    let channel = Channel::builder(format!("file://{}", path.display()))
        .resolver(File)
        .plaintext()
        .balancer(RoundRobin)
        .connect_lazy()?;
    let greeter = GreeterClient::new(channel);
    call_until_answered_by(&greeter, "alpha").await?;

    replace(&path, &[alpha.address(), beta.address()])?;
    println!("beta is in the file");
    call_until_answered_by(&greeter, "beta").await?;
    std::fs::remove_file(&path)?;
    Ok(())
}

/// Writes another file and moves it there, so that nobody ever reads half of it.
fn replace(path: &Path, servers: &[SocketAddr]) -> std::io::Result<()> {
    let lines: String = servers.iter().map(|server| format!("{server}\n")).collect();
    let new = path.with_extension("new");
    std::fs::write(&new, lines)?;
    std::fs::rename(new, path)
}

async fn call_until_answered_by(greeter: &GreeterClient, server: &str) -> Result<(), trunkline::Status> {
    loop {
        let reply = greeter.say_hello(HelloRequest { name: "Ada".to_owned() }).await?;
        if reply.server == server {
            println!("{server} says: {}", reply.message);
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
