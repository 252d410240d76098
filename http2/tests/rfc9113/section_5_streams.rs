//! RFC 9113 section 5.1: the states of a stream, and which frames are wrong in each.

use trunkline_http2::{Config, ErrorCode, StreamKey};

use crate::support::{Story, Told, hpack, kind};

#[test]
fn section_5_1_frames_on_idle_streams_end_the_connection() {
    let block = hpack::block(&[(":status", "200")]);
    let frames: [(u8, u8, &[u8]); 4] = [
        (kind::HEADERS, 4, &block),
        (kind::DATA, 0, b"data"),
        (kind::RST_STREAM, 0, &[0, 0, 0, 8]),
        (kind::WINDOW_UPDATE, 0, &[0, 0, 0, 1]),
    ];
    for (kind, flags, payload) in frames {
        for ahead in [2, 4, 100] {
            let mut story = Story::begin();
            let call = story.call();
            story.server().frame(kind, flags, call.id() + ahead, payload);
            story.expect_connection_error(ErrorCode::PROTOCOL_ERROR);
        }
    }
}

#[test]
fn section_5_1_1_streams_with_even_ids_need_a_push_and_are_idle_for_ever() {
    let block = hpack::block(&[(":status", "200")]);
    let frames: [(u8, u8, &[u8]); 4] = [
        (kind::HEADERS, 5, &block),
        (kind::DATA, 1, b"data"),
        (kind::RST_STREAM, 0, &[0, 0, 0, 8]),
        (kind::WINDOW_UPDATE, 0, &[0, 0, 0, 1]),
    ];
    for (kind, flags, payload) in frames {
        let mut story = Story::begin();
        story.call();
        story.call();
        story.server().frame(kind, flags, 2, payload);
        story.expect_connection_error(ErrorCode::PROTOCOL_ERROR);
    }
}

#[test]
fn section_5_1_priority_may_come_in_any_state() {
    let mut story = Story::begin();
    let (closed, reset, open) = (story.call(), story.call(), story.upload());
    story.server().only_trailers(closed);
    story.expect_only_trailers(closed);
    story.reset(reset, ErrorCode::CANCEL);
    story.server().priority(closed, 0).priority(reset, 0).priority(open, 0).priority(99, 0).priority(2, 0);
    story.expect_works();
}

#[test]
fn section_5_1_a_response_may_come_while_the_request_goes_on() {
    let mut story = Story::begin();
    let stream = story.upload();
    story.server().head(stream).data(stream, b"one");
    story.expect_head(stream);
    story.expect_data(stream, b"one");
    assert!(story.send(stream, b"more", false));
    story.server().data(stream, b"two");
    story.expect_data(stream, b"two");
    assert!(story.send(stream, b"", true));
    assert!(story.request(stream).ended);
    story.server().trailers(stream);
    story.expect_trailers(stream);
    story.expect_works();
}

// behaviour 94
#[test]
fn section_5_1_a_stream_whose_response_has_ended_can_still_send() {
    let mut story = Story::begin();
    let stream = story.upload();
    story.server().only_trailers(stream).window(stream, 10);
    story.expect_only_trailers(stream);
    assert!(story.send(stream, b"more", true));
    assert_eq!(story.request(stream).body, b"more");
    assert!(story.request(stream).ended);
    story.expect_works();
}

// behaviour 94
#[test]
fn section_5_1_a_stream_whose_response_has_ended_can_be_reset() {
    let mut story = Story::begin();
    let stream = story.upload();
    story.server().only_trailers(stream);
    story.expect_only_trailers(stream);
    story.reset(stream, ErrorCode::NO_ERROR);
    story.expect_rst_stream(stream, ErrorCode::NO_ERROR);
    assert!(!story.send(stream, b"more", true), "the stream is gone");
    story.expect_works();
}

/// A stream that has ended its response, with its request still open.
fn half_closed_remote(story: &mut Story) -> StreamKey {
    let stream = story.upload();
    story.server().only_trailers(stream);
    story.expect_only_trailers(stream);
    stream
}

