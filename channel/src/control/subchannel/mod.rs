//! One address and its connection: the chart that every gRPC draws, folded from the dials that the address
//! owns. It knows nothing of policies and other addresses; the table beside it gives out turns to dial.

mod fates;
mod slot;
mod view;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use trunkline_balancer::Intent;
use trunkline_proto::{Address, ConnectError, Endpoint};

use super::backoff::BackoffState;
use super::effects::{Effects, Trouble};
use super::story::Story;
use super::turns::Class;
use super::{Action, Destination, DialId, DialNews, Usage};
use slot::{Dial, Slot};

/// Least time between the starts of two dials where no failure asks for more: for an address that was let go
/// and wished again (a flapping resolver, a lost race), or that a resolver keeps changing.
const SPACING: Duration = Duration::from_secs(1);

/// The subchannel of one address.
///
/// ```text
///             wished connected               dial: connected
///     Idle ---------------------> Connecting -----------------> Ready --. draining: stays Ready while a replacement
///     ^  ^                            |                         |  |  ^-' is dialled, at most 250 ms, then Connecting
///     |  `------------- lost, after it proved itself, -----------'  |
///     |                 or was never needed     | failed           | lost or draining before that
///     `---- backoff over ---- TransientFailure <--'<---------------'
///
///     any --- let go ---> Idle; TransientFailure if its last attempt had failed: then its backoff goes on
/// ```
///
/// Connecting is [`Slot::Waiting`] for a turn, then [`Slot::Dialling`]; Ready is [`Slot::Ready`], then
/// [`Slot::Replacing`]. Dials that leave (they drain, or are hung up) finish outside of the chart and are
/// owned until their last news.
#[derive(Debug)]
pub(super) struct Subchannel<C> {
    destination: Arc<Destination>,
    slot: Slot<C>,
    /// As many as have streams in flight, plus those just hung up: the application's calls are their limit.
    leaving: Vec<DialId>,
    intent: Option<Intent>,
    backoff: BackoffState,
    /// When the last dial began.
    dialled: Option<Instant>,
    /// No dial before this.
    spacing: Option<Instant>,
    /// How urgent its next dial is, unless it is a replacement.
    claim: Class,
    /// Why the last attempt failed, until Ready.
    error: Option<ConnectError>,
    /// What went wrong last, the loss of a good connection too, until Ready.
    trouble: Option<Trouble>,
    /// The endpoint that it belonged to when its last attempt failed permanently.
    condemned: Option<Endpoint>,
    failures: u64,
    losses: u64,
    demanded: bool,
    revision: u64,
    story: Story,
}

impl<C> Subchannel<C> {
    pub(super) fn new(address: Address) -> Self {
        Self {
            destination: Destination::new(address),
            slot: Slot::Idle,
            leaving: Vec::new(),
            intent: None,
            backoff: BackoffState::default(),
            dialled: None,
            spacing: None,
            claim: Class::Ordinary,
            error: None,
            trouble: None,
            condemned: None,
            failures: 0,
            losses: 0,
            demanded: false,
            revision: 0,
            story: Story::default(),
        }
    }

    /// A policy wishes this of it now; `None`: it was not mentioned.
    pub(super) fn wish(&mut self, now: Instant, intent: Option<Intent>, effects: &mut Effects<C>) {
        self.intent = intent;
        self.step(effects, None, |this, effects| match (intent, this.take_slot()) {
            (None, slot) => this.let_go(now, slot, effects),
            (Some(Intent::Connect), Slot::Idle) => Slot::Waiting { replacement: false },
            (Some(Intent::Hold), Slot::Waiting { replacement: false }) => Slot::Idle,
            (_, slot) => slot,
        });
        self.forget_what_is_over(now, effects);
    }

    /// Its turn to dial has come.
    pub(super) fn dial(&mut self, now: Instant, id: DialId, wait: Duration) {
        debug_assert!(self.awaits_turn(now).is_some());
        (self.dialled, self.claim) = (Some(now), Class::Ordinary);
        let dial = Dial { id, started: now, wait };
        // Connecting before and after, so that nobody need be told.
        self.slot = match self.take_slot() {
            Slot::Replacing { old, until, .. } => Slot::Replacing { old, until, dial: Some(dial) },
            _ => Slot::Dialling(dial),
        };
    }

