//! The running `pick_first`: from a list of addresses and their statuses to one connection.

use trunkline_proto::{Address, ConnectivityState, Endpoint};

use super::PickFirst;
use super::failing::Failing;
use super::order::order;
use super::pass::Pass;
use crate::{Balancer, BalancerState, Failure, FixedPicker, Input, Plan, Steady};

/// A running `pick_first`.
///
/// ```text
///              addresses            all failed
///   Empty ----------------> Pass ----------------> Sweep
///     ^                    ^    \                  /
///     | none left          |     \ one is Ready   / one is Ready
///   (any)    demanded, or  |      v              v
///            a new list    |         Chosen
///            without it    |           | lost
///                          `-------- Resting
/// ```
///
/// A changed list begins a new pass from Pass and Sweep, and from Chosen if the chosen address is not in it.
#[derive(Debug)]
pub(crate) struct PickFirstBalancer {
    settings: PickFirst,
    seed: u64,
    given: Vec<Endpoint>,
    addresses: Vec<Address>,
    phase: Phase,
    /// Since the first failed pass, until Ready (gRFC A62).
    failing: Option<Failing>,
    /// The answer of the resolver that is doubted.
    doubt: Option<u64>,
    said: Steady,
}

#[derive(Debug)]
enum Phase {
    /// There is no address.
    Empty,
    /// The addresses are tried in order.
    Pass(Pass),
    /// All have failed; each is tried again as its backoff ends.
    Sweep,
    /// Calls go to this one.
    Chosen(Address),
    /// This one was lost, and no call has come since.
    Resting { lost: Address },
}

impl PickFirstBalancer {
    /// With these settings; `seed` decides its shuffles.
    pub(crate) fn new(settings: PickFirst, seed: u64) -> Self {
        let (given, addresses) = (Vec::new(), Vec::new());
        let (phase, said) = (Phase::Empty, Steady::default());
        Self { settings, seed, given, addresses, phase, failing: None, doubt: None, said }
    }

    /// The address that calls go to.
    pub(crate) fn chosen(&self) -> Option<&Address> {
        match &self.phase {
            Phase::Chosen(address) => Some(address),
            _ => None,
        }
    }

    /// Why no address can be reached, while it is in TRANSIENT_FAILURE.
    pub(crate) fn failure(&self) -> Option<&Failure> {
        self.failing.as_ref().map(Failing::failure)
    }

    /// Takes over a changed list. Attributes play no part: they are not what a connection is.
    fn adopt(&mut self, input: &Input<'_>) {
        let same = self.given.len() == input.endpoints.len()
            && (self.given.iter().zip(input.endpoints)).all(|(old, new)| old.addresses() == new.addresses());
        if same {
            return;
        }
        self.given = input.endpoints.to_vec();
        self.seed = self.seed.wrapping_add(1);
        self.addresses = order(&self.given, self.settings.shuffle.then_some(self.seed));
        let had_none = matches!(self.phase, Phase::Empty);
        match &self.phase {
            _ if self.addresses.is_empty() => self.phase = Phase::Empty,
            Phase::Chosen(address) if self.addresses.contains(address) => {}
            // Nobody has asked for a connection since the last was lost.
            Phase::Resting { .. } => {}
            _ => self.phase = Phase::Pass(Pass::default()),
        }
        // Only failed connections stick (gRFC A62): after an empty list, a new one is as good as the first.
        if had_none || self.addresses.is_empty() {
            self.failing = None;
        }
        if let Some(failing) = &mut self.failing {
            failing.relist(&self.addresses, input);
        }
    }

    fn transition(&mut self, input: &Input<'_>) {
        if matches!(self.phase, Phase::Empty) {
            return;
        }
        if let Some(ready) = self.ready_address(input) {
            self.failing = None;
            if self.chosen() != Some(&ready) {
                self.phase = Phase::Chosen(ready);
            }
            return;
        }
        if let Phase::Chosen(lost) = &self.phase {
            self.phase = Phase::Resting { lost: lost.clone() };
            self.doubt = Some(input.resolution);
        }
        if matches!(self.phase, Phase::Resting { .. }) && self.is_demanded(input) {
            self.phase = Phase::Pass(Pass::default());
        }
        // Before the pass, so that the failure that ends it counts as its own and not for the round that
        // follows.
        if let Some(failing) = &mut self.failing {
            failing.refresh(&self.addresses, input);
        }
        if let Phase::Pass(pass) = &mut self.phase
            && pass.proceed(&self.addresses, self.settings.attempt_delay, input)
        {
            self.phase = Phase::Sweep;
            self.doubt = Some(input.resolution);
            self.failing.get_or_insert_with(|| Failing::new(&self.addresses, input)).begin_round();
        }
        if let (Phase::Sweep, Some(failing)) = (&self.phase, &mut self.failing)
            && failing.another_round()
        {
            self.doubt = Some(input.resolution);
        }
    }

    /// The chosen one while it is Ready, else the first that is.
    fn ready_address(&self, input: &Input<'_>) -> Option<Address> {
        let is_ready = |address: &&Address| input.status(address).state == ConnectivityState::Ready;
        self.chosen().filter(is_ready).or_else(|| self.addresses.iter().find(is_ready)).cloned()
    }

    fn is_demanded(&self, input: &Input<'_>) -> bool {
        self.addresses.iter().any(|address| input.status(address).demanded)
    }

    fn wish(&mut self, input: &Input<'_>, plan: &mut Plan) {
        match &self.phase {
            Phase::Empty => {}
            Phase::Pass(pass) => pass.wish(&self.addresses, plan),
            Phase::Sweep => self.addresses.iter().for_each(|address| plan.connect(address)),
            Phase::Chosen(address) => plan.hold(address),
            // It may look lost only because a filter above ejected it: letting it go would close a live
            // connection.
            Phase::Resting { lost } => {
                if self.addresses.contains(lost) {
                    plan.hold(lost);
                }
            }
        }
        // An answer came: whether it helps shows by itself. (An empty one is for the channel to doubt: it
        // knows the resolver, and how often that may be asked.)
        self.doubt = self.doubt.filter(|doubted| *doubted == input.resolution);
        if self.doubt.is_some() {
            plan.resolve();
        }
    }

    fn state(&mut self, input: &Input<'_>) -> BalancerState {
        let (connectivity, picker) = match (&self.phase, &self.failing) {
            (Phase::Empty, _) if input.resolution > 0 => {
                let failure = Failure::no_endpoints(input.resolver_error);
                (ConnectivityState::TransientFailure, FixedPicker::Fail(failure))
            }
            (Phase::Chosen(address), _) => (ConnectivityState::Ready, FixedPicker::Ready(address.clone())),
            // From the top of the list, wherever the lost one stood in it.
            (Phase::Resting { .. }, _) => {
                (ConnectivityState::Idle, FixedPicker::Wake(self.addresses[0].clone()))
            }
            (_, Some(failing)) => {
                (ConnectivityState::TransientFailure, FixedPicker::Fail(failing.failure().clone()))
            }
            (_, None) => (ConnectivityState::Connecting, FixedPicker::Queue),
        };
        self.said.say(connectivity, picker)
    }
}

impl Balancer for PickFirstBalancer {
    fn update(&mut self, input: &Input<'_>, plan: &mut Plan) -> BalancerState {
        self.adopt(input);
        self.transition(input);
        self.wish(input, plan);
        self.state(input)
    }
}
