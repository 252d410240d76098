//! What the encoder lets into the table, and what its blocks cost.

use super::*;

/// A call's head without what differs per call.
const HEAD: [(&str, &str); 7] = [
    (":method", "POST"),
    (":scheme", "https"),
    (":path", "/helloworld.Greeter/SayHello"),
    (":authority", "greeter.prod.example.com:443"),
    ("te", "trailers"),
    ("content-type", "application/grpc"),
    ("user-agent", "grpc-rust-trunkline/0.1.0"),
];

fn encode(encoder: &mut Encoder, name: &str, value: &str, indexing: Indexing) -> usize {
    block(encoder, &[(name, value)], indexing).len()
}

fn table(encoder: &Encoder) -> Fields {
    entries(encoder.index().table())
}

#[test]
fn a_repeated_head_is_a_tenth_of_the_plain_list_at_most() {
    let mut encoder = Encoder::new(4096);
    let template = encoder.template(HEAD).unwrap();
    let plain: usize = HEAD.iter().map(|(name, value)| name.len() + value.len()).sum();
    let mut call = |timeout: &str| {
        let mut out = template_block(&mut encoder, template);
        let timeout =
            Field { name: b"grpc-timeout", value: timeout.as_bytes(), indexing: Indexing::Transient };
        encoder.encode(&timeout, &mut out);
        out.len()
    };
    let (first, second) = (call("999999u"), call("999998u"));
    assert!(first < plain, "{first} of {plain}");
    assert_eq!(second, HEAD.len() + 3 + "999998u".len());
    assert!(second * 10 < plain + "grpc-timeout999998u".len(), "{second} of {plain}");
    assert_eq!(template_block(&mut encoder, template).len(), HEAD.len(), "one octet for each field");
}

#[test]
fn a_template_is_encoded_anew_when_the_table_has_changed() {
    let mut encoder = Encoder::new(4096);
    let template = encoder.template([("one", "1"), ("two", "2")]).unwrap();
    template_block(&mut encoder, template);
    assert_eq!(template_block(&mut encoder, template), [0x80 | 63, 0x80 | 62]);
    assert_eq!(template_block(&mut encoder, template), [0x80 | 63, 0x80 | 62]);
    encode(&mut encoder, "three", "3", Indexing::Transient);
    assert_eq!(template_block(&mut encoder, template), [0x80 | 64, 0x80 | 63]);
}

#[test]
fn a_template_larger_than_the_table_does_not_push_itself_out() {
    let mut encoder = Encoder::new(128);
    let fields: Vec<_> = (0..8).map(|number| (format!("name-{number}"), "value")).collect();
    let template = encoder.template(fields.iter().map(|(name, value)| (name, value))).unwrap();
    template_block(&mut encoder, template);
    let first = template_block(&mut encoder, template);
    let generation = encoder.index().generation();
    assert_eq!(template_block(&mut encoder, template), first);
    assert_eq!(encoder.index().generation(), generation);
    assert_eq!(table(&encoder).len(), 2);
}

/// A template for each of many methods, which share all but the path.
fn templates(encoder: &mut Encoder, count: usize) -> Vec<TemplateId> {
    let head = |number| {
        let path = format!("/helloworld.Greeter/SayHello{number}");
        HEAD.map(|(name, value)| (name, if name == ":path" { path.clone() } else { value.to_owned() }))
    };
    (0..count).map(|number| encoder.template(head(number)).unwrap()).collect()
}

#[test]
fn more_methods_in_turn_than_the_table_has_room_for_leave_it_alone() {
    let mut encoder = Encoder::new(4096);
    let templates = templates(&mut encoder, 300);
    let mut round = || {
        let blocks = templates.iter().map(|template| template_block(&mut encoder, *template));
        let sizes: Vec<usize> = blocks.map(|block| block.len()).collect();
        (sizes.iter().filter(|size| **size == HEAD.len()).count(), sizes.iter().max().copied())
    };
    round();
    let (indexed, longest) = round();
    assert!(indexed >= 40, "{indexed} methods are in the table");
    // The others have a literal path, and everything else in one octet each.
    assert!(longest.unwrap() < HEAD.len() + "/helloworld.Greeter/SayHello299".len(), "{longest:?}");
    assert_eq!(round(), (indexed, longest));
    let before = encoder.index().generation();
    for _ in 0..10 {
        templates.iter().for_each(|template| drop(template_block(&mut encoder, *template)));
    }
    assert_eq!(encoder.index().generation(), before);
}

