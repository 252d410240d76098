//! RFC 9113 section 5.1.2: how many streams the server allows.

use trunkline_http2::{Config, ErrorCode, OpenError};

use crate::support::{Story, Told, setting};

const LIMIT: u16 = setting::MAX_CONCURRENT_STREAMS;

// behaviour 88
#[test]
fn section_5_1_2_the_servers_limit_is_told_and_kept() {
    let mut story = Story::before_settings(Config::default());
    story.server().settings(&[(LIMIT, 2)]);
    story.expect(Told::SettingsReceived);
    story.expect(Told::StreamLimit(Some(2)));
    assert_eq!(story.engine().stream_limit(), Some(2));
    story.call();
    assert!(story.engine().can_open());
    story.call();
    assert!(!story.engine().can_open());
    assert!(matches!(story.try_call(), Err(OpenError::TooManyStreams { .. })));
    assert_eq!((story.engine().active_streams(), story.open_streams()), (2, 2));
}

#[test]
fn section_5_1_2_without_a_limit_there_is_none() {
    let mut story = Story::begin();
    assert_eq!(story.engine().stream_limit(), None);
    for _ in 0..1_000 {
        story.call();
    }
    assert_eq!((story.engine().active_streams(), story.open_streams()), (1_000, 1_000));
    assert!(story.engine().can_open());
}

// behaviour 88
#[test]
fn section_5_1_2_a_stream_counts_until_both_halves_are_closed() {
    let mut story = Story::settings(&[(LIMIT, 1)]);
    let first = story.upload();
    story.server().only_trailers(first);
    story.expect_only_trailers(first);
    assert!(!story.engine().can_open(), "the request is still open");
    story.send(first, b"", true);
    assert!(story.engine().can_open());
    let second = story.upload();
    story.send(second, b"", true);
    assert!(!story.engine().can_open(), "the response is still open");
    story.server().only_trailers(second);
    story.expect_only_trailers(second);
    assert!(story.engine().can_open());
    assert_eq!((story.engine().active_streams(), story.open_streams()), (0, 0));
}

// behaviour 88
#[test]
fn section_5_1_2_resets_give_places_back() {
    let mut story = Story::settings(&[(LIMIT, 1)]);
    let ours = story.upload();
    story.reset(ours, ErrorCode::CANCEL);
    let theirs = story.upload();
    story.server().rst_stream(theirs, ErrorCode::CANCEL);
    story.expect_reset(theirs, ErrorCode::CANCEL);
    let broken = story.upload();
    story.server().data(broken, b"before the head");
    story.expect_stream_error(broken, ErrorCode::PROTOCOL_ERROR);
    assert_eq!((story.engine().active_streams(), story.open_streams()), (0, 0));
}

// behaviour 88
#[test]
fn section_5_1_2_a_limit_of_zero_is_a_limit() {
    let mut story = Story::settings(&[(LIMIT, 0)]);
    assert!(matches!(story.try_call(), Err(OpenError::TooManyStreams { .. })));
    story.server().settings(&[(LIMIT, 1)]);
    story.expect(Told::StreamLimit(Some(1)));
    story.expect_works();
}

// behaviour 88
#[test]
fn section_5_1_2_a_limit_below_what_is_open_closes_nothing() {
    let mut story = Story::settings(&[(LIMIT, 10)]);
    let streams = [story.call(), story.call(), story.call()];
    story.server().settings(&[(LIMIT, 1)]);
    story.expect(Told::StreamLimit(Some(1)));
    assert!(matches!(story.try_call(), Err(OpenError::TooManyStreams { .. })));
    for (i, stream) in streams.into_iter().enumerate() {
        story.server().response(stream, b"data");
        story.expect_response(stream, b"data");
        assert_eq!(story.engine().can_open(), i == 2);
    }
    story.expect_works();
}

#[test]
fn section_5_1_2_a_limit_that_is_the_same_again_is_no_news() {
    let mut story = Story::settings(&[(LIMIT, 5)]);
    story.server().settings(&[(LIMIT, 5)]).settings(&[]);
    story.expect_nothing();
    story.server().settings(&[(LIMIT, 6)]);
    story.expect(Told::StreamLimit(Some(6)));
    story.expect_nothing();
}

#[test]
fn section_5_1_2_streams_opened_before_the_first_settings_count() {
    let mut story = Story::before_settings(Config::default());
    let early = [story.call(), story.call()];
    story.server().settings(&[(LIMIT, 1)]).settings_ack();
    story.expect(Told::SettingsReceived);
    story.expect(Told::StreamLimit(Some(1)));
    story.expect(Told::SettingsAcknowledged);
    assert!(!story.engine().can_open());
    // The server may refuse what was too many (RFC 9113 5.1.2, 8.7).
    story.server().rst_stream(early[1], ErrorCode::REFUSED_STREAM).response(early[0], b"data");
    story.expect_reset(early[1], ErrorCode::REFUSED_STREAM);
    story.expect_response(early[0], b"data");
    story.expect_works();
}
