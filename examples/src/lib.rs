//! What the example programs share: the greeter's generated code, servers for it that can be started, killed
//! and counted, ports and certificates for them, and the tests that implementations of gRPC do on each other.

pub mod certificates;
pub mod interop;
pub mod port;
pub mod server;

/// The greeter: its messages, its client for Trunkline's channels, and its server trait for tonic.
pub mod greeter {
    trunkline::include_proto!("greeter.v1");
}

/// The client of the greeter as tonic itself generates it.
#[allow(
    unused_qualifications,
    clippy::allow_attributes_without_reason,
    reason = "the style of another project's generator"
)]
pub mod greeter_by_tonic {
    include!(concat!(env!("OUT_DIR"), "/tonic/greeter.v1.rs"));
}
