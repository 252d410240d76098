//! Stubs that tonic's own generator writes, on our channel, unchanged: every shape of call, what tonic's
//! users do with their stubs, and what they get beyond it.

mod health;
mod migration;
mod options;
mod reports;
mod shapes;

use trunkline::{Channel, Transport};
use trunkline_tests::{MemoryServer, Network, TestGreeter};

use self::greeter::greeter_client::GreeterClient;
use self::greeter::{HelloRequest, WatchRequest};

/// The greeter as `tonic-prost-build` generates it: messages and client. Nothing of ours has touched it.
#[allow(
    unused_qualifications,
    missing_docs,
    clippy::allow_attributes_without_reason,
    reason = "the style of another project's generator"
)]
pub mod greeter {
    include!(concat!(env!("OUT_DIR"), "/tonic_alone/greeter.v1.rs"));
}

/// A network with a server at `a`, which says that name.
struct Here {
    network: Network,
    greeter: TestGreeter,
    _server: MemoryServer,
}

impl Here {
    fn with(engine: Transport, greeter: TestGreeter) -> Self {
        let network = Network::new(engine);
        let server = MemoryServer::start(&network, "a", &greeter);
        Self { network, greeter, _server: server }
    }

    fn new(engine: Transport) -> Self {
        Self::with(engine, TestGreeter::new("a"))
    }

    fn channel(&self) -> Channel {
        self.network.channel(&["a"]).connect_lazy().expect("the settings are right")
    }

    fn client(&self) -> GreeterClient<Channel> {
        GreeterClient::new(self.channel())
    }
}

fn hello(name: &str) -> HelloRequest {
    HelloRequest { name: name.to_owned() }
}

fn watch(count: u32) -> WatchRequest {
    WatchRequest { name: "Ada".to_owned(), count, interval_ms: 10 }
}
