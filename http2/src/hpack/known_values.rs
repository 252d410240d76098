//! Long values that are in no table, because they are secret or large, and their Huffman code. A token goes
//! with every call for minutes, and to code it anew each time costs more than all the rest of a request's
//! head. They stay in this process, as long as the connection.

use super::hash::hash;
use super::sightings::Sightings;

/// A connection carries the calls of one identity, sometimes of a second while a token is renewed.
const PLACES: usize = 2;

/// In bytes. Shorter values are coded as fast as they are found; longer ones cost memory that tokens do not
/// need.
const LENGTHS: std::ops::RangeInclusive<usize> = 32..=4096;

/// A few values, and how a literal writes them.
pub(super) struct KnownValues {
    values: Vec<KnownValue>,
    /// The one that gives way to the next.
    oldest: usize,
    /// They know no time: what was seen twice is kept.
    sightings: Sightings,
}

struct KnownValue {
    value: Box<[u8]>,
    text: Box<[u8]>,
}

impl KnownValues {
    pub(super) fn new() -> Self {
        Self { values: Vec::new(), oldest: 0, sightings: Sightings::default() }
    }

    /// How a literal writes this value: its length and its code.
    pub(super) fn text(&self, value: &[u8]) -> Option<&[u8]> {
        self.values.iter().find(|known| *known.value == *value).map(|known| &*known.text)
    }

    /// Remembers how a value is written, if it was seen before.
    pub(super) fn keep(&mut self, value: &[u8], text: &[u8]) {
        if !LENGTHS.contains(&value.len()) || self.sightings.saw(hash(value), 0).is_none() {
            return;
        }
        let known = KnownValue { value: value.into(), text: text.into() };
        if self.values.len() < PLACES {
            self.values.push(known);
        } else {
            self.values[self.oldest] = known;
            self.oldest = (self.oldest + 1) % PLACES;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_known_when_it_was_seen_twice() {
        let mut values = KnownValues::new();
        let token = [b't'; 40];
        values.keep(&token, b"code");
        assert_eq!(values.text(&token), None);
        values.keep(&token, b"code");
        assert_eq!(values.text(&token), Some(&b"code"[..]));
        assert_eq!(values.text(&token[1..]), None);
    }

    #[test]
    fn few_values_are_kept_and_none_that_is_short_or_huge() {
        let mut values = KnownValues::new();
        for length in (0..100).chain([4096, 4097]) {
            for _ in 0..2 {
                values.keep(&vec![b't'; length], b"code");
            }
        }
        let kept: Vec<_> = values.values.iter().map(|known| known.value.len()).collect();
        assert_eq!(kept, [4096, 99]);
    }
}
