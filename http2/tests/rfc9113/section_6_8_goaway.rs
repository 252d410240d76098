//! RFC 9113 section 6.8: GOAWAY, from both sides.

use trunkline_http2::{Config, ErrorCode, OpenError};

use crate::support::{Story, Told, flag, kind, setting};

fn told(last: u32, code: ErrorCode, debug: &[u8]) -> Told {
    Told::GoAway { last, code: code.0, debug: debug.to_vec() }
}

// behaviour 78
#[test]
fn section_6_8_streams_that_goaway_includes_go_on_and_the_others_were_not_processed() {
    let mut story = Story::begin();
    let streams = [story.call(), story.upload(), story.call(), story.upload()];
    story.server().goaway(streams[1].id(), ErrorCode::NO_ERROR, b"max_age");
    story.expect(told(streams[1].id(), ErrorCode::NO_ERROR, b"max_age"));
    story.expect_not_processed(streams[2]);
    story.expect_not_processed(streams[3]);
    story.expect_nothing();
    assert!(!story.send(streams[3], b"more", true));
    assert!(story.send(streams[1], b"more", true));
    story.server().response(streams[0], b"one").response(streams[1], b"two");
    story.expect_response(streams[0], b"one");
    story.expect_response(streams[1], b"two");
    story.expect_nothing();
    assert_eq!(story.engine().active_streams(), 0);
}

// behaviour 78
#[test]
fn section_6_8_there_are_no_new_streams_after_goaway() {
    let mut story = Story::begin();
    assert!(!story.engine().is_draining());
    story.server().goaway(0, ErrorCode::NO_ERROR, b"");
    story.expect(told(0, ErrorCode::NO_ERROR, b""));
    assert!(story.engine().is_draining());
    assert!(!story.engine().can_open());
    assert!(matches!(story.try_call(), Err(OpenError::Draining)));
}

// behaviour 77
#[test]
fn section_6_8_a_graceful_goaway_names_the_largest_id_and_then_the_last() {
    let mut story = Story::begin();
    let (one, two) = (story.call(), story.call());
    let largest = (1 << 31) - 1;
    story.server().goaway(largest, ErrorCode::NO_ERROR, b"soon");
    story.expect(told(largest, ErrorCode::NO_ERROR, b"soon"));
    story.expect_nothing();
    story.server().ping(1).goaway(one.id(), ErrorCode::NO_ERROR, b"now");
    story.expect(told(one.id(), ErrorCode::NO_ERROR, b"now"));
    story.expect_not_processed(two);
    story.server().response(one, b"data");
    story.expect_response(one, b"data");
    story.expect_nothing();
}

#[test]
fn section_6_8_the_last_id_may_not_grow() {
    let mut story = Story::begin();
    story.call();
    story.server().goaway(1, ErrorCode::NO_ERROR, b"");
    story.server().goaway(3, ErrorCode::NO_ERROR, b"");
    story.expect_connection_error(ErrorCode::PROTOCOL_ERROR);
}

#[test]
fn section_6_8_the_same_goaway_again_is_told_again() {
    let mut story = Story::begin();
    let call = story.call();
    story.server().goaway(1, ErrorCode::NO_ERROR, b"").goaway(1, ErrorCode::ENHANCE_YOUR_CALM, b"x");
    story.expect(told(1, ErrorCode::NO_ERROR, b""));
    story.expect(told(1, ErrorCode::ENHANCE_YOUR_CALM, b"x"));
    story.server().response(call, b"data");
    story.expect_response(call, b"data");
}

#[test]
fn section_6_8_an_error_in_goaway_ends_no_stream_by_itself() {
    let mut story = Story::begin();
    let (one, two) = (story.call(), story.call());
    story.server().goaway(one.id(), ErrorCode::INTERNAL_ERROR, b"").response(one, b"data");
    story.expect(told(one.id(), ErrorCode::INTERNAL_ERROR, b""));
    story.expect_not_processed(two);
    story.expect_response(one, b"data");
    story.expect_nothing();
}

#[test]
fn section_6_8_goaway_on_a_stream_is_an_error() {
    let mut story = Story::begin();
    let call = story.call();
    story.server().frame(kind::GOAWAY, 0, call, [0; 8]);
    story.expect_connection_error(ErrorCode::PROTOCOL_ERROR);
}

#[test]
fn section_6_8_goaway_shorter_than_its_fields_is_an_error() {
    for length in [0, 4, 7] {
        let mut story = Story::begin();
        story.server().frame(kind::GOAWAY, 0, 0, vec![0; length]);
        story.expect_connection_error(ErrorCode::FRAME_SIZE_ERROR);
    }
}

