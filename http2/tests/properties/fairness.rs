//! Who sends next, whatever the sizes: what is short takes turns and goes first, what is long goes one after the other, and
//! nobody waits for ever.

use std::collections::HashMap;

use crate::support::random::for_seeds;
use crate::support::{Story, kind, setting};

/// From so many bytes on a stream counts as long.
const SHORT: usize = 64 << 10;
/// So much of a long one goes in one piece.
const LONG_TURN: usize = 1 << 20;
/// So many frames of short ones go before one of a long one.
const BEFORE_A_LONG_ONE: usize = 4;

/// One stream that has all its data from the beginning.
struct Sender {
    left: usize,
    sent: usize,
    /// Who has sent since it did.
    since: Vec<u32>,
}

impl Sender {
    fn is_long(&self) -> bool {
        self.sent >= SHORT
    }

    fn waits(&self) -> bool {
        self.left > 0
    }
}

#[test]
fn short_ones_take_turns_and_long_ones_follow_one_another() {
    for_seeds(60, |random| {
        let mut story = Story::settings(&[(setting::INITIAL_WINDOW_SIZE, 0)]);
        story.server().window(0, 1 << 30);
        let mut senders = HashMap::new();
        for _ in 0..2 + random.below(6) {
            let stream = story.upload();
            let most = [2_000, 200_000, 3_000_000][random.below(3)];
            let bytes = 1 + random.below(most);
            for _ in 0..4 {
                story.send(stream, vec![0; bytes.div_ceil(4)], false);
            }
            let sender = Sender { left: 4 * bytes.div_ceil(4), sent: 0, since: Vec::new() };
            senders.insert(stream.id(), sender);
        }
        story.take_frames();
        // All windows open at one moment, each wide enough.
        story.server().settings(&[(setting::INITIAL_WINDOW_SIZE, 1 << 24)]);
        // The long one whose turn it is, and how much it has sent in it.
        let mut turn: Option<(u32, usize)> = None;
        // Since a long one waits.
        let mut short_in_a_row = 0;
        for frame in story.take_frames().into_iter().filter(|frame| frame.kind == kind::DATA) {
            let id = frame.stream;
            let is_long = senders[&id].is_long();
            let others = |long: bool| {
                let is_one = move |(other, sender): &(&u32, &Sender)| {
                    **other != id && sender.waits() && sender.is_long() == long
                };
                senders.iter().filter(is_one)
            };
            if is_long {
                let may_go = others(false).count() == 0 || short_in_a_row >= BEFORE_A_LONG_ONE;
                assert!(may_go, "{id} went before short ones");
                short_in_a_row = 0;
                match &mut turn {
                    Some((whose, sent)) if *whose == id => *sent += frame.payload.len(),
                    _ => {
                        if let Some((whose, sent)) = turn {
                            let ended = sent >= LONG_TURN - (16 << 10) || !senders[&whose].waits();
                            assert!(ended, "{id} went in the turn of {whose}");
                        }
                        turn = Some((id, frame.payload.len()));
                    }
                }
            } else {
                short_in_a_row = if others(true).count() > 0 { short_in_a_row + 1 } else { 0 };
                assert!(short_in_a_row <= BEFORE_A_LONG_ONE, "a long one waits for too long");
                if senders[&id].sent > 0 {
                    for (other, _) in others(false) {
                        assert!(
                            senders[&id].since.contains(other),
                            "{other} had no turn between two of {id}"
                        );
                    }
                }
            }
            let sender = senders.get_mut(&id).unwrap();
            (sender.left, sender.sent) =
                (sender.left - frame.payload.len(), sender.sent + frame.payload.len());
            sender.since.clear();
            senders.values_mut().for_each(|sender| sender.since.push(id));
        }
        assert!(senders.values().all(|sender| !sender.waits()));
    });
}
