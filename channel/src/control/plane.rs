//! The machine itself: it takes in what happened, and decides what should be.

use std::sync::Arc;
use std::time::Instant;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use trunkline_balancer::{BalancerState, Failure, FixedPicker, Input, Plan};
use trunkline_proto::wire::Code;
use trunkline_proto::{ConnectError, ConnectivityState, Phase};
use trunkline_resolver::{Resolution, ResolveError};

#[cfg(test)]
use {
    trunkline_balancer::{Statuses as _, SubchannelStatus},
    trunkline_proto::Address,
};

use super::doubt::Doubt;
use super::effects::Trouble;
use super::idle::Idleness;
use super::pace::Pace;
use super::policy::{Policy, Verdict};
use super::publish::{Outlook, Publisher};
use super::resolved::{Answer, Resolved};
use super::story::Story;
use super::subchannels::Subchannels;
use super::{Action, ControlOptions, Event, Snapshot};

/// Most updates of the policy in one decision. Two or three are usual: one for the news, one for what came of
/// the plan.
const MAX_ROUNDS: usize = 8;

/// Which connections there should be, and what calls are told.
///
/// ```text
///              Wake, Demand                     Close
///     Asleep --------------> Awake --------------------> Closed (finished when the last dial has gone)
///       ^                      |                           ^
///       |  idle for too long   |                           |
///       `----------------------'    Close (from Asleep) ---'
/// ```
///
/// [`handle`](Self::handle) only takes in. [`poll`](Self::poll) decides, at the pace that [`Pace`] allows: it
/// asks the policy what should be, carries that out, and asks again as long as that changed what the policy
/// sees. It is called after events, and when [`poll_timeout`](Self::poll_timeout) has come. `C` is the handle
/// of a live connection: it is stored, cloned into snapshots and never looked at.
#[derive(Debug)]
pub(crate) struct ControlPlane<C> {
    mode: Mode,
    subchannels: Subchannels<C>,
    policy: Policy,
    resolved: Resolved,
    resolver_trouble: Option<Trouble>,
    doubt: Doubt,
    pace: Pace,
    idleness: Idleness,
    publisher: Publisher<C>,
    story: Story,
    plan: Plan,
    /// Something happened that the revision of the subchannels does not tell.
    is_news: bool,
    /// The revision of the subchannels that was decided on last.
    decided: u64,
    /// When the policy wants to be asked again.
    wake_at: Option<Instant>,
    /// How a channel at rest stands, and a closed one.
    asleep: BalancerState,
    closed: BalancerState,
    actions: Vec<Action<C>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Asleep,
    Awake,
    Closed {
        abort_at: Option<Instant>,
    },
    /// The deadline of `Close` has passed: nothing is waited for but the last news.
    Aborted,
}

impl<C: Clone> ControlPlane<C> {
    /// A channel at rest. Its first snapshot is in force at once, and published by the first
    /// [`poll`](Self::poll).
    pub(crate) fn new(options: ControlOptions, now: Instant) -> Self {
        let mut chance = StdRng::seed_from_u64(options.seed);
        // Nothing is worth waiting for on a closed channel, whatever a call's `fail_fast` says: not Fail but
        // Drop.
        let closed = Failure::new(Code::Unavailable, "channel is closed");
        let asleep = BalancerState::new(ConnectivityState::Idle, FixedPicker::Queue.shared());
        Self {
            mode: Mode::Asleep,
            subchannels: Subchannels::new(&options, chance.next_u64()),
            policy: Policy::new(options.balancer, chance.next_u64()),
            resolved: Resolved::default(),
            resolver_trouble: None,
            doubt: Doubt::new(now),
            pace: Pace::new(now),
            idleness: Idleness::new(options.idle_timeout, now),
            publisher: Publisher::new(asleep.clone()),
            story: Story::default(),
            plan: Plan::new(),
            is_news: false,
            decided: 0,
            wake_at: None,
            asleep,
            closed: BalancerState::new(ConnectivityState::Shutdown, FixedPicker::Drop(closed).shared()),
            actions: Vec::new(),
        }
    }

