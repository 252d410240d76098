//! Where bad plugins are tried: a network in memory with one good server, and a neighbour that calls it over
//! a channel of its own.

use std::time::Duration;

use trunkline::{Channel, ChannelBuilder, FailFast, Status, Transport};
use trunkline_tests::greeter::HelloRequest;
use trunkline_tests::greeter::greeter_client::GreeterClient;
use trunkline_tests::{MemoryServer, Network, TestGreeter};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(300);

/// A good server at `a`, and a neighbour who calls it.
pub(super) struct Neighbourhood {
    pub(super) network: Network,
    server: Option<MemoryServer>,
    greeter: TestGreeter,
    neighbour: Channel,
}

impl Neighbourhood {
    pub(super) async fn new(engine: Transport) -> Self {
        let network = Network::new(engine);
        let greeter = TestGreeter::new("a");
        let server = Some(MemoryServer::start(&network, "a", &greeter));
        let neighbour = network.channel(&["a"]).connect_lazy().expect("the neighbour is sane");
        let neighbourhood = Self { network, server, greeter, neighbour };
        neighbourhood.is_unharmed().await;
        neighbourhood
    }

    /// The settings of a channel to `a`, for a bad plugin to be added to.
    pub(super) fn channel(&self) -> ChannelBuilder {
        self.network.channel(&["a"])
    }

    /// The good server dies and comes back.
    pub(super) fn restart(&mut self) {
        self.server = None;
        self.server = Some(MemoryServer::start(&self.network, "a", &self.greeter));
    }

    /// That the neighbour's calls are answered.
    pub(super) async fn is_unharmed(&self) {
        hello_patiently(&self.neighbour).await.expect("the neighbour has no bad plugin");
    }
}

/// A call that fails when there is nobody to serve it.
pub(super) async fn hello(channel: &Channel) -> Result<(), Status> {
    call(channel, FailFast::Always, PATIENCE).await
}

/// A call that waits for somebody to serve it.
pub(super) async fn hello_patiently(channel: &Channel) -> Result<(), Status> {
    call(channel, FailFast::Never, PATIENCE).await
}

/// A call that waits for so long.
pub(super) async fn hello_within(channel: &Channel, timeout: Duration) -> Result<(), Status> {
    call(channel, FailFast::Never, timeout).await
}

async fn call(channel: &Channel, fail_fast: FailFast, timeout: Duration) -> Result<(), Status> {
    let greeter = GreeterClient::new(channel.clone());
    let call = greeter.say_hello(HelloRequest { name: "you".to_owned() });
    call.fail_fast(fail_fast).timeout(timeout).await.map(|_| ())
}
