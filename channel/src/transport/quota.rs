//! The places for streams on one connection, and the queue for them. It is apart from the HTTP/2 engine
//! because a stream that waits *inside* the engine can neither be cancelled cheaply nor move to another
//! connection, and nobody sees how long the queue is.
//!
//! [`Places`] is the machine; [`StreamQuota`] shares it between tasks.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use trunkline_proto::ConnectError;

/// The places of one connection, shared by its driver and its calls.
pub(crate) struct StreamQuota {
    /// A copy of `places.closed.is_none()` that costs no lock.
    open: AtomicBool,
    places: Mutex<Places<Waker>>,
}

impl StreamQuota {
    /// Room for `limit` streams at a time.
    pub(super) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { open: AtomicBool::new(true), places: Mutex::new(Places::new(limit)) })
    }

    /// Waits for a place.
    pub(super) fn reserve(self: &Arc<Self>) -> Reserve {
        Reserve { quota: Some(self.clone()), state: Reserving::New }
    }

    /// The peer allows another number of streams. A larger one wakes as many waiters as there is room for; a
    /// smaller one takes no place away.
    pub(super) fn set_limit(&self, limit: usize) {
        let woken = self.lock().set_limit(limit);
        woken.into_iter().for_each(Waker::wake);
    }

    /// No more places: who waits is told `cause`. The first cause stays.
    pub(super) fn close(&self, cause: &ConnectError) {
        self.open.store(false, Ordering::Release);
        let woken = self.lock().close(cause);
        woken.into_iter().for_each(Waker::wake);
    }

    /// Whether [`close`](Self::close) has not been called.
    pub(super) fn is_open(&self) -> bool {
        self.open.load(Ordering::Acquire)
    }

    /// How many places are taken.
    pub(super) fn taken(&self) -> usize {
        self.lock().taken
    }

    fn release(&self) {
        let woken = self.lock().release();
        if let Some(waker) = woken {
            waker.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Places<Waker>> {
        // No code runs under this lock that could leave `Places` half changed.
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for StreamQuota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places = self.lock();
        f.debug_struct("StreamQuota")
            .field("limit", &places.limit)
            .field("taken", &places.taken)
            .field("waiting", &places.waiting.len())
            .field("closed", &places.closed)
            .finish()
    }
}

/// A place for one stream. Dropping it gives the place to whoever waits longest.
#[derive(Debug)]
pub(crate) struct Slot(Arc<StreamQuota>);

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.release();
    }
}

/// Waits for a place, first come first served from the first poll on. Ready at once if there is room and
/// nobody waits. An error means that the connection closed or drains, and nothing was sent. Dropping it
/// leaves the queue; a place that was granted and not taken passes on.
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub(crate) struct Reserve {
    /// Handed on to the place when there is one.
    quota: Option<Arc<StreamQuota>>,
    state: Reserving,
}

#[derive(Debug, PartialEq, Eq)]
enum Reserving {
    New,
    Waiting(Ticket),
}

impl Future for Reserve {
    type Output = Result<Slot, ConnectError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let Some(quota) = &this.quota else { panic!("`Reserve` polled after it was ready") };
        let mut places = quota.lock();
        let outcome = match this.state {
            Reserving::New => match places.take(|| cx.waker().clone()) {
                Ok(Taken::Place) => Ok(()),
                Ok(Taken::Ticket(ticket)) => {
                    this.state = Reserving::Waiting(ticket);
                    return Poll::Pending;
                }
                Err(cause) => Err(cause),
            },
            Reserving::Waiting(ticket) => match places.poll(ticket) {
                Turn::Granted => Ok(()),
                Turn::Closed(cause) => Err(cause),
                Turn::Wait(waker) => {
                    waker.clone_from(cx.waker());
                    return Poll::Pending;
                }
            },
        };
        drop(places);
        this.state = Reserving::New;
        let quota = this.quota.take().expect("it is there until a place is");
        Poll::Ready(outcome.map(|()| Slot(quota)))
    }
}

