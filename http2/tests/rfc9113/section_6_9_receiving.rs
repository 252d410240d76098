//! RFC 9113 section 6.9, for what the server sends: the windows that the engine gives.

use trunkline_http2::{Config, ErrorCode, StreamKey};

use crate::support::wire::Frame;
use crate::support::{Story, Told, kind};

const SMALL: Config = Config {
    stream_window: 100_000,
    connection_window: 100_000,
    unread_limit: 100_000,
    max_frame_size: 16_384,
    max_header_list_size: 16_384,
    max_header_block: 65_536,
    decoder_table_size: 4_096,
    encoder_table_limit: 4_096,
    send_buffer: 65_536,
    settings_timeout: None,
    first_stream_id: 1,
};

/// Sends so many bytes in frames of 10 000.
fn pour(story: &mut Story, stream: StreamKey, bytes: usize) {
    let data = vec![b'd'; 10_000];
    for start in (0..bytes).step_by(10_000) {
        story.server().data(stream, &data[..(bytes - start).min(10_000)]);
    }
}

/// A stream whose head has come.
fn begun(story: &mut Story) -> StreamKey {
    let call = story.call();
    story.server().head(call);
    story.expect_head(call);
    story.take_frames();
    call
}

/// What was given to a stream or to the connection (0) since frames were last taken.
fn given(frames: &[Frame], stream: u32) -> u32 {
    let updates = frames.iter().filter(|frame| frame.kind == kind::WINDOW_UPDATE && frame.stream == stream);
    updates.map(|frame| frame.number_at(0)).sum()
}

// behaviour 89
#[test]
fn section_6_9_the_whole_window_of_a_stream_may_be_used() {
    let mut story = Story::with(Config { stream_window: 100_000, ..Config::default() });
    let call = begun(&mut story);
    pour(&mut story, call, 100_000);
    story.expect_data(call, vec![b'd'; 100_000]);
    story.server().data(call, b"");
    story.expect_nothing();
}

#[test]
fn section_6_9_1_one_byte_beyond_the_window_of_a_stream_is_its_error() {
    let mut story = Story::with(Config { stream_window: 100_000, ..Config::default() });
    let call = begun(&mut story);
    pour(&mut story, call, 100_000);
    story.expect_data(call, vec![b'd'; 100_000]);
    story.server().data(call, b"x");
    story.expect_stream_error(call, ErrorCode::FLOW_CONTROL_ERROR);
}

#[test]
fn section_6_9_1_one_byte_beyond_the_window_of_the_connection_is_an_error_of_it() {
    let mut story = Story::with(Config { stream_window: 1 << 20, ..SMALL });
    let (one, two) = (begun(&mut story), begun(&mut story));
    pour(&mut story, one, 60_000);
    pour(&mut story, two, 40_000);
    assert_eq!(given(&story.take_frames(), 0), 0, "nobody has read anything");
    story.server().data(two, b"x");
    story.expect_connection_error(ErrorCode::FLOW_CONTROL_ERROR);
}

// behaviour 89
#[test]
fn section_6_9_a_stream_is_given_what_was_released_in_portions_of_half_its_window() {
    let mut story = Story::with(Config { stream_window: 100_000, ..Config::default() });
    let call = begun(&mut story);
    pour(&mut story, call, 100_000);
    story.take_frames();
    story.release(call, 49_999);
    story.expect_no_frames();
    story.release(call, 1);
    let update = |by: u32| Frame::new(kind::WINDOW_UPDATE, 0, call.id(), by.to_be_bytes());
    story.expect_frames(&[update(50_000)]);
    story.release(call, 10_000);
    story.release(call, 40_000);
    story.expect_frames(&[update(50_000)]);
    // And it is true.
    pour(&mut story, call, 100_000);
    story.server().trailers(call);
    story.expect_data(call, vec![b'd'; 200_000]);
    story.expect_trailers(call);
    story.expect_nothing();
}

#[test]
fn section_6_9_a_stream_that_is_not_read_is_given_nothing() {
    let mut story = Story::with(Config { stream_window: 100_000, ..Config::default() });
    let call = begun(&mut story);
    pour(&mut story, call, 100_000);
    assert_eq!(given(&story.take_frames(), call.id()), 0);
}

#[test]
fn section_6_9_a_response_that_has_ended_is_given_nothing() {
    let mut story = Story::with(Config { stream_window: 100_000, ..Config::default() });
    let upload = story.upload();
    story.server().head(upload);
    pour(&mut story, upload, 100_000);
    story.server().last_data(upload, b"");
    story.take_frames();
    story.release(upload, 100_000);
    assert_eq!(given(&story.take_frames(), upload.id()), 0);
}

