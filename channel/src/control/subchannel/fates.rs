//! What becomes of a subchannel when its dial connects, fails, drains or is lost: whether its backoff grows or starts
//! afresh, whether it is replaced, and what is remembered of the cause.

use std::time::{Duration, Instant};

use trunkline_proto::{Address, ConnectError, Endpoint};

use super::slot::{Dial, Live, Slot};
use super::{Class, Effects, Subchannel, Usage};

/// A draining connection is replaced if a call was started on it so recently.
const IN_USE: Duration = Duration::from_secs(60);
/// For so long a draining connection keeps its subchannel Ready while the replacement is dialled. A handshake
/// next door is faster; a longer one must show, so that policies choose another server.
const REPLACEMENT: Duration = Duration::from_millis(250);

impl<C> Subchannel<C> {
    pub(super) fn connected(&mut self, now: Instant, dial: Dial, connection: C) -> Slot<C> {
        (self.error, self.trouble, self.condemned) = (None, None, None);
        Slot::Ready(Live { dial, connection, since: now })
    }

    pub(super) fn failed(
        &mut self,
        dial: Dial,
        error: ConnectError,
        endpoint: impl FnOnce(&Address) -> Option<Endpoint>,
        effects: &mut Effects<C>,
    ) -> Slot<C> {
        let error = error.at(&self.destination.address);
        self.failures += 1;
        effects.grow(&mut self.backoff);
        let permanent = error.is_permanent();
        self.condemned = if permanent { endpoint(&self.destination.address) } else { None };
        let wait = if permanent { effects.longest_wait() } else { dial.wait };
        self.trouble = Some(effects.trouble(error.clone()));
        self.error = Some(error);
        // Counted from the start of the attempt (`connection-backoff.md`): one that took longer than its wait
        // is over at once.
        Slot::Backoff { until: dial.started + wait }
    }

    pub(super) fn lost(
        &mut self,
        now: Instant,
        live: Live<C>,
        cause: ConnectError,
        usage: Usage,
        endpoint: impl FnOnce(&Address) -> Option<Endpoint>,
        effects: &mut Effects<C>,
    ) -> Slot<C> {
        self.losses += 1;
        effects.doubted = true;
        if live.has_proved_itself(now, usage) {
            self.backoff.reset();
            self.claim = Class::Urgent;
        } else if !live.was_never_needed(now, usage) {
            return self.failed(live.dial, cause, endpoint, effects);
        }
        self.trouble = Some(effects.trouble(cause.at(&self.destination.address)));
        Slot::Idle
    }

    pub(super) fn draining(
        &mut self,
        now: Instant,
        live: Live<C>,
        cause: ConnectError,
        usage: Usage,
        endpoint: impl FnOnce(&Address) -> Option<Endpoint>,
        effects: &mut Effects<C>,
    ) -> Slot<C> {
        let in_use = usage.last_used.is_some_and(|used| now.saturating_duration_since(used) <= IN_USE);
        if in_use && live.has_proved_itself(now, usage) {
            self.losses += 1;
            effects.doubted = true;
            self.backoff.reset();
            self.trouble = Some(effects.trouble(cause.at(&self.destination.address)));
            return Slot::Replacing { old: live, until: now + REPLACEMENT, dial: None };
        }
        self.leaving.push(live.dial.id);
        self.lost(now, live, cause, usage, endpoint, effects)
    }
}
