//! Whose data goes out next. What is short takes turns, frame by frame, and goes first; what is long goes one after the
//! other. Eight messages of a mebibyte that take turns all arrive at the end, until which the peer holds eight halves
//! and has nothing to work on; one after the other they arrive as early as they can, and the last no later.

use crate::StreamKey;
use crate::streams::Stream;
use crate::turns::Turns;

/// What a stream has sent of what it had to send, before it counts as long. Four frames of the usual size.
const SHORT: usize = 64 << 10;

/// How much a long one sends before the next long one gets its turn.
const LONG_TURN: usize = 1 << 20;

/// How many frames of short ones go before one of a long one that waits.
const BEFORE_A_LONG_ONE: usize = 4;

/// The streams that have both data and window. Who stands in it knows so itself: a stream is pushed at most once.
///
/// ```text
///   has data --> short --64 KiB later--> long --a mebibyte later--.
///                 ^  |                   ^  |                     |
///                 '--' each frame        |  '-- each frame, to the front
///                                        '------------------------' to the back
/// ```
#[derive(Debug, Default)]
pub(crate) struct Schedule {
    short: Turns,
    long: Turns,
    /// How many frames of short ones went since a long one had to wait.
    passed: usize,
    /// The one that was just popped is a long one.
    popped_long: bool,
}

impl Schedule {
    /// A stream gets data, or window for its data.
    pub(crate) fn push(&mut self, key: StreamKey, stream: &mut Stream) {
        stream.lines.turn = true;
        stream.lines.long = stream.sent() >= SHORT;
        if stream.lines.long { self.long.push(key) } else { self.short.push(key) }
    }

    /// The stream that was just popped has sent a frame, and has more. Before that it had sent `before`.
    pub(crate) fn go_on(&mut self, key: StreamKey, stream: &mut Stream, before: usize) {
        let turn = |sent: usize| sent.checked_sub(SHORT).map(|sent| sent / LONG_TURN);
        if turn(before).is_some() && turn(before) == turn(stream.sent()) {
            (stream.lines.turn, stream.lines.long) = (true, true);
            self.long.push_front(key);
        } else {
            self.push(key, stream);
        }
    }

    /// Whose turn it is. It may be over: see [`pass_gap`](Self::pass_gap).
    pub(crate) fn pop(&mut self) -> Option<StreamKey> {
        let long_waits = !self.long.is_empty();
        self.popped_long = long_waits && (self.short.is_empty() || self.passed >= BEFORE_A_LONG_ONE);
        if self.popped_long {
            self.passed = 0;
            return self.long.pop();
        }
        self.passed = if long_waits { self.passed + 1 } else { 0 };
        self.short.pop()
    }

    /// The stream that was just popped is over.
    pub(crate) fn pass_gap(&mut self) {
        if self.popped_long { self.long.pass_gap() } else { self.short.pass_gap() }
    }

    /// Whether nobody waits. One who is over counts.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.short.is_empty() && self.long.is_empty()
    }

    /// A stream that stands in it, among the `long` ones or not, is over. `is_open` tells of each whether it is not.
    pub(crate) fn forget(&mut self, long: bool, is_open: impl Fn(StreamKey) -> bool) {
        if long { self.long.forget(is_open) } else { self.short.forget(is_open) }
    }

    /// Gives memory back, if nobody waits.
    pub(crate) fn rest(&mut self) {
        self.short.rest();
        self.long.rest();
    }
}
