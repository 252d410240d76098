//! Integers with a prefix (RFC 7541 5.1): the low bits of a first octet, and more octets if they do not
//! suffice.

use super::DecodeError;

/// Five octets of seven bits hold every number of 32 bits. More would be zeros, which only serve to keep us
/// busy.
const MAX_CONTINUATION: u32 = 5;

/// Writes `value` behind the bits of `first` that are above the prefix of `prefix` bits.
#[inline]
pub(super) fn encode(out: &mut Vec<u8>, first: u8, prefix: u32, value: usize) {
    let full = (1 << prefix) - 1;
    if value < full {
        out.push(first | value as u8);
    } else {
        out.push(first | full as u8);
        encode_rest(out, value - full);
    }
}

/// Seven bits an octet, the lowest first.
fn encode_rest(out: &mut Vec<u8>, mut rest: usize) {
    while rest >= 0x80 {
        out.push(0x80 | (rest & 0x7f) as u8);
        rest >>= 7;
    }
    out.push(rest as u8);
}

/// Reads the integer that begins with the low `prefix` bits of `first`, and takes its further octets off
/// `rest`.
pub(super) fn decode(first: u8, prefix: u32, rest: &mut &[u8]) -> Result<u32, DecodeError> {
    let full = (1 << prefix) - 1;
    let small = u32::from(first) & full;
    if small < full {
        return Ok(small);
    }
    let mut value = u64::from(full);
    for step in 0..MAX_CONTINUATION {
        let (&octet, after) = rest.split_first().ok_or(DecodeError::Truncated)?;
        *rest = after;
        value += u64::from(octet & 0x7f) << (7 * step);
        if octet & 0x80 == 0 {
            return u32::try_from(value).map_err(|_| DecodeError::IntegerTooLarge);
        }
    }
    Err(DecodeError::IntegerTooLarge)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(prefix: u32, value: usize) -> Vec<u8> {
        let mut out = Vec::new();
        encode(&mut out, 0, prefix, value);
        out
    }

    fn decoded(prefix: u32, bytes: &[u8]) -> Result<(u32, usize), DecodeError> {
        let (&first, mut rest) = bytes.split_first().unwrap();
        decode(first, prefix, &mut rest).map(|value| (value, rest.len()))
    }

    #[test]
    fn the_examples_of_rfc_7541_c_1() {
        for (prefix, value, bytes) in [(5, 10, &[10][..]), (5, 1337, &[31, 154, 10]), (8, 42, &[42])] {
            assert_eq!(encoded(prefix, value), bytes);
            assert_eq!(decoded(prefix, bytes), Ok((value as u32, 0)));
        }
    }

    #[test]
    fn every_prefix_holds_every_size() {
        for prefix in 1..=8 {
            let edges = (0..32).flat_map(|bit| [(1u64 << bit) - 1, 1 << bit, (1 << bit) + 1]);
            for value in edges.chain([u64::from(u32::MAX)]) {
                let mut bytes = encoded(prefix, value as usize);
                bytes.extend([7, 7]);
                assert_eq!(decoded(prefix, &bytes), Ok((value as u32, 2)), "prefix {prefix}");
            }
        }
    }

    #[test]
    fn what_is_above_the_prefix_is_kept_and_ignored() {
        let mut out = Vec::new();
        encode(&mut out, 0xe0, 5, 1337);
        assert_eq!(out, [0xff, 154, 10]);
        assert_eq!(decoded(5, &out), Ok((1337, 0)));
    }

    #[test]
    fn more_than_32_bits_are_refused_and_so_are_more_octets_than_they_need() {
        let max = u64::from(u32::MAX);
        assert_eq!(decoded(5, &encoded(5, max as usize)), Ok((u32::MAX, 0)));
        assert_eq!(decoded(5, &encoded(5, max as usize + 1)), Err(DecodeError::IntegerTooLarge));
        assert_eq!(decoded(5, &[31, 0x80, 0x80, 0x80, 0x80, 0]), Ok((31, 0)));
        assert_eq!(decoded(5, &[31, 0x80, 0x80, 0x80, 0x80, 0x80, 0]), Err(DecodeError::IntegerTooLarge));
        assert_eq!(
            decoded(5, &[31, 255, 255, 255, 255, 255, 255, 255, 255]),
            Err(DecodeError::IntegerTooLarge)
        );
    }

    #[test]
    fn an_integer_that_goes_on_beyond_the_block_is_truncated() {
        assert_eq!(decoded(5, &[31]), Err(DecodeError::Truncated));
        assert_eq!(decoded(5, &[31, 0x9a]), Err(DecodeError::Truncated));
    }
}