#[test]
fn section_5_1_data_after_the_end_of_a_response_is_an_error() {
    let mut story = Story::begin();
    let stream = half_closed_remote(&mut story);
    story.server().data(stream, b"late");
    expect_closed(story, stream);
}

#[test]
fn section_5_1_headers_after_the_end_of_a_response_are_an_error() {
    let mut story = Story::begin();
    let stream = half_closed_remote(&mut story);
    story.server().trailers(stream);
    expect_closed(story, stream);
}

#[test]
fn section_5_1_frames_after_both_ends_are_an_error_of_the_connection() {
    for late in [kind::DATA, kind::HEADERS] {
        let mut story = Story::begin();
        let call = story.call();
        story.server().only_trailers(call);
        story.expect_only_trailers(call);
        if late == kind::DATA {
            story.server().data(call, b"late");
        } else {
            story.server().trailers(call);
        }
        story.expect_connection_error(ErrorCode::STREAM_CLOSED);
    }
}

/// An error of the stream, of which the server is told: what was expected of it is complete here.
fn expect_closed(mut story: Story, stream: StreamKey) {
    story.expect_rst_stream(stream, ErrorCode::STREAM_CLOSED);
    story.expect_works();
}

#[test]
fn section_5_1_window_updates_and_resets_may_be_late() {
    let mut story = Story::begin();
    let call = story.call();
    story.server().response(call, b"data").window(call, 100).rst_stream(call, ErrorCode::NO_ERROR);
    story.expect_response(call, b"data");
    story.server().window(call, 100).rst_stream(call, ErrorCode::CANCEL).priority(call, 0);
    story.expect_works();
}

#[test]
fn section_5_1_frames_for_a_stream_that_was_reset_here_are_ignored() {
    let mut story = Story::begin();
    let stream = story.upload();
    story.reset(stream, ErrorCode::CANCEL);
    story.expect_rst_stream(stream, ErrorCode::CANCEL);
    story
        .server()
        .head(stream)
        .data(stream, b"data")
        .window(stream, 1)
        .priority(stream, 0)
        .trailers(stream)
        .rst_stream(stream, ErrorCode::CANCEL);
    story.expect_works();
    assert_eq!(story.all_frames(kind::RST_STREAM).len(), 1, "once is enough");
}

#[test]
fn section_5_1_frames_that_race_with_a_reset_are_ignored_wherever_the_response_was() {
    for before in 0..3 {
        let mut story = Story::begin();
        let call = story.call();
        if before > 0 {
            story.server().head(call);
            story.expect_head(call);
        }
        if before > 1 {
            story.server().data(call, b"data");
            story.expect_data(call, b"data");
        }
        story.reset(call, ErrorCode::CANCEL);
        if before == 0 {
            story.server().head(call);
        }
        story.server().data(call, b"late").last_data(call, b"last");
        story.expect_works();
    }
}

#[test]
fn section_5_1_what_is_wrong_on_a_stream_that_was_reset_here_costs_nothing() {
    let mut story = Story::begin();
    let call = story.call();
    story.reset(call, ErrorCode::CANCEL);
    story
        .server()
        .data(call, b"before a head")
        .headers(call, &[("no-status", "x")], false)
        .window(call, 0)
        .window(call, (1 << 31) - 1);
    story.expect_works();
}

#[test]
fn section_5_1_parts_of_a_message_after_the_servers_own_reset_end_the_connection_and_are_not_told() {
    let block = hpack::block(&[(":status", "200")]);
    let frames: [(u8, u8, &[u8]); 4] = [
        (kind::HEADERS, 4, &block),
        (kind::HEADERS, 0, &block),
        (kind::DATA, 0, b"late"),
        (kind::DATA, 1, b""),
    ];
    for (kind, flags, payload) in frames {
        let mut story = Story::begin();
        let call = story.call();
        story.server().rst_stream(call, ErrorCode::CANCEL);
        story.expect_reset(call, ErrorCode::CANCEL);
        story.server().frame(kind, flags, call, payload);
        assert_eq!(story.told, []);
        story.expect_connection_error(ErrorCode::STREAM_CLOSED);
    }
}

