//! A world for one policy: subchannels that obey the channel's chart, a clock that only moves when told, and
//! the laws of [`Balancer`](crate::Balancer) checked after every step. For the tests of policies, ours and
//! yours.

mod expect;
mod laws;
mod names;
mod records;
mod story;
mod walk;

use std::sync::Arc;
use std::time::{Duration, Instant};

use trunkline_proto::{Address, Attributes, ConnectError, Endpoint, Phase};

pub use self::expect::Picked;
pub use self::names::{IntoEndpoint, address};

use self::laws::Cast;
use self::records::Records;
use self::story::Story;
use crate::{BalancerConfig, BalancerState, Input, LiveCalls, Plan, Statuses as _, SubchannelStatus};

/// Rounds of deciding and carrying out until nothing changes any more. The policies of this crate need 4 at
/// most; one that needs more would keep a channel busy at every event.
const MAX_ROUNDS: usize = 8;

/// Updates within one [`World::advance`]. A policy that wants to be woken more often than that spins.
const MAX_WAKES: usize = 100_000;

/// Drives one policy through a story.
///
/// It does to the policy what a channel would do: it carries out the plan on subchannels of its own, wakes
/// the policy when it asked to be woken, and passes on what calls demand. Nothing connects by itself: the
/// test says which dial succeeds or fails. A step that breaks a law of [`Balancer`](crate::Balancer), or
/// cannot happen (`ready` of what nobody dials), panics with the story so far.
///
/// Subchannels are named by text: `"a"` is a plugin's address, `"10.0.0.1:80"` a TCP one. The backoff is
/// gRPC's without its jitter: 1 s between the *starts* of two attempts, then 1.6 times as long each time, at
/// most 120 s; after a permanent error always 120 s.
///
/// ```
/// use trunkline_balancer::PickFirst;
/// use trunkline_balancer::world::{World, ms};
/// let mut world = World::new(PickFirst::new());
/// world.resolve(["a", "b"]);
/// world.assert_dialling(["a"]);
/// world.advance(ms(250)); // gRFC A61
/// world.assert_dialling(["a", "b"]);
/// world.ready("b");
/// world.assert_picks(["b"]);
/// ```
#[derive(Debug)]
pub struct World {
    started: Instant,
    now: Instant,
    cast: Cast,
    records: Records,
    endpoints: Vec<Endpoint>,
    attributes: Attributes,
    resolution: u64,
    resolver_error: Option<ConnectError>,
    plan: Plan,
    published: laws::Published,
    asked: Option<u64>,
    counts: Counts,
    together: bool,
    story: Story,
}

#[derive(Debug, Default)]
struct Counts {
    resolves: u64,
    updates: u64,
    pickers: u64,
}

/// So many milliseconds.
pub const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// So many seconds.
pub const fn secs(count: u64) -> Duration {
    Duration::from_secs(count)
}

impl World {
    /// Starts the policy of `config`, before the first answer of the resolver.
    #[track_caller]
    pub fn new(config: impl Into<BalancerConfig>) -> Self {
        Self::with_seed(config, 0)
    }

