//! The running policy, and what stands in for it: before the first answer of the resolver there is none, and
//! one that panicked must not take the process with it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use trunkline_balancer::{
    Balancer, BalancerConfig, BalancerState, Failure, FixedPicker, Input, Plan, Switch,
};
use trunkline_proto::ConnectivityState;
use trunkline_proto::wire::Code;

use super::Backoff;
use super::backoff::BackoffState;
use crate::panic::panic_text;

/// The root of a channel's policies.
///
/// ```text
///           an answer            panics
///    Absent ---------> Running ----------> Broken
///      ^                | ^                 |  |
///      |                | `-----------------'  |
///      |                |   an answer, another |
///      |                |   config, or its     |
///      |                |   backoff is over    |
///      `----------------'----------------------'
///            stopped
/// ```
///
/// The backoff is gRPC's, as for a resolver that panics. It starts afresh after a policy that ran for longer
/// than it would have waited.
#[derive(Debug)]
pub(super) struct Policy {
    config: BalancerConfig,
    chance: StdRng,
    stage: Stage,
    backoff: BackoffState,
    /// While there is none: calls wait.
    waiting: BalancerState,
}

#[derive(Debug)]
enum Stage {
    Absent,
    Running {
        switch: Box<Switch>,
        since: Instant,
    },
    /// Another is started at `until`, if nothing starts one before.
    Broken {
        state: BalancerState,
        until: Instant,
    },
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
        let (chance, backoff) = (StdRng::seed_from_u64(seed), BackoffState::default());
        Self { config, chance, stage: Stage::Absent, backoff, waiting }
    }

    /// There is something to decide on: starts the policy unless it runs.
    pub(super) fn start(&mut self, now: Instant) {
        if !matches!(self.stage, Stage::Running { .. }) {
            let seed = self.chance.next_u64();
            let config = self.config.clone();
            // Starting it runs the plugin's code too.
            match catch_unwind(AssertUnwindSafe(|| Switch::new(config, seed))) {
                Ok(switch) => self.stage = Stage::Running { switch: Box::new(switch), since: now },
                Err(panic) => self.break_down(now, &panic_text(&*panic)),
            }
        }
    }

    pub(super) fn stop(&mut self) {
        let stage = std::mem::replace(&mut self.stage, Stage::Absent);
        self.backoff.reset();
        drop_quietly(stage);
    }

    /// Another policy, or other settings.
    pub(super) fn configure(&mut self, now: Instant, config: BalancerConfig) {
        self.config = config.clone();
        match &mut self.stage {
            Stage::Absent => {}
            // What is broken may be what was configured.
            Stage::Broken { .. } => self.start(now),
            Stage::Running { switch, .. } => {
                if let Err(panic) = catch_unwind(AssertUnwindSafe(|| switch.configure(config))) {
                    self.break_down(now, &panic_text(&*panic));
                }
            }
        }
    }

    /// When [`restart`](Self::restart) has something to do.
    pub(super) fn due(&self) -> Option<Instant> {
        match self.stage {
            Stage::Broken { until, .. } => Some(until),
            _ => None,
        }
    }

    /// Starts another in the place of one that broke, if it is time.
    pub(super) fn restart(&mut self, now: Instant) {
        if self.due().is_some_and(|due| due <= now) {
            self.start(now);
        }
    }

    /// Whatever it waits for is over.
    pub(super) fn reset_backoff(&mut self, now: Instant) {
        self.backoff.reset();
        if let Stage::Broken { until, .. } = &mut self.stage {
            *until = now;
        }
    }

    /// Asks the policy what should be.
    pub(super) fn update(&mut self, input: &Input<'_>, plan: &mut Plan) -> Verdict {
        let switch = match &mut self.stage {
            Stage::Absent => return Verdict::Standing(self.waiting.clone()),
            Stage::Broken { state, .. } => return Verdict::Standing(state.clone()),
            Stage::Running { switch, .. } => switch,
        };
        match catch_unwind(AssertUnwindSafe(|| switch.update(input, plan))) {
            Ok(state) => Verdict::Said(state),
            Err(panic) => {
                self.break_down(input.now, &panic_text(&*panic));
                Verdict::Panicked
            }
        }
    }

    /// INTERNAL, since an invariant of the policy is broken and no server is to blame; gRFC A54 allows that
    /// code here. Calls that would rather wait do: the next one that is started may work.
    fn break_down(&mut self, now: Instant, text: &str) {
        let settings = Backoff::default();
        let wait = self.backoff.wait(&settings, &mut self.chance);
        match self.stage {
            Stage::Running { since, .. } if now.saturating_duration_since(since) > wait => {
                self.backoff.reset()
            }
            _ => {}
        }
        let until = now + self.backoff.wait(&settings, &mut self.chance);
        self.backoff.grow(&settings);
        let message = format!("the load-balancing policy {} panicked: {text}", self.config.name());
        let picker = FixedPicker::Fail(Failure::new(Code::Internal, message)).shared();
        let state = BalancerState::new(ConnectivityState::TransientFailure, picker);
        drop_quietly(std::mem::replace(&mut self.stage, Stage::Broken { state, until }));
    }
}

/// Dropping a policy that broke runs its code once more.
fn drop_quietly(stage: Stage) {
    let _ = catch_unwind(AssertUnwindSafe(|| drop(stage)));
}