#[test]
fn section_6_8_the_reserved_bit_of_the_last_id_means_nothing() {
    let mut story = Story::begin();
    let (one, two) = (story.call(), story.call());
    story.server().goaway(one.id() | 1 << 31, ErrorCode::NO_ERROR, b"");
    story.expect(told(one.id(), ErrorCode::NO_ERROR, b""));
    story.expect_not_processed(two);
    story.expect_nothing();
}

#[test]
fn section_6_8_frames_of_streams_that_goaway_excluded_are_ignored() {
    let mut story = Story::begin();
    let (one, two) = (story.call(), story.upload());
    story.server().goaway(one.id(), ErrorCode::NO_ERROR, b"");
    story.expect(told(one.id(), ErrorCode::NO_ERROR, b""));
    story.expect_not_processed(two);
    story.server().head(two).data(two, b"late").window(two, 1).rst_stream(two, ErrorCode::REFUSED_STREAM);
    story.expect_nothing();
    story.server().response(one, b"data");
    story.expect_response(one, b"data");
    story.expect_nothing();
}

#[test]
fn section_6_8_what_an_excluded_stream_had_to_send_is_dropped() {
    let mut story = Story::settings(&[(setting::INITIAL_WINDOW_SIZE, 5)]);
    let stream = story.call_with(b"0123456789");
    story.server().goaway(0, ErrorCode::NO_ERROR, b"");
    story.expect(told(0, ErrorCode::NO_ERROR, b""));
    story.expect_not_processed(stream);
    story.server().window(stream, 100);
    assert_eq!(story.request(stream).body, b"01234");
    story.expect_nothing();
}

#[test]
fn section_6_8_a_stream_whose_response_is_complete_is_not_told_to_be_unprocessed() {
    let mut story = Story::begin();
    let stream = story.upload();
    story.server().only_trailers(stream).goaway(0, ErrorCode::NO_ERROR, b"");
    story.expect_only_trailers(stream);
    story.expect(told(0, ErrorCode::NO_ERROR, b""));
    story.expect_nothing();
}

#[test]
fn section_6_8_streams_not_yet_written_count_like_the_others() {
    let mut story = Story::begin();
    story.stall();
    let call = story.call_with(b"body");
    story.server().goaway(0, ErrorCode::NO_ERROR, b"");
    story.expect(told(0, ErrorCode::NO_ERROR, b""));
    story.expect_not_processed(call);
    story.unstall();
    story.expect_nothing();
}

#[test]
fn section_6_8_our_close_says_goaway_and_lets_streams_finish() {
    let mut story = Story::begin();
    let (call, upload) = (story.call(), story.upload());
    story.take_frames();
    story.close(ErrorCode::NO_ERROR);
    let frames = story.take_frames();
    assert_eq!((frames.len(), frames[0].kind), (1, kind::GOAWAY));
    assert_eq!((frames[0].number_at(0), frames[0].number_at(4)), (0, 0));
    assert!(story.engine().is_draining());
    assert!(matches!(story.try_call(), Err(OpenError::Draining)));
    assert!(story.send(upload, b"more", true));
    story.server().response(call, b"one").response(upload, b"two");
    story.expect_response(call, b"one");
    story.expect_response(upload, b"two");
    story.expect_nothing();
}

#[test]
fn section_6_8_long_debug_data_is_kept_in_part() {
    let mut story = Story::begin();
    story.server().goaway(0, ErrorCode::NO_ERROR, [b'x'; 10_000]);
    let Told::GoAway { debug, .. } = story.next() else { panic!("no GOAWAY") };
    assert!(!debug.is_empty() && debug.len() <= 10_000 && debug.iter().all(|byte| *byte == b'x'));
    story.expect_nothing();
}

#[test]
fn section_6_8_goaway_may_come_while_our_settings_are_unacknowledged() {
    let mut story = Story::before_settings(Config::default());
    let call = story.call();
    story.server().settings(&[]).goaway(0, ErrorCode::NO_ERROR, b"");
    story.expect(Told::SettingsReceived);
    story.expect(Told::StreamLimit(None));
    story.expect(told(0, ErrorCode::NO_ERROR, b""));
    story.expect_not_processed(call);
    story.expect_nothing();
    story.server().frame(kind::SETTINGS, flag::ACK, 0, b"");
    story.expect(Told::SettingsAcknowledged);
}
