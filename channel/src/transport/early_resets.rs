//! Calls that are cancelled before the server can have taken them up. Servers count the streams that are
//! reset while they still wait to be accepted, since that is how they were attacked (CVE-2023-44487), and
//! give up the connection of everybody when these are too many: a server by hyper at 20 (`too_many_resets`).
//! A burst of cancelled calls is no attack. So such resets wait for each other: few are under way at a time,
//! and the next go out once the server has read the last.

use std::collections::VecDeque;

/// Most streams that the server may find reset before it has accepted them. hyper's servers, the strictest
/// known, go as far as 20.
const MOST_UNREAD: usize = 16;

/// From so many on, the server is asked whether it has read them, so that there is room again before it is
/// needed.
const ASK_FROM: usize = MOST_UNREAD / 2;

/// Most streams whose reset waits. Each holds a place under the server's limit of streams; where a server has
/// no limit, this is it, and those beyond it are reset at once.
const MOST_WAITING: usize = 10_000;

/// Which early resets are under way. The server is asked by SETTINGS that change nothing: it acknowledges
/// them in order, and unlike PINGs (gRFC A8) they are no offence. `S` is all that holds a stream open;
/// dropping it resets the stream.
#[derive(Debug)]
pub(super) struct EarlyResets<S> {
    waiting: VecDeque<S>,
    /// Resets of which the server has not shown that it has read them.
    unread: usize,
    /// How many of these were on their way when it was asked last.
    asked: usize,
}

impl<S> EarlyResets<S> {
    pub(super) fn new() -> Self {
        Self { waiting: VecDeque::new(), unread: 0, asked: 0 }
    }

    /// A stream was cancelled. What is returned is to be reset now.
    pub(super) fn cancel(&mut self, stream: S) -> Option<S> {
        if self.unread < MOST_UNREAD {
            self.unread += 1;
            return Some(stream);
        }
        if self.waiting.len() >= MOST_WAITING {
            return Some(stream);
        }
        self.waiting.push_back(stream);
        None
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Takes the next that waits if `accepted` says that the server has accepted it: its reset is no longer
    /// an early one.
    pub(super) fn next_if(&mut self, accepted: impl FnOnce(&S) -> bool) -> Option<S> {
        if self.waiting.front().is_some_and(accepted) { self.waiting.pop_front() } else { None }
    }

    /// Only those stay that are still to be reset: the server has ended the others itself.
    pub(super) fn retain(&mut self, is_open: impl FnMut(&S) -> bool) {
        self.waiting.retain(is_open);
    }

    /// Whether the server should be asked what it has read.
    pub(super) fn wants_to_ask(&self) -> bool {
        self.unread >= ASK_FROM
    }

    /// The server is asked anew, so it has answered when it was asked before. What is returned is to be reset
    /// now.
    pub(super) fn ask(&mut self) -> Vec<S> {
        self.unread -= self.asked;
        // The question may overtake resets that follow it, so those are not counted in.
        self.asked = self.unread;
        let room = (MOST_UNREAD - self.unread).min(self.waiting.len());
        self.unread += room;
        self.waiting.drain(..room).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cancels so many streams, numbered from `first`: the numbers of those that are reset at once.
    fn cancel(resets: &mut EarlyResets<usize>, first: usize, count: usize) -> Vec<usize> {
        (first..first + count).filter_map(|stream| resets.cancel(stream)).collect()
    }

    #[test]
    fn few_are_reset_at_once_and_nobody_is_asked() {
        let mut resets = EarlyResets::new();
        assert_eq!(cancel(&mut resets, 0, ASK_FROM - 1).len(), ASK_FROM - 1);
        assert!(!resets.wants_to_ask());
    }

    #[test]
    fn what_is_under_way_is_bounded_until_the_server_has_answered() {
        let mut resets = EarlyResets::new();
        assert_eq!(cancel(&mut resets, 0, 100), (0..MOST_UNREAD).collect::<Vec<_>>());
        assert!(resets.wants_to_ask());
        assert!(resets.ask().is_empty(), "the first question says nothing of an answer");
        assert_eq!(resets.ask(), (MOST_UNREAD..2 * MOST_UNREAD).collect::<Vec<_>>());
        assert!(resets.ask().is_empty(), "these went out after the last question");
        assert_eq!(resets.ask().len(), MOST_UNREAD);
    }

    #[test]
    fn a_question_speaks_only_for_what_went_before_it() {
        let mut resets = EarlyResets::new();
        cancel(&mut resets, 0, ASK_FROM);
        resets.ask();
        assert_eq!(cancel(&mut resets, 100, 100).len(), MOST_UNREAD - ASK_FROM);
        assert_eq!(resets.ask().len(), ASK_FROM, "room for those that were read, no more");
    }

    #[test]
    fn those_that_the_server_has_accepted_wait_no_longer() {
        let mut resets = EarlyResets::new();
        cancel(&mut resets, 0, MOST_UNREAD + 3);
        let accepted = |stream: &usize| *stream <= MOST_UNREAD + 1;
        let mut freed = Vec::new();
        while let Some(stream) = resets.next_if(accepted) {
            freed.push(stream);
        }
        assert_eq!((freed, resets.waiting()), (vec![MOST_UNREAD, MOST_UNREAD + 1], 1));
    }

    #[test]
    fn a_server_that_never_answers_does_not_cost_memory_without_end() {
        let mut resets = EarlyResets::new();
        assert_eq!(cancel(&mut resets, 0, MOST_UNREAD + MOST_WAITING + 5).len(), MOST_UNREAD + 5);
    }
}
