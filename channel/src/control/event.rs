//! What the control plane hears. Everything it knows of the world comes through here, with the time it was
//! heard at.

use std::fmt;
use std::time::Instant;

use trunkline_balancer::BalancerConfig;
use trunkline_proto::{Address, ConnectError};
use trunkline_resolver::{Resolution, ResolveError};

/// The number of one dial, unique within its channel. News of a dial that its subchannel no longer owns is
/// dropped, so nothing that arrives late can be mistaken for news of its successor.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct DialId(pub(crate) u64);

impl fmt::Debug for DialId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// One thing that happened. `C` is the handle of a live connection, opaque here.
#[derive(Debug)]
pub(crate) enum Event<C> {
    /// The resolver answered.
    Resolved(Result<Resolution, ResolveError>),
    /// News of a connection.
    Dial(DialId, DialNews<C>),
    /// A call was told `Wake(address)` by the picker of snapshot `version`. Ignored if that is no longer the
    /// published one.
    Demand { version: u64, address: Address },
    /// A call came while the channel is Idle, or the application wants it connected: leave idleness.
    Wake,
    /// How busy the calls are, sampled before each decision.
    Activity(Activity),
    /// Dial at once whatever is in backoff, with the backoff started afresh.
    ResetBackoff,
    /// Another policy, or other settings.
    #[cfg_attr(not(test), expect(dead_code, reason = "the service config that brings it is not read yet"))]
    Configure(BalancerConfig),
    /// The runtime that ran the connections is gone, and they with it.
    RuntimeLost,
    /// No new work; streams in flight may finish until `deadline`, or as long as they like if there is none.
    Close { deadline: Option<Instant> },
}

/// What a dial tells of itself. A dial says `Connected` at most once, then `Draining` at most once, and ends
/// with exactly one of `Failed` (if it never connected) or `Lost`.
#[derive(Debug)]
pub(crate) enum DialNews<C> {
    /// Ready for calls: the server's SETTINGS are in.
    Connected(C),
    /// It never became ready.
    Failed(ConnectError),
    /// The server said GOAWAY, or the stream ids are used up: streams in flight finish, no new ones start.
    Draining { cause: ConnectError, usage: Usage },
    /// The connection has ended: broken, drained or hung up.
    Lost { cause: ConnectError, usage: Usage },
}

/// What a connection was good for, until its news was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// A call on it got its response head.
    pub(crate) answered: bool,
    /// When the last call was started on it.
    pub(crate) last_used: Option<Instant>,
}

/// How busy a channel's calls are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Activity {
    /// Calls that have begun and not ended.
    pub(crate) in_flight: u64,
    /// When the last one ended, once none is in flight; while some are, nobody need know.
    pub(crate) last_ended: Option<Instant>,
}
