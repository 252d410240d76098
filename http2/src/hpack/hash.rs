//! The hash of names, values and blocks. Apart from `std`'s, because it runs in `const` (the static table's
//! index is built by the compiler) and costs a few instructions.
//!
//! It does not resist an attacker who chooses the bytes. Wherever it is used, a collision costs one
//! comparison more, and the number of things compared is bounded by the table.

/// Odd, and its bits are evenly spread: the golden ratio in 64 bits.
const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

/// Eight bytes a step; the last step may overlap the one before it, so that no byte is read alone.
pub(super) const fn hash(bytes: &[u8]) -> u32 {
    let mut state = mix(bytes.len() as u64, MULTIPLIER);
    let mut rest = bytes;
    while let Some((word, after)) = rest.split_first_chunk::<8>() {
        if after.is_empty() {
            break;
        }
        state = mix(state, u64::from_le_bytes(*word));
        rest = after;
    }
    let last = match (bytes.last_chunk::<8>(), bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        (Some(last), _, _) => u64::from_le_bytes(*last),
        (None, Some(first), Some(last)) => {
            u32::from_le_bytes(*first) as u64 | (u32::from_le_bytes(*last) as u64) << 32
        }
        _ => match *bytes {
            [] => 0,
            [first] => first as u64,
            [first, .., last] => first as u64 | (last as u64) << 8 | (bytes[bytes.len() / 2] as u64) << 16,
        },
    };
    mix(state, last) as u32
}

/// The hash of a field, from those of its name and its value.
pub(super) const fn join(name: u32, value: u32) -> u32 {
    mix(name as u64 | (value as u64) << 32, 0) as u32
}

/// Multiplies to 128 bits and folds them, so that every bit counts in every other.
const fn mix(state: u64, word: u64) -> u64 {
    let product = (state ^ word) as u128 * MULTIPLIER as u128;
    (product >> 64) as u64 ^ (product as u64).rotate_left(32)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_byte_and_the_length_count() {
        for length in 0..40 {
            let plain = vec![b'a'; length];
            let mut seen = HashSet::from([hash(&plain), hash(&vec![b'a'; length + 1])]);
            for position in 0..length {
                let mut changed = plain.clone();
                changed[position] = b'b';
                assert!(seen.insert(hash(&changed)), "position {position} of {length}");
            }
        }
    }

    #[test]
    fn the_low_bits_of_numbers_written_out_are_spread() {
        let mut buckets = [0; 64];
        for number in 0..6400 {
            buckets[(hash(format!("value-{number}").as_bytes()) & 63) as usize] += 1;
        }
        assert!(buckets.iter().all(|&count| (50..200).contains(&count)), "{buckets:?}");
    }
}
