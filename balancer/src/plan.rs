//! What a policy wishes of the connections. It is a whole, not a change, so that nothing is remembered on
//! both sides of the seam and a policy can be replaced without telling its successor anything.

use std::time::Instant;

use indexmap::IndexMap;
use trunkline_proto::Address;

use crate::address_hasher::BuildAddressHasher;

/// How much a policy wants of one address. Ordered: of two wishes the stronger one counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(
    clippy::exhaustive_enums,
    reason = "a third wish would change what every policy and the channel mean"
)]
pub enum Intent {
    /// Keep what is there (a live connection, a dial, a record of failures), and start nothing; only the
    /// replacement of a draining connection is dialled.
    Hold,
    /// Whenever it is Idle, dial.
    Connect,
}

/// The wishes of one update. Complete: an address that is not mentioned is let go.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    intents: IndexMap<Address, Intent, BuildAddressHasher>,
    wake_at: Option<Instant>,
    resolve: bool,
}

impl Plan {
    /// A plan that wishes for nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Wishes `address` kept as it is, unless it is already wished connected.
    pub fn hold(&mut self, address: &Address) {
        self.wish(address, Intent::Hold);
    }

    /// Wishes `address` connected.
    pub fn connect(&mut self, address: &Address) {
        self.wish(address, Intent::Connect);
    }

    /// Asks for an update at `time` at the latest, which must lie after [`Input::now`](crate::Input::now). Of
    /// several times the earliest counts.
    pub fn wake_at(&mut self, time: Instant) {
        self.wake_at = Some(self.wake_at.map_or(time, |earlier| earlier.min(time)));
    }

    /// Asks for an answer of the resolver that is newer than [`Input::resolution`](crate::Input::resolution).
    /// A level: it should be repeated while it holds, and is asked once per value of that counter.
    pub fn resolve(&mut self) {
        self.resolve = true;
    }

    /// Adds the plan of a child: the stronger intent for each address, the earlier time.
    pub fn add(&mut self, part: &Self) {
        for (address, intent) in &part.intents {
            self.wish(address, *intent);
        }
        if let Some(time) = part.wake_at {
            self.wake_at(time);
        }
        self.resolve |= part.resolve;
    }

    /// Forgets every wish, keeping the memory for the next one.
    pub fn clear(&mut self) {
        self.intents.clear();
        self.wake_at = None;
        self.resolve = false;
    }

    /// What is wished of `address`, if it is mentioned.
    pub fn intent(&self, address: &Address) -> Option<Intent> {
        self.intents.get(address).copied()
    }

    /// Every address that is mentioned, in the order of its first mention.
    pub fn intents(&self) -> impl ExactSizeIterator<Item = (&Address, Intent)> {
        self.intents.iter().map(|(address, intent)| (address, *intent))
    }

    /// The time that was asked for, if any.
    pub fn wakes_at(&self) -> Option<Instant> {
        self.wake_at
    }

    /// Whether a newer answer of the resolver is asked for.
    pub fn wants_resolution(&self) -> bool {
        self.resolve
    }

    fn wish(&mut self, address: &Address, intent: Intent) {
        let have = self.intents.entry(address.clone()).or_insert(intent);
        *have = intent.max(*have);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_stronger_intent_and_the_earlier_time_win_in_any_order() {
        let (a, b) = (Address::other("a"), Address::other("b"));
        #[allow(
            clippy::disallowed_methods,
            reason = "an Instant can only be had from the clock; its value plays no part"
        )]
        let now = Instant::now();
        let (soon, late) = (now + Duration::from_secs(1), now + Duration::from_secs(2));

        let mut child = Plan::new();
        child.connect(&a);
        child.hold(&b);
        child.wake_at(late);
        let mut plan = Plan::new();
        plan.hold(&a);
        plan.connect(&b);
        plan.wake_at(soon);
        plan.resolve();
        let mut other_way = child.clone();
        other_way.add(&plan);
        plan.add(&child);

        for plan in [plan, other_way] {
            assert_eq!(plan.intent(&a), Some(Intent::Connect));
            assert_eq!(plan.intent(&b), Some(Intent::Connect));
            assert_eq!(plan.wakes_at(), Some(soon));
            assert!(plan.wants_resolution());
        }
    }
}