#[test]
fn a_method_that_becomes_frequent_gets_its_place() {
    let mut encoder = Encoder::new(4096);
    let templates = templates(&mut encoder, 300);
    for template in &templates {
        template_block(&mut encoder, *template);
    }
    for frequent in [299, 298, 150, 0] {
        let calls = (0..20).map(|_| template_block(&mut encoder, templates[frequent]).len());
        let sizes: Vec<usize> = calls.collect();
        assert_eq!(sizes[6..], [HEAD.len(); 14], "{sizes:?}");
    }
}

#[test]
fn as_many_methods_as_are_used_at_a_time_settle() {
    let mut encoder = Encoder::new(4096);
    let templates = templates(&mut encoder, 300);
    for set in templates.chunks(30) {
        for _ in 0..8 {
            set.iter().for_each(|template| drop(template_block(&mut encoder, *template)));
        }
        let before = encoder.index().generation();
        let sizes: Vec<usize> =
            set.iter().map(|template| template_block(&mut encoder, *template).len()).collect();
        assert_eq!(sizes, [HEAD.len(); 30]);
        assert_eq!(encoder.index().generation(), before);
    }
}

#[test]
fn an_adaptive_field_enters_the_table_the_second_time() {
    let mut encoder = Encoder::new(4096);
    assert!(encode(&mut encoder, "user-agent", "me", Indexing::Adaptive) > 1);
    assert_eq!(table(&encoder), []);
    assert!(encode(&mut encoder, "user-agent", "me", Indexing::Adaptive) > 1);
    assert_eq!(table(&encoder), owned(&[("user-agent", "me")]));
    assert_eq!(encode(&mut encoder, "user-agent", "me", Indexing::Adaptive), 1);
}

#[test]
fn an_adaptive_name_enters_the_table_when_only_it_repeats() {
    let mut encoder = Encoder::new(4096);
    for number in 0..100 {
        encode(&mut encoder, "x-request-number", &number.to_string(), Indexing::Adaptive);
    }
    assert_eq!(table(&encoder), owned(&[("x-request-number", "1")]));
    assert_eq!(encode(&mut encoder, "x-request-number", "~", Indexing::Adaptive), 2 + 1 + 1);
}

#[test]
fn a_transient_field_enters_the_table_once_for_its_name() {
    let mut encoder = Encoder::new(4096);
    for number in 0..100 {
        encode(&mut encoder, "grpc-timeout", &format!("{number}u"), Indexing::Transient);
    }
    assert_eq!(table(&encoder), owned(&[("grpc-timeout", "0u")]));
    assert_eq!(encode(&mut encoder, "grpc-timeout", "100u", Indexing::Transient), 2 + 1 + 4);
    // A name of the static table needs no entry.
    encode(&mut encoder, "date", "now", Indexing::Transient);
    assert_eq!(table(&encoder).len(), 1);
}

#[test]
fn many_transient_fields_keep_their_names() {
    let mut encoder = Encoder::new(4096);
    let names: Vec<String> = (0..20).map(|number| format!("x-name-{number}")).collect();
    for value in ["short".to_owned(), "0123456789abcdef".repeat(4)] {
        for round in 0..4 {
            for name in &names {
                let length = encode(&mut encoder, name, &value, Indexing::Transient);
                let is_first = round == 0 && value == "short";
                assert!(is_first || length <= 2 + 1 + value.len(), "{name}, round {round}: {length}");
            }
        }
    }
    assert_eq!(table(&encoder).len(), names.len());
}

#[test]
fn a_large_value_is_the_same_bytes_each_time_though_no_table_keeps_it() {
    let mut encoder = Encoder::new(4096);
    let large = "a large value ".repeat(100);
    let blocks: Vec<_> =
        (0..4).map(|_| block(&mut encoder, &[("date", &large)], Indexing::Adaptive)).collect();
    assert!(blocks.iter().all(|block| *block == blocks[0]) && blocks[0].len() < large.len());
    assert_eq!(table(&encoder), []);
}

