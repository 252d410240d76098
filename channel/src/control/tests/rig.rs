//! A control plane with a virtual clock, dials that do what a test says, and a memory of all that was asked
//! of the driver. Each entry of the control plane is touched here only.

use std::sync::Arc;
use std::time::{Duration, Instant};

use indexmap::IndexMap;
use serde_json::json;
use trunkline_balancer::{
    Balancer, BalancerConfig, BalancerState, CallInfo, FixedPicker, Input, PickFirst, PickResult, Plan,
    SubchannelStatus,
};
use trunkline_proto::{Address, ConnectError, ConnectivityState, Endpoint, Phase};
use trunkline_resolver::{Resolution, ResolveError};

use crate::control::{
    Action, Activity, Backoff, ControlOptions, ControlPlane, DialId, DialNews, Event, Snapshot, StateChange,
    Usage,
};

pub(super) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(super) const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

pub(super) fn address(name: &str) -> Address {
    Address::other(name)
}

pub(super) fn refused() -> ConnectError {
    ConnectError::new(Phase::Connect, "connection refused")
}

pub(super) fn untrusted() -> ConnectError {
    ConnectError::new(Phase::Tls, "unknown issuer").permanent()
}

pub(super) fn goaway() -> ConnectError {
    ConnectError::new(Phase::Http2, "GOAWAY")
}

/// The connection is the number of its dial.
type Plane = ControlPlane<DialId>;

pub(super) struct Rig {
    plane: Plane,
    start: Instant,
    now: Instant,
    /// Dials that have not ended, and what they were for.
    pub(super) open: IndexMap<DialId, Address>,
    /// Every dial so far: when, and where to.
    pub(super) dials: Vec<(Duration, String)>,
    /// The limit of each.
    pub(super) limits: Vec<Duration>,
    pub(super) hung_up: Vec<DialId>,
    pub(super) aborted: Vec<DialId>,
    pub(super) notes: Vec<StateChange>,
    /// Everything else that was asked of the driver, in order.
    pub(super) asked: Vec<&'static str>,
    pub(super) published: usize,
}

impl Rig {
    pub(super) fn new(balancer: impl Into<BalancerConfig>) -> Self {
        Self::with(Self::options(balancer))
    }

    /// gRPC's numbers, without jitter.
    pub(super) fn options(balancer: impl Into<BalancerConfig>) -> ControlOptions {
        ControlOptions {
            balancer: balancer.into(),
            seed: 7,
            backoff: Backoff::default().jitter(0.0),
            connect_timeout: None,
            idle_timeout: secs(1800),
        }
    }

    pub(super) fn with(options: ControlOptions) -> Self {
        let now = Instant::now();
        let mut rig = Self {
            plane: ControlPlane::new(options, now),
            start: now,
            now,
            open: IndexMap::new(),
            dials: Vec::new(),
            limits: Vec::new(),
            hung_up: Vec::new(),
            aborted: Vec::new(),
            notes: Vec::new(),
            asked: Vec::new(),
            published: 0,
        };
        rig.poll();
        rig
    }

    /// Awake with this resolution, everything dialled as the policy wishes.
    pub(super) fn over<const N: usize>(balancer: impl Into<BalancerConfig>, names: [&str; N]) -> Self {
        let mut rig = Self::new(balancer);
        rig.wake();
        rig.resolve(names);
        rig
    }

    pub(super) fn now(&self) -> Duration {
        self.now - self.start
    }

    pub(super) fn instant(&self) -> Instant {
        self.now
    }

    pub(super) fn handle(&mut self, event: Event<DialId>) {
        self.hear(event);
        self.poll();
    }

    /// The event alone, without a poll after it.
    pub(super) fn hear(&mut self, event: Event<DialId>) {
        self.plane.handle(self.now, event);
    }

    pub(super) fn wake(&mut self) {
        self.handle(Event::Wake);
    }

