//! RFC 9113 section 6.6: PUSH_PROMISE, which a client that refused pushes never accepts.

use trunkline_http2::{Config, ErrorCode};

use crate::support::{Story, flag, hpack, kind};

fn promise(promised: u32) -> Vec<u8> {
    let fields = [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "story.test")];
    [&promised.to_be_bytes()[..], &hpack::block(&fields)].concat()
}

#[test]
fn section_6_6_a_push_is_an_error_since_pushes_were_refused() {
    for promised in [2, 4, 3, 0] {
        let mut story = Story::begin();
        let call = story.call();
        story.server().frame(kind::PUSH_PROMISE, flag::END_HEADERS, call, promise(promised));
        story.expect_connection_error(ErrorCode::PROTOCOL_ERROR);
    }
}

#[test]
fn section_6_6_a_push_is_an_error_on_any_stream() {
    for stream in [0, 1, 2, 3, 99] {
        let mut story = Story::begin();
        story.call();
        story.server().frame(kind::PUSH_PROMISE, flag::END_HEADERS, stream, promise(2));
        story.expect_connection_error(ErrorCode::PROTOCOL_ERROR);
    }
}

#[test]
fn section_6_6_a_push_is_an_error_before_our_settings_were_acknowledged_too() {
    // The server may not have read them, but no server of gRPC has anything to push.
    let mut story = Story::before_settings(Config::default());
    let call = story.call();
    story.server().settings(&[]).frame(kind::PUSH_PROMISE, flag::END_HEADERS, call, promise(2));
    story.expect_connection_error(ErrorCode::PROTOCOL_ERROR);
}

#[test]
fn section_6_6_a_push_on_a_stream_that_was_reset_is_an_error_too() {
    let mut story = Story::begin();
    let call = story.call();
    story.reset(call, ErrorCode::CANCEL);
    story.server().frame(kind::PUSH_PROMISE, flag::END_HEADERS, call, promise(2));
    story.expect_connection_error(ErrorCode::PROTOCOL_ERROR);
}
