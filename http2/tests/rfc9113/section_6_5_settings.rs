//! RFC 9113 section 6.5: SETTINGS, from both sides.

use std::time::Duration;

use trunkline_http2::{Config, ErrorCode, OpenError};

use crate::support::server::settings_payload;
use crate::support::wire::LARGEST_WINDOW;
use crate::support::{Story, Told, flag, hpack, kind, setting};

#[test]
fn section_6_5_settings_are_acknowledged_each() {
    let mut story = Story::begin();
    story.take_frames();
    story.server().settings(&[]).settings(&[(setting::MAX_FRAME_SIZE, 20_000)]).settings(&[]);
    let frames = story.take_frames();
    assert_eq!(frames.len(), 3);
    assert!(frames.iter().all(|f| (f.kind, f.flags, f.payload.len()) == (kind::SETTINGS, flag::ACK, 0)));
    story.expect_works();
}

#[test]
fn section_6_5_an_acknowledgement_carries_nothing() {
    let mut story = Story::begin();
    story.probe();
    story.server().frame(kind::SETTINGS, flag::ACK, 0, settings_payload(&[(setting::ENABLE_PUSH, 0)]));
    story.expect_connection_error(ErrorCode::FRAME_SIZE_ERROR);
}

#[test]
fn section_6_5_settings_belong_to_the_connection() {
    for flags in [flag::NONE, flag::ACK] {
        let mut story = Story::begin();
        let call = story.call();
        story.probe();
        story.server().frame(kind::SETTINGS, flags, call, b"");
        story.expect_connection_error(ErrorCode::PROTOCOL_ERROR);
    }
}

#[test]
fn section_6_5_settings_have_six_bytes_each() {
    for length in [1, 5, 7, 11] {
        let mut story = Story::begin();
        story.server().frame(kind::SETTINGS, 0, 0, vec![0; length]);
        story.expect_connection_error(ErrorCode::FRAME_SIZE_ERROR);
    }
}

#[test]
fn section_6_5_2_values_out_of_range_are_errors() {
    let values = [
        (setting::ENABLE_PUSH, 1, ErrorCode::PROTOCOL_ERROR),
        (setting::ENABLE_PUSH, 2, ErrorCode::PROTOCOL_ERROR),
        (setting::ENABLE_PUSH, u32::MAX, ErrorCode::PROTOCOL_ERROR),
        (setting::INITIAL_WINDOW_SIZE, LARGEST_WINDOW + 1, ErrorCode::FLOW_CONTROL_ERROR),
        (setting::INITIAL_WINDOW_SIZE, u32::MAX, ErrorCode::FLOW_CONTROL_ERROR),
        (setting::MAX_FRAME_SIZE, 0, ErrorCode::PROTOCOL_ERROR),
        (setting::MAX_FRAME_SIZE, 16_383, ErrorCode::PROTOCOL_ERROR),
        (setting::MAX_FRAME_SIZE, 1 << 24, ErrorCode::PROTOCOL_ERROR),
    ];
    for (name, value, code) in values {
        let mut story = Story::begin();
        story.server().settings(&[(name, value)]);
        story.expect_connection_error(code);
        let mut story = Story::before_settings(Config::default());
        story.server().settings(&[(name, value)]);
        story.expect_connection_error(code);
    }
}

#[test]
fn section_6_5_2_values_at_their_bounds_are_accepted() {
    let values = [
        (setting::HEADER_TABLE_SIZE, 0),
        (setting::HEADER_TABLE_SIZE, u32::MAX),
        (setting::ENABLE_PUSH, 0),
        (setting::MAX_CONCURRENT_STREAMS, u32::MAX),
        (setting::INITIAL_WINDOW_SIZE, 0),
        (setting::INITIAL_WINDOW_SIZE, LARGEST_WINDOW),
        (setting::MAX_FRAME_SIZE, 16_384),
        (setting::MAX_FRAME_SIZE, (1 << 24) - 1),
        (setting::MAX_HEADER_LIST_SIZE, u32::MAX),
    ];
    for value in values {
        let mut story = Story::begin();
        story.server().settings(&[value]);
        story.told.clear();
        story.expect_works();
    }
}

