//! From how things are to what calls read, and only if that differs: each snapshot wakes every call that
//! waits.

use std::mem;
use std::sync::Arc;
use std::time::Instant;

use trunkline_balancer::BalancerState;
use trunkline_proto::ConnectError;

use super::subchannels::Subchannels;
use super::{DialId, Entry, MethodTable, Snapshot};

/// The snapshot in force.
#[derive(Debug)]
pub(super) struct Publisher<C> {
    current: Arc<Snapshot<C>>,
    /// The connection behind each entry of `current`, in its order: by number, since connections themselves
    /// do not compare.
    dials: Vec<Option<DialId>>,
    is_sent: bool,
    /// What the snapshot in force tells of connections may have gone since: it is sent again even if it has not.
    is_void: bool,
}

/// What a snapshot holds beside the subchannels.
#[derive(Debug)]
pub(super) struct Outlook {
    pub(super) state: BalancerState,
    pub(super) is_asleep: bool,
    pub(super) trouble: Vec<ConnectError>,
    pub(super) next_attempt: Option<Instant>,
}

impl<C: Clone> Publisher<C> {
    /// The first snapshot: a channel at rest.
    pub(super) fn new(asleep: BalancerState) -> Self {
        let current = Snapshot {
            version: 1,
            connectivity: asleep.connectivity,
            is_asleep: true,
            picker: asleep.picker,
            entries: [].into_iter().collect(),
            methods: Arc::new(MethodTable::default()),
            trouble: Arc::from([]),
            next_attempt: None,
        };
        Self { current: Arc::new(current), dials: Vec::new(), is_sent: false, is_void: false }
    }

    /// The snapshot in force.
    pub(super) fn current(&self) -> &Arc<Snapshot<C>> {
        &self.current
    }

    /// Makes a snapshot of how things are now; true if it differs from the one in force.
    pub(super) fn renew(&mut self, outlook: Outlook, subchannels: &Subchannels<C>) -> bool {
        let is_void = mem::take(&mut self.is_void);
        if !self.differs(&outlook, subchannels) {
            // Whoever doubts it is told that it holds.
            self.is_sent &= !is_void;
            return false;
        }
        let (mut entries, mut dials) = (Vec::new(), Vec::new());
        for (address, subchannel) in subchannels.entries() {
            let connection = subchannel.connection();
            dials.push(connection.map(|(id, _)| id));
            let connection = connection.map(|(_, connection)| connection.clone());
            entries.push((address.clone(), Entry::new(connection, Arc::clone(subchannel.destination()))));
        }
        let Outlook { state, is_asleep, trouble, next_attempt } = outlook;
        self.current = Arc::new(Snapshot {
            version: self.current.version + 1,
            connectivity: state.connectivity,
            is_asleep,
            picker: state.picker,
            entries: entries.into_iter().collect(),
            methods: Arc::clone(&self.current.methods),
            trouble: trouble.into(),
            next_attempt,
        });
        (self.dials, self.is_sent) = (dials, false);
        true
    }

    /// Nothing that the snapshot in force tells of connections is true any more, until the next decision.
    pub(super) fn forget(&mut self) {
        self.is_void = true;
    }

    /// Whether what the snapshot in force tells is how things were when it was made.
    pub(super) fn is_current(&self) -> bool {
        !self.is_void
    }

    /// The snapshot in force, if the driver does not have it yet.
    pub(super) fn take_unsent(&mut self) -> Option<Arc<Snapshot<C>>> {
        let unsent = (!self.is_sent).then(|| Arc::clone(&self.current));
        self.is_sent = true;
        unsent
    }

    fn differs(&self, outlook: &Outlook, subchannels: &Subchannels<C>) -> bool {
        let current = &self.current;
        let has_same_entries = || {
            let old = current.entries.iter().zip(&self.dials);
            let old = old.map(|((address, entry), dial)| (address, Arc::as_ptr(&entry.destination), *dial));
            let new = subchannels.entries().map(|(address, subchannel)| {
                (address, Arc::as_ptr(subchannel.destination()), subchannel.connection().map(|(id, _)| id))
            });
            old.eq(new)
        };
        current.connectivity != outlook.state.connectivity
            || current.is_asleep != outlook.is_asleep
            || !Arc::ptr_eq(&current.picker, &outlook.state.picker)
            || current.next_attempt != outlook.next_attempt
            || !is_same_trouble(&current.trouble, &outlook.trouble)
            || !has_same_entries()
    }
}

/// Whether callers could tell no difference. Errors are compared by what they say: each attempt makes a new
/// one.
fn is_same_trouble(old: &[ConnectError], new: &[ConnectError]) -> bool {
    let says = |error: &ConnectError| {
        (error.phase(), error.is_permanent(), error.address().cloned(), error.message().to_owned())
    };
    old.len() == new.len() && old.iter().zip(new).all(|(old, new)| says(old) == says(new))
}
