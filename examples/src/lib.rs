//! What the example programs share: the greeter's generated code, and a server for it that can be started, killed and counted.

pub mod server;

/// The greeter: its messages, its client for Trunkline's channels, and its server trait for tonic.
pub mod greeter {
    trunkline::include_proto!("greeter.v1");
}
