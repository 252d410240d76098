//! The values of `grpc-timeout`, plain and as HPACK codes strings. Most clients write what is left of the
//! deadline, which differs in every call, so it is parsed where the rest of a head is only compared.

/// gRPC: "at most 8 digits", and a unit.
const MAX_DIGITS: usize = 8;

/// Takes a string of HPACK (RFC 7541, section 5.2) off `input` if it is a timeout.
pub(super) fn take_string(input: &[u8]) -> Option<&[u8]> {
    let (&first, rest) = input.split_first()?;
    // Longer strings than 126 bytes go on in further bytes, and no timeout is so long.
    let length = usize::from(first & 0x7f);
    let (value, rest) = rest.split_at_checked(length)?;
    let valid = if first & 0x80 == 0 { is_valid(value) } else { is_valid_huffman(value) };
    valid.then_some(rest)
}

/// Whether this is a timeout.
pub(super) fn is_valid(value: &[u8]) -> bool {
    let Some((unit, digits)) = value.split_last() else { return false };
    (1..=MAX_DIGITS).contains(&digits.len())
        && digits.iter().all(u8::is_ascii_digit)
        && matches!(unit, b'H' | b'M' | b'S' | b'm' | b'u' | b'n')
}

/// The same, in the code of RFC 7541, appendix B, of which only digits (5 or 6 bits) and units (6 or 7) occur.
fn is_valid_huffman(coded: &[u8]) -> bool {
    if coded.len() > MAX_DIGITS {
        return false;
    }
    let bits = coded.iter().fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
    let mut left = coded.len() * 8;
    let take = |left: usize, count: usize| -> Option<u64> {
        left.checked_sub(count).map(|rest| (bits >> rest) & ((1 << count) - 1))
    };
    let mut digits = 0;
    loop {
        if take(left, 5).is_some_and(|code| code <= 2) {
            left -= 5;
        } else if take(left, 6).is_some_and(|code| (0x19..=0x1f).contains(&code)) {
            left -= 6;
        } else {
            break;
        }
        digits += 1;
    }
    if take(left, 6).is_some_and(|code| matches!(code, 0x29 | 0x2a | 0x2d)) {
        left -= 6;
    } else if take(left, 7).is_some_and(|code| matches!(code, 0x63 | 0x68 | 0x6e)) {
        left -= 7;
    } else {
        return false;
    }
    // What is left of the last byte is all ones.
    let padding = (1_u64 << left) - 1;
    (1..=MAX_DIGITS).contains(&digits) && left < 8 && bits & padding == padding
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Codes and their lengths, from RFC 7541, appendix B.
    const CODES: [(u8, u64, usize); 16] = [
        (b'0', 0x0, 5),
        (b'1', 0x1, 5),
        (b'2', 0x2, 5),
        (b'3', 0x19, 6),
        (b'4', 0x1a, 6),
        (b'5', 0x1b, 6),
        (b'6', 0x1c, 6),
        (b'7', 0x1d, 6),
        (b'8', 0x1e, 6),
        (b'9', 0x1f, 6),
        (b'H', 0x63, 7),
        (b'M', 0x68, 7),
        (b'S', 0x6e, 7),
        (b'm', 0x29, 6),
        (b'u', 0x2d, 6),
        (b'n', 0x2a, 6),
    ];

    fn huffman(text: &str) -> Vec<u8> {
        let (mut bits, mut length) = (0_u64, 0);
        for byte in text.bytes() {
            let (_, code, count) = CODES.iter().find(|(symbol, ..)| *symbol == byte).unwrap();
            (bits, length) = (bits << count | code, length + count);
        }
        let padding = (8 - length % 8) % 8;
        bits = bits << padding | ((1 << padding) - 1);
        let bytes = (length + padding) / 8;
        let mut string = vec![0x80 | bytes as u8];
        string.extend_from_slice(&bits.to_be_bytes()[8 - bytes..]);
        string
    }

    #[test]
    fn timeouts_are_taken_and_what_follows_is_left() {
        for text in ["1S", "999999u", "10000000m", "34567890n", "1H", "2M"] {
            let mut plain = vec![text.len() as u8];
            plain.extend_from_slice(text.as_bytes());
            for mut string in [plain, huffman(text)] {
                string.push(0xbe);
                assert_eq!(take_string(&string), Some(&[0xbe][..]), "{text}");
            }
        }
    }

    #[test]
    fn an_independent_decoder_reads_the_same_codes() {
        let mut decoder = loona_hpack::huffman::HuffmanDecoder::new();
        for text in ["0123456u", "789H", "1M", "1S", "1m", "1n"] {
            assert_eq!(decoder.decode(&huffman(text)[1..]).unwrap(), text.as_bytes());
        }
    }

    #[test]
    fn what_is_no_timeout_is_not_taken() {
        for text in ["", "S", "1", "123456789S", "1x", "u1"] {
            let mut plain = vec![text.len() as u8];
            plain.extend_from_slice(text.as_bytes());
            assert_eq!(take_string(&plain), None, "{text}");
        }
        for text in ["S", "1", "123456789S"] {
            assert_eq!(take_string(&huffman(text)), None, "{text}");
        }
        assert_eq!(take_string(&[]), None);
        assert_eq!(take_string(&[5, b'1']), None);
    }
}