impl Drop for Reserve {
    fn drop(&mut self) {
        if let (Some(quota), Reserving::Waiting(ticket)) = (&self.quota, &self.state) {
            let woken = quota.lock().leave(*ticket);
            if let Some(waker) = woken {
                waker.wake();
            }
        }
    }
}

/// A position in the queue. Tickets are never used twice.
type Ticket = u64;

/// The machine: how many places there are, how many are taken, who waits. `W` is how a waiter is woken.
#[derive(Debug)]
struct Places<W> {
    limit: usize,
    /// Streams, and the granted.
    taken: usize,
    waiting: BTreeMap<Ticket, W>,
    /// Waiters that were granted a place and have not looked yet.
    granted: BTreeSet<Ticket>,
    next_ticket: Ticket,
    closed: Option<ConnectError>,
}

enum Taken {
    Place,
    Ticket(Ticket),
}

enum Turn<'a, W> {
    Granted,
    Closed(ConnectError),
    Wait(&'a mut W),
}

impl<W> Places<W> {
    fn new(limit: usize) -> Self {
        Self {
            limit,
            taken: 0,
            waiting: BTreeMap::new(),
            granted: BTreeSet::new(),
            next_ticket: 0,
            closed: None,
        }
    }

    /// Takes a place, or queues for one. Whoever waits comes first, even if there is room.
    fn take(&mut self, waiter: impl FnOnce() -> W) -> Result<Taken, ConnectError> {
        if let Some(cause) = &self.closed {
            return Err(cause.clone());
        }
        if self.taken < self.limit && self.waiting.is_empty() {
            self.taken += 1;
            return Ok(Taken::Place);
        }
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.waiting.insert(ticket, waiter());
        Ok(Taken::Ticket(ticket))
    }

