//! What the decoder makes of whole blocks: lists, verdicts, table sizes, and blocks that repeat.

use super::*;
use crate::Headers;

/// A literal that enters the table.
fn inserted(name: &str, value: &str) -> Vec<u8> {
    literal(0x40, name, value)
}

/// A literal that does not.
fn passing(name: &str, value: &str) -> Vec<u8> {
    literal(0x00, name, value)
}

fn literal(first: u8, name: &str, value: &str) -> Vec<u8> {
    let mut out = vec![first];
    for text in [name, value] {
        integer::encode(&mut out, 0, 7, text.len());
        out.extend_from_slice(text.as_bytes());
    }
    out
}

fn passing_all(fields: &[(&str, &str)]) -> Vec<u8> {
    fields.iter().flat_map(|(name, value)| passing(name, value)).collect()
}

fn decoder() -> Decoder {
    Decoder::new(4096, 4096)
}

fn verdict(fields: &[(&str, &str)]) -> Verdict {
    decoder().decode(&passing_all(fields)).unwrap().verdict
}

#[test]
fn a_list_keeps_its_order_and_its_doubles() {
    let fields =
        [(":status", "200"), ("b", "1"), ("a", "2"), ("b", ""), ("content-type", "application/grpc")];
    let decoded = decoder().decode(&passing_all(&fields)).cloned().unwrap();
    let regular: Fields = decoded.headers.iter().map(|(name, value)| (name.into(), value.into())).collect();
    assert_eq!((decoded.status, decoded.verdict), (Some(200), Verdict::Fine));
    assert_eq!(regular, owned(&fields[1..]));
}

#[test]
fn an_empty_block_is_an_empty_list() {
    let decoded = decoder().decode(&[]).cloned().unwrap();
    assert!(decoded.headers.is_empty() && decoded.status.is_none() && decoded.verdict == Verdict::Fine);
}

#[test]
fn trailers_have_no_status() {
    let decoded = decoder().decode(&passing("grpc-status", "0")).cloned().unwrap();
    assert_eq!((decoded.status, decoded.headers.get("grpc-status")), (None, Some(&b"0"[..])));
}

#[test]
fn the_status_comes_once_and_first() {
    assert_eq!(verdict(&[(":status", "200"), ("a", "b")]), Verdict::Fine);
    assert!(matches!(verdict(&[(":status", "200"), (":status", "200")]), Verdict::Malformed(_)));
    assert!(matches!(verdict(&[("a", "b"), (":status", "200")]), Verdict::Malformed(_)));
    assert!(matches!(verdict(&[(":status", "20")]), Verdict::Malformed(_)));
    assert!(matches!(verdict(&[(":path", "/")]), Verdict::Malformed(_)));
}

#[test]
fn the_first_fault_is_told() {
    let fields = [(":status", "200"), ("Upper", "x"), ("connection", "close")];
    assert_eq!(verdict(&fields), Verdict::Malformed("uppercase letter in a field name (RFC 9113 8.2.1)"));
}

#[test]
fn an_illegal_field_of_the_table_is_illegal_each_time() {
    let mut decoder = decoder();
    let block = [passing(":status", "200"), inserted("connection", "close")].concat();
    assert!(matches!(decoder.decode(&block).unwrap().verdict, Verdict::Malformed(_)));
    for _ in 0..4 {
        let decoded = decoder.decode(&[0x88, 0x80 | 62]).unwrap();
        assert!(matches!(decoded.verdict, Verdict::Malformed(_)) && decoded.headers.is_empty());
    }
    // `transfer-encoding` of the static table is no better.
    assert!(matches!(decoder.decode(&[0x88, 0x80 | 57]).unwrap().verdict, Verdict::Malformed(_)));
}

#[test]
fn a_malformed_list_is_decoded_to_its_end() {
    let mut decoder = decoder();
    let block = [passing("Upper", "x"), inserted("later", "x"), passing("a", "b")].concat();
    assert!(decoder.decode(&block).unwrap().headers.is_empty());
    assert_eq!(entries(decoder.table()), owned(&[("later", "x")]));
    assert_eq!(decoder.decode(&[0x80 | 62]).unwrap().headers.get("later"), Some(&b"x"[..]));
}

