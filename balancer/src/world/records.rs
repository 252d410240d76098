//! The subchannels of a world: what a plan does to them, and what the test says happened to them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use indexmap::IndexMap;
use trunkline_proto::{Address, ConnectError, ConnectivityState};

use crate::{Intent, LiveCalls, Plan, Statuses, SubchannelStatus};

const INITIAL_BACKOFF: Duration = Duration::from_secs(1);
const MAX_BACKOFF: Duration = Duration::from_secs(120);
const BACKOFF_MULTIPLIER: f64 = 1.6;
/// How long a draining connection counts as Ready while its replacement is dialled.
const DRAIN_GRACE: Duration = Duration::from_millis(250);
/// An address that was let go while dialling or live is not dialled again until so long after that dial
/// began.
const REDIAL_PAUSE: Duration = Duration::from_secs(1);

/// Every subchannel that there is or was.
#[derive(Debug, Default)]
pub(super) struct Records {
    by_address: IndexMap<Address, Record>,
    dials: IndexMap<Address, u64>,
    /// One counter for all: a record that was dropped and made again never shows a revision that it had
    /// before.
    revisions: u64,
    unknown: Arc<LiveCalls>,
}

#[derive(Debug)]
struct Record {
    link: Link,
    error: Option<ConnectError>,
    failures: u64,
    losses: u64,
    demanded: bool,
    revision: u64,
    live: Arc<LiveCalls>,
    /// Attempts failed since a connection proved itself.
    attempts: i32,
    not_before: Option<Instant>,
}

/// ```text
///  Idle --> Dialling --> Ready --> Draining --> Dialling (the replacement, after the grace)
///   | ^        |
///   v |        `--> Failed --> Idle
///  Pending --> Dialling
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
enum Link {
    Idle,
    /// Wished too soon after it was let go.
    Pending,
    Dialling {
        since: Instant,
    },
    Ready {
        since: Instant,
    },
    /// Still of use until `until`; its replacement has been dialled `since`.
    Draining {
        since: Instant,
        until: Instant,
    },
    Failed {
        until: Instant,
    },
}

impl Statuses for Records {
    fn status(&self, address: &Address) -> SubchannelStatus<'_> {
        let Some(record) = self.by_address.get(address) else {
            return SubchannelStatus::idle(&self.unknown);
        };
        SubchannelStatus {
            state: record.link.state(),
            error: record.error.as_ref(),
            failures: record.failures,
            losses: record.losses,
            demanded: record.demanded,
            revision: record.revision,
            calls: record.live.counts(),
            live: &record.live,
        }
    }
}

/// What a plan does.
impl Records {
    /// Carries out `plan`; true if that changed a status.
    pub(super) fn apply(&mut self, plan: &Plan, now: Instant) -> bool {
        let before = self.revisions;
        for (address, intent) in plan.intents() {
            let record = self.by_address.entry(address.clone()).or_default();
            let link = match (intent, record.link) {
                (Intent::Connect, Link::Idle) if record.not_before.is_some_and(|time| time > now) => {
                    Link::Pending
                }
                (Intent::Connect, Link::Idle) => {
                    *self.dials.entry(address.clone()).or_default() += 1;
                    Link::Dialling { since: now }
                }
                // Held: nothing is started.
                (Intent::Hold, Link::Pending) => Link::Idle,
                (_, link) => link,
            };
            record.set(link, &mut self.revisions);
        }
        for (_, record) in self.by_address.iter_mut().filter(|(address, _)| plan.intent(address).is_none()) {
            if let Link::Dialling { since } | Link::Ready { since } | Link::Draining { since, .. } =
                record.link
            {
                record.not_before = Some(since + REDIAL_PAUSE);
            }
            if !matches!(record.link, Link::Failed { .. }) {
                record.set(Link::Idle, &mut self.revisions);
            }
        }
        self.forget(now, |address| plan.intent(address).is_some());
        self.revisions != before
    }

    /// Drops the records that say nothing more, of addresses that are not `wished`.
    fn forget(&mut self, now: Instant, wished: impl Fn(&Address) -> bool) {
        let revisions = &mut self.revisions;
        self.by_address.retain(|address, record| {
            let paused = record.not_before.is_some_and(|time| time > now);
            let keep = wished(address) || record.link != Link::Idle || paused;
            if !keep && record.revision > 0 {
                *revisions += 1;
            }
            keep
        });
    }

    /// When something happens next without anybody's doing.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.by_address.values().filter_map(Record::deadline).min()
    }

    /// Lets happen what is due.
    pub(super) fn expire(&mut self, now: Instant) {
        for (address, record) in &mut self.by_address {
            if record.deadline().is_none_or(|time| time > now) {
                continue;
            }
            let link = match record.link {
                Link::Pending => {
                    *self.dials.entry(address.clone()).or_default() += 1;
                    Link::Dialling { since: now }
                }
                Link::Draining { since, .. } => Link::Dialling { since },
                _ => Link::Idle,
            };
            record.set(link, &mut self.revisions);
        }
    }
}

