//! RFC 9113 section 6.7: PING, from both sides.

use std::time::Duration;

use trunkline_http2::ErrorCode;

use crate::support::wire::Frame;
use crate::support::{Story, Told, flag, kind};

#[test]
fn section_6_7_pings_are_answered_with_what_they_carry() {
    let mut story = Story::begin();
    story.take_frames();
    story.server().ping(0x0102_0304_0506_0708).ping(0);
    let answer = |opaque: u64| Frame::new(kind::PING, flag::ACK, 0, opaque.to_be_bytes());
    story.expect_frames(&[answer(0x0102_0304_0506_0708), answer(0)]);
    story.expect_works();
}

#[test]
fn section_6_7_our_ping_is_told_when_it_is_answered() {
    let mut story = Story::begin();
    story.take_frames();
    assert!(story.ping(0xfeed));
    story.expect_frames(&[Frame::new(kind::PING, 0, 0, 0xfeed_u64.to_be_bytes())]);
    story.server().pong(0xfeed);
    story.expect(Told::Pong(0xfeed));
    story.expect_nothing();
    story.expect_no_frames();
}

#[test]
fn section_6_7_the_connection_says_since_when_it_waits() {
    let mut story = Story::begin();
    assert_eq!(story.engine().unanswered_since(), None);
    story.ping(1);
    let first = story.now();
    story.advance(Duration::from_secs(1));
    story.ping(2);
    let second = story.now();
    assert_eq!(story.engine().unanswered_since(), Some(first));
    story.server().pong(1);
    assert_eq!(story.engine().unanswered_since(), Some(second));
    story.server().pong(2);
    assert_eq!(story.engine().unanswered_since(), None);
}

#[test]
fn section_6_7_pings_of_ours_are_bounded_while_nobody_answers() {
    let mut story = Story::begin();
    let pings = (0..100).take_while(|opaque| story.ping(*opaque)).count();
    assert!((1..100).contains(&pings), "{pings}");
    story.server().pong(0);
    story.expect(Told::Pong(0));
    assert!(story.ping(7), "there is room for one more");
}

#[test]
fn section_6_7_answers_that_nobody_asked_for_are_not_told() {
    let mut story = Story::begin();
    story.ping(5);
    story.server().pong(6).pong(5).pong(5);
    story.expect(Told::Pong(5));
    story.expect_works();
}

#[test]
fn section_6_7_a_ping_on_a_stream_is_an_error() {
    for flags in [flag::NONE, flag::ACK] {
        let mut story = Story::begin();
        let call = story.call();
        story.server().frame(kind::PING, flags, call, [0; 8]);
        story.expect_connection_error(ErrorCode::PROTOCOL_ERROR);
    }
}

#[test]
fn section_6_7_a_ping_of_another_length_is_an_error() {
    for length in [0, 7, 9, 16] {
        for flags in [flag::NONE, flag::ACK] {
            let mut story = Story::begin();
            story.server().frame(kind::PING, flags, 0, vec![0; length]);
            story.expect_connection_error(ErrorCode::FRAME_SIZE_ERROR);
        }
    }
}

#[test]
fn section_6_7_an_answer_overtakes_data_that_waits_for_a_window() {
    let mut story = Story::begin();
    let upload = story.upload();
    story.send(upload, vec![b'd'; 200_000], true);
    story.take_frames();
    story.server().ping(9);
    let frames = story.take_frames();
    assert_eq!(frames, [Frame::new(kind::PING, flag::ACK, 0, 9_u64.to_be_bytes())]);
}
