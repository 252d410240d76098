//! Blocks that no honest peer sends: each is refused for what it is, and none costs more than its bytes.

use super::*;

fn error(block: &[u8]) -> DecodeError {
    Decoder::new(4096, 4096).decode(block).unwrap_err()
}

#[test]
fn no_index_is_beyond_the_tables() {
    assert_eq!(error(&[0x80]), DecodeError::InvalidIndex, "zero");
    assert_eq!(error(&[0x80 | 62]), DecodeError::InvalidIndex, "an empty table");
    assert_eq!(error(&[0x40 | 62, 1, b'x']), DecodeError::InvalidIndex, "as a name");
    assert_eq!(error(&[0x0f, 62 - 15, 1, b'x']), DecodeError::InvalidIndex, "as a name that is not kept");
    assert_eq!(error(&[0xff, 0xff, 0xff, 0xff, 0xff, 0x0f]), DecodeError::IntegerTooLarge);
    assert_eq!(error(&[0xff, 0x80, 0xff, 0xff, 0xff, 0x0f]), DecodeError::InvalidIndex, "32 bits");
}

#[test]
fn no_block_ends_within_a_field() {
    let whole = [0x40, 3, b'a', b'b', b'c', 0x83, 0x64, 0x02, 0xff];
    let block = &whole[..8];
    for end in 1..block.len() {
        assert_eq!(error(&block[..end]), DecodeError::Truncated, "{end} octets");
    }
    assert_eq!(error(&[0x3f, 0xe1]), DecodeError::Truncated);
    assert_eq!(error(&[0x40, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f]), DecodeError::IntegerTooLarge);
    assert_eq!(error(&[0x40, 0x7f, 0x80, 0xff, 0xff, 0xff, 0x0f, b'x']), DecodeError::Truncated);
}

#[test]
fn huffman_code_is_checked_in_names_and_values() {
    assert_eq!(error(&[0x40, 0x81, 0xff, 0]), DecodeError::InvalidHuffman);
    assert_eq!(error(&[0x00, 1, b'a', 0x84, 0xff, 0xff, 0xff, 0xff]), DecodeError::InvalidHuffman);
}

/// The table is filled with one large entry, and a block names it a million times.
#[test]
fn a_block_of_indices_keeps_no_more_than_the_limit() {
    let limit = 16 * 1024;
    let mut decoder = Decoder::new(4096, limit);
    let mut insert = vec![0x40, 1, b'a'];
    integer::encode(&mut insert, 0, 7, 4000);
    insert.extend([b'x'; 4000]);
    decoder.decode(&insert).unwrap();
    let decoded = decoder.decode(&vec![0x80 | 62; 1 << 20]).unwrap();
    assert_eq!((decoded.verdict, decoded.headers.len()), (Verdict::TooLarge, 0));
    assert!(decoder.capacity() <= 4 * 1024, "{} bytes", decoder.capacity());
}

/// It is passed, not copied; what is wrong with its coding is an error all the same.
#[test]
fn a_list_that_is_not_handed_out_is_checked_and_changes_the_table() {
    let illegal = [0x00, 1, b'A', 1, b'x'];
    let block = |rest: &[u8]| [&illegal[..], rest].concat();
    let faults: [(&[u8], DecodeError); 8] = [
        (&[0x80], DecodeError::InvalidIndex),
        (&[0x80 | 62], DecodeError::InvalidIndex),
        (&[0x0f, 62 - 15, 1, b'x'], DecodeError::InvalidIndex),
        (&[0x40 | 62, 1, b'x'], DecodeError::InvalidIndex),
        (&[0x00, 1, b'a', 2, b'x'], DecodeError::Truncated),
        (&[0x00, 0x81, 0xff, 0], DecodeError::InvalidHuffman),
        (&[0x10, 1, b'a', 0x81, 0xff], DecodeError::InvalidHuffman),
        (&[0x20], DecodeError::SizeUpdateMisplaced),
    ];
    for (rest, fault) in faults {
        assert_eq!(error(&block(rest)), fault, "{rest:02x?}");
    }
    let mut decoder = Decoder::new(4096, 4096);
    let passed = block(&[0x82, 0x01, 1, b'y', 0x00, 1, b'b', 1, b'y', 0x40, 1, b'a', 1, b'x', 0x80 | 62]);
    let verdict = decoder.decode(&passed).unwrap().verdict;
    assert!(matches!(verdict, Verdict::Malformed(_)));
    let decoded = decoder.decode(&[0x88, 0x80 | 62]).unwrap();
    assert_eq!(decoded.headers, [("a", "x")].into_iter().collect());
}

