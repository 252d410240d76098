//! What an address has at this moment: nothing, a dial on its way, or a connection. The states of the chart
//! above [`Subchannel`](super::Subchannel), apart from the rules by which they follow one another.

use std::time::{Duration, Instant};

use trunkline_proto::ConnectivityState;

use crate::control::{DialId, Usage};

/// A connection has proved itself when it was Ready for so long (for its own backoff, if that is longer), or
/// a call on it was answered.
const PROOF: Duration = Duration::from_secs(10);

/// What the connection slot of one address holds.
#[derive(Debug)]
pub(super) enum Slot<C> {
    /// Nothing, and nothing is wished.
    Idle,
    /// A dial is wished and waits for its turn. A replacement waits on although it is only wished held.
    Waiting { replacement: bool },
    /// One dial is on its way.
    Dialling(Dial),
    /// Calls can be sent.
    Ready(Live<C>),
    /// The server wants calls to go elsewhere; they go on until `until` if no replacement is there before.
    Replacing { old: Live<C>, until: Instant, dial: Option<Dial> },
    /// The last attempt failed.
    Backoff { until: Instant },
}

/// One dial.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dial {
    pub(super) id: DialId,
    pub(super) started: Instant,
    /// No other attempt starts sooner after `started`, should this one fail.
    pub(super) wait: Duration,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Live<C> {
    pub(super) dial: Dial,
    pub(super) connection: C,
    pub(super) since: Instant,
}

impl<C> Slot<C> {
    /// On the way to the replacement of a connection that is no longer shown.
    pub(super) fn connecting(dial: Option<Dial>) -> Self {
        dial.map_or(Self::Waiting { replacement: true }, Self::Dialling)
    }

    pub(super) fn state(&self) -> ConnectivityState {
        match self {
            Self::Idle => ConnectivityState::Idle,
            Self::Waiting { .. } | Self::Dialling(_) => ConnectivityState::Connecting,
            Self::Ready(_) | Self::Replacing { .. } => ConnectivityState::Ready,
            Self::Backoff { .. } => ConnectivityState::TransientFailure,
        }
    }

    /// The connection that calls may use.
    pub(super) fn connection(&self) -> Option<(DialId, &C)> {
        match self {
            Self::Ready(live) | Self::Replacing { old: live, .. } => Some((live.dial.id, &live.connection)),
            _ => None,
        }
    }

    pub(super) fn wants_a_dial(&self) -> bool {
        matches!(self, Self::Waiting { .. } | Self::Replacing { dial: None, .. })
    }

    /// Whether it stands in for a connection that drains.
    pub(super) fn is_replacement(&self) -> bool {
        matches!(self, Self::Waiting { replacement: true } | Self::Replacing { .. })
    }

    pub(super) fn is_dialling(&self) -> bool {
        matches!(self, Self::Dialling(_) | Self::Replacing { dial: Some(_), .. })
    }

    /// When it changes by itself.
    pub(super) fn due(&self) -> Option<Instant> {
        match self {
            Self::Backoff { until } | Self::Replacing { until, .. } => Some(*until),
            _ => None,
        }
    }
}

impl<C> Live<C> {
    /// Only a connection that has proved itself resets the backoff and may be redialled at once: else a
    /// server that accepts and drops would be dialled in a loop.
    pub(super) fn has_proved_itself(&self, now: Instant, usage: Usage) -> bool {
        usage.answered || self.age(now) >= PROOF.max(self.dial.wait)
    }

    /// Nothing was ever asked of it, and it was there for long enough to be asked: that it ends proves
    /// nothing either way. Servers close what nobody uses.
    pub(super) fn was_never_needed(&self, now: Instant, usage: Usage) -> bool {
        usage.last_used.is_none() && self.age(now) >= PROOF
    }

    fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.since)
    }
}
