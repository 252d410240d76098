//! What calls read: one immutable picture of the channel. It holds all that a call needs, so a call never
//! asks the control plane anything.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Instant;

use indexmap::IndexMap;
use trunkline_balancer::{LiveCalls, Picker};
use trunkline_proto::{Address, ConnectError, ConnectivityState};

use super::MethodTable;

/// The picture of a channel that is in force until the next one. A new one is published when anything in it
/// differs.
pub(crate) struct Snapshot<C> {
    /// Grows by one with each.
    pub(crate) version: u64,
    /// How the channel stands.
    pub(crate) connectivity: ConnectivityState,
    /// The channel is at rest: no resolver, no policy, no connection. A call that reads this sends
    /// [`Event::Wake`](super::Event::Wake) and waits for a newer snapshot. It is told apart from a policy
    /// that is Idle, whose picker says which address to wake.
    pub(crate) is_asleep: bool,
    /// Chooses.
    pub(crate) picker: Arc<dyn Picker>,
    /// Every address of the resolution and every subchannel.
    pub(crate) entries: IndexMap<Address, Entry<C>>,
    /// Per-method settings.
    pub(crate) methods: Arc<MethodTable>,
    /// The newest connection errors, or that of the resolver, for calls whose deadline passes while they
    /// wait. Bounded.
    pub(crate) trouble: Arc<[ConnectError]>,
    /// When the next dial of an address in backoff may start.
    pub(crate) next_attempt: Option<Instant>,
}

/// One address in a snapshot.
pub(crate) struct Entry<C> {
    /// The connection that calls may use. A draining one is there until its replacement is, or its time is
    /// over.
    pub(crate) connection: Option<C>,
    /// Where calls of it go.
    pub(crate) destination: Arc<Destination>,
    demanded: AtomicBool,
}

/// Where calls of one subchannel go, and how many they are: what a call keeps of its subchannel, by one count of
/// references.
#[derive(Debug)]
pub(crate) struct Destination {
    pub(crate) address: Address,
    /// The subchannel's counters.
    pub(crate) live: Arc<LiveCalls>,
}

impl Destination {
    /// With counters that nobody has counted with yet.
    pub(crate) fn new(address: Address) -> Arc<Self> {
        Arc::new(Self { address, live: Arc::default() })
    }
}

impl<C> Entry<C> {
    /// An entry that nobody has demanded yet.
    pub(crate) fn new(connection: Option<C>, destination: Arc<Destination>) -> Self {
        Self { connection, destination, demanded: AtomicBool::new(false) }
    }

    /// Marks the address as demanded under this snapshot; true for the first caller only, whose task it is to
    /// tell the driver. So a hundred thousand waiting calls are one event.
    pub(crate) fn demand(&self) -> bool {
        // Only the first of many should write: the others would fight over the cache line.
        !self.demanded.load(Relaxed) && !self.demanded.swap(true, Relaxed)
    }
}

impl<C> fmt::Debug for Snapshot<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let connected = self.entries.iter().filter(|(_, entry)| entry.connection.is_some());
        f.debug_struct("Snapshot")
            .field("version", &self.version)
            .field("connectivity", &self.connectivity)
            .field("is_asleep", &self.is_asleep)
            .field("picker", &self.picker)
            .field("connected", &connected.map(|(address, _)| address).collect::<Vec<_>>())
            .field("trouble", &self.trouble)
            .finish_non_exhaustive()
    }
}