    /// News of one of its dials. `endpoint` is what the address belongs to, asked for only if it matters.
    pub(super) fn hear(
        &mut self,
        now: Instant,
        id: DialId,
        news: DialNews<C>,
        endpoint: impl FnOnce(&Address) -> Option<Endpoint>,
        effects: &mut Effects<C>,
    ) {
        if let Some(index) = self.leaving.iter().position(|leaving| *leaving == id) {
            if matches!(news, DialNews::Failed(_) | DialNews::Lost { .. }) {
                self.leaving.swap_remove(index);
            }
            return;
        }
        let cause = match &news {
            DialNews::Connected(_) => None,
            DialNews::Failed(cause) | DialNews::Draining { cause, .. } | DialNews::Lost { cause, .. } => {
                Some(cause.clone().at(&self.destination.address))
            }
        };
        self.step(effects, cause.as_ref(), |this, effects| match (this.take_slot(), news) {
            (Slot::Dialling(dial), DialNews::Connected(connection)) if dial.id == id => {
                this.connected(now, dial, connection)
            }
            (Slot::Dialling(dial), DialNews::Failed(error) | DialNews::Lost { cause: error, .. })
                if dial.id == id =>
            {
                this.failed(dial, error, endpoint, effects)
            }
            (Slot::Replacing { old, dial: Some(dial), .. }, DialNews::Connected(connection))
                if dial.id == id =>
            {
                this.leaving.push(old.dial.id);
                this.connected(now, dial, connection)
            }
            (
                Slot::Replacing { old, dial: Some(dial), .. },
                DialNews::Failed(error) | DialNews::Lost { cause: error, .. },
            ) if dial.id == id => {
                this.leaving.push(old.dial.id);
                this.failed(dial, error, endpoint, effects)
            }
            // Nothing is left that calls could use until the replacement is there.
            (Slot::Replacing { old, dial, .. }, DialNews::Lost { .. }) if old.dial.id == id => {
                Slot::connecting(dial)
            }
            (Slot::Ready(live), DialNews::Lost { cause, usage }) if live.dial.id == id => {
                this.lost(now, live, cause, usage, endpoint, effects)
            }
            (Slot::Ready(live), DialNews::Draining { cause, usage }) if live.dial.id == id => {
                this.draining(now, live, cause, usage, endpoint, effects)
            }
            (slot, _) => slot,
        });
    }

    /// Does what is due.
    pub(super) fn tick(&mut self, now: Instant, effects: &mut Effects<C>) {
        self.spacing = self.spacing.filter(|spacing| *spacing > now);
        self.backoff.tick(now);
        self.step(effects, None, |this, _| match this.take_slot() {
            Slot::Backoff { until } if until <= now => Slot::Idle,
            Slot::Replacing { old, until, dial } if until <= now => {
                this.leaving.push(old.dial.id);
                Slot::connecting(dial)
            }
            slot => slot,
        });
        self.forget_what_is_over(now, effects);
    }

    /// The application says that things have changed: whatever holds the next dial back is gone.
    pub(super) fn reset_backoff(&mut self, effects: &mut Effects<C>) {
        self.spacing = None;
        self.step(effects, None, |this, _| match this.take_slot() {
            slot @ (Slot::Dialling(_) | Slot::Ready(_) | Slot::Replacing { .. }) => slot,
            slot @ Slot::Waiting { .. } => {
                this.backoff.reset();
                slot
            }
            Slot::Idle | Slot::Backoff { .. } => {
                this.backoff.reset();
                Slot::Idle
            }
        });
    }

    /// The resolver says that the address belongs to `endpoint`. If that has other addresses (or server
    /// names, which are part of them) since this one failed permanently, somebody has changed something: it
    /// is tried again at once. One such attempt per wait, and the backoff goes on growing: that the resolver
    /// changes things does not mean that anything was mended. The order of addresses does not count.
    pub(super) fn resolved(&mut self, now: Instant, endpoint: Option<&Endpoint>) {
        let spaced = self.dialled.map_or(now, |dialled| now.max(dialled + SPACING));
        if let Slot::Backoff { until } = &mut self.slot
            && let (Some(old), Some(endpoint)) = (&self.condemned, endpoint)
            && !is_same(old, endpoint)
            && let Some(sooner) = self.backoff.cut_short(spaced, *until)
        {
            *until = sooner;
            self.condemned = None;
        }
    }

    /// The runtime has gone, and all dials with it. That says nothing about the server, so it counts neither
    /// as its failure nor as its proof.
    pub(super) fn runtime_lost(&mut self, cause: &ConnectError, effects: &mut Effects<C>) {
        self.leaving.clear();
        self.step(effects, Some(cause), |this, effects| match this.take_slot() {
            slot @ (Slot::Idle | Slot::Backoff { .. }) => slot,
            Slot::Waiting { .. } => Slot::Idle,
            slot @ (Slot::Dialling(_) | Slot::Ready(_) | Slot::Replacing { .. }) => {
                this.losses += u64::from(matches!(slot, Slot::Ready(_)));
                if slot.connection().is_some() {
                    this.claim = Class::Urgent;
                }
                this.trouble = Some(effects.trouble(cause.clone().at(&this.destination.address)));
                Slot::Idle
            }
        });
    }

