//! The subchannels of one channel: who exists, who dials, and what is due when. One change at a time goes
//! through [`Subchannels::change`], which keeps the three books (timers, turns, dials) in step with the
//! records.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use indexmap::IndexMap;
use rand::SeedableRng;
use rand::rngs::StdRng;
use trunkline_balancer::{LiveCalls, Plan, Statuses, SubchannelStatus};
use trunkline_proto::{Address, ConnectError, ConnectivityState};

use super::backoff::FOREVER;
use super::effects::{Effects, Trouble};
use super::resolved::Resolved;
use super::subchannel::Subchannel;
use super::turns::{Turn, Turns};
use super::{Action, ControlOptions, DialId, DialNews};

/// How long a dial may take, unless its backoff is longer (gRPC `connection-backoff.md`:
/// MIN_CONNECT_TIMEOUT).
const MIN_CONNECT_TIMEOUT: Duration = Duration::from_secs(20);

/// Most errors that a snapshot carries for calls that wait: enough to see a pattern.
pub(super) const MAX_TROUBLE: usize = 8;

/// Every subchannel of a channel.
#[derive(Debug)]
pub(super) struct Subchannels<C> {
    records: IndexMap<Address, Record<C>>,
    next_number: u64,
    /// Who owns each dial that has not told its last news.
    dials: IndexMap<DialId, Address>,
    next_dial: u64,
    timers: BTreeMap<(Instant, u64), Address>,
    turns: Turns,
    /// Counts the plans that were carried out.
    plans: u64,
    connect_timeout: Option<Duration>,
    effects: Effects<C>,
    /// Shown where there is no record.
    blank: Arc<LiveCalls>,
}

#[derive(Debug)]
struct Record<C> {
    subchannel: Subchannel<C>,
    number: u64,
    booked: Booked,
    /// The resolution in force names it.
    is_listed: bool,
    /// The last plan that mentioned it.
    mentioned_in: u64,
}

/// What the books hold of a record.
#[derive(Clone, Copy, Debug, Default)]
struct Booked {
    timer: Option<Instant>,
    turn: Option<Turn>,
    is_dialling: bool,
}

impl<C> Subchannels<C> {
    pub(super) fn new(options: &ControlOptions, seed: u64) -> Self {
        Self {
            records: IndexMap::new(),
            next_number: 0,
            dials: IndexMap::new(),
            next_dial: 1,
            timers: BTreeMap::new(),
            turns: Turns::default(),
            plans: 0,
            connect_timeout: options.connect_timeout,
            effects: Effects::new(options.backoff, StdRng::seed_from_u64(seed)),
            blank: Arc::default(),
        }
    }

    /// Carries a plan out, except for the dials that it starts: those wait for their turn.
    pub(super) fn apply(&mut self, now: Instant, plan: &Plan) {
        self.plans += 1;
        let mut mentioned = Vec::with_capacity(plan.intents().len());
        for (address, intent) in plan.intents() {
            let index = self.record(address);
            self.records[index].mentioned_in = self.plans;
            mentioned.push((index, intent));
        }
        // Whoever is let go leaves its turn to the others.
        for index in 0..self.records.len() {
            let record = &self.records[index];
            if record.mentioned_in != self.plans && record.subchannel.intent().is_some() {
                self.change(now, index, |subchannel, effects| subchannel.wish(now, None, effects));
            }
        }
        for (index, intent) in mentioned {
            // Most of ten thousand are as they were wished before.
            if !self.records[index].subchannel.complies_with(intent) {
                self.change(now, index, |subchannel, effects| subchannel.wish(now, Some(intent), effects));
            }
        }
    }

    /// Starts the dials whose turn it is.
    pub(super) fn dial(&mut self, now: Instant) {
        while let Some(address) = self.turns.next() {
            let (address, index) = (address.clone(), self.records.get_index_of(address));
            let index = index.expect("a record with a turn is not blank");
            let wait = self.effects.wait(self.records[index].subchannel.backoff());
            let id = DialId(self.next_dial);
            self.next_dial += 1;
            self.change(now, index, |subchannel, _| subchannel.dial(now, id, wait));
            self.dials.insert(id, address.clone());
            let limit = self.connect_timeout.unwrap_or(MIN_CONNECT_TIMEOUT.max(wait));
            self.effects.actions.push(Action::Dial { id, address, deadline: now + limit.min(FOREVER) });
        }
    }

