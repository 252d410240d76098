//! What was seen lately: a small memory of hashes, old ones giving way to new ones.

/// Enough to recognise what repeats among some dozens of things that do not; half a kilobyte.
const PLACES: usize = 64;

/// Remembers hashes, each in the one place that it may take, and when they were seen: in whatever the owner
/// counts. Who errs pays with a few bytes on the wire or a needless copy: two things may share a hash, and
/// something may be forgotten early.
///
/// Many connections see nothing that may repeat but their templates: there is no memory before the first time.
#[derive(Default)]
pub(super) struct Sightings(Option<Box<[Sighting; PLACES]>>);

#[derive(Clone, Copy, Default)]
struct Sighting {
    hash: u32,
    when: u32,
}

impl Sightings {
    /// How long ago this was seen, if that is remembered; from now on it was.
    pub(super) fn saw(&mut self, hash: u32, now: u32) -> Option<u32> {
        let places = self.0.get_or_insert_with(|| Box::new([Sighting::default(); PLACES]));
        let place = &mut places[hash as usize % PLACES];
        let before = std::mem::replace(place, Sighting { hash, when: now });
        (before.hash == hash).then(|| now.wrapping_sub(before.when))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_time_is_seen_and_the_first_is_not() {
        let mut sightings = Sightings::default();
        let seen = [(7, 10), (8, 11), (7, 15), (7, 15), (8, 20)].map(|(hash, now)| sightings.saw(hash, now));
        assert_eq!(seen, [None, None, Some(5), Some(0), Some(9)]);
    }

    #[test]
    fn what_takes_the_same_place_makes_it_forget() {
        let mut sightings = Sightings::default();
        assert_eq!([7, 7 + 64, 7].map(|hash| sightings.saw(hash, 0)), [None; 3]);
    }
}
