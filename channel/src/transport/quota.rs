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
    pub(super) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { open: AtomicBool::new(true), places: Places::new(limit) })
    }

    /// Waits for a place.
    pub(super) fn reserve(self: &Arc<Self>) -> Reserve {
        Reserve { quota: Some(self.clone()), state: Reserving::New }
    }

    /// The peer allows another number of streams. A larger one wakes as many waiters as there is room for; a
    /// smaller one takes no place away.
    pub(super) fn set_limit(&self, limit: usize) {
        let woken = self.places.set_limit(limit);
        woken.into_iter().for_each(Waker::wake);
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
    /// to hear of the next asks again. False if all are free already.
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

/// A place for one stream. Dropping it gives the place to whoever waits longest.
#[derive(Debug)]
pub(crate) struct Slot(Arc<StreamQuota>);

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(waker) = self.0.places.release() {
            waker.wake();
        }
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
        let quota = this.quota.take().expect("it is there until a place is");
        Poll::Ready(outcome.map(|()| Slot(quota)))
    }
}

impl Drop for Reserve {
    fn drop(&mut self) {
        if let (Some(quota), Reserving::Waiting(ticket)) = (&self.quota, &self.state) {
            let (_former, woken) = quota.places.leave(*ticket);
            woken.into_iter().for_each(Waker::wake);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trunkline_proto::Phase;

    fn lost() -> ConnectError {
        ConnectError::new(Phase::Http2, "gone")
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

    #[test]
    fn a_place_may_be_held_by_the_task_of_a_waker_that_is_let_go() {
        struct Task(#[allow(dead_code, reason = "it is there to be dropped")] Slot);
        impl std::task::Wake for Task {
            fn wake(self: Arc<Self>) {}
        }
        for moves in [true, false] {
            let quota = StreamQuota::new(1);
            let poll = |reserve: &mut Reserve, waker: &Waker| {
                Pin::new(reserve).poll(&mut Context::from_waker(waker))
            };
            let Poll::Ready(Ok(slot)) = poll(&mut quota.reserve(), Waker::noop()) else { panic!("room") };
            let task = Waker::from(Arc::new(Task(slot)));
            let mut next = quota.reserve();
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
        let quota = StreamQuota::new(1);
        assert!(quota.is_open());
        quota.close(&lost());
        assert!(!quota.is_open());
        assert_eq!(quota.reserve().await.unwrap_err().message(), "gone");
    }

    #[test]
    fn threads_that_fight_for_places_take_no_more_than_there_are_and_all_come_through() {
        use tokio::runtime::Builder;
        const LIMIT: usize = 2;
        let quota = StreamQuota::new(LIMIT);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let runtime = Builder::new_current_thread().build().unwrap();
                    runtime.block_on(async {
                        for _ in 0..2_000 {
                            let slot = quota.reserve().await.unwrap();
                            assert!(quota.taken() <= LIMIT);
                            tokio::task::yield_now().await;
                            drop(slot);
                        }
                    });
                });
            }
        });
        assert_eq!(quota.taken(), 0);
        assert!(quota.places.is_open(), "who comes next need not queue");
    }
}
