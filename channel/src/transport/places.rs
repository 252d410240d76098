//! The machine of the places for streams on one connection: how many there are, how many are taken, who waits.
//! It wakes nobody, and says who is to be woken.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::mem;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use trunkline_proto::ConnectError;

/// A position in the queue. Tickets are never used twice.
pub(super) type Ticket = u64;

/// The machine: how many places there are, how many are taken, who waits. `W` is how a waiter is woken.
///
/// A place that nobody queues for is taken and given back in the [`Room`] alone. The queue has a lock, which
/// only those take who have to queue, and those who give a place back while somebody does. Nothing is made or dropped
/// under it that is not ours: a waker may be the last of a task, and a task may hold a place.
pub(super) struct Places<W> {
    room: Room,
    queue: Mutex<Queue<W>>,
}

struct Queue<W> {
    waiting: BTreeMap<Ticket, W>,
    /// Waiters that were granted a place and have not looked yet. Their places are taken.
    granted: BTreeSet<Ticket>,
    next_ticket: Ticket,
    closed: Option<ConnectError>,
    /// How many places the peer allows.
    allowed: usize,
    /// How many fewer there are, since the peer counts streams for longer than we do.
    withheld: usize,
    /// Who is to hear of the next place that becomes free once it is closed.
    watcher: Option<W>,
}

pub(super) enum Taken {
    Place,
    Ticket(Ticket),
}

pub(super) enum Turn<W> {
    Granted,
    Closed {
        cause: ConnectError,
        woken: Option<W>,
    },
    Wait {
        /// How it was to be woken before.
        former: W,
    },
}

impl<W> Places<W> {
    pub(super) fn new(limit: usize) -> Self {
        let queue = Queue {
            waiting: BTreeMap::new(),
            granted: BTreeSet::new(),
            next_ticket: 0,
            closed: None,
            allowed: limit,
            withheld: 0,
            watcher: None,
        };
        Self { room: Room::new(limit), queue: Mutex::new(queue) }
    }

    /// Takes a place, if there is one and nobody waits.
    pub(super) fn take_at_once(&self) -> bool {
        self.room.take()
    }

    /// Takes a place, or queues for one. Whoever waits comes first, even if there is room.
    pub(super) fn take(&self, waiter: impl FnOnce() -> W) -> Result<Taken, ConnectError> {
        if self.room.take() {
            return Ok(Taken::Place);
        }
        // Declared before the lock, so that it is dropped after it.
        let waiter = waiter();
        let mut queue = self.lock();
        if let Some(cause) = &queue.closed {
            return Err(cause.clone());
        }
        // A place may have become free since, without a look at the queue.
        if self.room.take_or_shut() {
            return Ok(Taken::Place);
        }
        let ticket = queue.next_ticket;
        queue.next_ticket += 1;
        queue.waiting.insert(ticket, waiter);
        Ok(Taken::Ticket(ticket))
    }

    /// How `ticket` stands. If it waits, it is woken by `waiter` from now on.
    pub(super) fn poll(&self, ticket: Ticket, waiter: W) -> Turn<W> {
        let mut queue = self.lock();
        if let Some(cause) = &queue.closed {
            let cause = cause.clone();
            let woken = self.leave_queue(&mut queue, ticket);
            return Turn::Closed { cause, woken };
        }
        match queue.waiting.get_mut(&ticket) {
            Some(former) => Turn::Wait { former: mem::replace(former, waiter) },
            None => {
                queue.granted.remove(&ticket);
                Turn::Granted
            }
        }
    }

    /// The holder of `ticket` goes away. If it had a place already, the place passes on. Returned are how it was to be
    /// woken, and who is to be.
    pub(super) fn leave(&self, ticket: Ticket) -> (Option<W>, Option<W>) {
        let mut queue = self.lock();
        let former = queue.waiting.remove(&ticket);
        if former.is_some() {
            self.reopen(&queue);
        }
        (former, self.leave_queue(&mut queue, ticket))
    }