#[test]
fn what_a_large_list_needed_is_given_back() {
    let mut decoder = Decoder::new(4096, 1 << 20);
    let mut block = vec![0x00, 1, b'a'];
    integer::encode(&mut block, 0, 7, 500_000);
    block.extend(std::iter::repeat_n(b'x', 500_000));
    assert_eq!(decoder.decode(&block).unwrap().verdict, Verdict::Fine);
    assert!(decoder.capacity() <= 4 * 1024, "{} bytes", decoder.capacity());
}

#[test]
fn arbitrary_bytes_neither_panic_nor_pile_up() {
    for seed in 0..3000 {
        let mut random = Random::new(seed);
        let mut decoder = Decoder::new(random.below(300) as u32, random.below(2000) as u32);
        while let Ok(decoded) = decoder.decode(&likely_bytes(&mut random)) {
            let size: usize = decoded.headers.iter().map(|(name, value)| list_size(name, value)).sum();
            assert!(size <= 2000);
            let (_, size, capacity) = decoder.table().measure();
            assert!(size <= 300 && capacity <= 1200, "{size} and {capacity} bytes, seed {seed}");
            if random.one_in(200) {
                break;
            }
        }
    }
}

/// Bytes that are valid for a while more often than chance alone would have it.
pub(super) fn likely_bytes(random: &mut Random) -> Vec<u8> {
    let mut out = Vec::new();
    for _ in 0..random.below(6) {
        match random.below(8) {
            0..=2 => out.push(0x80 | (1 + random.below(66) as u8)),
            3..=5 => {
                out.push([0x40, 0x00, 0x10][random.below(3)]);
                for alphabet in [&b"abxyz-"[..], b"abc /~"] {
                    let text = if random.one_in(4) { random.bytes(40) } else { random.text(alphabet, 9) };
                    integer::encode(&mut out, 0, 7, text.len());
                    out.extend(text);
                }
            }
            6 => integer::encode(&mut out, 0x40, 6, 1 + random.below(66)),
            _ => out.extend(random.bytes(4)),
        }
    }
    out
}

/// White space around a value is what we leave out.
fn stripped((name, value): (Vec<u8>, Vec<u8>)) -> (Vec<u8>, Vec<u8>) {
    let stripped = if name == b"grpc-message" { &value } else { trimmed(&value) };
    let stripped = stripped.to_vec();
    (name, stripped)
}

#[test]
fn another_decoder_refuses_nothing_that_we_take_and_reads_the_same() {
    let (mut lists, mut refused_by_us_alone) = (0, 0);
    for seed in 0..5000 {
        let mut random = Random::new(seed);
        let mut ours = Decoder::new(4096, 1 << 20);
        let mut theirs = loona_hpack::Decoder::new();
        for _ in 0..6 {
            let block = likely_bytes(&mut random);
            match (ours.decode(&block), theirs.decode(&block)) {
                (Ok(decoded), Ok(fields)) if decoded.verdict == Verdict::Fine => {
                    let regular = fields.into_iter().filter(|(name, _)| name != b":status");
                    let regular: Fields = regular.map(stripped).collect();
                    let got: Fields = decoded.headers.iter().map(|(n, v)| (n.into(), v.into())).collect();
                    assert_eq!(got, regular, "seed {seed}, {block:02x?}");
                    lists += 1;
                }
                (Ok(_), Ok(_)) => {}
                // It does not let a block be an empty list with a table size.
                (Ok(_), Err(loona_hpack::decoder::DecoderError::SizeUpdateAtEnd)) => {}
                (Ok(_), Err(error)) => panic!("{error:?} for {block:02x?}, seed {seed}"),
                (Err(_), Err(_)) => break,
                // It takes sizes of the table anywhere, and more of them.
                (Err(_), Ok(_)) => {
                    refused_by_us_alone += 1;
                    break;
                }
            }
        }
    }
    assert!(lists > 3000 && refused_by_us_alone < 300, "{lists}, {refused_by_us_alone}");
}
