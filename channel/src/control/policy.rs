//! The running policy, and what stands in for it: before the first answer of the resolver there is none, and
//! one that panicked must not take the process with it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use trunkline_balancer::{
    Balancer, BalancerConfig, BalancerState, Failure, FixedPicker, Input, Plan, Switch,
};
use trunkline_proto::ConnectivityState;
use trunkline_proto::wire::Code;

use crate::panic::panic_text;

/// The root of a channel's policies.
///
/// ```text
///           an answer            panics
///    Absent ---------> Running ----------> Broken
///      ^                | ^                 |  |
///      |                | `-----------------'  |
///      |                |   an answer, or      |
///      |                |   another config     |
///      `----------------'----------------------'
///            stopped
/// ```
#[derive(Debug)]
pub(super) struct Policy {
    config: BalancerConfig,
    chance: StdRng,
    stage: Stage,
    /// While there is none: calls wait.
    waiting: BalancerState,
}

#[derive(Debug)]
enum Stage {
    Absent,
    Running(Box<Switch>),
    Broken(BalancerState),
}

/// What a policy says.
pub(super) enum Verdict {
    /// The plan is whole.
    Said(BalancerState),
    /// It has just panicked: the plan means nothing.
    Panicked,
    /// There is none, or none that works; nothing should change.
    Standing(BalancerState),
}

impl Policy {
    pub(super) fn new(config: BalancerConfig, seed: u64) -> Self {
        let waiting = BalancerState::new(ConnectivityState::Connecting, FixedPicker::Queue.shared());
        Self { config, chance: StdRng::seed_from_u64(seed), stage: Stage::Absent, waiting }
    }

    /// There is something to decide on: starts the policy unless it runs.
    pub(super) fn start(&mut self) {
        if !matches!(self.stage, Stage::Running(_)) {
            let seed = self.chance.next_u64();
            let config = self.config.clone();
            // Starting it runs the plugin's code too.
            self.stage = match catch_unwind(AssertUnwindSafe(|| Switch::new(config, seed))) {
                Ok(switch) => Stage::Running(Box::new(switch)),
                Err(panic) => Stage::Broken(self.broken(&panic_text(&*panic))),
            };
        }
    }

    pub(super) fn stop(&mut self) {
        let stage = std::mem::replace(&mut self.stage, Stage::Absent);
        drop_quietly(stage);
    }

    /// Another policy, or other settings.
    pub(super) fn configure(&mut self, config: BalancerConfig) {
        self.config = config.clone();
        match &mut self.stage {
            Stage::Absent => {}
            // What is broken may be what was configured.
            Stage::Broken(_) => self.start(),
            Stage::Running(switch) => {
                if let Err(panic) = catch_unwind(AssertUnwindSafe(|| switch.configure(config))) {
                    self.break_down(&panic_text(&*panic));
                }
            }
        }
    }

    /// Asks the policy what should be.
    pub(super) fn update(&mut self, input: &Input<'_>, plan: &mut Plan) -> Verdict {
        let switch = match &mut self.stage {
            Stage::Absent => return Verdict::Standing(self.waiting.clone()),
            Stage::Broken(state) => return Verdict::Standing(state.clone()),
            Stage::Running(switch) => switch,
        };
        match catch_unwind(AssertUnwindSafe(|| switch.update(input, plan))) {
            Ok(state) => Verdict::Said(state),
            Err(panic) => {
                self.break_down(&panic_text(&*panic));
                Verdict::Panicked
            }
        }
    }

    fn break_down(&mut self, text: &str) {
        let broken = Stage::Broken(self.broken(text));
        drop_quietly(std::mem::replace(&mut self.stage, broken));
    }

    /// INTERNAL, since an invariant of the policy is broken and no server is to blame; gRFC A54 allows that
    /// code here. Calls that would rather wait do: the next resolution may start one that works.
    fn broken(&self, text: &str) -> BalancerState {
        let message = format!("the load-balancing policy {} panicked: {text}", self.config.name());
        let picker = FixedPicker::Fail(Failure::new(Code::Internal, message)).shared();
        BalancerState::new(ConnectivityState::TransientFailure, picker)
    }
}

/// Dropping a policy that broke runs its code once more.
fn drop_quietly(stage: Stage) {
    let _ = catch_unwind(AssertUnwindSafe(|| drop(stage)));
}
