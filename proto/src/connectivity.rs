//! The five states of a channel and of a subchannel, as every gRPC names them.

use std::fmt;

/// How a channel or a subchannel stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
// Exhaustive on purpose: gRPC's documents fix these five, and a `match` over them should be checked.
#[allow(clippy::exhaustive_enums, reason = "the set is fixed by gRPC's connectivity document")]
pub enum ConnectivityState {
    /// Nothing is connected and nothing tries to be; a call starts it.
    #[default]
    Idle,
    /// A connection is being made.
    Connecting,
    /// Calls can be sent.
    Ready,
    /// The last attempt failed; another follows after its backoff.
    TransientFailure,
    /// Closed for good.
    Shutdown,
}

impl fmt::Display for ConnectivityState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Idle => "IDLE",
            Self::Connecting => "CONNECTING",
            Self::Ready => "READY",
            Self::TransientFailure => "TRANSIENT_FAILURE",
            Self::Shutdown => "SHUTDOWN",
        })
    }
}