    pub(super) fn resolve<'n>(&mut self, names: impl IntoIterator<Item = &'n str>) {
        let resolution = Resolution::from_addresses(names.into_iter().map(address));
        self.handle(Event::Resolved(Ok(resolution)));
    }

    pub(super) fn resolve_endpoints(&mut self, endpoints: impl IntoIterator<Item = Endpoint>) {
        self.handle(Event::Resolved(Ok(Resolution::new(endpoints))));
    }

    pub(super) fn resolver_fails(&mut self, message: &str) {
        self.handle(Event::Resolved(Err(ResolveError::new(message))));
    }

    /// The newest dial of this address that has not ended.
    pub(super) fn dial(&self, name: &str) -> DialId {
        let found = self.open.iter().rev().find(|(_, at)| **at == address(name));
        *found.unwrap_or_else(|| panic!("nobody dials {name}: {:?}", self.open)).0
    }

    pub(super) fn is_dialled(&self, name: &str) -> bool {
        self.open.values().any(|at| *at == address(name))
    }

    pub(super) fn connect(&mut self, name: &str) -> DialId {
        let id = self.dial(name);
        self.handle(Event::Dial(id, DialNews::Connected(id)));
        id
    }

    pub(super) fn fail(&mut self, name: &str, error: ConnectError) {
        let id = self.dial(name);
        self.ends(id, DialNews::Failed(error));
    }

    /// The connection breaks; `answered` if a call on it was.
    pub(super) fn lose(&mut self, name: &str, answered: bool) {
        let id = self.dial(name);
        let usage = Usage { answered, last_used: None };
        self.ends(id, DialNews::Lost { cause: ConnectError::new(Phase::Http2, "connection reset"), usage });
    }

    /// The connection breaks under the first call on it.
    pub(super) fn lose_after_a_call(&mut self, name: &str) {
        let id = self.dial(name);
        let usage = Usage { answered: false, last_used: Some(self.now) };
        self.ends(id, DialNews::Lost { cause: ConnectError::new(Phase::Http2, "connection reset"), usage });
    }

    /// GOAWAY on the newest connection of this address, which was last used so long ago.
    pub(super) fn drain(&mut self, name: &str, answered: bool, used: Option<Duration>) -> DialId {
        let id = self.dial(name);
        let usage = Usage { answered, last_used: used.map(|ago| self.now - ago) };
        self.handle(Event::Dial(id, DialNews::Draining { cause: goaway(), usage }));
        id
    }

    pub(super) fn ends(&mut self, id: DialId, news: DialNews<DialId>) {
        self.open.shift_remove(&id);
        self.handle(Event::Dial(id, news));
    }

    pub(super) fn activity(&mut self, in_flight: u64, last_ended: Option<Instant>) {
        self.handle(Event::Activity(Activity { in_flight, last_ended }));
    }

    /// Time passes; what becomes due on the way is done at its time.
    pub(super) fn advance(&mut self, time: Duration) {
        let end = self.now + time;
        for _ in 0..100_000 {
            match self.plane.poll_timeout() {
                Some(due) if due <= end => {
                    self.now = self.now.max(due);
                    self.poll();
                }
                _ => {
                    self.now = end;
                    return;
                }
            }
        }
        panic!("the control plane never comes to rest");
    }

    /// The clock of another runtime.
    pub(super) fn turn_back(&mut self, time: Duration) {
        self.now -= time;
    }

    /// For so long, whatever dials this address is refused at once.
    pub(super) fn refuse(&mut self, name: &str, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            if self.is_dialled(name) {
                self.fail(name, refused());
            }
            let next = self.plane.poll_timeout().map_or(end, |due| due.clamp(self.now, end));
            self.advance(next - self.now);
        }
    }

    pub(super) fn snapshot(&self) -> &Arc<Snapshot<DialId>> {
        self.plane.snapshot()
    }

    pub(super) fn state(&self) -> ConnectivityState {
        self.snapshot().connectivity
    }

    pub(super) fn status(&self, name: &str) -> SubchannelStatus<'_> {
        self.plane.status(&address(name))
    }

    pub(super) fn timeout(&self) -> Option<Instant> {
        self.plane.poll_timeout()
    }

    pub(super) fn is_finished(&self) -> bool {
        self.plane.is_finished()
    }

    /// The connection that the published picker leads a call to, if it says Ready and there is one.
    pub(super) fn picked(&self) -> Option<DialId> {
        let snapshot = self.snapshot();
        match snapshot.picker.pick(&CallInfo::new("/test.Service/Method")) {
            PickResult::Ready(pick) => snapshot.entries.get(pick.address())?.connection,
            _ => None,
        }
    }

    /// What the published picker fails calls with.
    pub(super) fn failure(&self) -> Option<String> {
        match self.snapshot().picker.pick(&CallInfo::new("/test.Service/Method")) {
            PickResult::Fail(failure) | PickResult::Drop(failure) => Some(failure.to_string()),
            _ => None,
        }
    }

    /// The address that the published picker wants woken, demanded as a call would.
    pub(super) fn call(&mut self) {
        let snapshot = Arc::clone(self.snapshot());
        if snapshot.is_asleep {
            return self.wake();
        }
        if let PickResult::Wake(wanted) = snapshot.picker.pick(&CallInfo::new("/test.Service/Method")) {
            let event = Event::Demand { version: snapshot.version, address: wanted.clone() };
            self.handle(event);
        }
    }

    pub(super) fn count(&self, asked: &str) -> usize {
        self.asked.iter().filter(|one| **one == asked).count()
    }

    /// When this address was dialled, in seconds.
    pub(super) fn dials_of(&self, name: &str) -> Vec<f64> {
        let of = self.dials.iter().filter(|(_, at)| at == name);
        of.map(|(time, _)| time.as_secs_f64()).collect()
    }

    fn poll(&mut self) {
        let mut actions = Vec::new();
        self.plane.poll(self.now, &mut actions);
        for action in actions {
            match action {
                Action::Dial { id, address, deadline } => {
                    self.dials.push((self.now(), address.to_string()));
                    self.limits.push(deadline - self.now);
                    self.open.insert(id, address);
                }
                Action::HangUp(id) => self.hung_up.push(id),
                Action::Abort(id) => self.aborted.push(id),
                Action::StartResolver => self.asked.push("start"),
                Action::StopResolver => self.asked.push("stop"),
                Action::Refresh => self.asked.push("refresh"),
                Action::Reject => self.asked.push("reject"),
                Action::Publish(snapshot) => {
                    assert!(Arc::ptr_eq(&snapshot, self.plane.snapshot()));
                    self.published += 1;
                }
                Action::Note(note) => self.notes.push(note),
            }
        }
    }
}

