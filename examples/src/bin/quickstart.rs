//! The main job, in fifteen seconds and without any other service: one channel over three servers under load,
//! of which one is stopped and brought back; then a server with a bad certificate. The figures are the
//! servers' own counters. Exits with 1 if a call failed, if a server that was up got no call in some second,
//! or if the bad certificate was not named within a second.

#![allow(clippy::print_stdout, reason = "it is there to be watched")]

use std::error::Error;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use tonic::transport::Identity;
use trunkline::balancer::RoundRobin;
use trunkline::connect::{Roots, Tls};
use trunkline::{Backoff, Channel, Code, FailFast, Status, StatusExt};
use trunkline_examples::greeter::HelloRequest;
use trunkline_examples::greeter::greeter_client::GreeterClient;
use trunkline_examples::port::ReservedPort;
use trunkline_examples::server::RunningServer;

const NAMES: [&str; 3] = ["alpha", "beta", "gamma"];
/// How many callers there are, and how long each rests between two calls.
const CALLERS: usize = 8;
const REST: Duration = Duration::from_millis(4);
const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let turnover = turnover().await?;
    let certificate = bad_certificate().await?;
    let good = turnover && certificate;
    println!("\n{}", if good { "All as it should be." } else { "Something is wrong: see above." });
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Three servers under load; one goes and comes back. True if no call failed and every server that was up was
/// used.
async fn turnover() -> Result<bool, Box<dyn Error>> {
    let mut servers = Servers::start()?;
    println!("Three gRPC servers: {}.", servers.describe());
    let channel = Channel::builder(servers.target())
        .plaintext()
        .balancer(RoundRobin)
        .backoff(Backoff::new(Duration::from_millis(100), Duration::from_millis(300)))
        .timeout(Duration::from_secs(5))
        .connect(Duration::from_secs(5))
        .await?;
    println!("One channel, round_robin over all of them, {CALLERS} callers.\n");
    println!("{:>6}  {:>7} {:>7} {:>7}  {:>8}  channel", "second", NAMES[0], NAMES[1], NAMES[2], "failures");

    let load = Load::start(&channel);
    // The first calls may find one of the servers still connecting; the count starts when all are used.
    servers.wait_until_used().await;
    let mut watch = Watch { channel: &channel, load: &load, second: 0, good: true };
    watch.seconds(3, &servers).await;

    servers.stop(1).await;
    println!("        {} is stopped, as in a rolling deploy", NAMES[1]);
    watch.seconds(3, &servers).await;

    servers.restart(1)?;
    println!("        {} is back", NAMES[1]);
    watch.seconds(3, &servers).await;

    let good = watch.good;
    let (calls, failures) = load.stop().await;
    println!("\n{calls} calls, {} failed.", failures.len());
    for failure in failures.iter().take(3) {
        println!("  {}", failure.message());
    }
    channel.close(Duration::from_secs(1)).await;
    Ok(good && failures.is_empty())
}

/// A server whose certificate nobody vouches for. True if the answer is there at once and says why.
async fn bad_certificate() -> Result<bool, Box<dyn Error>> {
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    let identity = Identity::from_pem(certified.cert.pem(), certified.signing_key.serialize_pem());
    let server = RunningServer::start_tls("impostor", LOOPBACK, Arc::default(), identity)?;
    let trusted = trusted_root()?;
    println!(
        "\nA server whose certificate is signed by nobody whom we trust, and a call that would rather wait 30 s than fail:"
    );
    let channel = Channel::builder(format!("https://{}", server.address()))
        .authority("localhost")
        .tls(Tls::new().roots(Roots::pem(trusted)))
        .fail_fast(FailFast::Permanent)
        .connect_lazy()?;
    let began = Instant::now();
    let call = GreeterClient::new(channel).say_hello(HelloRequest { name: "you".to_owned() });
    let answer = call.timeout(Duration::from_secs(30)).await;
    let took = began.elapsed();
    let Err(status) = answer else {
        println!("  it was answered, which must not be");
        return Ok(false);
    };
    println!("  after {took:.0?}: {}", status.message());
    let permanent = status.call_report().is_some_and(|report| report.is_permanent());
    let named = status.code() == Code::Unavailable && permanent && status.message().contains("issuer");
    Ok(named && took < Duration::from_secs(1))
}

/// The one authority that the channel trusts, in PEM. It has signed nothing here.
fn trusted_root() -> Result<String, rcgen::Error> {
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name.push(rcgen::DnType::CommonName, "An authority that we trust");
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    Ok(params.self_signed(&rcgen::KeyPair::generate()?)?.pem())
}

