//! The places for streams on one connection, and the queue for them. It is apart from the HTTP/2 engine
//! because a stream that waits *inside* the engine can neither be cancelled cheaply nor move to another
//! connection, and nobody sees how long the queue is.
//!
//! [`Places`] is the machine; [`StreamQuota`] shares it between tasks.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use trunkline_proto::ConnectError;

use super::places::{Places, Taken, Ticket, Turn};

/// The places of one connection, shared by its driver and its calls.
pub(crate) struct StreamQuota {
    /// Whether the queue is not closed. A copy, which costs no lock.
    open: AtomicBool,
    places: Places<Waker>,
}

impl StreamQuota {
    /// Room for `limit` streams at a time.
    pub(super) fn new(limit: usize) -> Self {
        Self { open: AtomicBool::new(true), places: Places::new(limit) }
    }

    /// The peer allows another number of streams. A larger one wakes as many waiters as there is room for; a
    /// smaller one takes no place away.
    pub(super) fn set_limit(&self, limit: usize) {
        let woken = self.places.set_limit(limit);
        woken.into_iter().for_each(Waker::wake);
    }

    /// The peer refused a stream although there was a place. Some (C-core's servers) count a stream for some moments after
    /// its end is here, and refuse the one that takes its place: of those, one place less is taken from now on.
    pub(super) fn refused(&self) {
        self.places.refused();
    }

    /// No more places: who waits is told `cause`. The first cause stays.
    pub(super) fn close(&self, cause: &ConnectError) {
        self.open.store(false, Ordering::Release);
        let woken = self.places.close(cause);
        woken.into_iter().for_each(Waker::wake);
    }

    /// Whether [`close`](Self::close) has not been called.
    pub(super) fn is_open(&self) -> bool {
        self.open.load(Ordering::Acquire)
    }

    /// How many places are taken.
    pub(super) fn taken(&self) -> usize {
        self.places.taken()
    }

    /// Wakes `watcher` when a place becomes free that nobody is given, since there are no more. Once; whoever wants
    /// to hear of the next asks again. False if there is nothing to hear: it is closed, and all are free.
    pub(super) fn watch(&self, watcher: &Waker) -> bool {
        let (watches, former) = self.places.watch(watcher.clone());
        drop(former);
        watches
    }
}

impl fmt::Debug for StreamQuota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.places.fmt(f)
    }
}

/// What the driver and the calls of one connection share, and the places with it.
pub(crate) trait HasQuota {
    fn quota(&self) -> &StreamQuota;
}

/// A [`Slot`](super::Slot) on one kind of connection, which whoever has the place therefore has too.
pub(crate) struct SlotOn<C: HasQuota>(Arc<C>);

impl<C: HasQuota> SlotOn<C> {
    /// One there, if there is a place and nobody waits for it.
    pub(in crate::transport) fn take(connection: &Arc<C>) -> Option<Self> {
        connection.quota().places.take_at_once().then(|| Self(Arc::clone(connection)))
    }

    /// Where it is.
    pub(in crate::transport) fn connection(&self) -> &Arc<C> {
        &self.0
    }
}

impl<C: HasQuota> Drop for SlotOn<C> {
    fn drop(&mut self) {
        if let Some(waker) = self.0.quota().places.release() {
            waker.wake();
        }
    }
}

impl<C: HasQuota> fmt::Debug for SlotOn<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Slot")
    }
}

/// A [`Reserve`](super::Reserve) on one kind of connection.
#[must_use = "futures do nothing unless polled"]
pub(crate) struct ReserveOn<C: HasQuota> {
    /// Handed on to the place when there is one.
    connection: Option<Arc<C>>,
    state: Reserving,
}

#[derive(Debug, PartialEq, Eq)]
enum Reserving {
    New,
    Waiting(Ticket),
}

impl<C: HasQuota> ReserveOn<C> {
    /// Waits for a place there.
    pub(in crate::transport) fn new(connection: &Arc<C>) -> Self {
        Self { connection: Some(Arc::clone(connection)), state: Reserving::New }
    }
}

