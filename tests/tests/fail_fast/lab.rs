//! The place of a test: a network in memory, two authorities of which channels trust one, and channels whose
//! waits are exact.

use std::future::Future;
use std::time::Duration;

use tokio::time::Instant;
use tokio_stream::StreamExt;
use trunkline::balancer::{BalancerConfig, PickFirst, RoundRobin};
use trunkline::connect::{ConnectRequest, Connector, SystemConnector};
use trunkline::resolver::Resolution;
use trunkline::{Address, Backoff, Channel, ChannelBuilder, Endpoint, FailFast, Status, Transport};
use trunkline_tests::greeter::greeter_client::GreeterClient;
use trunkline_tests::greeter::{HelloReply, HelloRequest};
use trunkline_tests::{CertificateAuthority, Network, TestGreeter};

use crate::peers::{Host, Peer, greets, greets_over_tls};

/// The name of the server, as channels know it.
pub(crate) const NAME: &str = "greeter.test";

/// What channels are told to connect to.
pub(crate) const TARGET: &str = "memory:///greeter.test";

/// Every mode of a call.
pub(crate) const MODES: [FailFast; 3] = [FailFast::Always, FailFast::Permanent, FailFast::Never];

/// What a channel speaks.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Speaks {
    Plaintext,
    Tls,
}

/// The place of a test.
pub(crate) struct Lab {
    pub(crate) network: Network,
    /// Channels trust it.
    pub(crate) ours: CertificateAuthority,
    /// Nobody has heard of it.
    pub(crate) strangers: CertificateAuthority,
    /// Behind every server whose calls should be answered.
    pub(crate) greeter: TestGreeter,
    /// Behind servers that no call should reach.
    pub(crate) unheard: TestGreeter,
}

impl Lab {
    pub(crate) fn new(engine: Transport) -> Self {
        Self {
            network: Network::new(engine),
            ours: CertificateAuthority::new(),
            strangers: CertificateAuthority::new(),
            greeter: TestGreeter::new("good"),
            unheard: TestGreeter::new("bad"),
        }
    }

    /// A channel to what [`resolve`](Self::resolve) says, to be configured further.
    pub(crate) fn channel(&self, speaks: Speaks) -> ChannelBuilder {
        let builder = self.bare_channel(TARGET);
        match speaks {
            Speaks::Plaintext => builder.plaintext(),
            Speaks::Tls => builder.tls(self.ours.trusted()),
        }
    }

    /// A channel to any target over this network.
    pub(crate) fn bare_channel(&self, target: &str) -> ChannelBuilder {
        // Exact, so that dials can be counted.
        self.network.builder_for(target).backoff(Backoff::default().jitter(0.0))
    }

    /// Tells channels of these servers.
    pub(crate) fn resolve(&self, addresses: &[&Address]) {
        self.resolve_endpoints(addresses.iter().map(|address| Endpoint::new((*address).clone())));
    }

    pub(crate) fn resolve_endpoints(&self, endpoints: impl IntoIterator<Item = Endpoint>) {
        self.network.resolver().push(Resolution::new(endpoints));
    }

    /// Puts a peer at an address.
    pub(crate) async fn place(&self, address: &Address, peer: Peer) {
        // A server name is no part of where it is, but it is of what the network knows it by.
        let name = address.to_string();
        match peer {
            Peer::Refuses => self.network.refuse(&name),
            Peer::BlackHole => self.network.black_hole(&name),
            Peer::Silent => self.network.accept_in_silence(&name),
            Peer::AsTheKernelSays => {
                let request = ConnectRequest::new(address.clone(), NAME);
                self.network.fail(&name, SystemConnector::new().connect(request).await.unwrap_err());
            }
            Peer::Serves(host) => self.serve(&name, host),
        }
    }

    /// Puts a server there that answers.
    pub(crate) fn mend(&self, address: &Address, speaks: Speaks) {
        self.serve(&address.to_string(), self.good_host(speaks));
    }

    pub(crate) fn good_host(&self, speaks: Speaks) -> Host {
        match speaks {
            Speaks::Plaintext => greets(&self.greeter),
            Speaks::Tls => greets_over_tls(&self.ours.issue(&[NAME]), &self.greeter),
        }
    }

    pub(crate) fn serve(&self, name: &str, host: Host) {
        let mut incoming = self.network.listen(name);
        tokio::spawn(async move {
            while let Some(Ok(io)) = incoming.next().await {
                tokio::spawn(host(io));
            }
        });
    }

    /// How often an address was dialled.
    pub(crate) fn dials(&self, address: &Address) -> usize {
        self.network.dials(&address.to_string()).len()
    }
}

pub(crate) fn tcp(address: &str) -> Address {
    Address::tcp(address.parse().unwrap())
}

/// Where the server of a test is, usually.
pub(crate) fn here() -> Address {
    tcp("10.0.0.1:443")
}

/// Where another is.
pub(crate) fn there() -> Address {
    tcp("10.0.0.2:443")
}

pub(crate) fn policies() -> [BalancerConfig; 2] {
    [PickFirst::new().into(), RoundRobin.into()]
}

pub(crate) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) fn hello() -> HelloRequest {
    HelloRequest { name: "you".to_owned() }
}

/// Makes one call with this timeout.
pub(crate) async fn call(channel: &Channel, timeout: Duration) -> Result<HelloReply, Status> {
    GreeterClient::new(channel.clone()).say_hello(hello()).timeout(timeout).await
}

/// What something comes to, and how long that takes.
pub(crate) async fn timed<T>(future: impl Future<Output = T>) -> (T, Duration) {
    let began = Instant::now();
    let output = future.await;
    (output, began.elapsed())
}
