//! A line of streams that wait for their turn. Streams that end leave gaps, which are closed before they are many.

use std::collections::VecDeque;

use crate::StreamKey;

/// First come, first served. Who stands in it knows so itself: a stream is pushed at most once.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    line: VecDeque<StreamKey>,
    /// How many in the line are over.
    gaps: usize,
}

impl Turns {
    #[inline]
    pub(crate) fn push(&mut self, key: StreamKey) {
        self.line.push_back(key);
    }

    /// In front of all others: its turn goes on.
    pub(crate) fn push_front(&mut self, key: StreamKey) {
        self.line.push_front(key);
    }

    /// The next, which may be over: see [`pass_gap`](Self::pass_gap).
    #[inline]
    pub(crate) fn pop(&mut self) -> Option<StreamKey> {
        self.line.pop_front()
    }

    /// The stream that was just popped is over.
    pub(crate) fn pass_gap(&mut self) {
        self.gaps -= 1;
    }

    /// Whether nobody stands in the line. One who is over counts.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.line.is_empty()
    }

    /// A stream in the line is over. `is_open` tells of each whether it is not.
    pub(crate) fn forget(&mut self, is_open: impl Fn(StreamKey) -> bool) {
        self.gaps += 1;
        // A line that does not move, as when the connection's window is shut, must not grow with every stream
        // that comes and goes. Half keeps the cost of tidying constant per stream.
        if self.gaps > SPARED_GAPS && self.gaps > self.line.len() / 2 {
            self.line.retain(|key| is_open(*key));
            self.gaps = 0;
        }
    }

    /// Gives memory back, if the line is empty.
    pub(crate) fn rest(&mut self) {
        if self.line.is_empty() {
            *self = Self::default();
        }
    }
}

/// So few gaps are not worth the walk.
const SPARED_GAPS: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_does_not_move_stays_short() {
        let mut turns = Turns::default();
        for id in 0..10_000 {
            turns.push(StreamKey::new(0, id));
            turns.forget(|key| key.id() > id);
        }
        assert!(turns.line.len() <= SPARED_GAPS + 1);
        assert_eq!(turns.gaps, turns.line.len());
    }
}