    /// Takes in one event. Nothing comes of it before the next [`poll`](Self::poll).
    pub(crate) fn handle(&mut self, now: Instant, event: Event<C>) {
        match event {
            Event::Dial(id, news) => self.subchannels.hear(now, id, news, &self.resolved),
            Event::RuntimeLost => self.runtime_lost(now),
            Event::Close { deadline } => self.close(now, deadline),
            _ if self.is_closed() => {}
            // An answer may still be on its way when its resolver is stopped.
            Event::Resolved(_) if self.mode == Mode::Asleep => {}
            Event::Resolved(answer) => self.absorb(now, answer),
            Event::Demand { .. } | Event::Wake if self.mode == Mode::Asleep => self.wake(now),
            Event::Demand { version, address } => {
                // Of an older snapshot, the call has picked again by now.
                if version == self.snapshot().version {
                    self.subchannels.demand(now, &address);
                }
            }
            Event::Wake => {
                self.idleness.woken(now);
                // After a loss of the runtime the snapshot tells of connections that are no more.
                if self.snapshot().connectivity == ConnectivityState::Idle || !self.publisher.is_current() {
                    self.subchannels.demand_idle(now);
                }
            }
            Event::Activity(activity) => self.idleness.sample(now, activity),
            Event::ResetBackoff => {
                self.policy.reset_backoff(now);
                self.subchannels.reset_backoff(now);
            }
            Event::Configure(config) => {
                self.policy.configure(now, config);
                self.is_news = true;
            }
        }
    }

    /// Does all that is due, and appends what the driver shall do to `actions`.
    pub(crate) fn poll(&mut self, now: Instant, actions: &mut Vec<Action<C>>) {
        self.subchannels.tick(now);
        match self.mode {
            Mode::Asleep => {}
            Mode::Awake => {
                if self.idleness.is_over(now) {
                    self.mode = Mode::Asleep;
                    self.rest(now);
                }
            }
            Mode::Closed { abort_at } => {
                if abort_at.is_some_and(|abort_at| abort_at <= now) {
                    self.mode = Mode::Aborted;
                    self.subchannels.abort_all();
                }
            }
            Mode::Aborted => {}
        }
        if self.decision_due().is_some_and(|due| due <= now) {
            self.decide(now);
        }
        self.subchannels.dial(now);
        if self.subchannels.take_doubt() {
            self.doubt.lost();
        }
        if self.mode == Mode::Awake && self.doubt.take(now) {
            self.actions.push(Action::Refresh);
        }
        self.subchannels.drain_into(&mut self.actions);
        actions.append(&mut self.actions);
        actions.extend(self.publisher.take_unsent().map(Action::Publish));
    }