#[test]
fn section_6_5_3_settings_are_applied_in_their_order() {
    let mut story = Story::settings(&[(setting::INITIAL_WINDOW_SIZE, 0)]);
    story.server().settings(&[
        (setting::INITIAL_WINDOW_SIZE, 100),
        (setting::MAX_CONCURRENT_STREAMS, 9),
        (setting::INITIAL_WINDOW_SIZE, 7),
        (setting::MAX_CONCURRENT_STREAMS, 3),
    ]);
    story.expect(Told::StreamLimit(Some(3)));
    let call = story.call_with([b'd'; 50]);
    assert_eq!(story.request(call).body.len(), 7);
    story.expect_nothing();
}

#[test]
fn section_6_5_3_a_wrong_value_counts_even_if_a_right_one_follows() {
    let mut story = Story::begin();
    story.server().settings(&[(setting::MAX_FRAME_SIZE, 1), (setting::MAX_FRAME_SIZE, 16_384)]);
    story.expect_connection_error(ErrorCode::PROTOCOL_ERROR);
}

#[test]
fn section_6_5_3_the_acknowledgement_comes_before_what_the_settings_allow() {
    let mut story = Story::settings(&[(setting::INITIAL_WINDOW_SIZE, 0)]);
    let call = story.call_with([b'd'; 50]);
    story.take_frames();
    story.server().settings(&[(setting::INITIAL_WINDOW_SIZE, 20)]);
    let kinds: Vec<_> = story.take_frames().iter().map(|frame| frame.kind).collect();
    assert_eq!(kinds, [kind::SETTINGS, kind::DATA]);
    assert_eq!(story.request(call).body.len(), 20);
}

#[test]
fn section_6_5_3_the_servers_acknowledgement_is_told() {
    let mut story = Story::before_settings(Config::default());
    story.server().settings(&[]);
    story.expect(Told::SettingsReceived);
    story.expect(Told::StreamLimit(None));
    story.expect_nothing();
    story.server().settings_ack();
    story.expect(Told::SettingsAcknowledged);
    story.expect_nothing();
}

#[test]
fn section_6_5_3_a_probe_is_settings_that_change_nothing() {
    let mut story = Story::begin();
    story.take_frames();
    assert!(story.probe());
    let frames = story.take_frames();
    assert_eq!((frames.len(), frames[0].kind, frames[0].flags), (1, kind::SETTINGS, 0));
    assert_eq!(frames[0].settings(), []);
    story.server().settings_ack();
    story.expect(Told::SettingsAcknowledged);
    story.expect_works();
}

#[test]
fn section_6_5_3_probes_are_bounded_while_nobody_answers() {
    let mut story = Story::begin();
    let probes = (0..100).take_while(|_| story.probe()).count();
    assert!((1..100).contains(&probes), "{probes}");
    story.server().settings_ack();
    story.expect(Told::SettingsAcknowledged);
    assert!(story.probe(), "there is room for one more");
}

#[test]
fn section_6_5_3_an_acknowledgement_of_nothing_is_an_error() {
    let mut story = Story::begin();
    story.server().settings_ack();
    story.expect_connection_error(ErrorCode::PROTOCOL_ERROR);
}

#[test]
fn section_6_5_3_settings_that_are_not_acknowledged_in_time_end_the_connection() {
    let config = Config { settings_timeout: Some(Duration::from_secs(5)), ..Config::default() };
    let mut story = Story::before_settings(config);
    story.server().settings(&[]);
    story.told.clear();
    story.advance(Duration::from_millis(4_999));
    story.expect_nothing();
    story.advance(Duration::from_millis(1));
    story.expect_connection_error(ErrorCode::SETTINGS_TIMEOUT);
}