#[test]
fn section_6_9_what_is_released_twice_is_given_once() {
    let mut story = Story::with(Config { stream_window: 100_000, ..Config::default() });
    let call = begun(&mut story);
    pour(&mut story, call, 60_000);
    story.take_frames();
    story.release(call, 60_000);
    story.release(call, 60_000);
    story.release(call, usize::MAX);
    assert_eq!(given(&story.take_frames(), call.id()), 60_000);
    story.server().data(call, b"x");
    story.expect_data(call, [&[b'd'; 60_000][..], b"x"].concat());
    // The window is what it was, and not a byte more.
    pour(&mut story, call, 99_999);
    story.expect_data(call, vec![b'd'; 99_999]);
    assert_eq!(given(&story.take_frames(), 0), 0, "the connection owes less than a portion");
    story.server().data(call, b"x");
    story.expect_stream_error(call, ErrorCode::FLOW_CONTROL_ERROR);
}

// behaviour 89
#[test]
fn section_6_9_slow_readers_do_not_starve_the_others() {
    // Windows of 100 000 for ten streams that nobody reads, and for an eleventh that somebody does.
    let config = Config { unread_limit: 2_000_000, stream_window: 100_000, ..SMALL };
    let mut story = Story::with(config);
    for _ in 0..10 {
        let slow = begun(&mut story);
        pour(&mut story, slow, 100_000);
        story.expect_data(slow, vec![b'd'; 100_000]);
    }
    let quick = begun(&mut story);
    for _ in 0..5 {
        pour(&mut story, quick, 50_000);
        story.expect_data(quick, vec![b'd'; 50_000]);
        story.release(quick, 50_000);
    }
    story.server().trailers(quick);
    story.expect_trailers(quick);
    story.expect_nothing();
}

#[test]
fn section_6_9_beyond_the_unread_limit_the_connections_window_shrinks_and_opens_again() {
    let mut story = Story::with(Config { unread_limit: 300_000, stream_window: 1 << 20, ..SMALL });
    let call = begun(&mut story);
    let mut poured = 0;
    let mut window = 100_000;
    while window > 0 {
        let bytes = window.min(10_000);
        pour(&mut story, call, bytes);
        poured += bytes;
        window -= bytes;
        window += given(&story.take_frames(), 0) as usize;
        assert!(poured + window <= 300_000, "{poured} are unread, and {window} more may come");
    }
    assert_eq!(poured, 300_000, "what the limit allows can be used");
    story.expect_data(call, vec![b'd'; poured]);
    story.release(call, poured);
    assert_eq!(given(&story.take_frames(), 0), 100_000, "the window is what it was");
    pour(&mut story, call, 100_000);
    story.expect_data(call, vec![b'd'; 100_000]);
    story.expect_nothing();
}

#[test]
fn section_6_9_what_streams_left_unread_is_released_though_they_are_over() {
    let mut story = Story::with(Config { stream_window: 1 << 20, ..SMALL });
    for _ in 0..20 {
        let call = begun(&mut story);
        pour(&mut story, call, 100_000);
        story.server().trailers(call);
        story.expect_data(call, vec![b'd'; 100_000]);
        story.expect_trailers(call);
        story.release(call, 100_000);
    }
    story.expect_works();
}

// behaviour 89
#[test]
fn section_5_1_data_of_streams_that_were_reset_is_given_back_to_the_connection() {
    let mut story = Story::with(Config { stream_window: 1 << 20, ..SMALL });
    let call = begun(&mut story);
    story.reset(call, ErrorCode::CANCEL);
    // Ten times the window of the connection: nobody will ever release it.
    pour(&mut story, call, 1_000_000);
    story.expect_works();
}

#[test]
fn section_5_1_data_that_broke_its_stream_is_given_back_to_the_connection() {
    let mut story = Story::with(Config { stream_window: 10_000, ..SMALL });
    for _ in 0..30 {
        let call = begun(&mut story);
        pour(&mut story, call, 10_000);
        story.expect_data(call, vec![b'd'; 10_000]);
        story.release(call, 10_000);
        let bad = story.call();
        story.server().data(bad, [0; 10_000]);
        story.expect_stream_error(bad, ErrorCode::PROTOCOL_ERROR);
        story.reset(call, ErrorCode::CANCEL);
    }
}

#[test]
fn section_6_9_2_before_our_settings_are_acknowledged_the_old_window_is_in_force() {
    let mut story = Story::before_settings(Config { stream_window: 10, ..Config::default() });
    let call = story.call();
    story.server().settings(&[]).head(call).data(call, [b'd'; 65]).settings_ack();
    story.told.drain(..2);
    story.expect_head(call);
    story.expect_data(call, [b'd'; 65]);
    story.told.clear();
    // 55 bytes below zero: the server has to wait until they and more are read.
    story.release(call, 65);
    assert_eq!(given(&story.all_frames(kind::WINDOW_UPDATE), call.id()), 65);
    story.server().data(call, [b'd'; 10]);
    story.expect_data(call, [b'd'; 10]);
    story.server().data(call, b"x");
    story.expect_stream_error(call, ErrorCode::FLOW_CONTROL_ERROR);
}