    /// A call waits for this one of all addresses. That makes its next dial urgent, unless it is known to
    /// fail.
    pub(super) fn hurry(&mut self) {
        if self.error.is_none() && matches!(self.slot, Slot::Idle | Slot::Waiting { .. }) {
            self.claim = Class::Urgent;
        }
    }

    /// Somebody asked for it.
    pub(super) fn demand(&mut self, effects: &mut Effects<C>) {
        if !self.demanded {
            self.demanded = true;
            self.revision = effects.revision();
        }
    }

    /// The picker that calls asked is no longer the published one. Policies that want to remember a demand
    /// have done so.
    pub(super) fn clear_demand(&mut self) {
        self.demanded = false;
    }

    fn let_go(&mut self, now: Instant, slot: Slot<C>, effects: &mut Effects<C>) -> Slot<C> {
        match slot {
            Slot::Idle | Slot::Waiting { .. } => Slot::Idle,
            // How it would have ended is not known. So it spares nobody the wait that goes with it.
            Slot::Dialling(dial) if self.backoff.is_fresh() => self.hang_up(dial, SPACING, effects),
            Slot::Dialling(dial) => self.hang_up(dial, SPACING.max(dial.wait), effects),
            Slot::Ready(live) => {
                if live.has_proved_itself(now, Usage::default()) {
                    self.backoff.reset();
                    self.claim = Class::Urgent;
                }
                // It was made, so no failure is ahead that anybody knows of; but what failed before is remembered.
                if !self.backoff.is_fresh() {
                    self.backoff.keep(live.dial.started + live.dial.wait);
                }
                self.hang_up(live.dial, SPACING, effects)
            }
            // Its backoff was fresh when the connection that it replaces drained.
            Slot::Replacing { old, dial, .. } => {
                self.leaving.push(old.dial.id);
                dial.map_or(Slot::Idle, |dial| self.hang_up(dial, SPACING, effects))
            }
            slot @ Slot::Backoff { .. } => slot,
        }
    }

    /// Lets one dial go. It was an attempt, so the next one keeps its `distance`.
    fn hang_up(&mut self, dial: Dial, distance: Duration, effects: &mut Effects<C>) -> Slot<C> {
        effects.actions.push(Action::HangUp(dial.id));
        self.leaving.push(dial.id);
        let next = dial.started + distance;
        self.spacing = Some(next);
        // What is known to fail goes on being known as that.
        if self.error.is_some() { Slot::Backoff { until: next } } else { Slot::Idle }
    }

    /// Of an address that was let go, only what must hold back the next dial is remembered, and only for so
    /// long.
    fn forget_what_is_over(&mut self, now: Instant, effects: &mut Effects<C>) {
        let holds_back = [self.spacing, self.backoff.remembered_until()];
        let is_over = holds_back.into_iter().flatten().all(|until| until <= now);
        if self.intent.is_none() && matches!(self.slot, Slot::Idle) && is_over {
            self.backoff.reset();
            (self.trouble, self.condemned, self.spacing) = (None, None, None);
            self.claim = Class::Ordinary;
            self.story.forget();
            // Policies see it.
            if self.error.take().is_some() {
                self.revision = effects.revision();
            }
        }
    }

    /// Runs one transition, and numbers and notes what it changed for others.
    fn step(
        &mut self,
        effects: &mut Effects<C>,
        cause: Option<&ConnectError>,
        transition: impl FnOnce(&mut Self, &mut Effects<C>) -> Slot<C>,
    ) {
        let before = self.face();
        self.slot = transition(self, effects);
        let after = self.face();
        if after != before {
            self.revision = effects.revision();
            effects.note(self.story.tell(Some(&self.destination.address), after.state, cause));
        }
    }

    fn take_slot(&mut self) -> Slot<C> {
        std::mem::replace(&mut self.slot, Slot::Idle)
    }
}

/// Whether nothing was changed that might mend a server. The order of its addresses is a preference.
fn is_same(old: &Endpoint, new: &Endpoint) -> bool {
    let set = |endpoint: &Endpoint| endpoint.addresses().iter().cloned().collect::<HashSet<Address>>();
    old.attributes == new.attributes && set(old) == set(new)
}
