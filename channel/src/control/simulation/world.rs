//! The world around one control plane: a clock, a driver that obeys, and the bookkeeping that the invariants
//! are checked against.

use std::sync::Arc;
use std::time::{Duration, Instant};

use indexmap::IndexMap;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use trunkline_proto::{Address, ConnectError, Endpoint, Phase};

use super::calls::{Call, Stage as CallStage, Word};
use super::dials::{Dial, Dials, Stage};
use super::policies::{POLICIES, ROUND_ROBIN, policy};
use super::spacing::Spacing;
use super::words;
use crate::control::{
    Action, Activity, Backoff, ControlOptions, ControlPlane, DialId, DialNews, Event, Snapshot, Usage,
};

/// Most polls without time passing: more is a machine that spins.
const MAX_POLLS: usize = 1000;

/// A connection that was Ready for so long has proved itself, whatever its backoff was: the longest, with all
/// its jitter.
const SURE_PROOF: Duration = Duration::from_secs(144);

/// One story in so many has more servers than may be dialled at once. They take their time to play.
const CROWD_EVERY: u64 = 100;
const CROWD: usize = 110;

pub(super) struct World {
    pub(super) chance: StdRng,
    pub(super) plane: ControlPlane<DialId>,
    start: Instant,
    pub(super) now: Instant,
    pub(super) addresses: Vec<Address>,
    /// The newest good answer of the resolver that is running.
    pub(super) endpoints: Vec<Endpoint>,
    pub(super) resolver: Resolver,
    pub(super) dials: Dials,
    pub(super) spacing: IndexMap<Address, Spacing>,
    /// Attempts that failed, for all that the control plane was told.
    pub(super) failures: IndexMap<Address, u64>,
    pub(super) calls: Vec<Call>,
    pub(super) last_ended: Option<Instant>,
    pub(super) idle_timeout: Duration,
    /// What calls read.
    pub(super) snapshot: Arc<Snapshot<DialId>>,
    pub(super) is_closed: bool,
    story: Vec<String>,
}

