//! Many running children of one policy, cheap where nothing happens: a child whose world has not changed is
//! not run, and what it wished last is wished again.

use std::fmt;
use std::hash::Hash;
use std::sync::Arc;

use indexmap::IndexMap;
use indexmap::map::Entry;
use trunkline_proto::{Address, Attributes, ConnectivityState, Endpoint};

use crate::{Balancer, BalancerState, FixedPicker, Input, Picker, Plan};

/// Running children, each with a key and endpoints of its own, in the order in which they were given.
///
/// A child is run when its endpoints, or a status of one of their addresses as it may see it, or the answer's
/// attributes have changed; when it asked to be woken and the time has come; and when it asked for a newer
/// answer of the resolver and there is one. Else it is skipped, and its part of the plan repeated: so a
/// change at one of ten thousand servers runs one child. A child therefore may judge by nothing else: not by
/// an answer that changes nothing for it, and not by the status of addresses outside of its endpoints.
pub struct Children<K, B = Box<dyn Balancer>> {
    children: IndexMap<K, Child<B>>,
    /// What the children last saw of the answer as a whole.
    attributes: Attributes,
    /// The set has changed since the last update.
    changed: bool,
    rounds: u64,
    updates: u64,
    queue: Arc<dyn Picker>,
}

/// One running child.
#[derive(Debug)]
pub struct Child<B = Box<dyn Balancer>> {
    balancer: B,
    endpoints: Arc<[Endpoint]>,
    /// What it saw when it last ran; `None` if it must run.
    seen: Option<Seen>,
    part: Plan,
    state: BalancerState,
    changed_in: u64,
}

#[derive(Debug)]
struct Seen {
    resolution: u64,
    /// Parallel to the addresses of its endpoints.
    statuses: Vec<SeenStatus>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct SeenStatus {
    revision: u64,
    state: ConnectivityState,
    demanded: bool,
}

impl<K: Hash + Eq, B: Balancer> Children<K, B> {
    /// No children.
    pub fn new() -> Self {
        Self {
            children: IndexMap::new(),
            attributes: Attributes::new(),
            changed: false,
            rounds: 0,
            updates: 0,
            queue: FixedPicker::Queue.shared(),
        }
    }

    /// Makes the children exactly those of `wanted`, in its order. A key that is there keeps its running
    /// child, a new one is started, one that is missing is dropped; of two with the same key the first
    /// counts.
    ///
    /// To be called when the endpoints have changed; it costs as much as the list is long.
    pub fn set<E: Into<Arc<[Endpoint]>>>(
        &mut self,
        wanted: impl IntoIterator<Item = (K, E)>,
        mut start: impl FnMut(&K) -> B,
    ) {
        let mut old = std::mem::take(&mut self.children);
        for (key, endpoints) in wanted {
            let Entry::Vacant(slot) = self.children.entry(key) else { continue };
            let endpoints = endpoints.into();
            let child = match old.swap_remove(slot.key()) {
                Some(child) => child.with_endpoints(endpoints),
                None => Child::start(start(slot.key()), endpoints, &self.queue),
            };
            slot.insert(child);
        }
        self.changed = true;
    }

    /// Runs the children that must be, adds the wishes of all to `plan`, and says whether the set or the
    /// state of any has changed.
    pub fn update(&mut self, input: &Input<'_>, plan: &mut Plan) -> bool {
        let mut changed = std::mem::take(&mut self.changed);
        self.rounds += 1;
        if self.attributes != *input.attributes {
            self.attributes = input.attributes.clone();
            self.children.values_mut().for_each(|child| child.seen = None);
        }
        for child in self.children.values_mut() {
            if child.must_run(input) {
                self.updates += 1;
                changed |= child.run(input, self.rounds);
            }
            plan.add(&child.part);
        }
        changed
    }
}

impl<K, B> Children<K, B> {
    /// The children, in the order in which they were given.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&K, &Child<B>)> {
        self.children.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.children.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.children.is_empty()
    }