/// What a test says happened. An error says why it cannot have.
impl Records {
    pub(super) fn connect(&mut self, address: &Address, _: Instant) -> Result<(), &'static str> {
        let (record, revisions) = self.known(address)?;
        let (Link::Dialling { since } | Link::Draining { since, .. }) = record.link else {
            return Err("nobody dials it");
        };
        record.error = None;
        record.set(Link::Ready { since }, revisions);
        Ok(())
    }

    pub(super) fn fail(
        &mut self,
        address: &Address,
        error: ConnectError,
        now: Instant,
    ) -> Result<(), &'static str> {
        let (record, revisions) = self.known(address)?;
        let (Link::Dialling { since } | Link::Draining { since, .. }) = record.link else {
            return Err("nobody dials it");
        };
        record.fail(error.at(address), since, now, revisions);
        Ok(())
    }

    pub(super) fn lose(&mut self, address: &Address, proved: bool, now: Instant) -> Result<(), &'static str> {
        let (record, revisions) = self.known(address)?;
        match record.link {
            Link::Draining { since, .. } => record.set(Link::Dialling { since }, revisions),
            Link::Ready { .. } if proved => {
                record.losses += 1;
                record.attempts = 0;
                record.set(Link::Idle, revisions);
            }
            Link::Ready { since } => {
                record.losses += 1;
                let closed = ConnectError::new(trunkline_proto::Phase::Http2, "closed before any answer");
                record.fail(closed.at(address), since, now, revisions);
            }
            _ => return Err("it is not connected"),
        }
        Ok(())
    }

    pub(super) fn drain(&mut self, address: &Address, now: Instant) -> Result<(), &'static str> {
        let (record, revisions) = self.known(address)?;
        let Link::Ready { .. } = record.link else {
            return Err("it is not connected, or draining already");
        };
        record.losses += 1;
        record.attempts = 0;
        record.link = Link::Draining { since: now, until: now + DRAIN_GRACE };
        record.change(revisions);
        *self.dials.entry(address.clone()).or_default() += 1;
        Ok(())
    }

    pub(super) fn reset_backoff(&mut self) {
        for record in self.by_address.values_mut() {
            record.attempts = 0;
            if let Link::Failed { .. } = record.link {
                record.set(Link::Idle, &mut self.revisions);
            }
        }
    }

    /// A call wants it.
    pub(super) fn demand(&mut self, address: &Address) {
        let record = self.by_address.entry(address.clone()).or_default();
        if !record.demanded {
            record.demanded = true;
            record.change(&mut self.revisions);
        }
    }

    /// A new picker is out: what was demanded of the old one is forgotten.
    pub(super) fn clear_demands(&mut self) {
        for record in self.by_address.values_mut().filter(|record| record.demanded) {
            record.demanded = false;
            record.change(&mut self.revisions);
        }
    }

    pub(super) fn live(&mut self, address: &Address) -> Arc<LiveCalls> {
        self.by_address.entry(address.clone()).or_default().live.clone()
    }

    fn known(&mut self, address: &Address) -> Result<(&mut Record, &mut u64), &'static str> {
        let record = self.by_address.get_mut(address).ok_or("the policy does not wish for it")?;
        Ok((record, &mut self.revisions))
    }
}

/// What a test may know.
impl Records {
    /// The addresses whose dial runs, replacements of draining connections too.
    pub(super) fn dialling(&self) -> impl Iterator<Item = &Address> {
        self.linked(|link| matches!(link, Link::Dialling { .. } | Link::Draining { .. }))
    }

    /// The addresses with a connection that calls may use.
    pub(super) fn connected(&self) -> impl Iterator<Item = &Address> {
        self.linked(|link| matches!(link, Link::Ready { .. } | Link::Draining { .. }))
    }

    /// The dials to `address` since the world began.
    pub(super) fn dials(&self, address: &Address) -> u64 {
        self.dials.get(address).copied().unwrap_or(0)
    }

    fn linked(&self, is: impl Fn(Link) -> bool) -> impl Iterator<Item = &Address> {
        self.by_address.iter().filter(move |(_, record)| is(record.link)).map(|(address, _)| address)
    }
}

impl Record {
    fn set(&mut self, link: Link, revisions: &mut u64) {
        let seen = self.link.state();
        self.link = link;
        if seen != link.state() {
            self.change(revisions);
        }
    }

    fn change(&mut self, revisions: &mut u64) {
        *revisions += 1;
        self.revision = *revisions;
    }

    fn fail(&mut self, error: ConnectError, since: Instant, now: Instant, revisions: &mut u64) {
        let backoff = match error.is_permanent() {
            true => MAX_BACKOFF,
            false => INITIAL_BACKOFF.mul_f64(BACKOFF_MULTIPLIER.powi(self.attempts.min(20))).min(MAX_BACKOFF),
        };
        self.attempts += 1;
        self.failures += 1;
        self.error = Some(error);
        // Where the attempt outlasted its backoff, the failure is over as it comes; only its count shows it.
        let until = since + backoff;
        self.link = if until > now { Link::Failed { until } } else { Link::Idle };
        self.change(revisions);
    }

    fn deadline(&self) -> Option<Instant> {
        match self.link {
            Link::Pending => self.not_before,
            Link::Draining { until, .. } | Link::Failed { until } => Some(until),
            Link::Idle | Link::Dialling { .. } | Link::Ready { .. } => None,
        }
    }
}

impl Default for Record {
    fn default() -> Self {
        Self {
            link: Link::Idle,
            error: None,
            failures: 0,
            losses: 0,
            demanded: false,
            revision: 0,
            live: Arc::default(),
            attempts: 0,
            not_before: None,
        }
    }
}

impl Link {
    fn state(self) -> ConnectivityState {
        match self {
            Self::Idle => ConnectivityState::Idle,
            Self::Pending | Self::Dialling { .. } => ConnectivityState::Connecting,
            Self::Ready { .. } | Self::Draining { .. } => ConnectivityState::Ready,
            Self::Failed { .. } => ConnectivityState::TransientFailure,
        }
    }
}
