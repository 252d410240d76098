//! The words that every part of Trunkline shares: where servers are, what is known of a connection,
//! why one could not be made, and how gRPC looks on the wire.
//!
//! No runtime and no I/O live here. Plugin authors (resolvers, balancers, connectors) meet these types;
//! applications mostly meet `tonic`'s vocabulary, which the `trunkline` crate converts to and from.

mod address;
mod attributes;
mod config_error;
mod connect_error;
mod connectivity;
mod endpoint;
pub mod framing;
pub mod health;
pub mod testing;
pub mod timeout;
pub mod wire;

pub use address::{Address, AddressKind};
pub use attributes::{Attribute, Attributes};
pub use config_error::ConfigError;
pub use connect_error::{ConnectError, Phase};
pub use connectivity::ConnectivityState;
pub use endpoint::{Endpoint, Weight};
