//! The policy behind a choice among ready servers: one `pick_first` leaf per endpoint, and their states as
//! one.

use std::fmt;
use std::sync::Arc;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use trunkline_proto::{ConnectivityState, Endpoint};

use super::endpoint_key::EndpointKey;
use super::{Choose, ReadyEndpoint, ReadySet};
use crate::policies::{PickFirst, PickFirstBalancer};
use crate::{
    Balancer, BalancerState, CallInfo, Child, Children, Failure, FixedPicker, Input, Pick, PickResult,
    Picker, Plan, Steady,
};

type Leaf = Child<PickFirstBalancer>;

/// A policy that keeps a connection to every server and has a [`Choose`] pick among those that are ready.
///
/// It is READY while any server is, else CONNECTING while any is being tried for the first time, else in
/// TRANSIENT_FAILURE, and then until one is READY (gRFC A62). A server that is lost or down is dialled again
/// by itself, after its backoff, without any call. An endpoint that is listed twice counts once.
pub struct ChoosingBalancer<C> {
    chooser: Arc<C>,
    chance: StdRng,
    given: Vec<Endpoint>,
    leaves: Children<EndpointKey, PickFirstBalancer>,
    /// What calls are told since every server had failed, until one is Ready.
    failing: Option<Failure>,
    choosing: Option<Arc<ChoosingPicker<C>>>,
    said: Steady,
    state: Option<BalancerState>,
}

impl<C: Choose> ChoosingBalancer<C> {
    /// With this chooser; `seed` is for what is below it.
    pub fn new(chooser: C, seed: u64) -> Self {
        Self::sharing(Arc::new(chooser), seed)
    }

    /// With a chooser that other policies have too.
    pub(super) fn sharing(chooser: Arc<C>, seed: u64) -> Self {
        Self {
            chooser,
            chance: StdRng::seed_from_u64(seed),
            given: Vec::new(),
            leaves: Children::new(),
            failing: None,
            choosing: None,
            said: Steady::default(),
            state: None,
        }
    }

    /// How often one of the leaves was run.
    pub fn leaf_updates(&self) -> u64 {
        self.leaves.updates()
    }

    fn adopt(&mut self, endpoints: &[Endpoint]) {
        self.given = endpoints.to_vec();
        let wanted = endpoints.iter().map(|endpoint| (EndpointKey::of(endpoint), [endpoint.clone()]));
        let chance = &mut self.chance;
        self.leaves.set(wanted, |_| PickFirstBalancer::new(PickFirst::new(), chance.next_u64()));
    }

    fn without_endpoints(&mut self, input: &Input<'_>) -> BalancerState {
        self.failing = None;
        match input.resolution {
            0 => self.said.say(ConnectivityState::Connecting, FixedPicker::Queue),
            _ => {
                let failure = FixedPicker::Fail(Failure::no_endpoints(input.resolver_error));
                self.said.say(ConnectivityState::TransientFailure, failure)
            }
        }
    }

    /// READY over CONNECTING over TRANSIENT_FAILURE. No leaf is Idle: none may rest.
    fn aggregate(&mut self, input: &Input<'_>) -> BalancerState {
        let leaves = || self.leaves.iter().map(|(_, leaf)| leaf);
        let servers: Vec<_> = leaves().filter_map(|leaf| ready_endpoint(leaf, input)).collect();
        if !servers.is_empty() {
            self.failing = None;
            return self.choose_among(ReadySet { servers });
        }
        let mut failed: Vec<_> =
            leaves().filter_map(|leaf| Some((leaf.changed_in(), leaf.balancer().failure()?))).collect();
        let all_failed = failed.len() == self.leaves.len();
        if !all_failed && self.failing.is_none() {
            return self.said.say(ConnectivityState::Connecting, FixedPicker::Queue);
        }
        failed.sort_by_key(|(changed_in, _)| *changed_in);
        let failure = match (&self.failing, failed.is_empty()) {
            // The whole list is new, and nothing of it has failed yet.
            (Some(last), true) => last.clone(),
            _ => Failure::all(failed.into_iter().map(|(_, failure)| failure)),
        };
        let failure = if all_failed { failure } else { failure.retryable() };
        self.failing = Some(failure.clone());
        self.said.say(ConnectivityState::TransientFailure, FixedPicker::Fail(failure))
    }

    fn choose_among(&mut self, ready: ReadySet) -> BalancerState {
        let picker = match self.choosing.take() {
            Some(picker) if picker.ready == ready => picker,
            _ => Arc::new(ChoosingPicker { chooser: Arc::clone(&self.chooser), ready }),
        };
        self.choosing = Some(Arc::clone(&picker));
        BalancerState::new(ConnectivityState::Ready, picker)
    }
}

impl<C: Choose> Balancer for ChoosingBalancer<C> {
    fn update(&mut self, input: &Input<'_>, plan: &mut Plan) -> BalancerState {
        if self.given != input.endpoints {
            self.adopt(input.endpoints);
        }
        // A leaf may not rest: a server that is lost comes back without any call.
        let changed = self.leaves.update(&input.awake(), plan);
        let state = match &self.state {
            _ if self.leaves.is_empty() => self.without_endpoints(input),
            Some(state) if !changed => state.clone(),
            _ => self.aggregate(input),
        };
        self.state = Some(state.clone());
        state
    }
}

fn ready_endpoint(leaf: &Leaf, input: &Input<'_>) -> Option<ReadyEndpoint> {
    let address = leaf.balancer().chosen()?.clone();
    let live = Arc::clone(input.status(&address).live);
    Some(ReadyEndpoint { endpoint: Arc::clone(leaf.endpoints()), address, live })
}

struct ChoosingPicker<C> {
    chooser: Arc<C>,
    ready: ReadySet,
}

impl<C: Choose> Picker for ChoosingPicker<C> {
    fn pick(&self, call: &CallInfo<'_>) -> PickResult<'_> {
        match self.chooser.choose(&self.ready, call) {
            Some(server) => PickResult::Ready(Pick::to(server.address())),
            None => PickResult::Queue,
        }
    }
}

impl<C> fmt::Debug for ChoosingPicker<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChoosingPicker").field("ready", &self.ready.len()).finish_non_exhaustive()
    }
}

impl<C> fmt::Debug for ChoosingBalancer<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChoosingBalancer")
            .field("leaves", &self.leaves)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}
