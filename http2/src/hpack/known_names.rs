//! The names of fields whose values are literals, and the two octets that stand for each. Apart from the
//! index, since a name that comes with every call is found here without being hashed.

use super::words::is_same;

/// Calls carry a few such fields: a timeout, a trace id, a token. The first names are kept; further ones are
/// searched for each time, which costs less than to push out one another in turn.
const PLACES: usize = 8;

/// In bytes; longer names are searched for each time.
const MAX_NAME: usize = 64;

/// The indices that a literal without indexing writes in two octets: those that fill its prefix of four bits,
/// and leave at most seven for the octet after it (RFC 7541 5.1, 6.2.2).
const TWO_OCTETS: std::ops::Range<usize> = 0x0f..0x0f + 0x80;

/// A few names, and how a literal without indexing begins that has this name.
#[derive(Default)]
pub(super) struct KnownNames {
    names: Vec<KnownName>,
}

struct KnownName {
    name: Box<[u8]>,
    head: [u8; 2],
    /// The table under which the head means this name.
    generation: u64,
}

impl KnownNames {
    /// How a literal without indexing of this name begins, while the table has this generation.
    #[inline]
    pub(super) fn head(&self, name: &[u8], generation: u64) -> Option<[u8; 2]> {
        let is_it = |known: &&KnownName| known.generation == generation && is_same(&known.name, name);
        self.names.iter().find(is_it).map(|known| known.head)
    }

    /// Whether the name is known at all.
    #[inline]
    pub(super) fn contains(&self, name: &[u8]) -> bool {
        self.names.iter().any(|known| is_same(&known.name, name))
    }

    /// Remembers a name that is not known: it has this index while the table has this generation.
    pub(super) fn keep(&mut self, name: &[u8], index: usize, generation: u64) {
        if name.len() > MAX_NAME || !TWO_OCTETS.contains(&index) {
            return;
        }
        let head = [0x0f, (index - TWO_OCTETS.start) as u8];
        let known = KnownName { name: name.into(), head, generation };
        if let Some(outdated) = self.names.iter_mut().find(|known| known.generation != generation) {
            *outdated = known;
        } else if self.names.len() < PLACES {
            self.names.push(known);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_known_for_its_generation() {
        let mut names = KnownNames::default();
        names.keep(b"grpc-timeout", 62, 3);
        assert_eq!(names.head(b"grpc-timeout", 3), Some([0x0f, 62 - 15]));
        assert_eq!(names.head(b"grpc-timeout", 4), None);
        assert_eq!(names.head(b"traceparent", 3), None);
    }

    #[test]
    fn only_indices_of_two_octets_are_kept() {
        let mut names = KnownNames::default();
        for index in [14, 15, 142, 143] {
            names.keep(index.to_string().as_bytes(), index, 1);
        }
        let heads = ["14", "15", "142", "143"].map(|name| names.head(name.as_bytes(), 1));
        assert_eq!(heads, [None, Some([15, 0]), Some([15, 127]), None]);
    }

    #[test]
    fn names_are_few_and_short_and_those_of_another_table_give_way() {
        let mut names = KnownNames::default();
        for generation in 1..4 {
            for number in 0..100 {
                names.keep(&[b'x', number], 62, generation);
            }
            assert_eq!(names.names.len(), PLACES);
            assert!((0..PLACES as u8).all(|number| names.head(&[b'x', number], generation).is_some()));
        }
        names.keep(&[b'x'; MAX_NAME + 1], 62, 9);
        assert!(names.head(&[b'x'; MAX_NAME + 1], 9).is_none());
    }
}