    /// Gives the place back that was granted to `ticket`, if one was.
    fn leave_queue(&self, queue: &mut Queue<W>, ticket: Ticket) -> Option<W> {
        if !queue.granted.remove(&ticket) {
            return None;
        }
        self.room.give_back();
        self.pass_on(queue)
    }

    /// A place becomes free.
    pub(super) fn release(&self) -> Option<W> {
        match self.room.give_back() {
            Door::Open => None,
            Door::Shut => self.pass_on(&mut self.lock()),
        }
    }

    /// How many places are taken.
    pub(super) fn taken(&self) -> usize {
        self.room.taken()
    }

    /// Who is to hear of a place that has become free.
    fn pass_on(&self, queue: &mut Queue<W>) -> Option<W> {
        match queue.closed {
            None => self.grant(queue),
            Some(_) => queue.watcher.take(),
        }
    }

    /// False if there is nothing to watch: it is closed, and no place is taken. Returned beside is who watched before,
    /// or does not.
    pub(super) fn watch(&self, watcher: W) -> (bool, Option<W>) {
        let mut queue = self.lock();
        // Places are given back before the queue is looked at, so whoever is not seen here sees the watcher there.
        match queue.closed.is_some() && self.room.taken() == 0 {
            true => (false, Some(watcher)),
            false => (true, queue.watcher.replace(watcher)),
        }
    }

    pub(super) fn set_limit(&self, limit: usize) -> Vec<W> {
        let mut queue = self.lock();
        (queue.allowed, queue.withheld) = (limit, 0);
        self.room.set_limit(limit);
        std::iter::from_fn(|| self.grant(&mut queue)).collect()
    }

    /// The peer refused a stream that it allows. If (nearly) all places were taken, it counts some that have ended: from
    /// now on one place is withheld more, up to half of them, until it changes its limit. While more are taken than there
    /// are, nothing follows: they were sent under another limit.
    pub(super) fn refused(&self) {
        let mut queue = self.lock();
        let limit = queue.allowed - queue.withheld;
        let taken = self.room.taken();
        if (limit.saturating_sub(1)..=limit).contains(&taken) && queue.withheld < queue.allowed / 2 {
            queue.withheld += 1;
            self.room.set_limit(limit - 1);
        }
    }

    pub(super) fn close(&self, cause: &ConnectError) -> Vec<W> {
        let mut queue = self.lock();
        queue.closed.get_or_insert_with(|| cause.clone());
        self.room.shut();
        mem::take(&mut queue.waiting).into_values().collect()
    }

    fn grant(&self, queue: &mut Queue<W>) -> Option<W> {
        if queue.waiting.is_empty() || !self.room.take_behind_the_door() {
            return None;
        }
        let (ticket, waiter) = queue.waiting.pop_first()?;
        queue.granted.insert(ticket);
        self.reopen(queue);
        Some(waiter)
    }

    /// Lets everybody take places again, if nobody waits.
    fn reopen(&self, queue: &Queue<W>) {
        if queue.waiting.is_empty() && queue.closed.is_none() {
            self.room.open();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue<W>> {
        // No code runs under this lock that could leave the queue half changed.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<W> fmt::Debug for Places<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let queue = self.lock();
        f.debug_struct("Places")
            .field("limit", &self.room.limit())
            .field("taken", &self.room.taken())
            .field("waiting", &queue.waiting.len())
            .field("closed", &queue.closed)
            .finish()
    }
}

/// How many places there are, how many are taken, and whether somebody waits for one, in one word. So a place
/// costs one atomic operation, and another to give it back.
///
/// All changes of one word are in one order, whoever looks. So who gives a place back after the door was shut
/// sees that, and looks at the queue; and who shuts the door sees each place that was given back before. The
/// door is shut and opened under the lock of the queue, and is shut while somebody waits or it is closed.
struct Room(AtomicU64);

/// Whether whoever comes may take a place, or must ask at the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Door {
    Open,
    Shut,
}

impl Room {
    /// The bits of how many are taken. Places are streams, of which a connection has no more than 2^31.
    const TAKEN: u64 = (1 << 32) - 1;
    /// The bits of how many there are.
    const LIMIT: u64 = ((1 << 31) - 1) << Self::LIMIT_SHIFT;
    const LIMIT_SHIFT: u32 = 32;
    const SHUT: u64 = 1 << 63;

