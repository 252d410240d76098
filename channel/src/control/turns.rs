//! Whose turn it is to dial. It is apart from the subchannels that wait because fairness among them is a
//! question of its own: a dial to an address that swallows packets lasts 20 s, and three hundred of those
//! must not hold up the one that calls wait for.

use std::collections::BTreeMap;

use trunkline_proto::Address;

/// Most dials of a channel that run at once; the others wait for their turn. So ten thousand servers that
/// come back do not see all their clients in one instant, and the client does not run out of files and ports.
pub(super) const MAX_DIALS: usize = 100;

/// Of these, so many places are kept free for urgent dials. Few, since most urgent dials take milliseconds;
/// each place is one that black holes cannot hold.
pub(super) const KEPT_FREE: usize = 10;

/// Which turns come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    /// Calls have lost something, or ask for it: the replacement of a draining connection, an address whose
    /// last connection was good, one that a call demanded. An address has such a claim for one dial; if that
    /// fails, the next one is ordinary. So black holes get here once.
    Urgent,
    /// All the rest.
    Ordinary,
}

/// A place among those who wait: the more urgent class first, and within it who came first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Turn {
    class: Class,
    number: u64,
}

impl Turn {
    pub(super) fn class(self) -> Class {
        self.class
    }
}

/// Those who wait for a turn to dial, and how many dials run.
#[derive(Debug, Default)]
pub(super) struct Turns {
    waiting: BTreeMap<Turn, Address>,
    next_number: u64,
    running: usize,
}

impl Turns {
    /// This address waits, behind all others of its class.
    pub(super) fn join(&mut self, class: Class, address: Address) -> Turn {
        let turn = Turn { class, number: self.next_number };
        self.next_number += 1;
        self.waiting.insert(turn, address);
        turn
    }

    /// Whoever had this turn took it, or wants it no more.
    pub(super) fn leave(&mut self, turn: Turn) {
        self.waiting.remove(&turn);
    }

    /// The address whose turn it is now, if a dial may start.
    pub(super) fn next(&self) -> Option<&Address> {
        let (turn, address) = self.waiting.first_key_value()?;
        let places = match turn.class {
            Class::Urgent => MAX_DIALS,
            Class::Ordinary => MAX_DIALS - KEPT_FREE,
        };
        (self.running < places).then_some(address)
    }

    /// A dial began.
    pub(super) fn started(&mut self) {
        self.running += 1;
    }

    /// A dial is no longer on its way.
    pub(super) fn ended(&mut self) {
        self.running -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Starts all dials that may start now.
    fn start(turns: &mut Turns) -> Vec<String> {
        let mut started = Vec::new();
        while let Some(address) = turns.next() {
            started.push(address.to_string());
            let turn = *turns.waiting.first_key_value().unwrap().0;
            turns.leave(turn);
            turns.started();
        }
        started
    }

    fn join(turns: &mut Turns, class: Class, names: &[&str]) {
        for name in names {
            turns.join(class, Address::other(*name));
        }
    }

    #[test]
    fn urgent_ones_go_first_and_each_class_in_order() {
        let mut turns = Turns::default();
        join(&mut turns, Class::Ordinary, &["a", "b"]);
        join(&mut turns, Class::Urgent, &["c", "d"]);
        join(&mut turns, Class::Ordinary, &["e"]);
        assert_eq!(start(&mut turns), ["c", "d", "a", "b", "e"]);
    }

    #[test]
    fn ordinary_dials_leave_places_for_urgent_ones_and_all_together_stay_within_the_limit() {
        let mut turns = Turns::default();
        join(&mut turns, Class::Ordinary, &["x"; 300]);
        assert_eq!(start(&mut turns).len(), MAX_DIALS - KEPT_FREE);
        join(&mut turns, Class::Urgent, &["y"; 300]);
        assert_eq!(start(&mut turns), ["y"; KEPT_FREE]);
        turns.ended();
        assert_eq!(start(&mut turns), ["y"]);
    }

    #[test]
    fn ordinary_dials_go_on_when_there_is_room_beside_the_places_kept_free() {
        let mut turns = Turns::default();
        join(&mut turns, Class::Urgent, &["y"; MAX_DIALS]);
        join(&mut turns, Class::Ordinary, &["x"; 2]);
        assert_eq!(start(&mut turns).len(), MAX_DIALS);
        for _ in 0..=KEPT_FREE {
            assert!(turns.next().is_none());
            turns.ended();
        }
        assert_eq!(start(&mut turns), ["x"]);
    }

    #[test]
    fn who_left_is_passed_over() {
        let mut turns = Turns::default();
        let left = turns.join(Class::Urgent, Address::other("a"));
        turns.join(Class::Urgent, Address::other("b"));
        turns.leave(left);
        assert_eq!(start(&mut turns), ["b"]);
    }
}
