//! Whether byte strings are the same that most often are short. Apart from `==`, which is a call for lengths that
//! are not known: that call costs more than the comparison.

/// `left == right`. Up to sixteen bytes it compares two words, which may overlap.
#[inline]
pub(super) fn is_same(left: &[u8], right: &[u8]) -> bool {
    if left.len() != right.len() {
        return false;
    }
    if left.len() > 16 {
        return left == right;
    }
    match (ends::<8>(left), ends::<8>(right)) {
        (Some(left), Some(right)) => return left == right,
        _ => {}
    }
    match (ends::<4>(left), ends::<4>(right)) {
        (Some(left), Some(right)) => left == right,
        _ => left.iter().zip(right).all(|(left, right)| left == right),
    }
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
}