#[test]
fn a_transient_name_that_was_evicted_comes_back() {
    let mut encoder = Encoder::new(4096);
    encode(&mut encoder, "grpc-timeout", "1S", Indexing::Transient);
    assert_eq!(encode(&mut encoder, "grpc-timeout", "2S", Indexing::Transient), 2 + 1 + 2);
    encoder.peer_table_size(0);
    encoder.peer_table_size(4096);
    encode(&mut encoder, "grpc-timeout", "3S", Indexing::Transient);
    assert_eq!(table(&encoder), owned(&[("grpc-timeout", "3S")]));
}

#[test]
fn a_secret_is_never_indexed_and_says_so() {
    let mut encoder = Encoder::new(4096);
    for _ in 0..3 {
        let bytes = block(&mut encoder, &[("authorization", "x")], Indexing::Never);
        assert_eq!(bytes[..2], [0x1f, 23 - 15]);
        let bytes = block(&mut encoder, &[("x-api-key", "x")], Indexing::Never);
        assert_eq!(bytes[0], 0x10);
    }
    assert_eq!(table(&encoder), []);
}

#[test]
fn a_token_is_the_same_bytes_each_time_though_it_is_coded_once() {
    let mut encoder = Encoder::new(4096);
    let (first, second) =
        ("Bearer ".to_owned() + &"abc.DEF-".repeat(50), "Bearer ".to_owned() + &"x".repeat(400));
    let plain = [("authorization", &first[..])];
    let mut reference = Encoder::new(4096);
    let expected = block(&mut reference, &plain, Indexing::Never);
    for round in 0..6 {
        assert_eq!(block(&mut encoder, &plain, Indexing::Never), expected, "round {round}");
        // Another name, another token, a changed table: none of them confuses it.
        let other = block(&mut encoder, &[("x-token", &second), ("authorization", &second)], Indexing::Never);
        let read = decoded_elsewhere(&mut loona_hpack::Decoder::new(), &other);
        assert_eq!(read, owned(&[("x-token", &second), ("authorization", &second)]));
        encode(&mut encoder, &format!("x-name-{round}"), "", Indexing::Transient);
    }
}

#[test]
fn what_would_fill_a_quarter_of_the_table_stays_out_of_it() {
    let mut encoder = Encoder::new(400);
    let (fits, large) = ("v".repeat(100), "v".repeat(101));
    for _ in 0..3 {
        for name in ["a", "b"] {
            encode(&mut encoder, name, if name == "a" { &fits } else { &large }, Indexing::Adaptive);
            encode(&mut encoder, "c", &large, Indexing::Transient);
        }
    }
    assert_eq!(table(&encoder), owned(&[("a", &fits)]));
}

#[test]
fn a_table_of_nothing_holds_nothing() {
    let mut encoder = Encoder::new(0);
    let template = encoder.template(HEAD).unwrap();
    let first = template_block(&mut encoder, template);
    assert_eq!(first[0], 0x20, "the peer is told");
    assert_eq!(template_block(&mut encoder, template), first[1..]);
    encode(&mut encoder, "grpc-timeout", "1S", Indexing::Transient);
    assert_eq!(table(&encoder), []);
}

#[test]
fn the_smallest_and_the_last_size_are_told() {
    let mut encoder = Encoder::new(4096);
    let updates = |encoder: &mut Encoder, sizes: &[u32]| {
        sizes.iter().for_each(|size| encoder.peer_table_size(*size));
        block(encoder, &[], Indexing::Adaptive)
    };
    assert_eq!(updates(&mut encoder, &[]), []);
    assert_eq!(updates(&mut encoder, &[4096, 65536]), [], "ours is the limit");
    assert_eq!(updates(&mut encoder, &[10]), [0x20 | 10]);
    assert_eq!(updates(&mut encoder, &[20, 5, 15]), [0x20 | 5, 0x20 | 15]);
    assert_eq!(updates(&mut encoder, &[0, 15]), [0x20, 0x20 | 15]);
    assert_eq!(updates(&mut encoder, &[20, 25, 30]), [0x20 | 20, 0x20 | 30]);
    assert_eq!(updates(&mut encoder, &[30]), []);
}

#[test]
fn a_template_of_another_encoder_is_told_apart_or_harmless() {
    let mut encoder = Encoder::new(4096);
    let id = encoder.template(HEAD).unwrap();
    let size: usize = HEAD.iter().map(|(name, value)| name.len() + value.len() + 32).sum();
    assert_eq!(encoder.template_list_size(id), Some(size));
    let mut other = Encoder::new(4096);
    assert_eq!(other.template_list_size(id), None);
    assert_eq!(template_block(&mut other, id), []);
}
