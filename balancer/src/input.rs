//! The world as a policy sees it, and how a parent narrows it for a child. It is a view, not a copy: a policy
//! with ten thousand endpoints is shown them without moving one.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use indexmap::IndexSet;
use trunkline_proto::{Address, Attributes, ConnectError, ConnectivityState, Endpoint};

use crate::{CallCounts, LiveCalls};

/// What a policy may know of one subchannel. A `Copy` view.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct SubchannelStatus<'a> {
    /// How it stands.
    pub state: ConnectivityState,
    /// Why the last attempt failed; kept until it is Ready.
    pub error: Option<&'a ConnectError>,
    /// Attempts failed while this record lives. A record that was dropped starts again at 0: compare with
    /// `!=`, never with `<`.
    pub failures: u64,
    /// Connections lost or draining so far, while this record lives.
    pub losses: u64,
    /// A call asked for it ([`PickResult::Wake`](crate::PickResult::Wake)) of the picker that is now
    /// published. A request, not a level: it is cleared when the next picker is out, so a policy that wants
    /// to remember it must.
    pub demanded: bool,
    /// Grows with every change of this record that a policy can see, counters of calls aside.
    pub revision: u64,
    /// Its calls, sampled when this view was made. A change of these alone wakes no policy: sample by
    /// [`Plan::wake_at`](crate::Plan::wake_at).
    pub calls: CallCounts,
    /// The same counters, running, for pickers.
    pub live: &'a Arc<LiveCalls>,
}

impl<'a> SubchannelStatus<'a> {
    /// Idle and unknown: no attempt, no call.
    pub fn idle(live: &'a Arc<LiveCalls>) -> Self {
        let state = ConnectivityState::Idle;
        let calls = CallCounts::default();
        Self { state, error: None, failures: 0, losses: 0, demanded: false, revision: 0, calls, live }
    }
}

/// Where an [`Input`] finds its statuses: the channel's table, or that of a test.
pub trait Statuses {
    /// The status of `address`; [`SubchannelStatus::idle`] where there is no record.
    fn status(&self, address: &Address) -> SubchannelStatus<'_>;
}

/// The world as one policy sees it. `Copy`, so that a parent may narrow it for a child.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Input<'a> {
    /// The time of this update. Policies read no other clock.
    pub now: Instant,
    /// The servers, as last resolved: the last good answer if the newest was an error.
    pub endpoints: &'a [Endpoint],
    /// What the resolver said of the answer as a whole.
    pub attributes: &'a Attributes,
    /// Counts the answers of the resolver, errors too. 0: there was none yet.
    pub resolution: u64,
    /// Why the newest answer was an error or empty. Never permanent.
    pub resolver_error: Option<&'a ConnectError>,
    statuses: &'a dyn Statuses,
    layer: Option<&'a Layer<'a>>,
    awake: bool,
}

/// Addresses that a policy hides from its child as if they had failed. The caller owns it, so that several
/// stack.
#[derive(Clone, Copy, Debug)]
pub struct Layer<'a> {
    below: Option<&'a Layer<'a>>,
    ejected: &'a IndexSet<Address>,
}

impl<'a> Input<'a> {
    /// The world at `now`, before any resolution.
    pub fn new(now: Instant, statuses: &'a dyn Statuses, attributes: &'a Attributes) -> Self {
        let (endpoints, resolution, resolver_error) = (&[][..], 0, None);
        Self { now, endpoints, attributes, resolution, resolver_error, statuses, layer: None, awake: false }
    }

    /// The same with that answer of the resolver.
    #[must_use]
    pub fn with_resolution(
        self,
        resolution: u64,
        endpoints: &'a [Endpoint],
        error: Option<&'a ConnectError>,
    ) -> Self {
        Self { resolution, endpoints, resolver_error: error, ..self }
    }

    /// The status of an address as this policy may see it.
    pub fn status(&self, address: &Address) -> SubchannelStatus<'a> {
        let mut status = self.statuses.status(address);
        if self.is_ejected(address) {
            status.state = ConnectivityState::TransientFailure;
        }
        status.demanded |= self.awake;
        status
    }

    /// The same world with other endpoints: those of one child.
    #[must_use]
    pub fn with_endpoints(self, endpoints: &'a [Endpoint]) -> Self {
        Self { endpoints, ..self }
    }

    /// A layer over those that are there, for [`with_ejected`](Self::with_ejected).
    pub fn layer(&self, ejected: &'a IndexSet<Address>) -> Layer<'a> {
        Layer { below: self.layer, ejected }
    }

    /// The same world where the addresses of `layer` look failed. Whoever is below sees them in
    /// TransientFailure and does as with any other failure.
    #[must_use]
    pub fn with_ejected(self, layer: &'a Layer<'a>) -> Self {
        Self { layer: Some(layer), ..self }
    }

    /// The same world where every address looks demanded: for a child that may not rest.
    #[must_use]
    pub fn awake(self) -> Self {
        Self { awake: true, ..self }
    }

    fn is_ejected(&self, address: &Address) -> bool {
        let mut layer = self.layer;
        while let Some(Layer { below, ejected }) = layer {
            if ejected.contains(address) {
                return true;
            }
            layer = *below;
        }
        false
    }
}

impl fmt::Debug for Input<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Input")
            .field("endpoints", &self.endpoints)
            .field("resolution", &self.resolution)
            .field("resolver_error", &self.resolver_error)
            .finish_non_exhaustive()
    }
}
