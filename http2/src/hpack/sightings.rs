//! What was seen lately: a small memory of hashes, old ones giving way to new ones.

/// Enough to recognise what repeats among some dozens of things that do not; 256 bytes.
const PLACES: usize = 64;

/// Remembers hashes, each in the one place that it may take. Who errs pays with a few bytes on the wire or a
/// needless copy: two things may share a hash, and something may be forgotten early.
pub(super) struct Sightings([u32; PLACES]);

impl Sightings {
    pub(super) fn new() -> Self {
        Self([0; PLACES])
    }

    /// Whether this was seen lately; from now on it was.
    pub(super) fn saw(&mut self, hash: u32) -> bool {
        let place = &mut self.0[hash as usize % PLACES];
        std::mem::replace(place, hash) == hash
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_time_is_seen_and_the_first_is_not() {
        let mut sightings = Sightings::new();
        assert_eq!([7, 8, 7, 7].map(|hash| sightings.saw(hash)), [false, false, true, true]);
    }

    #[test]
    fn what_takes_the_same_place_makes_it_forget() {
        let mut sightings = Sightings::new();
        assert_eq!([7, 7 + 64, 7].map(|hash| sightings.saw(hash)), [false, false, false]);
    }
}