#[test]
fn section_5_1_other_frames_after_the_servers_own_reset_are_ignored() {
    let mut story = Story::begin();
    let call = story.call();
    story.server().rst_stream(call, ErrorCode::CANCEL);
    story.expect_reset(call, ErrorCode::CANCEL);
    story.server().window(call, 1).window(call, 0).priority(call, 0).rst_stream(call, ErrorCode::CANCEL);
    story.expect_works();
}

#[test]
fn section_5_1_many_streams_reset_here_are_remembered() {
    let mut story = Story::begin();
    let streams: Vec<_> = (0..500).map(|_| story.call()).collect();
    streams.iter().for_each(|stream| story.reset(*stream, ErrorCode::CANCEL));
    story.server().times(streams.len(), |server, i| server.response(streams[i], b"late"));
    story.expect_works();
}

#[test]
fn section_5_1_streams_that_ended_in_order_are_not_taken_for_those_that_were_reset() {
    // Of a hundred streams every other is reset; only its late frames are ignored.
    for late in [0, 1, 50, 51, 98, 99] {
        let mut story = Story::begin();
        let streams: Vec<_> = (0..100).map(|_| story.call()).collect();
        for (i, stream) in streams.iter().enumerate() {
            if i % 2 == 0 {
                story.reset(*stream, ErrorCode::CANCEL);
            } else {
                story.server().only_trailers(*stream);
                story.expect_only_trailers(*stream);
            }
        }
        story.server().data(streams[late], b"late");
        if late % 2 == 0 {
            story.expect_works();
        } else {
            story.expect_connection_error(ErrorCode::STREAM_CLOSED);
        }
    }
}

#[test]
fn section_5_1_a_slot_that_is_used_again_does_not_mix_its_streams_up() {
    let mut story = Story::begin();
    let old = story.upload();
    story.reset(old, ErrorCode::CANCEL);
    let new = story.upload();
    story.server().head(old).head(new).data(old, b"old").data(new, b"new").window(old, 5);
    story.expect_head(new);
    story.expect_data(new, b"new");
    story.expect_nothing();
    // What a caller still does with the old one goes nowhere.
    assert!(!story.send(old, b"old", true));
    story.release(old, 3);
    story.reset(old, ErrorCode::CANCEL);
    assert_eq!(story.request(new).body, b"");
    assert_eq!(story.request(new).reset, None);
    assert!(story.send(new, b"new", true));
    assert_eq!(story.request(new).body, b"new");
    story.server().trailers(new);
    story.expect_trailers(new);
    story.expect_works();
}

#[test]
fn section_5_1_1_ids_are_odd_and_grow() {
    let mut story = Story::begin();
    let ids: Vec<_> = (0..4).map(|_| story.call().id()).collect();
    assert_eq!(ids, [1, 3, 5, 7]);
}

// behaviour 82
#[test]
fn section_5_1_1_ids_that_are_used_up_are_told_and_streams_finish() {
    let mut story = Story::with(Config { first_stream_id: (1 << 31) - 3, ..Config::default() });
    let first = story.call();
    assert_eq!(first.id(), (1 << 31) - 3);
    story.expect_nothing();
    let last = story.call();
    assert_eq!(last.id(), (1 << 31) - 1);
    story.expect(Told::IdsExhausted);
    assert!(!story.engine().can_open());
    assert!(matches!(story.try_call(), Err(trunkline_http2::OpenError::IdsExhausted)));
    story.server().response(first, b"one").response(last, b"two");
    story.expect_response(first, b"one");
    story.expect_response(last, b"two");
    story.expect_nothing();
}
