//! From one policy to another without losing a call: the old one serves until the new one can. It is apart from
//! every policy, so that none has to know how to follow another.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use trunkline_proto::ConnectivityState;

use crate::{Balancer, BalancerConfig, BalancerState, Input, Plan};

/// A policy that can be replaced by another while it runs.
///
/// ```text
///            another config                  the pending one is no longer Connecting,
///   Serving ----------------> Switching ----- or the serving one is not Ready --------> Serving (the new one)
///                              ^      |
///                              `------' a third config replaces the pending one
/// ```
///
/// While it switches, both policies have their wishes heard and calls follow the old one, so that the new one connects before
/// it is used. Connections that both wish for are shared: they belong to the channel.
pub struct Switch {
    chance: StdRng,
    serving: Running,
    pending: Option<Running>,
}

struct Running {
    config: BalancerConfig,
    balancer: Box<dyn Balancer>,
}

impl Switch {
    /// Starts with the policy of `config`. Every policy that it ever runs gets a seed of its own, drawn from `seed`.
    pub fn new(config: BalancerConfig, seed: u64) -> Self {
        let mut chance = StdRng::seed_from_u64(seed);
        let serving = Running::start(config, &mut chance);
        Self { chance, serving, pending: None }
    }

    /// Replaces the policy by that of `config`, gracefully. An equal config keeps the one that runs.
    pub fn configure(&mut self, config: BalancerConfig) {
        if *self.config() == config {
            return;
        }
        // Back to the one that still serves: there is nothing to start.
        let is_back = self.serving.config == config;
        self.pending = (!is_back).then(|| Running::start(config, &mut self.chance));
    }

    /// The newest config: that of the pending policy if there is one.
    pub fn config(&self) -> &BalancerConfig {
        &self.pending.as_ref().unwrap_or(&self.serving).config
    }
}

impl Balancer for Switch {
    fn update(&mut self, input: &Input<'_>, plan: &mut Plan) -> BalancerState {
        let Some(mut pending) = self.pending.take() else {
            return self.serving.balancer.update(input, plan);
        };
        let mut new_part = Plan::new();
        let new_state = pending.balancer.update(input, &mut new_part);
        if new_state.connectivity == ConnectivityState::Connecting {
            let mut old_part = Plan::new();
            let old_state = self.serving.balancer.update(input, &mut old_part);
            if old_state.connectivity == ConnectivityState::Ready {
                self.pending = Some(pending);
                plan.add(&new_part);
                plan.add(&old_part);
                return old_state;
            }
        }
        // The new one takes over: it serves or has failed, it rests until a call comes (which it would never see while it is
        // pending), or the old one is of no more use. The one that goes contributes nothing.
        self.serving = pending;
        plan.add(&new_part);
        new_state
    }
}

impl Running {
    fn start(config: BalancerConfig, chance: &mut StdRng) -> Self {
        let balancer = config.start(chance.next_u64());
        Self { config, balancer }
    }
}

impl std::fmt::Debug for Switch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Switch")
            .field("serving", &self.serving.config)
            .field("pending", &self.pending.as_ref().map(|pending| &pending.config))
            .finish_non_exhaustive()
    }
}