#[test]
fn a_list_is_fine_up_to_its_limit_and_too_large_beyond() {
    // 32 + 7 + 3, and 32 + 1 + 9.
    let fields = [(":status", "200"), ("a", "123456789")];
    let decode = |limit| Decoder::new(4096, limit).decode(&passing_all(&fields)).cloned().unwrap();
    assert_eq!((decode(84).verdict, decode(84).headers.len()), (Verdict::Fine, 1));
    assert_eq!((decode(83).verdict, decode(83).headers.len()), (Verdict::TooLarge, 0));
    assert_eq!(decode(83).status, Some(200));
}

#[test]
fn a_list_that_is_too_large_is_decoded_to_its_end() {
    let mut decoder = Decoder::new(4096, 100);
    let block = [passing("a", &"x".repeat(100)), inserted("later", "x")].concat();
    assert_eq!(decoder.decode(&block).unwrap().verdict, Verdict::TooLarge);
    assert_eq!(entries(decoder.table()), owned(&[("later", "x")]));
}

#[test]
fn a_name_may_come_from_the_entry_that_its_field_evicts() {
    let mut decoder = Decoder::new(60, 4096);
    decoder.decode(&inserted("a-long-name", "value")).unwrap();
    let block = [0x40 | 62, 5, b'o', b't', b'h', b'e', b'r'];
    assert_eq!(decoder.decode(&block).unwrap().headers.get("a-long-name"), Some(&b"other"[..]));
    assert_eq!(entries(decoder.table()), owned(&[("a-long-name", "other")]));
}

#[test]
fn a_field_larger_than_the_table_empties_it_and_is_handed_out() {
    let mut decoder = Decoder::new(64, 4096);
    decoder.decode(&inserted("a", "b")).unwrap();
    let decoded = decoder.decode(&inserted("large", &"x".repeat(100))).unwrap();
    assert_eq!(decoded.headers.get("large").map(<[u8]>::len), Some(100));
    assert_eq!(entries(decoder.table()), []);
}

#[test]
fn a_block_that_repeats_is_one_object_from_the_third_time_on() {
    let mut decoder = decoder();
    let block = passing_all(&[(":status", "200"), ("content-type", "application/grpc+proto")]);
    let decoded: Vec<Decoded> = (0..5).map(|_| decoder.decode(&block).cloned().unwrap()).collect();
    let address = |decoded: &Decoded| decoded.headers.get("content-type").unwrap().as_ptr();
    assert!(decoded.iter().all(|other| *other == decoded[0]));
    assert_eq!(address(&decoded[2]), address(&decoded[1]));
    assert_eq!(address(&decoded[4]), address(&decoded[1]));
    assert_ne!(address(&decoded[0]), address(&decoded[1]));
}

#[test]
fn the_same_bytes_under_another_table_are_another_list() {
    let mut decoder = decoder();
    for value in ["one", "two", "three"] {
        decoder.decode(&inserted("name", value)).unwrap();
        for _ in 0..5 {
            let decoded = decoder.decode(&[0x88, 0x80 | 62]).unwrap();
            assert_eq!(decoded.headers.get("name"), Some(value.as_bytes()));
        }
    }
    decoder.decode(&[0x20]).unwrap();
    assert_eq!(decoder.decode(&[0x88, 0x80 | 62]), Err(DecodeError::InvalidIndex));
}

#[test]
fn a_block_that_inserts_is_never_remembered() {
    let mut decoder = decoder();
    let block = inserted("name", "value");
    for count in 1..10 {
        decoder.decode(&block).unwrap();
        assert_eq!((entries(decoder.table()).len(), decoder.cached_blocks()), (count, 0));
    }
}

#[test]
fn blocks_that_differ_push_out_none_that_repeats() {
    let mut decoder = decoder();
    let trailers = passing("grpc-status", "5");
    let address = |decoded: Decoded| decoded.headers.get("grpc-status").unwrap().as_ptr();
    decoder.decode(&trailers).unwrap();
    let first = address(decoder.decode(&trailers).cloned().unwrap());
    for number in 0..1000 {
        decoder.decode(&passing("x-id", &number.to_string())).unwrap();
    }
    assert_eq!(address(decoder.decode(&trailers).cloned().unwrap()), first);
    assert_eq!(decoder.cached_blocks(), 1);
}

