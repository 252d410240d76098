//! From one policy to another without losing a call: the old one serves until the new one can. It is apart
//! from every policy, so that none has to know how to follow another.

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
/// While it switches, both policies have their wishes heard and calls follow the old one, so that the new one
/// connects before it is used. Connections that both wish for are shared: they belong to the channel.
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
    /// Starts with the policy of `config`. Every policy that it ever runs gets a seed of its own, drawn from
    /// `seed`.
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
        // The new one takes over: it serves or has failed, it rests until a call comes (which it would never
        // see while it is pending), or the old one is of no more use. The one that goes contributes nothing.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::{World, address};
    use crate::{FixedPicker, PickFirst, RoundRobin, Steady};

    use serde_json::json;
    use trunkline_proto::ConnectivityState::*;
    use trunkline_proto::{Attributes, Endpoint, Weight};

    /// The addresses of the policies below, by their numbers.
    const NAMES: [&str; 3] = ["a", "b", "c"];

    /// Connects to one address, and is in whatever state that is. The one called "c" rests until a call
    /// comes.
    struct Only(&'static str, Steady);

    impl Balancer for Only {
        fn update(&mut self, input: &Input<'_>, plan: &mut Plan) -> BalancerState {
            let own = address(self.0);
            match input.status(&own).state {
                Idle if self.0 == "c" && !input.status(&own).demanded => {
                    self.1.say(Idle, FixedPicker::Wake(own))
                }
                state => {
                    plan.connect(&own);
                    match state {
                        Ready => self.1.say(Ready, FixedPicker::Ready(own)),
                        TransientFailure => self.1.say(state, FixedPicker::Queue),
                        _ => self.1.say(Connecting, FixedPicker::Queue),
                    }
                }
            }
        }
    }

    /// A switch that is told the number of its next config by the weight of the first endpoint.
    struct Told(Switch);

    impl Balancer for Told {
        fn update(&mut self, input: &Input<'_>, plan: &mut Plan) -> BalancerState {
            let weight = input.endpoints.first().and_then(|first| first.attributes.get::<Weight>());
            if let Some(Weight(number)) = weight {
                self.0.configure(config(*number));
            }
            self.0.update(input, plan)
        }
    }

    fn config(number: u32) -> BalancerConfig {
        match number {
            0..3 => {
                let name = NAMES[number as usize];
                BalancerConfig::new(name, json!({}), move |_| Only(name, Steady::default()))
            }
            3 => PickFirst::new().into(),
            _ => RoundRobin.into(),
        }
    }

    /// A world whose switch runs config 0, which is Ready.
    fn serving() -> World {
        let start = |seed| Told(Switch::new(config(0), seed));
        let mut world = World::new(BalancerConfig::new("told", json!({}), start));
        world.resolve(told(0));
        world.ready("a");
        world.assert_picks(["a"]);
        world
    }

    /// An answer that makes the switch take config `number`.
    fn told(number: u32) -> [Endpoint; 3] {
        let attributes = Attributes::new().with(Weight(number));
        NAMES.map(|name| Endpoint::new(address(name)).with_attributes(attributes.clone()))
    }

    // behaviour 42; facts F-18
    #[test]
    fn the_old_policy_serves_until_the_new_one_is_ready() {
        let mut world = serving();
        let pickers = world.pickers();
        world.resolve(told(1));
        world.assert_picks(["a"]);
        world.assert_dialling(["b"]);
        assert_eq!(world.pickers(), pickers);
        world.ready("b");
        world.assert_picks(["b"]);
        world.assert_connected(["b"]);
    }

    // behaviour 42
    #[test]
    fn the_old_policy_serves_until_the_new_one_has_failed() {
        let mut world = serving();
        world.resolve(told(1));
        world.fail("b");
        world.assert_state(TransientFailure);
        world.assert_connected([]);
    }

    // behaviour 42
    #[test]
    fn the_new_policy_takes_over_when_the_old_one_is_no_longer_ready() {
        let mut world = serving();
        world.resolve(told(1));
        world.lose("a");
        world.assert_state(Connecting);
        world.assert_dialling(["b"]);
        world.resolve(told(2));
        world.assert_dialling([]);
        world.assert_state(Idle);
    }

    #[test]
    fn a_new_policy_that_rests_takes_over_since_only_calls_can_wake_it() {
        let mut world = serving();
        world.resolve(told(2));
        world.assert_state(Idle);
        world.pick();
        world.assert_dialling(["c"]);
    }

    // behaviour 42
    #[test]
    fn a_third_config_replaces_the_pending_one() {
        let mut world = serving();
        world.resolve(told(1));
        world.assert_dialling(["b"]);
        world.resolve(told(3));
        // pick_first finds the connection that there is.
        world.assert_dialling([]);
        world.assert_picks(["a"]);
        assert_eq!((world.dials("a"), world.dials("b")), (1, 1));
    }

    #[test]
    fn going_back_to_the_serving_config_drops_the_pending_policy() {
        let mut world = serving();
        let pickers = world.pickers();
        world.resolve(told(1));
        world.resolve(told(0));
        world.assert_dialling([]);
        world.assert_picks(["a"]);
        assert_eq!((world.dials("a"), world.pickers()), (1, pickers));
    }

    #[test]
    fn an_equal_config_keeps_the_pending_policy_too() {
        let mut switch = Switch::new(config(0), 1);
        assert_eq!(switch.config().name(), "a");
        switch.configure(config(1));
        assert_eq!(switch.config().name(), "b");
        let before = switch.pending.as_ref().map(|pending| std::ptr::from_ref(&*pending.balancer).addr());
        switch.configure(config(1));
        let after = switch.pending.as_ref().map(|pending| std::ptr::from_ref(&*pending.balancer).addr());
        assert_eq!(before, after);
    }

    #[test]
    fn connections_that_both_policies_wish_for_are_kept() {
        let mut world = serving();
        world.resolve(told(3));
        world.resolve(told(4));
        world.assert_picks(["a"]);
        assert_eq!((world.dials("a"), world.dials("b"), world.dials("c")), (1, 1, 1));
        world.ready("b");
        world.assert_picks(["a", "b"]);
    }

    #[test]
    fn random_stories_with_many_switches_break_no_law_and_leave_it_able_to_connect() {
        for seed in 0..40 {
            let start = |seed| Told(Switch::new(config(3), seed));
            let mut world = World::with_seed(BalancerConfig::new("told", json!({}), start), seed);
            for part in 0..20 {
                world.wander(seed * 1000 + part, 10);
                world.resolve(told(if (seed + part) % 3 == 0 { 3 } else { 4 }));
            }
            world.mend();
        }
    }
}
