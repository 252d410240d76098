//! RFC 9113 section 6.4: RST_STREAM, from both sides.

use trunkline_http2::{Config, ErrorCode, StreamKey};

use crate::support::{Story, flag, kind, setting};

#[test]
fn section_6_4_a_reset_is_told_with_its_code() {
    for code in 0..14 {
        let mut story = Story::begin();
        let stream = story.upload();
        story.server().rst_stream(stream, ErrorCode(code));
        story.expect_reset(stream, ErrorCode(code));
        assert!(!story.send(stream, b"more", true), "the stream takes no more");
        story.expect_works();
    }
}

#[test]
fn section_6_4_a_reset_may_come_at_any_point_of_a_response() {
    let mut story = Story::begin();
    let calls: Vec<StreamKey> = (0..3).map(|_| story.call()).collect();
    story.server().head(calls[1]).head(calls[2]).data(calls[2], b"data");
    story.expect_head(calls[1]);
    story.expect_head(calls[2]);
    story.expect_data(calls[2], b"data");
    for call in calls {
        story.server().rst_stream(call, ErrorCode::INTERNAL_ERROR);
        story.expect_reset(call, ErrorCode::INTERNAL_ERROR);
    }
    story.expect_works();
}

#[test]
fn section_6_4_a_reset_on_stream_0_is_an_error() {
    let mut story = Story::begin();
    story.server().rst_stream(0, ErrorCode::CANCEL);
    story.expect_connection_error(ErrorCode::PROTOCOL_ERROR);
}

#[test]
fn section_6_4_a_reset_of_another_length_is_an_error_of_the_connection() {
    for length in [0, 3, 5, 8] {
        let mut story = Story::begin();
        let call = story.call();
        story.server().frame(kind::RST_STREAM, 0, call, vec![0; length]);
        story.expect_connection_error(ErrorCode::FRAME_SIZE_ERROR);
    }
}

// behaviour 94
#[test]
fn section_8_1_a_reset_after_a_complete_response_only_stops_the_upload() {
    let mut story = Story::begin();
    let stream = story.upload();
    story.server().response(stream, b"enough").rst_stream(stream, ErrorCode::NO_ERROR);
    story.expect_response(stream, b"enough");
    story.expect_nothing();
    assert!(!story.send(stream, b"more", false), "nobody wants it");
    assert_eq!(story.engine().active_streams(), 0);
    story.expect_works();
}

#[test]
fn section_6_4_a_reset_drops_what_waits_to_be_sent() {
    let mut story = Story::settings(&[(setting::INITIAL_WINDOW_SIZE, 10)]);
    let stream = story.upload();
    story.send(stream, [b'd'; 100], true);
    assert_eq!(story.request(stream).body.len(), 10);
    story.reset(stream, ErrorCode::CANCEL);
    story.server().window(stream, 1_000);
    assert_eq!(story.request(stream).body.len(), 10);
    story.expect_rst_stream(stream, ErrorCode::CANCEL);
    story.expect_works();
}

#[test]
fn section_5_1_nothing_is_sent_of_a_request_that_was_stopped_until_it_is_reset() {
    let mut story = Story::settings(&[(setting::INITIAL_WINDOW_SIZE, 10)]);
    let (stopped, ending, other) = (story.upload(), story.upload(), story.upload());
    story.send(stopped, [b's'; 100], false);
    story.send(ending, [b'e'; 100], true);
    story.send(other, [b'o'; 100], true);
    for stream in [stopped, ending] {
        // Its turn has come, but not its bytes.
        story.stall();
        story.server().window(stream, 50);
        story.stop_sending(stream);
        story.unstall();
        assert!(!story.send(stream, b"more", true), "it takes no more");
    }
    story.server().settings(&[(setting::INITIAL_WINDOW_SIZE, 1_000)]);
    for stream in [stopped, ending] {
        let request = story.request(stream);
        assert_eq!((request.body.len(), request.ended), (10, false));
    }
    assert_eq!(story.request(other).body.len(), 100, "the turn of the others has come");
    // What comes meanwhile is told, and the end of the response does not end the stream.
    story.server().response(stopped, b"data");
    story.expect_response(stopped, b"data");
    assert_eq!(story.engine().active_streams(), 3);
    for stream in [stopped, ending] {
        story.reset(stream, ErrorCode::CANCEL);
        story.expect_rst_stream(stream, ErrorCode::CANCEL);
    }
    story.expect_works();
}

#[test]
fn section_5_1_a_request_that_has_ended_cannot_be_stopped() {
    let mut story = Story::begin();
    let call = story.call_with(b"body");
    story.stop_sending(call);
    story.server().response(call, b"data");
    story.expect_response(call, b"data");
    assert_eq!(story.engine().active_streams(), 0);
}

#[test]
fn section_6_4_the_servers_reset_drops_what_waits_to_be_sent() {
    let mut story = Story::settings(&[(setting::INITIAL_WINDOW_SIZE, 10)]);
    let (dropped, other) = (story.upload(), story.upload());
    story.send(dropped, [b'd'; 100], true);
    story.send(other, [b'o'; 30], true);
    story.server().rst_stream(dropped, ErrorCode::CANCEL).window(other, 1_000);
    story.expect_reset(dropped, ErrorCode::CANCEL);
    assert_eq!(story.request(other).body.len(), 30);
    story.server().response(other, b"data");
    story.expect_response(other, b"data");
    story.expect_nothing();
}

