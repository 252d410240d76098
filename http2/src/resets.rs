//! Which streams we ended before the peer did: what the peer sent before it knew is ignored (RFC 9113
//! section 5.1, "closed"), whereas frames for a stream that had ended in order are an error.

/// A set of stream ids of bounded size. What is too old to be remembered counts as in the set: a frame too many is
/// ignored rather than a healthy connection ended.
#[derive(Debug, Default)]
pub(crate) struct Resets {
    /// A ring of words, each for 64 ids that follow one another, with the number of the word that it holds now.
    /// Empty until the first stream is reset.
    words: Vec<(u32, u64)>,
}

impl Resets {
    pub(crate) fn insert(&mut self, id: u32) {
        if self.words.is_empty() {
            self.words = vec![(0, 0); WORDS];
        }
        let (number, bit) = place(id);
        let (held, bits) = &mut self.words[number as usize % WORDS];
        if *held < number {
            (*held, *bits) = (number, 0);
        }
        if *held == number {
            *bits |= bit;
        }
    }

    /// Whether we may have reset the stream.
    pub(crate) fn contains(&self, id: u32) -> bool {
        let (number, bit) = place(id);
        match self.words.get(number as usize % WORDS) {
            None => false,
            Some((held, _)) if *held > number => true,
            Some((held, bits)) => *held == number && bits & bit != 0,
        }
    }
}

/// The number of the word, and the bit in it. Our ids are odd, so the lowest bit says nothing.
fn place(id: u32) -> (u32, u64) {
    let ordinal = id / 2;
    (ordinal / u64::BITS, 1 << (ordinal % u64::BITS))
}

/// 2 KiB for the last 8192 streams: more than can be under way in a round trip, even at 50 000 calls per second.
const WORDS: usize = 128;

#[cfg(test)]
mod tests {
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
    fn the_last_id_has_a_place() {
        let mut resets = Resets::default();
        resets.insert(u32::MAX >> 1);
        assert!(resets.contains(u32::MAX >> 1));
    }
}