/// The servers, which of them are up, and what each has counted.
struct Servers {
    running: Vec<Option<RunningServer>>,
    ports: Vec<ReservedPort>,
    calls: Vec<Arc<AtomicU64>>,
}

impl Servers {
    fn start() -> std::io::Result<Self> {
        let calls: Vec<Arc<AtomicU64>> = NAMES.iter().map(|_| Arc::default()).collect();
        let (mut running, mut ports) = (Vec::new(), Vec::new());
        for (name, calls) in NAMES.iter().zip(&calls) {
            let port = ReservedPort::take()?;
            running.push(Some(RunningServer::start(name, port.address(), Arc::clone(calls))?));
            ports.push(port);
        }
        Ok(Self { running, ports, calls })
    }

    fn target(&self) -> String {
        let list: Vec<_> = self.ports.iter().map(|port| port.address().to_string()).collect();
        format!("static:{}", list.join(","))
    }

    fn describe(&self) -> String {
        let list: Vec<_> = NAMES
            .iter()
            .zip(&self.ports)
            .map(|(name, port)| format!("{name} at {}", port.address()))
            .collect();
        list.join(", ")
    }

    async fn stop(&mut self, index: usize) {
        if let Some(server) = self.running[index].take() {
            server.stop().await;
        }
    }

    fn restart(&mut self, index: usize) -> std::io::Result<()> {
        let (name, address, calls) =
            (NAMES[index], self.ports[index].address(), Arc::clone(&self.calls[index]));
        self.running[index] = Some(RunningServer::start(name, address, calls)?);
        Ok(())
    }

    fn counts(&self) -> Vec<u64> {
        self.calls.iter().map(|calls| calls.load(Relaxed)).collect()
    }

    async fn wait_until_used(&self) {
        while self.counts().contains(&0) {
            tokio::time::sleep(REST).await;
        }
    }
}

/// Prints one line per second.
struct Watch<'a> {
    channel: &'a Channel,
    load: &'a Load,
    second: u32,
    good: bool,
}

impl Watch<'_> {
    async fn seconds(&mut self, count: u32, servers: &Servers) {
        for _ in 0..count {
            let before = servers.counts();
            tokio::time::sleep(Duration::from_secs(1)).await;
            self.second += 1;
            let calls: Vec<u64> =
                servers.counts().iter().zip(&before).map(|(now, then)| now - then).collect();
            let mut columns = String::new();
            for (server, calls) in servers.running.iter().zip(&calls) {
                self.good &= server.is_none() || *calls > 0;
                let cell = if server.is_some() { calls.to_string() } else { format!("({calls})") };
                columns.push_str(&format!("{cell:>8}"));
            }
            let failures = self.load.failures();
            println!("{:>6} {columns}  {failures:>8}  {}", self.second, self.channel.state());
        }
    }
}

/// Callers that call one after the other until they are told to stop.
struct Load {
    stop: Arc<AtomicBool>,
    failed: Arc<AtomicU64>,
    callers: Vec<tokio::task::JoinHandle<(u64, Vec<Status>)>>,
}

impl Load {
    fn start(channel: &Channel) -> Self {
        let (stop, failed) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let caller = |_| {
            let greeter = GreeterClient::new(channel.clone());
            tokio::spawn(call_until(greeter, Arc::clone(&stop), Arc::clone(&failed)))
        };
        let callers = (0..CALLERS).map(caller).collect();
        Self { stop, failed, callers }
    }

    fn failures(&self) -> u64 {
        self.failed.load(Relaxed)
    }

    async fn stop(self) -> (u64, Vec<Status>) {
        self.stop.store(true, Relaxed);
        let (mut calls, mut failures) = (0, Vec::new());
        for caller in self.callers {
            let (made, failed) =
                caller.await.unwrap_or_else(|error| (0, vec![Status::internal(error.to_string())]));
            calls += made;
            failures.extend(failed);
        }
        (calls, failures)
    }
}

async fn call_until(
    greeter: GreeterClient,
    stop: Arc<AtomicBool>,
    failed: Arc<AtomicU64>,
) -> (u64, Vec<Status>) {
    let (mut calls, mut failures) = (0, Vec::new());
    while !stop.load(Relaxed) {
        calls += 1;
        if let Err(status) = greeter.say_hello(HelloRequest { name: "you".to_owned() }).await {
            failed.fetch_add(1, Relaxed);
            failures.push(status);
        }
        tokio::time::sleep(REST).await;
    }
    (calls, failures)
}