    /// The same with another seed for the policy's chance.
    #[track_caller]
    pub fn with_seed(config: impl Into<BalancerConfig>, seed: u64) -> Self {
        #[allow(
            clippy::disallowed_methods,
            reason = "an Instant can only be had from the clock; this one is the origin, its value plays no part"
        )]
        let started = Instant::now();
        let mut story = Story::default();
        let config = config.into();
        story.tell(Duration::ZERO, format_args!("start {config:?} with seed {seed}"));
        let mut world = Self {
            started,
            now: started,
            cast: Cast::start(&config, seed),
            records: Records::default(),
            endpoints: Vec::new(),
            attributes: Attributes::new(),
            resolution: 0,
            resolver_error: None,
            plan: Plan::new(),
            published: laws::Published::nothing(),
            asked: None,
            counts: Counts::default(),
            together: false,
            story,
        };
        world.settle();
        world
    }

    /// The resolver answers with these servers. Each is a name, an array of names (one server with several
    /// addresses), or an [`Endpoint`].
    #[track_caller]
    pub fn resolve<E: IntoEndpoint>(&mut self, endpoints: impl IntoIterator<Item = E>) {
        let endpoints: Vec<_> = endpoints.into_iter().map(IntoEndpoint::into_endpoint).collect();
        self.tell(format_args!("resolve {}", story::endpoints(&endpoints)));
        self.endpoints = endpoints;
        self.answer(None);
    }

    /// The resolver answers, without a server; `note` is its reason.
    #[track_caller]
    pub fn resolve_empty(&mut self, note: &str) {
        self.tell(format_args!("resolve nothing: {note}"));
        self.endpoints.clear();
        self.answer(Some(note));
    }

    /// The resolver fails. The servers stay as they were.
    #[track_caller]
    pub fn resolve_error(&mut self, message: &str) {
        self.tell(format_args!("resolver error: {message}"));
        self.answer(Some(message));
    }

    /// The dial to `name` succeeds, and a call on it is answered. So does the dial that replaces a draining
    /// connection.
    #[track_caller]
    pub fn ready(&mut self, name: &str) {
        self.happen("ready", name, |records, address, now| records.connect(address, now));
    }

    /// The dial to `name` fails: refused.
    #[track_caller]
    pub fn fail(&mut self, name: &str) {
        let refused = ConnectError::new(Phase::Connect, "connection refused");
        self.happen("fail", name, |records, address, now| records.fail(address, refused, now));
    }

    /// The dial to `name` fails, and trying again will not help: its certificate is not trusted.
    #[track_caller]
    pub fn fail_permanently(&mut self, name: &str) {
        let untrusted = ConnectError::new(Phase::Tls, "certificate signed by unknown issuer").permanent();
        self.happen("fail permanently", name, |records, address, now| records.fail(address, untrusted, now));
    }

    /// The connection to `name` is lost, after calls on it were answered: its subchannel goes Idle.
    #[track_caller]
    pub fn lose(&mut self, name: &str) {
        self.happen("lose", name, |records, address, now| records.lose(address, true, now));
    }

    /// The connection to `name` is lost before any call on it was answered: its subchannel fails.
    #[track_caller]
    pub fn lose_young(&mut self, name: &str) {
        self.happen("lose young", name, |records, address, now| records.lose(address, false, now));
    }

    /// The server at `name` says GOAWAY: it stays Ready for 250 ms while a replacement is dialled.
    #[track_caller]
    pub fn drain(&mut self, name: &str) {
        self.happen("drain", name, |records, address, now| records.drain(address, now));
    }

    /// The application resets all backoffs.
    #[track_caller]
    pub fn reset_backoff(&mut self) {
        self.tell(format_args!("reset backoff"));
        self.records.reset_backoff();
        self.settle();
    }

    /// The policy is updated although nothing has changed.
    #[track_caller]
    pub fn update(&mut self) {
        self.tell(format_args!("update"));
        self.settle();
    }

    /// Time passes. Whatever is due meanwhile happens at its time.
    #[track_caller]
    pub fn advance(&mut self, time: Duration) {
        self.tell(format_args!("advance {time:?}"));
        let end = self.now + time;
        for _ in 0..MAX_WAKES {
            let due = [self.plan.wakes_at(), self.records.next_deadline()].into_iter().flatten().min();
            let Some(due) = due.filter(|due| *due <= end) else {
                self.now = end;
                return;
            };
            self.now = due;
            self.records.expire(due);
            self.settle();
        }
        self.stop(format_args!("the policy had itself woken {MAX_WAKES} times within {time:?}"));
    }

    /// All that `events` does happens at once: the policy sees only how things are in the end.
    #[track_caller]
    pub fn together(&mut self, events: impl FnOnce(&mut Self)) {
        let outer = std::mem::replace(&mut self.together, true);
        events(self);
        self.together = outer;
        self.settle();
    }

    /// The running counters of the calls of `name`, to start and finish some.
    pub fn live(&mut self, name: &str) -> Arc<LiveCalls> {
        self.records.live(&address(name))
    }

    fn answer(&mut self, error: Option<&str>) {
        self.resolution += 1;
        self.resolver_error = error.map(|message| ConnectError::new(Phase::Resolve, message));
        self.settle();
    }

    #[track_caller]
    fn happen(
        &mut self,
        verb: &str,
        name: &str,
        event: impl FnOnce(&mut Records, &Address, Instant) -> Result<(), &'static str>,
    ) {
        self.tell(format_args!("{verb} {name}"));
        if let Err(problem) = event(&mut self.records, &address(name), self.now) {
            self.stop(format_args!("`{verb}` cannot happen to {name}: {problem}"));
        }
        self.settle();
    }

    /// Decides and carries out until nothing changes, then publishes.
    #[track_caller]
    fn settle(&mut self) {
        if self.together {
            return;
        }
        for _ in 0..MAX_ROUNDS {
            let state = self.decide();
            let dialled = self.records.apply(&self.plan, self.now);
            self.ask_resolver();
            if !dialled {
                if self.published.publish(state) {
                    self.counts.pickers += 1;
                    self.records.clear_demands();
                }
                return;
            }
        }
        self.stop(format_args!("the policy still changes its mind after {MAX_ROUNDS} rounds"));
    }

    #[track_caller]
    fn decide(&mut self) -> laws::Decided {
        self.counts.updates += 1;
        let error = self.resolver_error.as_ref();
        let input = Input::new(self.now, &self.records, &self.attributes).with_resolution(
            self.resolution,
            &self.endpoints,
            error,
        );
        match self.cast.decide(&input, &mut self.plan) {
            Ok(decided) => {
                let elapsed = self.now - self.started;
                self.story.decided(elapsed, decided.connectivity(), &self.plan, self.started);
                decided
            }
            Err(broken) => self.stop(format_args!("{broken}")),
        }
    }

    fn ask_resolver(&mut self) {
        if self.plan.wants_resolution() && self.asked != Some(self.resolution) {
            self.asked = Some(self.resolution);
            self.counts.resolves += 1;
            self.tell(format_args!("  the resolver is asked"));
        }
    }

    fn tell(&mut self, what: std::fmt::Arguments<'_>) {
        self.story.tell(self.now - self.started, what);
    }

    #[track_caller]
    fn stop(&self, problem: std::fmt::Arguments<'_>) -> ! {
        panic!("{problem}\nThe story:\n{}", self.story);
    }

    fn status(&self, name: &str) -> SubchannelStatus<'_> {
        self.records.status(&address(name))
    }

    fn state(&self) -> &BalancerState {
        self.published.state()
    }
}