/// The resolver, as the driver runs it.
#[derive(Debug, Default)]
pub(super) struct Resolver {
    pub(super) is_running: bool,
    pub(super) refreshed: Option<Instant>,
    /// It was asked to look again.
    pub(super) is_asked: bool,
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let mut chance = StdRng::seed_from_u64(seed);
        // All times in the story are relative to this one.
        let start = Instant::now();
        let is_crowd = seed % CROWD_EVERY == CROWD_EVERY - 1;
        let idle_timeout = Duration::from_secs(if chance.random_bool(0.5) { 1800 } else { 20 });
        let options = ControlOptions {
            balancer: policy(if is_crowd { ROUND_ROBIN } else { chance.random_range(0..POLICIES) }),
            seed,
            backoff: Backoff::default(),
            connect_timeout: chance.random_bool(0.3).then_some(Duration::from_secs(3)),
            idle_timeout,
        };
        let plane = ControlPlane::new(options, start);
        let many = if is_crowd { CROWD } else { chance.random_range(1..=8) };
        let snapshot = Arc::clone(plane.snapshot());
        let mut world = Self {
            chance,
            plane,
            start,
            now: start,
            addresses: (0..many).map(|number| Address::other(format!("s{number}"))).collect(),
            endpoints: Vec::new(),
            resolver: Resolver::default(),
            dials: Dials::default(),
            spacing: IndexMap::new(),
            failures: IndexMap::new(),
            calls: Vec::new(),
            last_ended: None,
            idle_timeout,
            snapshot,
            is_closed: false,
            story: Vec::new(),
        };
        world.poll();
        world
    }

    pub(super) fn tell(&mut self, line: String) {
        self.story.push(format!("{:>12.6} {line}", (self.now - self.start).as_secs_f64()));
    }

    pub(super) fn into_story(self) -> Vec<String> {
        self.story
    }

    /// Lets an event happen.
    pub(super) fn happen(&mut self, event: Event<DialId>) {
        self.tell(words::event(&event));
        self.plane.handle(self.now, event);
        self.poll();
    }

    /// Time passes, and all that is due on the way happens at its time.
    pub(super) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        let mut polls = 0;
        while let Some(due) = self.next_due().filter(|due| *due <= end) {
            polls = if due > self.now { 0 } else { polls + 1 };
            assert!(polls < MAX_POLLS, "spins");
            self.now = self.now.max(due);
            self.do_what_is_due();
        }
        self.now = end;
        self.do_what_is_due();
    }

    /// The machine slept: time has passed, and nothing was done at its time.
    pub(super) fn jump(&mut self, time: Duration) {
        self.now += time;
        self.tell("(the clock jumps)".to_owned());
        self.do_what_is_due();
    }

    /// A dial becomes Ready.
    pub(super) fn connect(&mut self, id: DialId) {
        if let Some(dial) = self.dials.running.get_mut(&id) {
            dial.stage = Stage::Live { since: self.now };
            self.happen(Event::Dial(id, DialNews::Connected(id)));
        }
    }

    /// A dial that was not Ready yet ends.
    pub(super) fn fail(&mut self, id: DialId, error: ConnectError) {
        let Some(dial) = self.dials.end(id) else { return };
        if !dial.is_hung_up {
            self.attempt_failed(&dial, &error);
        }
        self.happen(Event::Dial(id, DialNews::Failed(error)));
    }

    /// A connection ends.
    pub(super) fn lose(&mut self, id: DialId, cause: ConnectError) {
        let Some(dial) = self.dials.end(id) else { return };
        if let (Stage::Live { since }, false) = (dial.stage, dial.is_hung_up) {
            self.connection_over(&dial, since, &cause);
        }
        self.end_calls_on(id);
        self.happen(Event::Dial(id, DialNews::Lost { cause, usage: dial.usage }));
    }

    /// The server says GOAWAY.
    pub(super) fn drain(&mut self, id: DialId) {
        let Some(dial) = self.dials.running.get_mut(&id) else { return };
        let Stage::Live { since } = dial.stage else { return };
        dial.stage = Stage::Draining { since: self.now };
        let (usage, is_hung_up) = (dial.usage, dial.is_hung_up);
        let cause = ConnectError::new(Phase::Http2, "GOAWAY");
        if !is_hung_up {
            let dial = self.dials.running.shift_remove(&id).expect("it was there");
            self.connection_over(&dial, since, &cause);
            self.dials.running.insert(id, dial);
        }
        self.happen(Event::Dial(id, DialNews::Draining { cause, usage }));
    }

    /// The runtime goes, and everything that ran on it without a last word.
    pub(super) fn lose_runtime(&mut self) {
        for id in self.dials.ids(|_| true) {
            self.dials.end(id);
            self.end_calls_on(id);
        }
        self.resolver = Resolver::default();
        self.happen(Event::RuntimeLost);
    }

    pub(super) fn begin_call(&mut self, is_fail_fast: bool, deadline: Option<Instant>) {
        self.tell(format!("a call begins, fail fast: {is_fail_fast}"));
        self.calls.push(Call { is_fail_fast, deadline, stage: CallStage::Waiting { version: 0 } });
        self.pick_for_waiting_calls();
    }

    /// Calls that wait for something newer than they read look at what there is, and say what they want.
    pub(super) fn pick_for_waiting_calls(&mut self) {
        let mut words = Vec::new();
        for call in &mut self.calls {
            if matches!(call.stage, CallStage::Waiting { version } if version < self.snapshot.version) {
                words.extend(call.pick(&self.snapshot, &mut self.dials, self.now));
            }
        }
        self.forget_ended_calls();
        for word in words {
            self.happen(match word {
                Word::Wake => Event::Wake,
                Word::Demand { version, address } => Event::Demand { version, address },
            });
        }
    }

    pub(super) fn forget_ended_calls(&mut self) {
        let before = self.calls.len();
        self.calls.retain(|call| call.stage != CallStage::Ended);
        if self.calls.len() < before {
            self.last_ended = Some(self.now);
        }
    }

    /// What the driver does: samples the calls, polls, obeys. The world is checked after each.
    pub(super) fn poll(&mut self) {
        let in_flight = u64::try_from(self.calls.len()).expect("few calls");
        let activity = Activity { in_flight, last_ended: self.last_ended };
        self.plane.handle(self.now, Event::Activity(activity));
        let mut actions = Vec::new();
        self.plane.poll(self.now, &mut actions);
        let old = Arc::clone(&self.snapshot);
        for action in actions {
            self.obey(action);
        }
        self.note_what_may_be_forgotten();
        self.check(&old);
        if self.snapshot.version > old.version {
            self.pick_for_waiting_calls();
        }
    }

    fn obey(&mut self, action: Action<DialId>) {
        self.tell(words::action(&action));
        match action {
            Action::Dial { id, address, deadline } => self.start_dial(id, address, deadline),
            Action::HangUp(id) => self.hang_up(id),
            Action::Abort(id) => {
                let dial = self.dials.running.get_mut(&id).expect("only what runs is aborted");
                assert!(
                    dial.is_hung_up || matches!(dial.stage, Stage::Draining { .. }),
                    "aborted before it was let go"
                );
                (dial.is_hung_up, dial.is_aborted, dial.deadline) = (true, true, self.now);
            }
            Action::StartResolver => {
                assert!(!self.resolver.is_running, "a second resolver");
                self.resolver =
                    Resolver { is_running: true, is_asked: true, refreshed: self.resolver.refreshed };
            }
            Action::StopResolver => {
                assert!(self.resolver.is_running, "there is no resolver to stop");
                self.resolver.is_running = false;
                self.endpoints.clear();
            }
            Action::Refresh => {
                assert!(self.resolver.is_running, "there is no resolver to refresh");
                let last = self.resolver.refreshed.replace(self.now);
                let spaced = last.is_none_or(|last| self.now - last >= Duration::from_secs(1));
                assert!(spaced, "the resolver is asked too often");
                self.resolver.is_asked = true;
            }
            Action::Reject => assert!(self.resolver.is_running, "there is no resolver to tell"),
            Action::Publish(snapshot) => self.snapshot = snapshot,
            Action::Note(_) => {}
        }
    }

    fn start_dial(&mut self, id: DialId, address: Address, deadline: Instant) {
        assert!(!self.is_closed, "dials after the channel was closed");
        assert!(deadline > self.now, "a dial without time");
        let earliest = self.spacing.get(&address).and_then(Spacing::earliest);
        assert!(
            earliest.is_none_or(|earliest| earliest <= self.now),
            "{address} is dialled before its backoff is over"
        );
        let (started, usage) = (self.now, Usage::default());
        let dial = Dial {
            address,
            started,
            deadline,
            stage: Stage::Dialling,
            is_hung_up: false,
            is_aborted: false,
            usage,
        };
        self.dials.running.insert(id, dial);
    }

    fn hang_up(&mut self, id: DialId) {
        let Some(dial) = self.dials.running.get_mut(&id) else { panic!("{id:?} is hung up after it ended") };
        assert!(!dial.is_hung_up, "hung up twice");
        dial.is_hung_up = true;
        let spacing = self.spacing.entry(dial.address.clone()).or_default();
        if let Stage::Live { since } = dial.stage
            && (dial.usage.answered || spacing.may_have_proved_itself(self.now - since))
        {
            spacing.reset();
        }
        spacing.let_go(dial.started, dial.stage != Stage::Dialling);
    }

    fn connection_over(&mut self, dial: &Dial, since: Instant, cause: &ConnectError) {
        let ready = self.now - since;
        let spacing = self.spacing.entry(dial.address.clone()).or_default();
        if dial.usage.answered || ready >= SURE_PROOF {
            spacing.reset();
        } else if spacing.may_have_proved_itself(ready) {
            spacing.reset();
            *self.failures.entry(dial.address.clone()).or_default() += 1;
        } else {
            self.attempt_failed(dial, cause);
        }
    }

    fn attempt_failed(&mut self, dial: &Dial, error: &ConnectError) {
        let endpoint = self.endpoints.iter().find(|endpoint| endpoint.addresses().contains(&dial.address));
        self.spacing.entry(dial.address.clone()).or_default().failed(dial.started, error, endpoint);
        *self.failures.entry(dial.address.clone()).or_default() += 1;
    }

    fn end_calls_on(&mut self, id: DialId) {
        for call in self.calls.iter_mut().filter(|call| call.stage == CallStage::InFlight(id)) {
            call.stage = CallStage::Ended;
        }
        self.forget_ended_calls();
    }

    fn note_what_may_be_forgotten(&mut self) {
        for (address, spacing) in &mut self.spacing {
            if self.plane.plan().intent(address).is_none() {
                spacing.unwished(self.now);
            }
        }
    }

    fn next_due(&self) -> Option<Instant> {
        let deadlines = self.dials.running.values().filter_map(due_of);
        let calls = self.calls.iter().filter_map(|call| call.deadline);
        deadlines.chain(calls).chain(self.plane.poll_timeout()).min()
    }

    fn do_what_is_due(&mut self) {
        for id in self.dials.ids(|dial| due_of(dial).is_some()) {
            let Some(dial) = self.dials.running.get(&id) else { continue };
            if due_of(dial).is_none_or(|due| due > self.now) {
                continue;
            }
            let error = ConnectError::new(Phase::Connect, "timed out");
            if dial.stage == Stage::Dialling { self.fail(id, error) } else { self.lose(id, error) }
        }
        for call in &mut self.calls {
            if call.deadline.is_some_and(|deadline| deadline <= self.now) {
                call.stage = CallStage::Ended;
            }
        }
        self.forget_ended_calls();
        self.poll();
    }
}

/// When a dial ends by itself: at its deadline, while it connects; soon, if it was aborted.
fn due_of(dial: &Dial) -> Option<Instant> {
    (dial.stage == Stage::Dialling || dial.is_aborted).then_some(dial.deadline)
}
