//! RFC 9113 section 4.3: header blocks, and the table that both sides must agree about.

use trunkline_http2::{Config, ErrorCode};

use crate::support::{Story, flag, hpack, kind, setting};

const STATUS_200: &[u8] = &[0x88];

#[test]
fn section_4_3_a_block_that_cannot_be_decoded_ends_the_connection() {
    let blocks: [&[u8]; 7] = [
        // Index zero, an index beyond both tables, a name beyond them.
        &[0x80],
        &[0xbf],
        &[0x7f, 0x20, 0x01, b'v'],
        // A string that is longer than the block, an integer without an end.
        &[0x00, 0x05, b'n'],
        &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
        // Huffman padding of more than seven bits.
        &[0x00, 0x82, 0xff, 0xff, 0x00],
        // A larger table than was announced.
        &[0x3f, 0xe2, 0x1f, 0x88],
    ];
    for block in blocks {
        let mut story = Story::begin();
        let call = story.call();
        story.server().block(call, block, false);
        story.expect_connection_error(ErrorCode::COMPRESSION_ERROR);
    }
}

#[test]
fn section_4_3_a_block_that_ends_within_a_field_ends_the_connection() {
    let whole = hpack::block(&[(":status", "200"), ("name", "value")]);
    // Between the two fields it would be a block of one.
    let first = hpack::block(&[(":status", "200")]).len();
    for length in (1..whole.len()).filter(|length| *length != first) {
        let mut story = Story::begin();
        let call = story.call();
        story.server().block(call, &whole[..length], false);
        story.expect_connection_error(ErrorCode::COMPRESSION_ERROR);
    }
}

#[test]
fn section_4_3_a_block_may_be_cut_anywhere() {
    let block = hpack::block(&[(":status", "200"), ("name", "value")]);
    for at in 0..=block.len() {
        let mut story = Story::begin();
        let call = story.call();
        story.server().frame(kind::HEADERS, 0, call, &block[..at]).frame(
            kind::CONTINUATION,
            flag::END_HEADERS,
            call,
            &block[at..],
        );
        let fields = story.expect_head(call);
        assert_eq!(fields, [("name".to_owned(), "value".to_owned())]);
        story.expect_works();
    }
}

#[test]
fn section_4_3_what_one_block_put_into_the_table_the_next_may_use() {
    let mut story = Story::begin();
    let (one, two) = (story.call(), story.call());
    let entry = hpack::indexed_literal("name", "value");
    story.server().block(one, [STATUS_200, &entry].concat(), false);
    story.server().block(two, [STATUS_200, &hpack::indexed(62)].concat(), false);
    let first = story.expect_head(one);
    assert_eq!(first, [("name".to_owned(), "value".to_owned())]);
    assert_eq!(story.expect_head(two), first);
    story.expect_works();
}

#[test]
fn section_4_3_blocks_for_streams_that_are_gone_still_change_the_table() {
    let entry = |number: u8| hpack::indexed_literal("name", [b'0' + number]);
    let mut story = Story::begin();
    let reset = story.call();
    story.reset(reset, ErrorCode::CANCEL);
    story.server().block(reset, [STATUS_200, &entry(1)].concat(), false);
    // Trailers too.
    story.server().block(reset, entry(2), true);
    let call = story.call();
    story.server().block(call, [STATUS_200, &hpack::indexed(62), &hpack::indexed(63)].concat(), true);
    let fields = story.expect_only_trailers(call);
    assert_eq!(fields.iter().map(|(_, value)| value.as_str()).collect::<Vec<_>>(), ["2", "1"]);
    story.expect_works();
}

#[test]
fn section_4_3_blocks_that_are_malformed_still_change_the_table() {
    let mut story = Story::begin();
    let bad = story.call();
    let entry = hpack::indexed_literal("Upper", "case");
    let good = hpack::indexed_literal("name", "value");
    story.server().block(bad, [STATUS_200, &entry, &good].concat(), false);
    story.expect_stream_error(bad, ErrorCode::PROTOCOL_ERROR);
    let call = story.call();
    story.server().block(call, [STATUS_200, &hpack::indexed(62)].concat(), true);
    assert_eq!(story.expect_only_trailers(call), [("name".to_owned(), "value".to_owned())]);
    story.expect_works();
}