#[test]
fn section_6_9_2_before_our_settings_are_acknowledged_a_larger_window_is_not() {
    let mut story = Story::before_settings(Config { stream_window: 1 << 20, ..Config::default() });
    let call = story.call();
    story.server().settings(&[]).head(call);
    pour(&mut story, call, 65_535);
    story.told.drain(..2);
    story.expect_head(call);
    story.expect_data(call, vec![b'd'; 65_535]);
    story.server().data(call, b"x");
    let code = ErrorCode::FLOW_CONTROL_ERROR;
    story.expect(Told::Violation { stream: call.id(), code: code.0 });
    story.expect_rst_stream(call, code);
}

#[test]
fn section_6_9_updates_wait_for_a_socket_that_takes_nothing_and_then_come_as_one() {
    let mut story = Story::with(Config { stream_window: 10_000, ..Config::default() });
    let call = begun(&mut story);
    let mut window = 10_000;
    story.stall();
    story.server().data(call, [b'd'; 6_000]);
    window -= 6_000;
    story.release(call, 6_000);
    story.server().data(call, vec![b'd'; window]);
    story.release(call, window);
    story.unstall();
    assert_eq!(given(&story.take_frames(), call.id()), 10_000);
    story.expect_data(call, [b'd'; 10_000]);
    story.server().data(call, [b'd'; 10_000]);
    story.expect_data(call, [b'd'; 10_000]);
    story.expect_nothing();
}

#[test]
fn section_6_9_a_window_of_nothing_is_one_of_a_byte() {
    let mut story = Story::with(Config { stream_window: 0, ..Config::default() });
    let (call, bad) = (story.call(), story.call());
    story.server().head(call).data(call, b"x");
    story.expect_head(call);
    story.expect_data(call, b"x");
    story.release(call, 1);
    assert_eq!(given(&story.take_frames(), call.id()), 1);
    story.server().head(bad).data(bad, b"xx");
    story.expect_head(bad);
    story.expect(Told::Violation { stream: bad.id(), code: ErrorCode::FLOW_CONTROL_ERROR.0 });
    story.expect_rst_stream(bad, ErrorCode::FLOW_CONTROL_ERROR);
}

#[test]
fn section_6_9_a_peer_that_leaves_is_told_nothing_that_it_does_not_need() {
    let mut story =
        Story::with(Config { stream_window: 100_000, connection_window: 200_000, ..Config::default() });
    let (one, two) = (begun(&mut story), begun(&mut story));
    story.server().goaway(two.id(), ErrorCode::NO_ERROR, b"max_age");
    story.expect(Told::GoAway { last: two.id(), code: ErrorCode::NO_ERROR.0, debug: b"max_age".to_vec() });
    for call in [one, two] {
        pour(&mut story, call, 87_499);
        story.expect_data(call, vec![b'd'; 87_499]);
        story.release(call, 87_499);
        story.expect_no_frames();
    }
    // Who goes on is given all of it in time.
    pour(&mut story, one, 1);
    story.expect_data(one, b"d");
    let updates = story.take_frames();
    assert_eq!((given(&updates, 0), given(&updates, one.id()), given(&updates, two.id())), (0, 87_499, 0));
    story.release(one, 1);
    pour(&mut story, one, 1);
    let updates = story.take_frames();
    assert_eq!((given(&updates, 0), given(&updates, one.id())), (175_000, 0));
    pour(&mut story, one, 99_998);
    story.server().trailers(one).trailers(two);
    story.expect_data(one, vec![b'd'; 99_999]);
    story.expect_trailers(one);
    story.expect_trailers(two);
}

#[test]
fn section_6_9_the_connection_too_is_given_its_window_in_portions() {
    let config = Config { stream_window: 1 << 20, connection_window: 1 << 20, ..Config::default() };
    let mut story = Story::with(config);
    let call = begun(&mut story);
    for _ in 0..200 {
        story.server().data(call, [b'd'; 10_000]);
        story.release(call, 10_000);
    }
    let updates = story.take_frames();
    assert!(given(&updates, 0) >= 1_500_000, "it is given");
    let updates = updates.iter().filter(|frame| frame.stream == 0).count();
    assert!(updates <= 2_000_000 / (1 << 19), "{updates} updates for two megabytes");
    story.expect_data(call, vec![b'd'; 2_000_000]);
}