    /// News of a dial. Those of a dial that no subchannel owns any more are dropped.
    pub(super) fn hear(&mut self, now: Instant, id: DialId, news: DialNews<C>, resolved: &Resolved) {
        let Some(index) = self.dials.get(&id).and_then(|address| self.records.get_index_of(address)) else {
            return;
        };
        if matches!(news, DialNews::Failed(_) | DialNews::Lost { .. }) {
            self.dials.swap_remove(&id);
        }
        let endpoint = |address: &Address| resolved.endpoint(address).cloned();
        self.change(now, index, |subchannel, effects| subchannel.hear(now, id, news, endpoint, effects));
    }

    /// Does what is due.
    pub(super) fn tick(&mut self, now: Instant) {
        while let Some(((due, _), address)) = self.timers.first_key_value() {
            if *due > now {
                return;
            }
            let index = self.records.get_index_of(address).expect("a record with a timer is not blank");
            self.change(now, index, |subchannel, effects| subchannel.tick(now, effects));
        }
    }

    /// A new list is in force.
    pub(super) fn resolved(&mut self, now: Instant, resolved: &Resolved) {
        for record in self.records.values_mut() {
            record.is_listed = false;
        }
        for address in resolved.addresses() {
            let index = self.record(address);
            self.records[index].is_listed = true;
            let endpoint = resolved.endpoint(address);
            self.change(now, index, |subchannel, _| subchannel.resolved(now, endpoint));
        }
    }

    pub(super) fn reset_backoff(&mut self, now: Instant) {
        self.change_all(now, |subchannel, effects| subchannel.reset_backoff(effects));
    }

    /// Every dial is gone with its runtime.
    pub(super) fn runtime_lost(&mut self, now: Instant, cause: &ConnectError) {
        self.dials.clear();
        self.change_all(now, |subchannel, effects| subchannel.runtime_lost(cause, effects));
    }

    /// A call asked for this address.
    pub(super) fn demand(&mut self, now: Instant, address: &Address) {
        let index = self.record(address);
        self.change(now, index, |subchannel, effects| {
            subchannel.hurry();
            subchannel.demand(effects);
        });
    }

    /// Somebody wants to be connected, to whomever the policy likes.
    pub(super) fn demand_idle(&mut self, now: Instant) {
        for index in 0..self.records.len() {
            let record = &self.records[index];
            if record.is_listed && record.subchannel.state() == ConnectivityState::Idle {
                self.change(now, index, |subchannel, effects| subchannel.demand(effects));
            }
        }
    }

    /// The next picker is out.
    pub(super) fn clear_demands(&mut self) {
        self.records.values_mut().for_each(|record| record.subchannel.clear_demand());
    }

    /// Closes every connection that is left at once.
    pub(super) fn abort_all(&mut self) {
        self.effects.actions.extend(self.dials.keys().copied().map(Action::Abort));
    }

    /// Drops the records of which nothing is worth remembering.
    pub(super) fn sweep(&mut self) {
        self.records.retain(|_, record| record.is_listed || !record.subchannel.is_blank());
    }

    /// Moves what the subchannels ask for to `actions`.
    pub(super) fn drain_into(&mut self, actions: &mut Vec<Action<C>>) {
        actions.append(&mut self.effects.actions);
    }

    /// Whether a connection was lost or drains since the last time.
    pub(super) fn take_doubt(&mut self) -> bool {
        std::mem::take(&mut self.effects.doubted)
    }

    /// The record of this address, made if there is none.
    fn record(&mut self, address: &Address) -> usize {
        if let Some(index) = self.records.get_index_of(address) {
            return index;
        }
        let number = self.next_number;
        self.next_number += 1;
        let subchannel = Subchannel::new(address.clone());
        let record =
            Record { subchannel, number, booked: Booked::default(), is_listed: false, mentioned_in: 0 };
        self.records.insert_full(address.clone(), record).0
    }