    fn new(limit: usize) -> Self {
        Self(AtomicU64::new(Self::limit_bits(limit)))
    }

    /// Takes a place, if there is one and nobody waits.
    fn take(&self) -> bool {
        self.update(|word| Self::is_free(word).then_some(word + 1))
    }

    /// Takes a place, if there is one, for somebody who waited.
    fn take_behind_the_door(&self) -> bool {
        self.update(|word| Self::has_room(word).then_some(word + 1))
    }

    /// Takes a place, if there is one and nobody waits; else shuts the door.
    fn take_or_shut(&self) -> bool {
        let change = |word| Some(if Self::is_free(word) { word + 1 } else { word | Self::SHUT });
        self.0.fetch_update(Relaxed, Relaxed, change).is_ok_and(Self::is_free)
    }

    /// Gives a place back, and says how the door was.
    fn give_back(&self) -> Door {
        match self.0.fetch_sub(1, Relaxed) & Self::SHUT {
            0 => Door::Open,
            _ => Door::Shut,
        }
    }

    fn shut(&self) {
        self.0.fetch_or(Self::SHUT, Relaxed);
    }

    fn open(&self) {
        self.0.fetch_and(!Self::SHUT, Relaxed);
    }

    fn set_limit(&self, limit: usize) {
        self.update(|word| Some(word & !Self::LIMIT | Self::limit_bits(limit)));
    }

    fn limit(&self) -> usize {
        ((self.0.load(Relaxed) & Self::LIMIT) >> Self::LIMIT_SHIFT) as usize
    }

    fn taken(&self) -> usize {
        (self.0.load(Relaxed) & Self::TAKEN) as usize
    }

    fn update(&self, change: impl FnMut(u64) -> Option<u64>) -> bool {
        self.0.fetch_update(Relaxed, Relaxed, change).is_ok()
    }

    /// There is room, and nobody waits.
    fn is_free(word: u64) -> bool {
        word & Self::SHUT == 0 && Self::has_room(word)
    }

    fn has_room(word: u64) -> bool {
        word & Self::TAKEN < (word & Self::LIMIT) >> Self::LIMIT_SHIFT
    }

    fn limit_bits(limit: usize) -> u64 {
        let most = Self::LIMIT >> Self::LIMIT_SHIFT;
        (limit as u64).min(most) << Self::LIMIT_SHIFT
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trunkline_proto::Phase;

    fn queue(places: &Places<&'static str>, name: &'static str) -> Option<Ticket> {
        match places.take(|| name).unwrap() {
            Taken::Place => None,
            Taken::Ticket(ticket) => Some(ticket),
        }
    }

    fn queue_all(places: &Places<&'static str>, names: &[&'static str]) {
        for name in names {
            queue(places, name);
        }
    }

    fn lost() -> ConnectError {
        ConnectError::new(Phase::Http2, "gone")
    }

    #[test]
    fn places_are_given_in_the_order_of_asking() {
        // behaviour 88
        let places = Places::new(1);
        assert_eq!(queue(&places, "first"), None);
        assert!(queue(&places, "second").is_some());
        assert!(queue(&places, "third").is_some());
        assert_eq!(places.release(), Some("second"));
        assert_eq!(places.release(), Some("third"));
        assert_eq!(places.release(), None);
        assert_eq!(places.room.taken(), 0);
    }

    #[test]
    fn nobody_overtakes_a_granted_waiter_that_has_not_looked_yet() {
        let places = Places::new(1);
        queue(&places, "first");
        let second = queue(&places, "second").unwrap();
        places.release();
        assert!(queue(&places, "third").is_some());
        assert!(matches!(places.poll(second, "second"), Turn::Granted));
    }

    #[test]
    fn raising_the_limit_wakes_exactly_as_many() {
        // behaviour 88
        let places = Places::new(1);
        queue_all(&places, &["a", "b", "c", "d"]);
        assert_eq!(places.set_limit(3), ["b", "c"]);
        assert_eq!(places.room.taken(), 3);
    }

