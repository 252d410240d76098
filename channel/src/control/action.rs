//! What the control plane asks of its driver. The driver does each at once and decides nothing.

use std::sync::Arc;
use std::time::Instant;

use trunkline_proto::{Address, ConnectError, ConnectivityState};

use super::{DialId, Snapshot};

/// One thing to do.
#[derive(Debug)]
pub(crate) enum Action<C> {
    /// Start making a connection; it fails if it is not ready (SETTINGS in) at `deadline`.
    Dial { id: DialId, address: Address, deadline: Instant },
    /// Abort the dial if it is still connecting; else let its streams finish, start none, and close it.
    HangUp(DialId),
    /// Close the connection now, whatever runs on it.
    Abort(DialId),
    /// Make a resolver and poll it.
    StartResolver,
    /// Drop the resolver.
    StopResolver,
    /// Tell the resolver that its last answer is doubted.
    Refresh,
    /// Tell the resolver that its last answer could not be used.
    Reject,
    /// Calls read this snapshot from now on.
    Publish(Arc<Snapshot<C>>),
    /// Worth one record in the log.
    Note(StateChange),
}

/// A change of state, for the log. Repeats of the same failure are collapsed before they become one of these.
#[derive(Clone, Debug)]
pub(crate) struct StateChange {
    /// The subchannel, or `None` for the channel.
    pub(crate) address: Option<Address>,
    /// How it stood.
    pub(crate) from: ConnectivityState,
    /// How it stands.
    pub(crate) to: ConnectivityState,
    /// Why, where there is a reason.
    pub(crate) cause: Option<ConnectError>,
}
