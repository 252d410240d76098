//! RFC 9113 section 6.2: HEADERS.

use trunkline_http2::ErrorCode;

use crate::support::server::padded;
use crate::support::{Story, Told, flag, hpack, kind};

const HEAD: &[(&str, &str)] = &[(":status", "200"), ("name", "value")];

#[test]
fn section_6_2_a_request_is_headers_and_data_in_one_piece() {
    let mut story = Story::begin();
    story.stall();
    let call = story.call_with(b"body");
    story.write(usize::MAX);
    let frames = story.take_frames();
    let kinds: Vec<_> = frames.iter().map(|frame| (frame.kind, frame.stream, frame.flags)).collect();
    assert_eq!(
        kinds,
        [(kind::HEADERS, call.id(), flag::END_HEADERS), (kind::DATA, call.id(), flag::END_STREAM)]
    );
}

#[test]
fn section_6_2_a_request_without_a_body_ends_with_its_headers() {
    let mut story = Story::begin();
    story.take_frames();
    let call = story.call();
    let frames = story.take_frames();
    assert_eq!(frames.len(), 1);
    assert_eq!(frames[0].flags, flag::END_HEADERS | flag::END_STREAM);
    assert!(story.request(call).ended);
}

#[test]
fn section_6_2_headers_on_stream_0_are_an_error() {
    let mut story = Story::begin();
    story.server().headers(0, HEAD, false);
    story.expect_connection_error(ErrorCode::PROTOCOL_ERROR);
}

#[test]
fn section_6_2_padding_and_priority_are_taken_away() {
    let block = hpack::block(HEAD);
    let with_priority = [&[0, 0, 0, 0, 15], &block[..]].concat();
    let heads = [
        (flag::PADDED, padded(&block, 0)),
        (flag::PADDED, padded(&block, 100)),
        (flag::PRIORITY, with_priority.clone()),
        // An exclusive dependency on a stream that nobody opened.
        (flag::PRIORITY, [&[0x80, 0, 0, 77, 0], &block[..]].concat()),
        (flag::PADDED | flag::PRIORITY, padded(&with_priority, 9)),
    ];
    for (flags, payload) in heads {
        let mut story = Story::begin();
        let call = story.call();
        story.server().frame(kind::HEADERS, flags | flag::END_HEADERS, call, payload);
        assert_eq!(story.expect_head(call), [("name".to_owned(), "value".to_owned())]);
        story.expect_works();
    }
}

#[test]
fn section_6_2_padding_beyond_the_payload_is_an_error() {
    for (flags, payload) in [(flag::PADDED, &[2, 0x88][..]), (flag::PADDED, &[1]), (flag::PADDED, &[255; 20])]
    {
        let mut story = Story::begin();
        let call = story.call();
        story.server().frame(kind::HEADERS, flags | flag::END_HEADERS, call, payload);
        story.expect_connection_error(ErrorCode::PROTOCOL_ERROR);
    }
}

#[test]
fn section_6_2_padding_that_leaves_no_room_for_the_priority_is_too_much_and_a_frame_without_it_too_short() {
    let flags = flag::PADDED | flag::PRIORITY | flag::END_HEADERS;
    // The length of the padding, and how many bytes come behind that.
    let payloads = [
        (0, 4, ErrorCode::FRAME_SIZE_ERROR),
        (200, 4, ErrorCode::FRAME_SIZE_ERROR),
        (1, 5, ErrorCode::PROTOCOL_ERROR),
        (5, 5, ErrorCode::PROTOCOL_ERROR),
        (6, 5, ErrorCode::PROTOCOL_ERROR),
        (6, 10, ErrorCode::PROTOCOL_ERROR),
        (200, 10, ErrorCode::PROTOCOL_ERROR),
    ];
    for (padding, behind, code) in payloads {
        let mut story = Story::begin();
        let call = story.call();
        let payload = [&[padding][..], &vec![0; behind]].concat();
        story.server().frame(kind::HEADERS, flags, call, payload);
        story.expect_connection_error(code);
    }
    // All of the space: the block is empty, as trailers may be.
    let mut story = Story::begin();
    let call = story.call();
    story.server().head(call).frame(kind::HEADERS, flags | flag::END_STREAM, call, [5; 11]);
    story.expect_head(call);
    story.expect(Told::Trailers { stream: call.id(), fields: Vec::new() });
    story.expect_works();
}

#[test]
fn section_5_3_1_of_rfc_7540_a_stream_cannot_depend_on_itself() {
    let mut story = Story::begin();
    let call = story.call();
    let payload = [&call.id().to_be_bytes()[..], &[15], &hpack::block(HEAD)].concat();
    story.server().frame(kind::HEADERS, flag::PRIORITY | flag::END_HEADERS, call, payload);
    story.expect_stream_error(call, ErrorCode::PROTOCOL_ERROR);
}

#[test]
fn section_6_2_an_empty_block_has_no_status() {
    let mut story = Story::begin();
    let call = story.call();
    story.server().block(call, b"", false);
    story.expect_stream_error(call, ErrorCode::PROTOCOL_ERROR);
}

#[test]
fn section_6_2_trailers_may_be_empty() {
    let mut story = Story::begin();
    let call = story.call();
    story.server().head(call).block(call, b"", true);
    story.expect_head(call);
    story.expect(Told::Trailers { stream: call.id(), fields: Vec::new() });
    story.expect_works();
}

#[test]
fn section_6_2_a_request_head_that_is_longer_than_a_frame_goes_on_in_continuations() {
    let mut story = Story::begin();
    story.take_frames();
    let long = "v".repeat(50_000);
    let call = story.try_open(&[("x-long", &long)], b"body", true).unwrap();
    let kinds: Vec<_> = story.take_frames().iter().map(|frame| (frame.kind, frame.flags)).collect();
    assert_eq!(kinds[0], (kind::HEADERS, 0));
    assert_eq!(kinds[kinds.len() - 1], (kind::DATA, flag::END_STREAM));
    assert_eq!(kinds[kinds.len() - 2], (kind::CONTINUATION, flag::END_HEADERS));
    assert!(story.request(call).fields.contains(&("x-long".to_owned(), long)));
    story.server().response(call, b"data");
    story.expect_response(call, b"data");
    story.expect_works();
}
