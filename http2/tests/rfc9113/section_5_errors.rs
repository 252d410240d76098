//! RFC 9113 sections 5.2 to 5.5: what flow control leaves alone, and how errors are told to the server.

use trunkline_http2::{ErrorCode, OpenError};

use crate::support::{Story, Told, flag, hpack, kind, setting};

#[test]
fn section_5_2_only_data_is_held_back_by_windows() {
    let mut story = Story::settings(&[(setting::INITIAL_WINDOW_SIZE, 0)]);
    let call = story.call_with(b"body");
    assert_eq!(story.request(call).body, b"");
    story.ping(7);
    story.probe();
    story.server().ping(8);
    story.reset(call, ErrorCode::CANCEL);
    let kinds: Vec<_> = story.take_frames().iter().map(|frame| frame.kind).collect();
    for expected in [kind::HEADERS, kind::PING, kind::SETTINGS, kind::RST_STREAM] {
        assert!(kinds.contains(&expected), "{kinds:?}");
    }
}

#[test]
fn section_5_4_1_an_error_of_the_connection_is_said_once_and_last() {
    let mut story = Story::begin();
    let call = story.call();
    story.server().data(0, b"data").response(call, b"nobody reads this");
    story.expect_connection_error(ErrorCode::PROTOCOL_ERROR);
    assert_eq!(story.all_frames(kind::GOAWAY).len(), 1);
}

#[test]
fn section_5_4_1_what_came_before_the_error_is_still_told() {
    let mut story = Story::begin();
    let call = story.call();
    story.server().response(call, b"data").data(0, b"wrong");
    story.expect_response(call, b"data");
    story.expect_connection_error(ErrorCode::PROTOCOL_ERROR);
}

#[test]
fn section_5_4_1_nothing_is_opened_after_an_error() {
    let mut story = Story::begin();
    let upload = story.upload();
    story.server().data(0, b"wrong");
    assert!(!story.engine().can_open());
    assert!(matches!(story.try_call(), Err(OpenError::Draining)));
    story.send(upload, b"more", true);
    story.expect_connection_error(ErrorCode::PROTOCOL_ERROR);
}

#[test]
fn section_5_4_1_goaway_says_to_people_what_was_wrong() {
    let mut story = Story::begin();
    story.server().data(0, b"wrong");
    let reason = story.error().expect("the connection is over").reason().to_owned();
    assert_eq!(story.all_frames(kind::GOAWAY)[0].payload[8..], *reason.as_bytes());
    story.expect_connection_error(ErrorCode::PROTOCOL_ERROR);
}

#[test]
fn section_5_4_2_an_error_of_a_stream_leaves_the_others_alone() {
    let mut story = Story::begin();
    let (bad, good) = (story.call(), story.call());
    story.server().head(good).data(bad, b"before its head").data(good, b"data").trailers(good);
    story.expect_head(good);
    story.expect(Told::Violation { stream: bad.id(), code: ErrorCode::PROTOCOL_ERROR.0 });
    story.expect_data(good, b"data");
    story.expect_trailers(good);
    story.expect_rst_stream(bad, ErrorCode::PROTOCOL_ERROR);
    story.expect_works();
}

#[test]
fn section_5_4_2_after_an_error_of_a_stream_its_frames_are_ignored() {
    let mut story = Story::begin();
    let bad = story.call();
    story.server().data(bad, b"before its head").head(bad).data(bad, b"data").trailers(bad);
    story.expect_stream_error(bad, ErrorCode::PROTOCOL_ERROR);
    assert_eq!(story.all_frames(kind::RST_STREAM).len(), 1);
}

#[test]
fn section_5_4_2_a_reset_is_not_answered_by_a_reset() {
    let mut story = Story::begin();
    let stream = story.upload();
    story.server().rst_stream(stream, ErrorCode::CANCEL);
    story.expect_reset(stream, ErrorCode::CANCEL);
    story.reset(stream, ErrorCode::CANCEL);
    assert_eq!(story.all_frames(kind::RST_STREAM), []);
    story.expect_works();
}

#[test]
fn section_5_5_extensions_within_a_header_block_are_an_error() {
    let mut story = Story::begin();
    let call = story.call();
    let block = hpack::block(&[(":status", "200")]);
    story.server().frame(kind::HEADERS, flag::NONE, call, block).frame(0xfa, 0, call, b"");
    story.expect_connection_error(ErrorCode::PROTOCOL_ERROR);
}

#[test]
fn section_5_5_settings_of_extensions_are_ignored() {
    let mut story = Story::begin();
    story.server().settings(&[(0, 1), (8, 1), (9, 1), (0x4d44, u32::MAX), (0xffff, 0)]);
    story.expect_works();
}

#[test]
fn section_7_unknown_error_codes_are_codes_like_any_other() {
    let mut story = Story::begin();
    let call = story.call();
    story.server().rst_stream(call, ErrorCode(0xdead_beef));
    story.expect_reset(call, ErrorCode(0xdead_beef));
    story.server().goaway(0, ErrorCode(0x1234_5678), b"");
    story.expect(Told::GoAway { last: 0, code: 0x1234_5678, debug: Vec::new() });
}

#[test]
fn section_7_every_code_has_its_number_and_its_name() {
    let codes = [
        "NO_ERROR",
        "PROTOCOL_ERROR",
        "INTERNAL_ERROR",
        "FLOW_CONTROL_ERROR",
        "SETTINGS_TIMEOUT",
        "STREAM_CLOSED",
        "FRAME_SIZE_ERROR",
        "REFUSED_STREAM",
        "CANCEL",
        "COMPRESSION_ERROR",
        "CONNECT_ERROR",
        "ENHANCE_YOUR_CALM",
        "INADEQUATE_SECURITY",
        "HTTP_1_1_REQUIRED",
    ];
    for (number, name) in (0..).zip(codes) {
        assert_eq!(ErrorCode(number).to_string(), name);
    }
    assert_eq!(ErrorCode(0x2a).to_string(), "0x2a");
}