    #[test]
    fn lowering_the_limit_takes_nothing_away_and_grants_nothing_until_there_is_room() {
        let places = Places::new(3);
        queue_all(&places, &["a", "b", "c"]);
        assert!(places.set_limit(1).is_empty());
        queue(&places, "d");
        assert_eq!(places.release(), None);
        assert_eq!(places.release(), None);
        assert_eq!(places.release(), Some("d"));
    }

    #[test]
    fn a_peer_that_refuses_what_it_allows_is_asked_for_less_up_to_half() {
        let places = Places::new(4);
        queue(&places, "a");
        places.refused();
        assert_eq!(places.room.limit(), 4, "that was for another reason");
        queue_all(&places, &["b", "c", "d"]);
        for left in [3, 2, 2] {
            places.refused();
            assert_eq!(places.room.limit(), left);
            places.refused();
            assert_eq!(places.room.limit(), left, "it was sent before");
            places.release();
        }
        assert_eq!(places.set_limit(4), [] as [&str; 0]);
        assert_eq!(places.room.limit(), 4, "it has changed its mind");
        let lone = Places::new(1);
        queue(&lone, "a");
        lone.refused();
        assert_eq!(lone.room.limit(), 1, "there must be one");
    }

    #[test]
    fn a_limit_of_zero_waits() {
        // behaviour 88
        let places = Places::new(0);
        let ticket = queue(&places, "a").unwrap();
        assert!(matches!(places.poll(ticket, "b"), Turn::Wait { former: "a" }));
        assert_eq!(places.set_limit(1), ["b"], "as it asked last");
    }

    #[test]
    fn who_leaves_the_queue_is_not_woken_and_a_granted_place_passes_on() {
        let places = Places::new(1);
        queue(&places, "a");
        let b = queue(&places, "b").unwrap();
        let c = queue(&places, "c").unwrap();
        queue(&places, "d");
        assert_eq!(places.leave(b), (Some("b"), None));
        assert_eq!(places.release(), Some("c"));
        assert_eq!(places.leave(c), (None, Some("d")));
        assert_eq!(places.room.taken(), 1);
    }

    #[test]
    fn closing_fails_every_waiter_with_the_first_cause() {
        let places = Places::new(1);
        queue(&places, "a");
        let b = queue(&places, "b").unwrap();
        assert_eq!(places.close(&lost()), ["b"]);
        places.close(&ConnectError::new(Phase::Http2, "later"));
        assert!(
            matches!(places.poll(b, "b"), Turn::Closed { cause, woken: None } if cause.message() == "gone")
        );
        assert!(places.take(|| "c").is_err());
        assert_eq!(places.room.taken(), 1);
    }

    #[test]
    fn a_place_granted_just_before_the_end_is_given_back() {
        let places = Places::new(1);
        queue(&places, "a");
        let b = queue(&places, "b").unwrap();
        places.release();
        places.close(&lost());
        assert_eq!(places.watch("driver"), (true, None));
        assert!(matches!(places.poll(b, "b"), Turn::Closed { woken: Some("driver"), .. }));
        assert_eq!(places.room.taken(), 0);
    }

    #[test]
    fn who_watches_hears_of_each_place_that_becomes_free_once_there_are_no_more() {
        let places = Places::new(3);
        queue_all(&places, &["a", "b", "c"]);
        let d = queue(&places, "d").unwrap();
        assert_eq!(places.watch("driver"), (true, None));
        assert_eq!(places.release(), Some("d"), "that place is given on");
        places.close(&lost());
        assert_eq!(places.leave(d), (None, Some("driver")), "granted and never used");
        assert_eq!(places.release(), None, "it has not asked again");
        assert_eq!(places.watch("driver"), (true, None));
        assert_eq!(places.watch("another"), (true, Some("driver")));
        assert_eq!(places.release(), Some("another"));
        assert_eq!(places.watch("driver"), (false, Some("driver")), "all are free");
    }
}
