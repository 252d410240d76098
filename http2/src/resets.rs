//! Which streams we ended before the peer did: what the peer sent before it knew is ignored (RFC 9113
//! section 5.1, "closed"), whereas frames for a stream that had ended in order are an error.

/// A set of stream ids of bounded size. What is too old to be remembered counts as in the set: a frame too many is
/// ignored rather than a healthy connection ended.
#[derive(Debug, Default)]
pub(crate) struct Resets {
    /// A ring of words, each for 64 ids that follow one another, with the number of the word that it holds now; one
    /// without bits holds none. There are twice as many when one that is not too old would have to give way.
    words: Vec<(u32, u64)>,
    /// The number of the newest word.
    newest: u32,
}

impl Resets {
    pub(crate) fn insert(&mut self, id: u32) {
        let (number, bit) = place(id);
        if self.is_too_old(number) {
            return;
        }
        self.newest = self.newest.max(number);
        while self.is_crowded(number) {
            self.grow();
        }
        let at = number as usize % self.words.len();
        let (held, bits) = &mut self.words[at];
        if *held != number {
            (*held, *bits) = (number, 0);
        }
        *bits |= bit;
    }

    /// Whether we may have reset the stream.
    pub(crate) fn contains(&self, id: u32) -> bool {
        let (number, bit) = place(id);
        let Some(at) = (number as usize).checked_rem(self.words.len()) else { return false };
        let (held, bits) = self.words[at];
        self.is_too_old(number) || held == number && bits & bit != 0
    }

    fn is_too_old(&self, number: u32) -> bool {
        number as usize + MOST_WORDS <= self.newest as usize
    }

    /// Whether the word's place is taken by another that is not too old.
    fn is_crowded(&self, number: u32) -> bool {
        let Some(at) = (number as usize).checked_rem(self.words.len()) else { return true };
        let (held, bits) = self.words[at];
        bits != 0 && held != number && !self.is_too_old(held)
    }

    fn grow(&mut self) {
        let length = (2 * self.words.len()).max(FEWEST_WORDS);
        let smaller = std::mem::replace(&mut self.words, vec![(0, 0); length]);
        for word in smaller.into_iter().filter(|(_, bits)| *bits != 0) {
            self.words[word.0 as usize % length] = word;
        }
    }
}

/// The number of the word, and the bit in it. Our ids are odd, so the lowest bit says nothing.
fn place(id: u32) -> (u32, u64) {
    let ordinal = id / 2;
    (ordinal / u64::BITS, 1 << (ordinal % u64::BITS))
}

/// 2 KiB for the last 8192 streams: more than can be under way in a round trip, even at 50 000 calls per second.
const MOST_WORDS: usize = 128;
/// For 256 streams: few connections that rest have reset more.
const FEWEST_WORDS: usize = 4;

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn what_was_reset_is_remembered_exactly_while_it_is_recent() {
        let mut resets = Resets::default();
        assert!(!resets.contains(1));
        for id in (1..8192).step_by(6) {
            resets.insert(id);
        }
        for id in (1..8192).step_by(2) {
            assert_eq!(resets.contains(id), id % 6 == 1, "{id}");
        }
    }

    #[test]
    fn the_ring_is_small_until_many_streams_in_a_short_while_were_reset() {
        let mut resets = Resets::default();
        for id in (1..1_000_000).step_by(2 * 64 * MOST_WORDS) {
            resets.insert(id);
        }
        assert_eq!(resets.words.len(), FEWEST_WORDS);
        for id in (1..1_000_000).step_by(2) {
            resets.insert(id);
        }
        assert_eq!(resets.words.len(), MOST_WORDS);
    }

    #[test]
    fn what_is_too_old_counts_as_reset() {
        let mut resets = Resets::default();
        resets.insert(5);
        resets.insert(5 + 2 * 64 * 128);
        assert!(resets.contains(5));
        assert!(resets.contains(7));
        assert!(resets.contains(5 + 2 * 64 * 128));
        assert!(!resets.contains(7 + 2 * 64 * 128));
        resets.insert(9);
        assert!(!resets.contains(9 + 2 * 64 * 128));
    }

    #[test]
    fn it_is_a_set_but_for_what_is_too_old() {
        let mut seed = 0x2545_f491_4f6c_dd1d_u64;
        let mut below = |end: u32| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            u32::try_from(seed % u64::from(end)).unwrap()
        };
        for spread in [1 << 8, 1 << 10, 1 << 13, 1 << 16] {
            let (mut resets, mut model, mut newest) = (Resets::default(), HashSet::new(), 0);
            for round in 0..3000 {
                // The ids go on, and those that are asked for lie on both sides of them.
                let inserted = (4 * round + below(spread)) | 1;
                model.insert(inserted);
                resets.insert(inserted);
                newest = newest.max(inserted / 128);
                let asked = (4 * round + below(spread)) | 1;
                let is_too_old = asked / 128 + 128 <= newest;
                assert_eq!(resets.contains(asked), is_too_old || model.contains(&asked), "{asked}");
            }
            assert!(resets.words.len() <= MOST_WORDS);
        }
    }

    #[test]
    fn the_last_id_has_a_place() {
        let mut resets = Resets::default();
        resets.insert(u32::MAX >> 1);
        assert!(resets.contains(u32::MAX >> 1));
    }
}
