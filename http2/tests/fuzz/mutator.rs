//! New inputs from old ones by small changes, as fuzzers make them; the same seed makes the same input.

use crate::targets::support::random::Random;

/// Longer inputs show nothing that several shorter ones do not.
const LONGEST: usize = 2_048;

/// Numbers at which things change.
const INTERESTING: [u32; 12] = [0, 1, 2, 4, 5, 8, 9, 16_384, 16_385, (1 << 31) - 1, 1 << 31, u32::MAX];

pub(crate) fn mutate(random: &mut Random, corpus: &[Vec<u8>]) -> Vec<u8> {
    let mut input = random.choose(corpus).clone();
    for _ in 0..1 + random.below(6) {
        change(random, &mut input, corpus);
    }
    input.truncate(LONGEST);
    input
}

fn change(random: &mut Random, input: &mut Vec<u8>, corpus: &[Vec<u8>]) {
    let at = random.below(input.len() + 1);
    let length = random.below(16).min(input.len() - at);
    match random.below(9) {
        0 => input.insert(at, random.byte()),
        1 => drop(input.drain(at..at + length)),
        2 => {
            let copy = input[at..at + length].to_vec();
            let to = random.below(input.len() + 1);
            input.splice(to..to, copy);
        }
        3 => {
            let fresh: Vec<_> = (0..1 + random.below(40)).map(|_| random.byte()).collect();
            input.splice(at..at, fresh);
        }
        4 => {
            let number = random.choose(&INTERESTING).to_be_bytes();
            let from = random.below(4);
            let end = (at + 4 - from).min(input.len());
            input.splice(at..end, number[from..].iter().copied());
        }
        5 => {
            // The end of another.
            let other = random.choose(corpus);
            let from = random.below(other.len() + 1);
            input.truncate(at);
            input.extend_from_slice(&other[from..]);
        }
        _ if at == input.len() => input.push(random.byte()),
        6 => input[at] ^= 1 << random.below(8),
        7 => input[at] = random.byte(),
        _ => input[at] = input[at].wrapping_add(random.byte() % 7).wrapping_sub(3),
    }
}
