//! RFC 9113 section 6.10: CONTINUATION.

use trunkline_http2::ErrorCode;

use crate::support::{Story, flag, hpack, kind};

fn block() -> Vec<u8> {
    hpack::block(&[(":status", "200"), ("name", "value")])
}

#[test]
fn section_6_10_a_block_may_take_many_frames() {
    let mut story = Story::begin();
    let call = story.call();
    let block = block();
    let mut server = story.server().frame(kind::HEADERS, 0, call, b"");
    for byte in &block {
        server = server.frame(kind::CONTINUATION, 0, call, [*byte]);
    }
    drop(server.frame(kind::CONTINUATION, flag::END_HEADERS, call, b""));
    assert_eq!(story.expect_head(call), [("name".to_owned(), "value".to_owned())]);
    story.expect_works();
}

#[test]
fn section_6_10_the_end_of_the_stream_stands_in_headers_and_counts_at_the_end_of_the_block() {
    let mut story = Story::begin();
    let call = story.call();
    let block = block();
    story.server().frame(kind::HEADERS, flag::END_STREAM, call, &block[..5]);
    story.expect_nothing();
    story.server().frame(kind::CONTINUATION, flag::END_HEADERS, call, &block[5..]);
    story.expect_only_trailers(call);
    story.expect_works();
}

#[test]
fn section_6_10_trailers_may_continue_too() {
    let mut story = Story::begin();
    let call = story.call();
    let trailers = hpack::block(&[("grpc-status", "0")]);
    story
        .server()
        .head(call)
        .data(call, b"data")
        .frame(kind::HEADERS, flag::END_STREAM, call, &trailers[..3])
        .frame(kind::CONTINUATION, 0, call, &trailers[3..6])
        .frame(kind::CONTINUATION, flag::END_HEADERS, call, &trailers[6..]);
    story.expect_response(call, b"data");
    story.expect_works();
}

#[test]
fn section_6_10_any_other_frame_within_a_block_is_an_error() {
    let frames = [
        (kind::DATA, 1),
        (kind::HEADERS, 1),
        (kind::HEADERS, 3),
        (kind::PRIORITY, 1),
        (kind::RST_STREAM, 1),
        (kind::SETTINGS, 0),
        (kind::PUSH_PROMISE, 1),
        (kind::PING, 0),
        (kind::GOAWAY, 0),
        (kind::WINDOW_UPDATE, 0),
        (kind::WINDOW_UPDATE, 1),
        (kind::ALTSVC, 0),
        (0xfa, 0),
    ];
    for (kind, stream) in frames {
        let mut story = Story::begin();
        let call = story.call();
        story.call();
        story.server().frame(kind::HEADERS, 0, call, &block()[..3]).only_head(0, kind, 0, stream);
        story.expect_connection_error(ErrorCode::PROTOCOL_ERROR);
    }
}

#[test]
fn section_6_10_a_continuation_of_another_stream_is_an_error() {
    for other in [0, 3, 99] {
        let mut story = Story::begin();
        let call = story.call();
        story.call();
        story.server().frame(kind::HEADERS, 0, call, block()).frame(
            kind::CONTINUATION,
            flag::END_HEADERS,
            other,
            b"",
        );
        story.expect_connection_error(ErrorCode::PROTOCOL_ERROR);
    }
}

#[test]
fn section_6_10_a_continuation_of_nothing_is_an_error() {
    for stream in [0, 1, 99] {
        let mut story = Story::begin();
        let call = story.call();
        story.server().head(call);
        story.expect_head(call);
        story.server().frame(kind::CONTINUATION, flag::END_HEADERS, stream, block());
        story.expect_connection_error(ErrorCode::PROTOCOL_ERROR);
    }
}

#[test]
fn section_6_10_a_continuation_has_neither_padding_nor_priority() {
    // The flags mean nothing here, so the bytes are the block's.
    let mut story = Story::begin();
    let call = story.call();
    let flags = flag::END_HEADERS | flag::PADDED | flag::PRIORITY | flag::END_STREAM;
    story.server().frame(kind::HEADERS, 0, call, b"").frame(kind::CONTINUATION, flags, call, block());
    story.expect_head(call);
    story.server().trailers(call);
    story.expect_trailers(call);
    story.expect_works();
}

#[test]
fn section_6_10_a_stream_may_be_reset_here_while_its_block_comes() {
    let mut story = Story::begin();
    let call = story.call();
    let entry = [&[0x88][..], &hpack::indexed_literal("name", "value")].concat();
    story.server().frame(kind::HEADERS, 0, call, &entry[..4]);
    story.reset(call, ErrorCode::CANCEL);
    story.server().frame(kind::CONTINUATION, flag::END_HEADERS, call, &entry[4..]);
    // The block was decoded all the same: the next refers to it.
    let next = story.call();
    story.server().block(next, [0x88, 0xbe], true);
    assert_eq!(story.expect_only_trailers(next), [("name".to_owned(), "value".to_owned())]);
    story.expect_works();
}

#[test]
fn section_6_10_requests_do_not_wait_for_the_end_of_the_servers_block() {
    let mut story = Story::begin();
    let call = story.call();
    story.server().frame(kind::HEADERS, 0, call, &block()[..3]);
    let other = story.call_with(b"body");
    assert!(story.request(other).ended);
    story.server().frame(kind::CONTINUATION, flag::END_HEADERS, call, &block()[3..]).response(other, b"x");
    story.expect_head(call);
    story.expect_response(other, b"x");
}