impl<C: HasQuota> Future for ReserveOn<C> {
    type Output = Result<SlotOn<C>, ConnectError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let Some(connection) = &this.connection else { panic!("`Reserve` polled after it was ready") };
        let quota = connection.quota();
        let outcome = match this.state {
            Reserving::New => match quota.places.take(|| cx.waker().clone()) {
                Ok(Taken::Place) => Ok(()),
                Ok(Taken::Ticket(ticket)) => {
                    this.state = Reserving::Waiting(ticket);
                    return Poll::Pending;
                }
                Err(cause) => Err(cause),
            },
            Reserving::Waiting(ticket) => match quota.places.poll(ticket, cx.waker().clone()) {
                Turn::Granted => Ok(()),
                Turn::Closed { cause, woken } => {
                    woken.into_iter().for_each(Waker::wake);
                    Err(cause)
                }
                Turn::Wait { former: _dropped } => return Poll::Pending,
            },
        };
        this.state = Reserving::New;
        let connection = this.connection.take().expect("it is there until a place is");
        Poll::Ready(outcome.map(|()| SlotOn(connection)))
    }
}

impl<C: HasQuota> Drop for ReserveOn<C> {
    fn drop(&mut self) {
        if let (Some(connection), Reserving::Waiting(ticket)) = (&self.connection, &self.state) {
            let (_former, woken) = connection.quota().places.leave(*ticket);
            woken.into_iter().for_each(Waker::wake);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trunkline_proto::Phase;

    /// A connection that is nothing but its places.
    impl HasQuota for StreamQuota {
        fn quota(&self) -> &StreamQuota {
            self
        }
    }

    fn places(limit: usize) -> Arc<StreamQuota> {
        Arc::new(StreamQuota::new(limit))
    }

    fn reserve(quota: &Arc<StreamQuota>) -> ReserveOn<StreamQuota> {
        ReserveOn::new(quota)
    }

    fn lost() -> ConnectError {
        ConnectError::new(Phase::Http2, "gone")
    }

    #[tokio::test]
    async fn a_dropped_future_leaves_the_queue_and_a_dropped_slot_wakes_the_next() {
        let quota = places(1);
        let slot = reserve(&quota).await.unwrap();
        let mut abandoned = Box::pin(reserve(&quota));
        let mut next = Box::pin(reserve(&quota));
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

    #[test]
    fn a_place_may_be_held_by_the_task_of_a_waker_that_is_let_go() {
        struct Task(#[allow(dead_code, reason = "it is there to be dropped")] SlotOn<StreamQuota>);
        impl std::task::Wake for Task {
            fn wake(self: Arc<Self>) {}
        }
        for moves in [true, false] {
            let quota = places(1);
            let poll = |reserve: &mut ReserveOn<StreamQuota>, waker: &Waker| {
                Pin::new(reserve).poll(&mut Context::from_waker(waker))
            };
            let Poll::Ready(Ok(slot)) = poll(&mut reserve(&quota), Waker::noop()) else { panic!("room") };
            let task = Waker::from(Arc::new(Task(slot)));
            let mut next = reserve(&quota);
            assert!(poll(&mut next, &task).is_pending());
            drop(task);
            if moves {
                // The former waker was the last of its task.
                assert!(poll(&mut next, Waker::noop()).is_pending());
                assert!(matches!(poll(&mut next, Waker::noop()), Poll::Ready(Ok(_))));
            }
            drop(next);
            assert_eq!(quota.taken(), 0);
        }
    }

    #[tokio::test]
    async fn a_closed_quota_is_not_open_and_says_why() {
        let quota = places(1);
        assert!(quota.is_open());
        quota.close(&lost());
        assert!(!quota.is_open());
        assert_eq!(reserve(&quota).await.unwrap_err().message(), "gone");
    }

    #[test]
    fn threads_that_fight_for_places_take_no_more_than_there_are_and_all_come_through() {
        use tokio::runtime::Builder;
        const LIMIT: usize = 2;
        let quota = places(LIMIT);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let runtime = Builder::new_current_thread().build().unwrap();
                    runtime.block_on(async {
                        for _ in 0..2_000 {
                            let slot = reserve(&quota).await.unwrap();
                            assert!(quota.taken() <= LIMIT);
                            tokio::task::yield_now().await;
                            drop(slot);
                        }
                    });
                });
            }
        });
        assert_eq!(quota.taken(), 0);
        let at_once = Pin::new(&mut reserve(&quota)).poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(at_once, Poll::Ready(Ok(_))), "who comes next need not queue");
    }
}