    fn change_all(&mut self, now: Instant, mut change: impl FnMut(&mut Subchannel<C>, &mut Effects<C>)) {
        for index in 0..self.records.len() {
            self.change(now, index, &mut change);
        }
    }

    /// Changes one subchannel and brings the books up to date.
    fn change(
        &mut self,
        now: Instant,
        index: usize,
        change: impl FnOnce(&mut Subchannel<C>, &mut Effects<C>),
    ) {
        let (address, record) = self.records.get_index_mut(index).expect("an index comes from the records");
        let Record { subchannel, number, booked, .. } = record;
        change(subchannel, &mut self.effects);

        let timer = subchannel.due();
        if timer != booked.timer {
            booked.timer.map(|old| self.timers.remove(&(old, *number)));
            timer.map(|new| self.timers.insert((new, *number), address.clone()));
            booked.timer = timer;
        }
        let class = subchannel.awaits_turn(now);
        if class != booked.turn.map(Turn::class) {
            if let Some(turn) = booked.turn {
                self.turns.leave(turn);
            }
            booked.turn = class.map(|class| self.turns.join(class, address.clone()));
        }
        let was_dialling = std::mem::replace(&mut booked.is_dialling, subchannel.is_dialling());
        match (was_dialling, booked.is_dialling) {
            (false, true) => self.turns.started(),
            (true, false) => self.turns.ended(),
            _ => {}
        }
    }
}

impl<C> Subchannels<C> {
    /// Grows with every change that a policy or a snapshot can see.
    pub(super) fn revision(&self) -> u64 {
        self.effects.last_revision()
    }

    /// When [`tick`](Self::tick) has something to do.
    pub(super) fn due(&self) -> Option<Instant> {
        self.timers.first_key_value().map(|((due, _), _)| *due)
    }

    /// Whether every dial has told its last news.
    pub(super) fn are_gone(&self) -> bool {
        self.dials.is_empty()
    }

    /// What calls may know of: every address that is resolved or wished for.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&Address, &Subchannel<C>)> {
        let shown = |record: &Record<C>| record.is_listed || record.subchannel.intent().is_some();
        self.records
            .iter()
            .filter(move |(_, record)| shown(record))
            .map(|(address, record)| (address, &record.subchannel))
    }

    /// The newest errors of the addresses that are wished for, and of the resolver; the newest last.
    pub(super) fn trouble(&self, resolver: Option<&Trouble>) -> Vec<ConnectError> {
        let mut all: Vec<_> = (self.wished())
            .filter_map(Subchannel::trouble)
            .chain(resolver)
            .map(|trouble| (trouble.number, &trouble.error))
            .collect();
        all.sort_by_key(|(number, _)| *number);
        let mut newest = all.split_off(all.len().saturating_sub(MAX_TROUBLE));
        // However many connections failed since: without an answer there may be better addresses.
        if let Some(resolver) = resolver.filter(|resolver| newest[0].0 > resolver.number) {
            newest[0] = (resolver.number, &resolver.error);
        }
        newest.into_iter().map(|(_, error)| error.clone()).collect()
    }

    /// When the first address in backoff that is wished for may be tried again.
    pub(super) fn next_attempt(&self) -> Option<Instant> {
        self.wished().filter_map(Subchannel::next_attempt).min()
    }

    /// A number for an error that did not happen to a subchannel.
    pub(super) fn number_trouble(&mut self, error: ConnectError) -> Trouble {
        self.effects.trouble(error)
    }

    fn wished(&self) -> impl Iterator<Item = &Subchannel<C>> {
        self.records.values().map(|record| &record.subchannel).filter(|one| one.intent().is_some())
    }
}

impl<C> Statuses for Subchannels<C> {
    fn status(&self, address: &Address) -> SubchannelStatus<'_> {
        match self.records.get(address) {
            Some(record) => record.subchannel.status(),
            None => SubchannelStatus::idle(&self.blank),
        }
    }
}
