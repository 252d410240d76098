//! The policies that stories run: the real ones, and one that breaks down now and then.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;
use trunkline_balancer::{
    Balancer, BalancerConfig, BalancerState, Input, PickFirst, Plan, RoundRobin, Switch,
};

/// How many there are.
pub(super) const POLICIES: usize = 4;

/// The one that wants every server connected.
pub(super) const ROUND_ROBIN: usize = 2;

/// One of them.
pub(super) fn policy(index: usize) -> BalancerConfig {
    match index {
        0 => PickFirst::new().into(),
        1 => PickFirst::new().shuffle(true).into(),
        ROUND_ROBIN => RoundRobin.into(),
        _ => Fragile::config(),
    }
}

/// The policies whose stories must end well: those that do not panic.
pub(super) fn sound_policy(index: usize) -> BalancerConfig {
    policy(index % (POLICIES - 1))
}

/// `pick_first`, but one update in so many panics.
struct Fragile {
    within: Switch,
    chance: StdRng,
}

const PANICS: f64 = 0.02;

impl Fragile {
    fn config() -> BalancerConfig {
        BalancerConfig::new("fragile", json!({}), |seed| Self {
            within: Switch::new(PickFirst::new().into(), seed),
            chance: StdRng::seed_from_u64(seed),
        })
    }
}

impl Balancer for Fragile {
    fn update(&mut self, input: &Input<'_>, plan: &mut Plan) -> BalancerState {
        let state = self.within.update(input, plan);
        if self.chance.random_bool(PANICS) {
            // A panic as any other, but for the hook, which would print each of thousands.
            std::panic::resume_unwind(Box::new("fragile"));
        }
        state
    }
}