    /// How often a child was run. It grows with what has changed, not with how many there are.
    pub fn updates(&self) -> u64 {
        self.updates
    }
}

impl<B> Child<B> {
    /// Its policy.
    pub fn balancer(&self) -> &B {
        &self.balancer
    }

    /// Its endpoints.
    pub fn endpoints(&self) -> &Arc<[Endpoint]> {
        &self.endpoints
    }

    /// What it said last. Connecting before it first ran.
    pub fn state(&self) -> &BalancerState {
        &self.state
    }

    /// In which update of all the children its state last changed: a larger number is newer.
    pub fn changed_in(&self) -> u64 {
        self.changed_in
    }

    fn start(balancer: B, endpoints: Arc<[Endpoint]>, queue: &Arc<dyn Picker>) -> Self {
        let state = BalancerState::new(ConnectivityState::Connecting, Arc::clone(queue));
        Self { balancer, endpoints, seen: None, part: Plan::new(), state, changed_in: 0 }
    }

    fn with_endpoints(mut self, endpoints: Arc<[Endpoint]>) -> Self {
        if self.endpoints != endpoints {
            self.endpoints = endpoints;
            self.seen = None;
        }
        self
    }

    fn must_run(&self, input: &Input<'_>) -> bool {
        let Some(seen) = &self.seen else { return true };
        // `resolve` is a level: with a newer answer the child has to say whether it still doubts. Where there
        // are no endpoints, the answer's error is all that a child has to say.
        let heeds_answers = self.part.wants_resolution() || self.endpoints.is_empty();
        (heeds_answers && seen.resolution != input.resolution)
            || self.part.wakes_at().is_some_and(|time| time <= input.now)
            || !statuses(&self.endpoints, input).eq(seen.statuses.iter().copied())
    }
}

impl<B: Balancer> Child<B> {
    fn run(&mut self, input: &Input<'_>, round: u64) -> bool {
        self.part.clear();
        let state = self.balancer.update(&input.with_endpoints(&self.endpoints), &mut self.part);
        let seen = self.seen.get_or_insert_with(|| Seen { resolution: 0, statuses: Vec::new() });
        seen.resolution = input.resolution;
        seen.statuses.clear();
        seen.statuses.extend(statuses(&self.endpoints, input));
        let changed = state != self.state;
        if changed {
            self.state = state;
            self.changed_in = round;
        }
        changed
    }
}

fn statuses(endpoints: &[Endpoint], input: &Input<'_>) -> impl Iterator<Item = SeenStatus> {
    let status = |address: &Address| {
        let status = input.status(address);
        SeenStatus { revision: status.revision, state: status.state, demanded: status.demanded }
    };
    endpoints.iter().flat_map(Endpoint::addresses).map(status)
}