#[test]
fn a_few_blocks_too_many_leave_some_that_are_remembered() {
    let mut decoder = decoder();
    let blocks: Vec<_> =
        (0..12).map(|number| passing("grpc-message", &format!("message {number}"))).collect();
    let mut lists: Vec<Headers> =
        blocks.iter().map(|block| decoder.decode(block).cloned().unwrap().headers).collect();
    let address = |headers: &Headers| headers.get("grpc-message").unwrap().as_ptr();
    let mut repeated = 0;
    for _ in 0..10 {
        for (block, list) in blocks.iter().zip(&mut lists) {
            let now = decoder.decode(block).cloned().unwrap().headers;
            repeated += usize::from(address(&now) == address(list));
            *list = now;
        }
    }
    assert!(repeated > 30, "{repeated} of 120");
}

#[test]
fn what_is_remembered_is_bounded() {
    let mut decoder = decoder();
    for number in 0..100u32 {
        for _ in 0..3 {
            decoder.decode(&passing("x-id", &number.to_string())).unwrap();
        }
    }
    assert_eq!(decoder.cached_blocks(), 8);
}

#[test]
fn neither_long_blocks_nor_large_lists_are_remembered() {
    let mut decoder = Decoder::new(65536, 1 << 20);
    decoder.decode(&inserted("a", &"x".repeat(60_000))).unwrap();
    for _ in 0..3 {
        decoder.decode(&[0x80 | 62]).unwrap();
        decoder.decode(&passing("b", &"x".repeat(600))).unwrap();
    }
    assert_eq!(decoder.cached_blocks(), 0);
}

#[test]
fn a_table_size_comes_before_all_fields() {
    let mut decoder = decoder();
    assert!(decoder.decode(&[0x20, 0x21, 0x88]).is_ok());
    assert_eq!(decoder.decode(&[0x88, 0x20]), Err(DecodeError::SizeUpdateMisplaced));
}

#[test]
fn a_table_size_is_at_most_the_announced_one() {
    let size = |size| {
        let mut out = Vec::new();
        integer::encode(&mut out, 0x20, 5, size);
        out
    };
    let mut decoder = decoder();
    assert!(decoder.decode(&size(4096)).is_ok());
    assert_eq!(decoder.decode(&size(4097)), Err(DecodeError::SizeUpdateTooLarge));
    decoder.set_table_size(8192);
    assert!(decoder.decode(&size(8192)).is_ok());
    assert_eq!(decoder.decode(&size(8193)), Err(DecodeError::SizeUpdateTooLarge));
}

#[test]
fn a_larger_limit_does_not_enlarge_the_table_by_itself() {
    let mut decoder = Decoder::new(40, 4096);
    decoder.set_table_size(4096);
    decoder.decode(&inserted("one", "1")).unwrap();
    decoder.decode(&inserted("two", "2")).unwrap();
    assert_eq!(entries(decoder.table()).len(), 1);
}

#[test]
fn a_reduced_table_size_must_be_obeyed_at_once() {
    let mut decoder = decoder();
    // Known to the cache: it must not answer.
    for _ in 0..3 {
        decoder.decode(&[0x88]).unwrap();
    }
    decoder.set_table_size(10);
    assert_eq!(decoder.decode(&[0x88]), Err(DecodeError::SizeUpdateMissing));
    assert_eq!(decoder.decode(&[]), Err(DecodeError::SizeUpdateMissing));
    assert_eq!(decoder.decode(&[0x20 | 11, 0x88]), Err(DecodeError::SizeUpdateTooLarge));
    assert!(decoder.decode(&[0x20 | 10, 0x88]).is_ok());
    assert!(decoder.decode(&[0x88]).is_ok());
}

#[test]
fn the_smallest_size_in_between_must_be_obeyed_too() {
    let mut decoder = decoder();
    decoder.set_table_size(10);
    decoder.set_table_size(4096);
    let back = [0x3f, 0xe1, 0x1f];
    assert_eq!(decoder.decode(&[&back[..], &[0x88]].concat()), Err(DecodeError::SizeUpdateMissing));
    assert!(decoder.decode(&[&[0x20 | 10][..], &back, &[0x88]].concat()).is_ok());
}

#[test]
fn a_size_that_the_peer_never_exceeded_needs_no_update() {
    let mut decoder = decoder();
    decoder.decode(&[0x20 | 10]).unwrap();
    decoder.set_table_size(100);
    assert!(decoder.decode(&[0x88]).is_ok());
}
