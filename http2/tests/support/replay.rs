//! Told again: the same steps, the same clock, but the server's bytes arrive in other pieces. What is told,
//! how the connection ends and what is written must not depend on where a socket happens to cut.

use std::collections::BTreeMap;
use std::time::Instant;

use trunkline_http2::Config;

use super::machine::{Machine, Step, whole};
use super::random::Random;
use super::told::Told;
use super::wire::{Frame, PREFACE, kind};

/// Above it a story is not told again byte for byte, since that takes long in a debug build.
const SHORT: usize = 16 * 1024;

/// How often a story is told again with pieces of random sizes.
const TIMES: u64 = 2;

pub(crate) fn check(config: &Config, start: Instant, steps: &[Step]) {
    let plain = Outcome::of(config, start, steps, &mut whole);
    let received = steps.iter().map(|step| if let Step::Receive(bytes) = step { bytes.len() } else { 0 });
    if received.sum::<usize>() <= SHORT {
        let bytewise = Outcome::of(config, start, steps, &mut |_rest| 1);
        assert_eq!(bytewise, plain, "told again (left) byte for byte, the story is another");
    }
    for seed in 0..TIMES {
        let mut random = Random::new(seed);
        let mut pieces = |rest: usize| match random.below(4) {
            0 => 1 + random.below(9),
            1 => 1 + random.below(40),
            2 => 1 + random.below(20_000),
            _ => 1 + random.below(rest),
        };
        let again = Outcome::of(config, start, steps, &mut pieces);
        assert_eq!(again, plain, "told again (left) in pieces with seed {seed}, the story is another");
    }
}

/// All that can be seen of a story from outside, as far as it must not depend on pieces.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    told: Vec<Told>,
    over: Option<u32>,
    opened: Vec<u32>,
    /// What was written but window updates, which may be given in other portions.
    frames: Vec<Frame>,
    credit: BTreeMap<u32, u64>,
}

impl Outcome {
    fn of(config: &Config, start: Instant, steps: &[Step], cut: &mut dyn FnMut(usize) -> usize) -> Self {
        let mut machine = Machine::new(config.clone(), start);
        for step in steps {
            machine.apply(step, cut);
        }
        let mut wrote = machine.wrote.split_off(PREFACE.len().min(machine.wrote.len()));
        let mut frames = Vec::new();
        let mut credit = BTreeMap::new();
        while let Some(frame) = Frame::take(&mut wrote) {
            if frame.kind == kind::WINDOW_UPDATE {
                *credit.entry(frame.stream).or_default() += u64::from(frame.number_at(0));
            } else {
                frames.push(frame);
            }
        }
        Self {
            told: machine.told,
            over: machine.over.map(|error| error.code().0),
            opened: machine.streams.iter().map(|stream| stream.id()).collect(),
            frames,
            credit,
        }
    }
}
