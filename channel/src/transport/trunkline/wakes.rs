//! Who is to be woken, and how many at a time. A peer answers in batches, and what is woken in one go asks in
//! one batch again: client and server would take turns, each idle while the other works. Woken in halves, the
//! one half is served while the other half asks.

use std::collections::VecDeque;
use std::task::Waker;

/// So many are woken in one go, however few there are: what they ask next shares a write, and a write costs as
/// much as several calls.
const SMALLEST_SHARE: usize = 32;

/// Callers for whom something came, in the order in which it was handed on.
#[derive(Debug, Default)]
pub(super) struct Wakes(VecDeque<Waker>);

impl Wakes {
    /// This caller is to be woken too. There is at most one reader and one writer per stream, so there is a
    /// bound.
    pub(super) fn push(&mut self, waker: Option<Waker>) {
        if let Some(waker) = waker {
            self.0.push_back(waker);
        }
    }

    /// Whether there are enough for a share, where so many `others` wait for the peer.
    pub(super) fn has_share(&self, others: usize) -> bool {
        self.0.len() >= self.share(others)
    }

    /// Wakes a share of them. True if whoever wakes them is to take its next turn right after they had theirs: some are
    /// left, or several of those that were woken may ask again. On some runtimes the first of them that asks would else
    /// wake it at once, ahead of the others, and their requests would go out one by one.
    pub(super) fn wake_share(&mut self, others: usize) -> bool {
        let share = self.share(others).min(self.0.len());
        self.0.drain(..share).for_each(Waker::wake);
        share > 1 || !self.0.is_empty()
    }

    /// Wakes all of them: nothing is asked of this connection any more.
    pub(super) fn wake_all(&mut self) {
        self.0.drain(..).for_each(Waker::wake);
    }

    /// Gives memory back.
    pub(super) fn rest(&mut self) {
        self.0.shrink_to_fit();
    }

    /// Half of all who are there, so that the other half is with the peer.
    fn share(&self, others: usize) -> usize {
        ((self.0.len() + others) / 2).max(SMALLEST_SHARE)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn waiting(number: usize) -> (Wakes, Arc<Count>) {
        let count = Arc::<Count>::default();
        let mut wakes = Wakes::default();
        (0..number).for_each(|_| wakes.push(Some(Arc::clone(&count).into())));
        (wakes, count)
    }

    #[test]
    fn half_of_all_who_are_there_are_woken_at_a_time_and_at_last_everybody() {
        let (mut wakes, count) = waiting(100);
        let mut woken = Vec::new();
        while wakes.wake_share(0) {
            woken.push(count.0.load(Ordering::Relaxed));
        }
        assert_eq!(woken, [50, 82, 100]);
        assert_eq!(count.0.load(Ordering::Relaxed), 100);
    }

    #[test]
    fn those_who_wait_for_the_peer_count_among_all() {
        let (mut wakes, count) = waiting(60);
        assert!(!wakes.has_share(1000));
        assert!(wakes.has_share(60));
        wakes.wake_share(1000);
        assert_eq!(count.0.load(Ordering::Relaxed), 60, "a few among many are one share");
        assert!(wakes.0.is_empty());
    }

    #[test]
    fn a_few_are_woken_at_once() {
        let (mut wakes, count) = waiting(SMALLEST_SHARE);
        wakes.wake_share(0);
        assert_eq!(count.0.load(Ordering::Relaxed), SMALLEST_SHARE);
        assert!(wakes.0.is_empty());
    }

    #[test]
    fn another_turn_is_worth_it_where_several_may_ask_again() {
        for (number, is_worth_it) in [(0, false), (1, false), (2, true)] {
            assert_eq!(waiting(number).0.wake_share(0), is_worth_it, "{number}");
        }
    }
}
