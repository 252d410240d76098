//! Questions about byte strings that most often are short, answered by words. Apart from the ways of `std`, which
//! are made for long ones: for lengths that are not known, a call or a loop costs more than the answer.

/// `left == right`. Up to sixteen bytes it compares two words, which may overlap.
#[inline]
pub(super) fn is_same(left: &[u8], right: &[u8]) -> bool {
    left.len() == right.len()
        && match left.len() {
            8..=16 => ends::<8>(left) == ends(right),
            4..8 => ends::<4>(left) == ends(right),
            0..4 => left.iter().zip(right).all(|(left, right)| left == right),
            _ => left == right,
        }
}

/// Whether there is an octet below `limit`, which is at most 128.
#[inline]
pub(super) fn has_octet_below(bytes: &[u8], limit: u8) -> bool {
    match bytes.len() {
        8..=16 => ends::<8>(bytes).is_some_and(|(first, last)| {
            is_below(u64::from_ne_bytes(first), limit) || is_below(u64::from_ne_bytes(last), limit)
        }),
        4..8 => ends::<4>(bytes).is_some_and(|(first, last)| {
            let both = u64::from(u32::from_ne_bytes(first)) << 32 | u64::from(u32::from_ne_bytes(last));
            is_below(both, limit)
        }),
        // All octets are looked at, so that it can be many at a time.
        _ => bytes.iter().fold(false, |found, octet| found | (*octet < limit)),
    }
}

/// Whether one of the word's octets is below `limit`: it borrows from its highest bit, which it did not have. What an
/// octet borrows from the next is of no matter, since then it is below itself.
#[inline]
fn is_below(word: u64, limit: u8) -> bool {
    const ONES: u64 = u64::MAX / 255;
    word.wrapping_sub(ONES * u64::from(limit)) & !word & (ONES << 7) != 0
}

/// The first and the last bytes.
#[inline]
fn ends<const N: usize>(bytes: &[u8]) -> Option<([u8; N], [u8; N])> {
    Some((*bytes.first_chunk()?, *bytes.last_chunk()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_and_the_length_count() {
        for length in 0..40 {
            let plain = vec![b'a'; length];
            assert!(is_same(&plain, &plain.clone()));
            assert!(!is_same(&plain, &vec![b'a'; length + 1]));
            for position in 0..length {
                let mut changed = plain.clone();
                changed[position] = b'b';
                assert!(!is_same(&plain, &changed), "position {position} of {length}");
            }
        }
    }

    #[test]
    fn an_octet_is_found_wherever_it_is() {
        for length in 0..40 {
            for octet in 0..=255 {
                let plain = vec![octet; length];
                assert_eq!(has_octet_below(&plain, 14), length > 0 && octet < 14, "{length} of {octet}");
                for position in 0..length {
                    let mut changed = vec![b'a'; length];
                    changed[position] = octet;
                    assert_eq!(
                        has_octet_below(&changed, 14),
                        octet < 14,
                        "{octet} at {position} of {length}"
                    );
                }
            }
        }
    }
}