// behaviour 65
#[test]
fn section_5_1_a_stream_that_is_reset_before_it_was_written_is_written_and_reset() {
    let mut story = Story::begin();
    story.take_frames();
    story.stall();
    let call = story.call_with(b"body");
    assert!(!story.engine().is_sent(call));
    story.reset(call, ErrorCode::CANCEL);
    let next = story.call();
    story.unstall();
    // Whether its DATA is still written is the engine's affair; RST_STREAM must not come before HEADERS.
    let kinds: Vec<_> =
        story.take_frames().iter().filter(|f| f.kind != kind::DATA).map(|f| (f.kind, f.stream)).collect();
    assert_eq!(
        kinds,
        [(kind::HEADERS, call.id()), (kind::RST_STREAM, call.id()), (kind::HEADERS, next.id())]
    );
    story.server().only_trailers(next);
    story.expect_only_trailers(next);
    story.expect_works();
}

#[test]
fn section_6_4_resetting_twice_is_resetting_once() {
    let mut story = Story::begin();
    let stream = story.upload();
    story.reset(stream, ErrorCode::CANCEL);
    story.reset(stream, ErrorCode::INTERNAL_ERROR);
    let resets = story.all_frames(kind::RST_STREAM);
    assert_eq!(resets.len(), 1);
    assert_eq!(resets[0].number_at(0), ErrorCode::CANCEL.0);
    story.expect_works();
}

#[test]
fn section_5_1_a_stream_that_is_over_cannot_be_reset() {
    let mut story = Story::begin();
    let call = story.call();
    story.server().only_trailers(call);
    story.expect_only_trailers(call);
    story.reset(call, ErrorCode::CANCEL);
    assert_eq!(story.all_frames(kind::RST_STREAM), []);
    story.expect_works();
}

#[test]
fn section_6_4_nothing_of_a_stream_is_told_after_its_reset() {
    let mut story = Story::begin();
    let call = story.call();
    let end = flag::END_STREAM;
    story.server().rst_stream(call, ErrorCode::CANCEL).window(call, 7).rst_stream(call, ErrorCode(2));
    story.expect_reset(call, ErrorCode::CANCEL);
    story.expect_works();
    story.server().frame(kind::DATA, end, call, b"late");
    assert_eq!(story.told, []);
    story.expect_connection_error(ErrorCode::STREAM_CLOSED);
}

#[test]
fn section_5_1_nothing_that_the_connections_window_holds_back_is_sent_after_the_servers_reset() {
    let mut story = Story::settings(&[(setting::INITIAL_WINDOW_SIZE, 1 << 20)]);
    let (dropped, other) = (story.upload(), story.upload());
    story.send(dropped, vec![b'd'; 200_000], false);
    story.send(other, vec![b'o'; 100_000], true);
    assert_eq!(story.connection_window(), 0);
    let sent = story.request(dropped).body.len();
    story.server().rst_stream(dropped, ErrorCode::CANCEL);
    story.expect_reset(dropped, ErrorCode::CANCEL);
    story.take_frames();
    story.server().window(0, 1 << 24).window(dropped, 1 << 20);
    assert!(story.take_frames().iter().all(|frame| frame.stream == other.id()));
    assert_eq!(story.request(dropped).body.len(), sent);
    assert_eq!(story.request(other).body.len(), 100_000);
    story.server().response(other, b"data");
    story.expect_response(other, b"data");
    story.expect_works();
}

#[test]
fn section_5_1_an_update_that_waits_for_the_socket_is_not_sent_after_a_reset_from_either_side() {
    for (is_ours, others) in [(true, 0), (false, 0), (true, 3), (false, 3)] {
        let mut story = Story::with(Config { stream_window: 10_000, ..Config::default() });
        let calls: Vec<_> = (0..=others).map(|_| story.call()).collect();
        story.take_frames();
        story.stall();
        for call in &calls {
            story.server().head(*call).data(*call, [b'd'; 10_000]);
            story.expect_head(*call);
            story.expect_data(*call, [b'd'; 10_000]);
            story.release(*call, 10_000);
        }
        let call = calls[0];
        if is_ours {
            story.reset(call, ErrorCode::CANCEL);
        } else {
            story.server().rst_stream(call, ErrorCode::CANCEL);
            story.expect_reset(call, ErrorCode::CANCEL);
        }
        story.unstall();
        let frames: Vec<_> = story.take_frames().iter().map(|frame| (frame.kind, frame.stream)).collect();
        let ours = is_ours.then_some((kind::RST_STREAM, call.id()));
        let updates = calls[1..].iter().map(|call| (kind::WINDOW_UPDATE, call.id()));
        assert_eq!(frames, ours.into_iter().chain(updates).collect::<Vec<_>>());
        for call in &calls[1..] {
            story.server().trailers(*call);
            story.expect_trailers(*call);
        }
        story.expect_works();
    }
}