    /// How `ticket` stands.
    fn poll(&mut self, ticket: Ticket) -> Turn<'_, W> {
        if let Some(cause) = &self.closed {
            let cause = cause.clone();
            self.leave(ticket);
            return Turn::Closed(cause);
        }
        match self.waiting.get_mut(&ticket) {
            Some(waiter) => Turn::Wait(waiter),
            None => {
                self.granted.remove(&ticket);
                Turn::Granted
            }
        }
    }

    /// The holder of `ticket` goes away. If it had a place already, the place passes on.
    fn leave(&mut self, ticket: Ticket) -> Option<W> {
        self.waiting.remove(&ticket);
        if self.granted.remove(&ticket) { self.release() } else { None }
    }

    /// A place becomes free.
    fn release(&mut self) -> Option<W> {
        self.taken = self.taken.saturating_sub(1);
        self.grant()
    }

    fn set_limit(&mut self, limit: usize) -> Vec<W> {
        self.limit = limit;
        std::iter::from_fn(|| self.grant()).collect()
    }

    fn close(&mut self, cause: &ConnectError) -> Vec<W> {
        self.closed.get_or_insert_with(|| cause.clone());
        mem::take(&mut self.waiting).into_values().collect()
    }

    fn grant(&mut self) -> Option<W> {
        if self.taken >= self.limit {
            return None;
        }
        let (ticket, waiter) = self.waiting.pop_first()?;
        self.granted.insert(ticket);
        self.taken += 1;
        Some(waiter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trunkline_proto::Phase;

    fn queue(places: &mut Places<&'static str>, name: &'static str) -> Option<Ticket> {
        match places.take(|| name).unwrap() {
            Taken::Place => None,
            Taken::Ticket(ticket) => Some(ticket),
        }
    }

    fn queue_all(places: &mut Places<&'static str>, names: &[&'static str]) {
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
        let mut places = Places::new(1);
        assert_eq!(queue(&mut places, "first"), None);
        assert!(queue(&mut places, "second").is_some());
        assert!(queue(&mut places, "third").is_some());
        assert_eq!(places.release(), Some("second"));
        assert_eq!(places.release(), Some("third"));
        assert_eq!(places.release(), None);
        assert_eq!(places.taken, 0);
    }

    #[test]
    fn nobody_overtakes_a_granted_waiter_that_has_not_looked_yet() {
        let mut places = Places::new(1);
        queue(&mut places, "first");
        let second = queue(&mut places, "second").unwrap();
        places.release();
        assert!(queue(&mut places, "third").is_some());
        assert!(matches!(places.poll(second), Turn::Granted));
    }

    #[test]
    fn raising_the_limit_wakes_exactly_as_many() {
        // behaviour 88
        let mut places = Places::new(1);
        queue_all(&mut places, &["a", "b", "c", "d"]);
        assert_eq!(places.set_limit(3), ["b", "c"]);
        assert_eq!(places.taken, 3);
    }

    #[test]
    fn lowering_the_limit_takes_nothing_away_and_grants_nothing_until_there_is_room() {
        let mut places = Places::new(3);
        queue_all(&mut places, &["a", "b", "c"]);
        assert!(places.set_limit(1).is_empty());
        queue(&mut places, "d");
        assert_eq!(places.release(), None);
        assert_eq!(places.release(), None);
        assert_eq!(places.release(), Some("d"));
    }

    #[test]
    fn a_limit_of_zero_waits() {
        // behaviour 88
        let mut places = Places::new(0);
        let ticket = queue(&mut places, "a").unwrap();
        assert!(matches!(places.poll(ticket), Turn::Wait(_)));
        assert_eq!(places.set_limit(1), ["a"]);
    }

    #[test]
    fn who_leaves_the_queue_is_not_woken_and_a_granted_place_passes_on() {
        let mut places = Places::new(1);
        queue(&mut places, "a");
        let b = queue(&mut places, "b").unwrap();
        let c = queue(&mut places, "c").unwrap();
        queue(&mut places, "d");
        assert_eq!(places.leave(b), None);
        assert_eq!(places.release(), Some("c"));
        assert_eq!(places.leave(c), Some("d"));
        assert_eq!(places.taken, 1);
    }

    #[test]
    fn closing_fails_every_waiter_with_the_first_cause() {
        let mut places = Places::new(1);
        queue(&mut places, "a");
        let b = queue(&mut places, "b").unwrap();
        assert_eq!(places.close(&lost()), ["b"]);
        places.close(&ConnectError::new(Phase::Http2, "later"));
        assert!(matches!(places.poll(b), Turn::Closed(cause) if cause.message() == "gone"));
        assert!(places.take(|| "c").is_err());
        assert_eq!(places.taken, 1);
    }

    #[test]
    fn a_place_granted_just_before_the_end_is_given_back() {
        let mut places = Places::new(1);
        queue(&mut places, "a");
        let b = queue(&mut places, "b").unwrap();
        places.release();
        places.close(&lost());
        assert!(matches!(places.poll(b), Turn::Closed(_)));
        assert_eq!(places.taken, 0);
    }

    #[tokio::test]
    async fn a_dropped_future_leaves_the_queue_and_a_dropped_slot_wakes_the_next() {
        let quota = StreamQuota::new(1);
        let slot = quota.reserve().await.unwrap();
        let mut abandoned = Box::pin(quota.reserve());
        let mut next = Box::pin(quota.reserve());
        std::future::poll_fn(|cx| {
            assert!(abandoned.as_mut().poll(cx).is_pending());
            assert!(next.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        drop(abandoned);
        drop(slot);
        let slot = next.await.unwrap();
        assert_eq!(quota.taken(), 1);
        drop(slot);
        assert_eq!(quota.taken(), 0);
    }

    #[tokio::test]
    async fn a_closed_quota_is_not_open_and_says_why() {
        let quota = StreamQuota::new(1);
        assert!(quota.is_open());
        quota.close(&lost());
        assert!(!quota.is_open());
        assert_eq!(quota.reserve().await.unwrap_err().message(), "gone");
    }
}