#[test]
fn section_4_3_1_the_server_may_resize_its_table_within_the_announced_limit() {
    let mut story = Story::with(Config { decoder_table_size: 8_192, ..Config::default() });
    let (one, two) = (story.call(), story.call());
    let grow = [hpack::table_size(8_192), STATUS_200.to_vec()].concat();
    story.server().block(one, grow, true);
    story.expect_only_trailers(one);
    // Down to nothing and up again within one block (RFC 7541 4.2).
    let resize = [hpack::table_size(0), hpack::table_size(100), STATUS_200.to_vec()].concat();
    story.server().block(two, resize, true);
    story.expect_only_trailers(two);
    story.expect_works();
}

#[test]
fn section_6_3_of_rfc_7541_a_larger_table_of_ours_is_in_force_once_the_server_has_acknowledged_it() {
    let grow = [hpack::table_size(8_192), STATUS_200.to_vec()].concat();
    for is_acknowledged in [false, true] {
        let mut story = Story::before_settings(Config { decoder_table_size: 8_192, ..Config::default() });
        story.server().settings(&[]);
        if is_acknowledged {
            story.server().settings_ack();
        }
        story.told.clear();
        let call = story.call();
        story.server().block(call, &grow, true);
        if is_acknowledged {
            story.expect_only_trailers(call);
            story.expect_works();
        } else {
            story.expect_connection_error(ErrorCode::COMPRESSION_ERROR);
        }
    }
}

#[test]
fn section_4_3_1_a_change_of_the_tables_size_stands_at_the_beginning_of_a_block() {
    let mut story = Story::begin();
    let call = story.call();
    story.server().block(call, [STATUS_200, &hpack::table_size(0)[..], &[0x88]].concat(), true);
    story.expect_connection_error(ErrorCode::COMPRESSION_ERROR);
}

#[test]
fn section_4_3_1_a_table_that_the_server_shrinks_forgets() {
    let mut story = Story::begin();
    let (one, two) = (story.call(), story.call());
    story.server().block(one, [STATUS_200, &hpack::indexed_literal("name", "value")].concat(), true);
    story.expect_only_trailers(one);
    let block = [hpack::table_size(0), hpack::table_size(4_096), vec![0x88], hpack::indexed(62)].concat();
    story.server().block(two, block, true);
    story.expect_connection_error(ErrorCode::COMPRESSION_ERROR);
}

#[test]
fn section_4_3_1_the_engine_follows_the_size_that_the_server_gives_its_table() {
    // The harness decodes every request with a table of that size, and refuses a larger one.
    for size in [0, 64, 200, 4_096, 65_536] {
        let mut story = Story::begin();
        for round in 0..3 {
            for _ in 0..3 {
                let call = story.try_open(&[("x-name", "value"), ("x-other", "more")], b"", true).unwrap();
                let fields = &story.request(call).fields;
                assert!(fields.contains(&("x-other".to_owned(), "more".to_owned())), "{fields:?}");
                assert_eq!(fields[0], (":method".to_owned(), "POST".to_owned()));
                assert_eq!(fields.len(), 8);
            }
            let size = if round == 0 { size } else { 4_096 };
            story.server().settings(&[(setting::HEADER_TABLE_SIZE, size)]);
        }
    }
}

#[test]
fn section_4_3_1_two_changes_of_the_table_before_a_request_are_both_obeyed() {
    let mut story = Story::begin();
    story.call();
    story.server().settings(&[(setting::HEADER_TABLE_SIZE, 0)]);
    story.server().settings(&[(setting::HEADER_TABLE_SIZE, 4_096)]);
    // RFC 7541 4.2: the smallest of them emptied the table, so nothing is referred to that is gone.
    story.call();
    story.call();
    story.expect_works();
}

#[test]
fn section_4_2_of_rfc_7541_the_smallest_of_two_sizes_in_one_settings_is_announced_too() {
    let mut story = Story::begin();
    story.call();
    let settings = [(setting::HEADER_TABLE_SIZE, 0), (setting::HEADER_TABLE_SIZE, 4_096)];
    story.server().settings(&settings);
    story.take_frames();
    story.call();
    let block = &story.take_frames()[0].payload;
    // To 0, and then to 31 + 0x61 + 128 * 0x1f (RFC 7541 5.1).
    assert_eq!(block[..4], [0x20, 0x3f, 0xe1, 0x1f]);
    story.call();
    assert_ne!(story.take_frames()[0].payload[0] & 0xe0, 0x20, "it is announced once");
    story.expect_works();
}