#[test]
fn section_6_5_3_settings_acknowledged_in_time_cost_nothing() {
    let config = Config { settings_timeout: Some(Duration::from_secs(5)), ..Config::default() };
    let mut story = Story::before_settings(config);
    story.server().settings(&[]);
    story.advance(Duration::from_secs(4));
    story.probe();
    story.server().settings_ack();
    // The first were answered; the second have 5 s of their own.
    story.advance(Duration::from_secs(4));
    story.told.clear();
    story.expect_nothing();
    story.server().settings_ack();
    story.expect(Told::SettingsAcknowledged);
    assert_eq!(story.engine().poll_timeout(), None);
    story.advance(Duration::from_secs(3_600));
    story.expect_works();
}

#[test]
fn section_6_5_3_without_a_timeout_settings_may_wait_for_ever() {
    let mut story = Story::before_settings(Config { settings_timeout: None, ..Config::default() });
    story.server().settings(&[]);
    story.told.clear();
    story.advance(Duration::from_secs(1_000_000));
    story.expect_works();
}

#[test]
fn section_6_5_2_the_servers_header_list_limit_is_kept() {
    let mut story = Story::begin();
    let long = "v".repeat(1_000);
    story.server().settings(&[(setting::MAX_HEADER_LIST_SIZE, 1_000)]);
    story.take_frames();
    let refused = story.try_open(&[("x-long", &long)], b"", true);
    match refused {
        Err(OpenError::HeadersTooLarge { size, limit: 1_000 }) => assert!(size > 1_000),
        other => panic!("{other:?}"),
    }
    story.expect_no_frames();
    // The id was not used up, and small requests go on.
    story.expect_works();
    assert_eq!(story.all_frames(kind::HEADERS)[0].stream, 1);
}

#[test]
fn section_6_5_2_the_header_list_is_counted_with_32_bytes_for_each_field() {
    // 43 + 38 + 57 + 52 + 42 + 60, as the harness' template has them.
    let template = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/story.Service/Method"),
        (":authority", "story.test"),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
    ];
    let size: usize = template.iter().map(|(name, value)| name.len() + value.len() + 32).sum();
    let mut story = Story::settings(&[(setting::MAX_HEADER_LIST_SIZE, size as u32 + 32 + 2)]);
    assert!(story.try_open(&[("a", "bc")], b"", true).is_err());
    assert!(story.try_open(&[("a", "b")], b"", true).is_ok());
}

#[test]
fn section_6_5_2_our_smaller_table_is_in_force_when_it_was_acknowledged() {
    let mut story = Story::before_settings(Config { decoder_table_size: 0, ..Config::default() });
    let (one, two, three) = (story.call(), story.call(), story.call());
    // The server has not read our SETTINGS yet.
    let insert = [&[0x88][..], &hpack::indexed_literal("name", "value")].concat();
    story.server().settings(&[]).block(one, insert, false).block(two, [0x88, 0xbe], true);
    story.told.drain(..2);
    story.expect_head(one);
    assert_eq!(story.expect_only_trailers(two).len(), 1);
    // It has: RFC 7541 4.2 wants it to say so in its next block.
    story.server().settings_ack();
    story.expect(Told::SettingsAcknowledged);
    story.server().block(three, [&hpack::table_size(0)[..], &[0x88]].concat(), true);
    story.expect_only_trailers(three);
    story.expect_works();
}

#[test]
fn section_6_5_2_a_server_that_ignores_our_smaller_table_is_refused() {
    let mut story = Story::with(Config { decoder_table_size: 0, ..Config::default() });
    let call = story.call();
    story.server().block(call, [&[0x88][..], &hpack::indexed_literal("name", "value")].concat(), false);
    story.expect_connection_error(ErrorCode::COMPRESSION_ERROR);
}
