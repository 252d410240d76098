//! A server that does what it is told. It speaks HTTP/2 in bare frames, shares no code with the client under
//! test, and knows no rules that it would keep: a test says what it sends, when, and whether at all. In
//! memory, so that time can be paused.
//!
//! ```
//! # use trunkline_tests::script::{Code, pipes};
//! # async fn test() -> Result<(), Box<dyn std::error::Error>> {
//! let (connector, mut pipes) = pipes();
//! let channel = trunkline::Channel::builder("ipv4:10.0.0.7:443").plaintext().connector(connector).connect_lazy()?;
//! // ... start a call on `channel` ...
//! let mut peer = pipes.accept().await; // the channel dials
//! peer.greet(&[]).await; // preface, SETTINGS
//! let request = peer.request().await;
//! assert_eq!(request.path(), "/greeter.Greeter/SayHello");
//! peer.go_away(request.stream, Code::NoError, "").await;
//! peer.respond(request.stream, b"", "0").await;
//! # Ok(()) }
//! ```

mod frame;
mod headers;
mod peer;
mod pipes;

pub use frame::{Code, Frame, Kind, Setting, flags};
pub use headers::{Headers, literal};
pub use peer::{Peer, Request};
pub use pipes::{PipeConnector, Pipes, pipes};