/// A policy that wants every address connected, and leads calls to the first that is Ready.
#[derive(Debug, Default)]
pub(super) struct Everyone {
    state: Option<(Option<Address>, BalancerState)>,
}

impl Everyone {
    pub(super) fn config() -> BalancerConfig {
        BalancerConfig::new("everyone", json!({}), |_| Self::default())
    }
}

impl Balancer for Everyone {
    fn update(&mut self, input: &Input<'_>, plan: &mut Plan) -> BalancerState {
        let mut ready = None;
        for address in input.endpoints.iter().flat_map(Endpoint::addresses) {
            plan.connect(address);
            let is_ready = input.status(address).state == ConnectivityState::Ready;
            ready = ready.or_else(|| is_ready.then(|| address.clone()));
        }
        match &self.state {
            Some((said, state)) if *said == ready => state.clone(),
            _ => {
                let (connectivity, picker) = match &ready {
                    Some(address) => (ConnectivityState::Ready, FixedPicker::Ready(address.clone())),
                    None => (ConnectivityState::Connecting, FixedPicker::Queue),
                };
                let state = BalancerState::new(connectivity, picker.shared());
                self.state = Some((ready, state.clone()));
                state
            }
        }
    }
}

pub(super) fn pick_first() -> PickFirst {
    PickFirst::new()
}