    /// When [`poll`](Self::poll) is due without any event. A time that has passed means now.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let due = match self.mode {
            // What subchannels remember of the past can wait until they are needed again.
            Mode::Asleep | Mode::Aborted => [None; 3],
            Mode::Awake => [self.subchannels.due(), self.idleness.due(), self.doubt.due()],
            Mode::Closed { abort_at } => [abort_at, None, None],
        };
        due.into_iter().chain([self.decision_due()]).flatten().min()
    }

    /// Whether the channel was closed, calls have been told so, and its last connection has gone.
    pub(crate) fn is_finished(&self) -> bool {
        let told = self.snapshot().connectivity == ConnectivityState::Shutdown;
        self.is_closed() && told && self.subchannels.are_gone()
    }

    /// The snapshot in force.
    pub(crate) fn snapshot(&self) -> &Arc<Snapshot<C>> {
        self.publisher.current()
    }

    fn absorb(&mut self, now: Instant, answer: Result<Resolution, ResolveError>) {
        let answer = self.resolved.absorb(answer);
        self.doubt.answered(self.resolved.count());
        let error = self.resolved.error().cloned();
        self.resolver_trouble = error.map(|error| self.subchannels.number_trouble(error));
        match answer {
            Answer::Taken => self.subchannels.resolved(now, &self.resolved),
            Answer::Empty => {
                self.subchannels.resolved(now, &self.resolved);
                self.actions.push(Action::Reject);
            }
            Answer::Error => {}
        }
        self.policy.start(now);
        self.is_news = true;
    }

    fn wake(&mut self, now: Instant) {
        self.mode = Mode::Awake;
        self.idleness.woken(now);
        self.actions.push(Action::StartResolver);
        self.is_news = true;
    }

    fn close(&mut self, now: Instant, deadline: Option<Instant>) {
        match &mut self.mode {
            Mode::Aborted => {}
            Mode::Closed { abort_at } => *abort_at = [*abort_at, deadline].into_iter().flatten().min(),
            Mode::Asleep | Mode::Awake => {
                let was_awake = self.mode == Mode::Awake;
                self.mode = Mode::Closed { abort_at: deadline };
                self.is_news = true;
                if was_awake {
                    self.rest(now);
                }
            }
        }
    }

    /// Nothing is watched and nothing connected any more: nobody has called for long, or the channel is
    /// closed.
    fn rest(&mut self, now: Instant) {
        self.actions.push(Action::StopResolver);
        self.policy.stop();
        self.resolved.forget();
        self.resolver_trouble = None;
        self.doubt.forget();
        self.plan.clear();
        self.subchannels.resolved(now, &self.resolved);
        self.subchannels.apply(now, &self.plan);
        self.is_news = true;
    }

    fn runtime_lost(&mut self, now: Instant) {
        let cause = ConnectError::new(Phase::Connect, "the runtime that ran the connection has gone");
        self.subchannels.runtime_lost(now, &cause);
        // The next runtime's clock may be behind (a test's, for one): what holds back until a time must not
        // hold back for ever.
        (self.pace, self.doubt) = (Pace::new(now), Doubt::new(now));
        self.policy.reset_backoff(now);
        // Said again for each runtime that turns out to have gone, too.
        let starts_already = self.actions.iter().any(|action| matches!(action, Action::StartResolver));
        if self.mode == Mode::Awake && !starts_already {
            self.actions.push(Action::StartResolver);
        }
        self.publisher.forget();
        self.is_news = true;
    }

    fn is_closed(&self) -> bool {
        matches!(self.mode, Mode::Closed { .. } | Mode::Aborted)
    }

    /// When to decide: as soon as the pace allows if there is news, else when the policy asked to be woken, or
    /// has rested from its panic.
    fn decision_due(&self) -> Option<Instant> {
        if self.is_news || self.subchannels.revision() != self.decided {
            return Some(self.pace.next());
        }
        let due = [self.wake_at, self.policy.due()].into_iter().flatten().min();
        due.map(|due| due.max(self.pace.next()))
    }

    fn decide(&mut self, now: Instant) {
        (self.is_news, self.wake_at) = (false, None);
        self.pace.decided(now, self.resolved.endpoints().len());
        let state = match self.mode {
            Mode::Awake => self.settle(now),
            Mode::Asleep => self.asleep.clone(),
            Mode::Closed { .. } | Mode::Aborted => self.closed.clone(),
        };
        self.decided = self.subchannels.revision();
        self.wake_at = self.pace.wake(now, self.wake_at);
        let trouble = self.subchannels.trouble(self.resolver_trouble.as_ref());
        // Of a channel only changes of state are told: with many addresses the newest error is ever another.
        if state.connectivity != self.snapshot().connectivity {
            let note = self.story.tell(None, state.connectivity, trouble.last());
            self.actions.extend(note.map(Action::Note));
        }
        let next_attempt = self.subchannels.next_attempt();
        let outlook = Outlook { state, is_asleep: self.mode == Mode::Asleep, trouble, next_attempt };
        if self.publisher.renew(outlook, &self.subchannels) {
            self.subchannels.clear_demands();
        }
        self.subchannels.sweep();
    }

    /// Asks the policy and carries out what it wishes, until that changes nothing any more that the policy
    /// sees.
    fn settle(&mut self, now: Instant) -> BalancerState {
        self.policy.restart(now);
        let mut last = None;
        for _ in 0..MAX_ROUNDS {
            let seen = self.subchannels.revision();
            self.plan.clear();
            let input = Input::new(now, &self.subchannels, self.resolved.attributes());
            match self.policy.update(&self.resolved.show(input), &mut self.plan) {
                Verdict::Said(state) => {
                    self.carry_out(now);
                    if self.subchannels.revision() == seen {
                        return state;
                    }
                    last = Some(state);
                }
                // What it wished before stands: live connections stay for the one that comes after it. A
                // resolver that can shall bring that about.
                Verdict::Panicked => self.doubt.lost(),
                Verdict::Standing(state) => return state,
            }
        }
        self.pace.unsettled(now);
        self.is_news = true;
        last.expect("a policy that never said anything has panicked, and then the next round ended")
    }

    fn carry_out(&mut self, now: Instant) {
        self.subchannels.apply(now, &self.plan);
        self.wake_at = self.plan.wakes_at();
        if self.plan.wants_resolution() {
            self.doubt.wish(self.resolved.count());
        }
    }
}

#[cfg(test)]
impl<C: Clone> ControlPlane<C> {
    /// What policies are shown of an address.
    pub(super) fn status(&self, address: &Address) -> SubchannelStatus<'_> {
        self.subchannels.status(address)
    }

    /// What is wished now.
    pub(super) fn plan(&self) -> &Plan {
        &self.plan
    }
}
