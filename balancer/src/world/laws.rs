//! The laws of [`Balancer`], checked at every update: a twin with the same seed lives through the same story.

use std::fmt;
use std::sync::Arc;

use trunkline_proto::{ConnectivityState, Endpoint};

use super::expect::Picked;
use crate::{Balancer, BalancerConfig, BalancerState, CallInfo, FixedPicker, Input, Intent, Picker, Plan};

/// The policy and its twin.
pub(super) struct Cast {
    policy: Box<dyn Balancer>,
    twin: Box<dyn Balancer>,
    last: ConnectivityState,
}

/// What the policy decided, and its twin as well.
pub(super) struct Decided {
    state: BalancerState,
    twin: BalancerState,
}

/// The state that calls see, and the twin's.
#[derive(Debug)]
pub(super) struct Published {
    state: BalancerState,
    twin: Arc<dyn Picker>,
}

impl Cast {
    pub(super) fn start(config: &BalancerConfig, seed: u64) -> Self {
        Self { policy: config.start(seed), twin: config.start(seed), last: ConnectivityState::Connecting }
    }

    /// Updates the policy, and says which law it broke, if any.
    pub(super) fn decide(&mut self, input: &Input<'_>, plan: &mut Plan) -> Result<Decided, String> {
        plan.clear();
        let state = self.policy.update(input, plan);
        let mut other = Plan::new();
        let again = self.policy.update(input, &mut other);
        if again != state || other != *plan {
            return Err(format!(
                "not idempotent: a second update with the same input gave {again:?} with {other:?}, after {state:?} with {plan:?}"
            ));
        }
        // The twin is updated as often, so that the two stay in step.
        other.clear();
        self.twin.update(input, &mut other);
        other.clear();
        let twin = self.twin.update(input, &mut other);
        if twin.connectivity != state.connectivity || other != *plan {
            return Err(format!(
                "not deterministic: the same seed and story gave {twin:?} with {other:?}, and {state:?} with {plan:?}"
            ));
        }
        if let Some(time) = plan.wakes_at().filter(|time| *time <= input.now) {
            return Err(format!("does not look forward: wake_at lies {:?} in the past", input.now - time));
        }
        if self.last == ConnectivityState::Idle {
            check_wakes(input, plan, &state)?;
        }
        self.last = state.connectivity;
        Ok(Decided { state, twin })
    }
}

/// A policy that was Idle may not stay so when what it offered is demanded.
fn check_wakes(input: &Input<'_>, plan: &Plan, state: &BalancerState) -> Result<(), String> {
    let statuses =
        || input.endpoints.iter().flat_map(Endpoint::addresses).map(|address| input.status(address));
    if !statuses().any(|status| status.demanded) {
        return Ok(());
    }
    if state.connectivity == ConnectivityState::Idle {
        return Err("does not wake: it was Idle, was demanded, and stays Idle".to_owned());
    }
    let idle = statuses().any(|status| status.demanded && status.state == ConnectivityState::Idle);
    let connects = plan.intents().any(|(_, intent)| intent == Intent::Connect);
    if idle && !connects && state.connectivity != ConnectivityState::Ready {
        return Err(
            "does not wake: it was Idle, an Idle address was demanded, and it connects none".to_owned()
        );
    }
    Ok(())
}

impl Decided {
    pub(super) fn connectivity(&self) -> ConnectivityState {
        self.state.connectivity
    }
}

impl Published {
    /// Before the first decision.
    pub(super) fn nothing() -> Self {
        let queue = FixedPicker::Queue.shared();
        let state = BalancerState::new(ConnectivityState::Connecting, Arc::clone(&queue));
        Self { state, twin: queue }
    }

    /// True if calls now see another state.
    pub(super) fn publish(&mut self, decided: Decided) -> bool {
        if decided.state == self.state {
            return false;
        }
        *self = Self { state: decided.state, twin: decided.twin.picker };
        true
    }

    pub(super) fn state(&self) -> &BalancerState {
        &self.state
    }

    /// What the picker says to `call`, and the address that it wants as well.
    pub(super) fn pick(&self, call: &CallInfo<'_>) -> Result<Picked, String> {
        let picked = Picked::new(self.state.picker.pick(call));
        let twin = Picked::new(self.twin.pick(call));
        if picked != twin {
            return Err(format!("not deterministic: the same seed and story picked {twin:?} and {picked:?}"));
        }
        Ok(picked)
    }
}

impl fmt::Debug for Cast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cast").field("last", &self.last).finish_non_exhaustive()
    }
}
