//! RFC 7541 appendix C, example by example: what the decoder reads, and what the encoder writes where the
//! RFC's encoder does as ours (C.4 and C.6: everything enters the table, Huffman code where it is shorter).

use super::*;

const FIRST: [(&str, &str); 4] =
    [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "www.example.com")];
const SECOND: [(&str, &str); 5] = [FIRST[0], FIRST[1], FIRST[2], FIRST[3], ("cache-control", "no-cache")];
const THIRD: [(&str, &str); 5] =
    [FIRST[0], (":scheme", "https"), (":path", "/index.html"), FIRST[3], ("custom-key", "custom-value")];

const DATE: (&str, &str) = ("date", "Mon, 21 Oct 2013 20:13:21 GMT");
const DATE_LATER: (&str, &str) = ("date", "Mon, 21 Oct 2013 20:13:22 GMT");
const PRIVATE: (&str, &str) = ("cache-control", "private");
const LOCATION: (&str, &str) = ("location", "https://www.example.com");
const GZIP: (&str, &str) = ("content-encoding", "gzip");
const COOKIE: (&str, &str) = ("set-cookie", "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1");

/// What a block leaves in the table, newest first, and the size that the RFC counts.
type After<'a> = (&'a [(&'a str, &'a str)], usize);

/// The requests of C.3 and C.4.
const REQUESTS: [(&[(&str, &str)], After<'_>); 3] = [
    (&FIRST, (&[FIRST[3]], 57)),
    (&SECOND, (&[SECOND[4], FIRST[3]], 110)),
    (&THIRD, (&[THIRD[4], SECOND[4], FIRST[3]], 164)),
];

/// The responses of C.5 and C.6, whose table of 256 bytes is too small for all of it.
const RESPONSES: [(&[(&str, &str)], After<'_>); 3] = [
    (&[(":status", "302"), PRIVATE, DATE, LOCATION], (&[LOCATION, DATE, PRIVATE, (":status", "302")], 222)),
    (&[(":status", "307"), PRIVATE, DATE, LOCATION], (&[(":status", "307"), LOCATION, DATE, PRIVATE], 222)),
    (&[(":status", "200"), PRIVATE, DATE_LATER, LOCATION, GZIP, COOKIE], (&[COOKIE, GZIP, DATE_LATER], 215)),
];

fn assert_table<N>(table: &Table<N>, (expected, size): After<'_>) {
    assert_eq!(entries(table), owned(expected));
    assert_eq!(table.measure().1, size);
}

/// Decodes requests: a client's decoder calls them malformed, and yet keeps its table.
fn reads_requests(blocks: [&str; 3]) {
    let mut decoder = Decoder::new(4096, 4096);
    for (block, (_, after)) in blocks.into_iter().zip(REQUESTS) {
        let decoded = decoder.decode(&hex(block)).unwrap();
        assert!(matches!(decoded.verdict, Verdict::Malformed(_)));
        assert_table(decoder.table(), after);
    }
}

fn reads_responses(blocks: [&str; 3]) {
    let mut decoder = Decoder::new(256, 4096);
    for (block, (fields, after)) in blocks.into_iter().zip(RESPONSES) {
        let decoded = decoder.decode(&hex(block)).unwrap();
        assert_eq!(decoded.verdict, Verdict::Fine);
        assert_eq!(decoded.status.unwrap().to_string(), fields[0].1);
        let regular: Fields =
            decoded.headers.iter().map(|(name, value)| (name.into(), value.into())).collect();
        assert_eq!(regular, owned(&fields[1..]));
        assert_table(decoder.table(), after);
    }
}

fn writes(mut encoder: Encoder, lists: [(&[(&str, &str)], After<'_>); 3], blocks: &[&str]) {
    for (block, (fields, after)) in blocks.iter().zip(lists) {
        let template = encoder.template(fields.iter().copied()).unwrap();
        let mut out = Vec::new();
        encoder.encode_template(template, &mut out);
        assert_eq!(out, hex(block));
        assert_table(encoder.index().table(), after);
    }
}

#[test]
fn c_2_1_a_literal_with_indexing() {
    let mut decoder = Decoder::new(4096, 4096);
    let block = hex("400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572");
    let decoded = decoder.decode(&block).unwrap();
    assert_eq!(decoded.headers.get("custom-key"), Some(&b"custom-header"[..]));
    assert_table(decoder.table(), (&[("custom-key", "custom-header")], 55));
}

#[test]
fn c_2_2_a_literal_without_indexing() {
    let mut decoder = Decoder::new(4096, 4096);
    decoder.decode(&hex("040c 2f73 616d 706c 652f 7061 7468")).unwrap();
    assert_table(decoder.table(), (&[], 0));
}

#[test]
fn c_2_3_a_literal_that_is_never_indexed() {
    let mut decoder = Decoder::new(4096, 4096);
    let decoded = decoder.decode(&hex("1008 7061 7373 776f 7264 0673 6563 7265 74")).unwrap();
    assert_eq!(decoded.headers.get("password"), Some(&b"secret"[..]));
    assert_table(decoder.table(), (&[], 0));
}

#[test]
fn c_2_4_an_indexed_field() {
    let mut encoder = Encoder::new(4096);
    let method = block(&mut encoder, &[(":method", "GET")], Indexing::Adaptive);
    assert_eq!(method, hex("82"));
    Decoder::new(4096, 4096).decode(&method).unwrap();
}

#[test]
fn c_3_requests_without_huffman_code() {
    reads_requests([
        "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
        "8286 84be 5808 6e6f 2d63 6163 6865",
        "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
    ]);
}

#[test]
fn c_4_requests_with_huffman_code() {
    let blocks = [
        "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
        "8286 84be 5886 a8eb 1064 9cbf",
        "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
    ];
    reads_requests(blocks);
    writes(Encoder::new(4096), REQUESTS, &blocks);
}

#[test]
fn c_5_responses_without_huffman_code() {
    reads_responses([
        "4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32
         3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
        "4803 3330 37c1 c0bf",
        "88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970
         7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61
         6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31",
    ]);
}

#[test]
fn c_6_responses_with_huffman_code() {
    let blocks = [
        "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad
         1718 63c7 8f0b 97c8 e9ae 82ae 43d3",
        "4883 640e ffc1 c0bf",
        "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2
         e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07",
    ];
    reads_responses(blocks);
    // The RFC's encoder has agreed to 256 bytes before; ours says so in its first block.
    let mut encoder = Encoder::new(256);
    let mut update = Vec::new();
    encoder.begin(&mut update);
    assert_eq!(update, hex("3fe1 01"));
    // The RFC's encoder lets everything push out what is older. Ours would have to see it twice.
    writes(encoder, RESPONSES, &blocks[..1]);
}
