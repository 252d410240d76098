//! What the integration tests of Trunkline share: places to serve, servers to call, and ears for the log.
//! Nothing here is published.

// Where calls go, in memory and over real sockets.
mod loopback;
mod network;

// What answers them, in memory and over real sockets.
mod server;
mod test_greeter;

// What answers them frame by frame, and breaks any rule it is told to.
pub mod script;

// What servers show of themselves.
mod certificates;

// What is said about them.
mod log;

pub use certificates::{CertificateAuthority, Certified, server_config};
pub use log::LogCapture;
pub use loopback::{CountingConnector, FreezingRoad, Port, SilentPeer};
pub use network::{Incoming, Network};
pub use server::{LoopbackServer, MemoryServer};
pub use test_greeter::{Answer, Heard, TestGreeter};

/// The greeter: its messages, its client for Trunkline's channels, and its server trait for tonic.
pub mod greeter {
    trunkline::include_proto!("greeter.v1");
}

/// So many milliseconds.
pub const fn ms(millis: u64) -> std::time::Duration {
    std::time::Duration::from_millis(millis)
}