impl<K: Hash + Eq, B: Balancer> Default for Children<K, B> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K, B> fmt::Debug for Children<K, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Children")
            .field("count", &self.len())
            .field("updates", &self.updates)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    use serde_json::json;
    use trunkline_proto::Weight;

    use crate::BalancerConfig;
    use crate::world::{World, address, ms, secs};

    /// The names of the children that ran, in order.
    type Runs = Arc<Mutex<Vec<String>>>;

    /// Connects to its first address; doubts the answer while that has failed; wants to be woken at each full
    /// 10 s of its life.
    struct Probe {
        runs: Option<Runs>,
        doubt: Option<(u64, u64)>,
        next: Option<std::time::Instant>,
    }

    impl Balancer for Probe {
        fn update(&mut self, input: &Input<'_>, plan: &mut Plan) -> BalancerState {
            let own = &input.endpoints[0].addresses()[0];
            let status = input.status(own);
            if let Some(runs) = &self.runs {
                runs.lock().unwrap().push(own.to_string());
            }
            plan.connect(own);
            if self.doubt.map_or(0, |(failures, _)| failures) != status.failures {
                self.doubt = Some((status.failures, input.resolution));
            }
            if self.doubt.is_some_and(|(_, doubted)| doubted == input.resolution) {
                plan.resolve();
            }
            let next = self.next.filter(|next| *next > input.now).unwrap_or(input.now + secs(10));
            self.next = Some(next);
            plan.wake_at(next);
            let picker = Arc::new(FixedPicker::Queue);
            BalancerState::new(ConnectivityState::Connecting, picker)
        }
    }

    /// One probe per endpoint.
    struct Parent {
        children: Children<Address>,
        runs: Option<Runs>,
        queue: Arc<dyn Picker>,
    }

    impl Balancer for Parent {
        fn update(&mut self, input: &Input<'_>, plan: &mut Plan) -> BalancerState {
            let wanted = input.endpoints.iter().map(|one| (one.addresses()[0].clone(), [one.clone()]));
            self.children
                .set(wanted, |_| Box::new(Probe { runs: self.runs.clone(), doubt: None, next: None }));
            self.children.update(input, plan);
            BalancerState::new(ConnectivityState::Connecting, Arc::clone(&self.queue))
        }
    }

    /// A world, and the names of the children that ran since one asked last. Only the policy itself notes
    /// them, not its twin.
    fn world() -> (World, impl Fn() -> Vec<String>) {
        let runs = Runs::default();
        let notes = Mutex::new(Some(Arc::clone(&runs)));
        let start = move |_| Parent {
            children: Children::new(),
            runs: notes.lock().unwrap().take(),
            queue: FixedPicker::Queue.shared(),
        };
        let mut world = World::new(BalancerConfig::new("parent", json!({}), start));
        world.resolve(["a", "b", "c"]);
        runs.lock().unwrap().clear();
        (world, move || std::mem::take(&mut runs.lock().unwrap()))
    }

    #[test]
    fn only_the_child_whose_server_changed_runs_and_the_others_keep_their_wishes() {
        let (mut world, ran) = world();
        world.ready("b");
        assert_eq!(ran(), ["b"]);
        world.assert_dialling(["a", "c"]);
        world.assert_connected(["b"]);
        world.update();
        assert_eq!(ran(), [""; 0]);
    }

    #[test]
    fn a_child_that_asked_to_be_woken_runs_at_its_time() {
        let (mut world, ran) = world();
        world.advance(secs(4));
        world.resolve(["a", "b", "c", "d"]);
        assert_eq!(ran(), ["d", "d"], "once when it is new, once when it is dialled");
        world.advance(ms(5999));
        assert_eq!(ran(), [""; 0]);
        world.advance(ms(1));
        assert_eq!(ran(), ["a", "b", "c"]);
        world.advance(secs(4));
        assert_eq!(ran(), ["d"]);
    }

    #[test]
    fn a_child_that_doubts_the_answer_hears_of_the_next_one_and_the_others_do_not() {
        let (mut world, ran) = world();
        world.fail("b");
        assert_eq!((ran(), world.resolves()), (vec!["b".to_owned()], 1));
        world.resolve_error("SERVFAIL");
        assert_eq!((ran(), world.resolves()), (vec!["b".to_owned()], 1));
        world.resolve(["a", "b", "c"]);
        assert_eq!((ran(), world.resolves()), (vec![], 1), "it no longer doubts");
    }

    #[test]
    fn a_child_whose_endpoint_changed_runs_a_removed_one_is_dropped_and_order_is_no_change() {
        let (mut world, ran) = world();
        let heavy = Endpoint::new(address("c")).with_attributes(Attributes::new().with(Weight(2)));
        world.resolve([heavy.clone(), Endpoint::new(address("a"))]);
        assert_eq!(ran(), ["c"]);
        world.assert_dialling(["a", "c"]);
        world.resolve([Endpoint::new(address("a")), heavy]);
        assert_eq!(ran(), [""; 0]);
    }
}
