//! RFC 9113 sections 4.1 and 4.2: the layout and the size of frames.

use trunkline_http2::{Config, ErrorCode};

use crate::support::wire::LARGEST_WINDOW;
use crate::support::{Story, Told, hpack, kind, setting};

const RESERVED: u32 = 1 << 31;

#[test]
fn section_4_1_the_reserved_bit_means_nothing() {
    let mut story = Story::begin();
    let call = story.call();
    let on = call.id() | RESERVED;
    story.server().head(on).data(on, b"data").window(RESERVED, 1).trailers(on);
    story.expect_response(call, b"data");
    story.expect_works();
}

#[test]
fn section_4_1_frames_of_unknown_types_are_ignored_wherever_they_come() {
    let mut story = Story::begin();
    let call = story.call();
    story
        .server()
        .frame(0xfa, 0xff, 0, b"of the connection")
        .frame(0xfa, 0xff, call, b"of a stream")
        .frame(0xff, 0, 99, b"of an idle stream")
        .frame(0x0b, 0, 2, b"of a stream that no client has")
        .head(call)
        .frame(0xfa, 0x01, call, b"it does not end the stream")
        .data(call, b"data")
        .trailers(call)
        .frame(0xfa, 0, call, b"of a closed stream");
    story.expect_response(call, b"data");
    story.expect_works();
}

// behaviour 98
#[test]
fn section_5_5_known_extensions_are_ignored_too() {
    let mut story = Story::begin();
    let call = story.call();
    story
        .server()
        .frame(kind::ALTSVC, 0, 0, b"\x00\x0bexample.com h2=\":1\"")
        .frame(kind::ALTSVC, 0, call, b"\x00\x00h2=\":1\"")
        .frame(kind::ORIGIN, 0, 0, b"\x00\x0bexample.com")
        .frame(kind::PRIORITY_UPDATE, 0, 0, b"\x00\x00\x00\x01u=1")
        .response(call, b"data");
    story.expect_response(call, b"data");
    story.expect_works();
}

#[test]
fn section_4_1_flags_without_a_meaning_are_ignored() {
    let mut story = Story::begin();
    let call = story.call();
    story.server().frame(kind::SETTINGS, 0xfe, 0, b"").frame(kind::PING, 0xfe, 0, [7; 8]);
    story.expect_nothing();
    story.server().frame(kind::WINDOW_UPDATE, 0xff, 0, 1_u32.to_be_bytes());
    let block = hpack::block(&[(":status", "200")]);
    // All but END_STREAM, PADDED and PRIORITY; all but END_STREAM and PADDED.
    story.server().frame(kind::HEADERS, 0xd6, call, block).frame(kind::DATA, 0xf6, call, b"data");
    story.expect_head(call);
    story.expect_data(call, b"data");
    story.server().frame(kind::RST_STREAM, 0xff, call, 8_u32.to_be_bytes());
    story.expect_reset(call, ErrorCode::CANCEL);
    story.server().frame(kind::PRIORITY, 0xff, call, [0; 5]);
    story.expect_works();
    // A block that goes on, and answers: all but ACK.
    let call = story.call();
    let block = hpack::block(&[(":status", "200")]);
    story.server().frame(kind::HEADERS, 0xd2, call, &block[..2]);
    story.server().frame(kind::CONTINUATION, 0xff, call, &block[2..]);
    story.expect_head(call);
    assert!(story.probe() && story.ping(5));
    story.server().frame(kind::SETTINGS, 0xff, 0, b"").frame(kind::PING, 0xff, 0, 5_u64.to_be_bytes());
    story.expect(Told::SettingsAcknowledged);
    story.expect(Told::Pong(5));
    story.server().frame(kind::GOAWAY, 0xff, 0, [&call.id().to_be_bytes()[..], &[0; 4]].concat());
    story.expect(Told::GoAway { last: call.id(), code: ErrorCode::NO_ERROR.0, debug: Vec::new() });
    story.server().trailers(call);
    story.expect_trailers(call);
    story.expect_nothing();
}

#[test]
fn section_4_2_a_frame_as_large_as_announced_is_accepted() {
    for max_frame_size in [16_384, 20_000] {
        let mut story = Story::with(Config { max_frame_size, ..Config::default() });
        let call = story.call();
        let data = vec![b'd'; max_frame_size as usize];
        story.server().head(call).data(call, &data).trailers(call);
        story.expect_response(call, data);
        story.expect_nothing();
    }
}

#[test]
fn section_4_2_a_larger_frame_that_can_alter_the_connection_is_an_error_of_it() {
    let frames = [
        (kind::HEADERS, true),
        (kind::CONTINUATION, true),
        (kind::PUSH_PROMISE, true),
        (kind::SETTINGS, false),
        (kind::PING, false),
        (kind::GOAWAY, false),
        (kind::WINDOW_UPDATE, false),
    ];
    for (kind, on_stream) in frames {
        let mut story = Story::begin();
        let call = story.call();
        let stream = if on_stream { call.id() } else { 0 };
        // It is refused when its header is there: nobody waits for the payload.
        story.server().only_head(16_385, kind, 0, stream);
        story.expect_connection_error(ErrorCode::FRAME_SIZE_ERROR);
    }
}

#[test]
fn section_4_2_larger_data_is_refused_before_its_payload_is_there() {
    let mut story = Story::begin();
    let call = story.call();
    story.server().head(call);
    story.expect_head(call);
    // DATA moves the connection's window, so it too alters the connection.
    story.server().only_head(16_385, kind::DATA, 0, call);
    story.expect_connection_error(ErrorCode::FRAME_SIZE_ERROR);
}

#[test]
fn section_4_2_a_frame_too_short_for_what_it_must_hold_is_a_size_error() {
    let short: [(u8, u8, u32, &[u8]); 7] = [
        // Priority needs five bytes, padding one.
        (kind::HEADERS, 0x24, 1, &[0; 4]),
        (kind::HEADERS, 0x0c, 1, &[]),
        (kind::HEADERS, 0x2c, 1, &[0; 5]),
        (kind::DATA, 0x08, 1, &[]),
        (kind::RST_STREAM, 0, 1, &[0; 3]),
        (kind::GOAWAY, 0, 0, &[0; 7]),
        (kind::PING, 0, 0, &[0; 7]),
    ];
    for (kind, flags, stream, payload) in short {
        let mut story = Story::begin();
        story.call();
        story.server().frame(kind, flags, stream, payload);
        story.expect_connection_error(ErrorCode::FRAME_SIZE_ERROR);
    }
}

#[test]
fn section_4_2_the_engine_cuts_to_the_size_that_the_server_accepts() {
    let mut story = Story::settings(&[(setting::INITIAL_WINDOW_SIZE, LARGEST_WINDOW)]);
    story.server().window(0, 1 << 20);
    let upload = story.upload();
    story.take_frames();
    story.send(upload, vec![b'd'; 40_000], false);
    let sizes = |story: &mut Story| -> Vec<usize> {
        story.take_frames().iter().map(|frame| frame.payload.len()).collect()
    };
    assert_eq!(sizes(&mut story), [16_384, 16_384, 7_232]);
    story.server().settings(&[(setting::MAX_FRAME_SIZE, 30_000)]);
    story.take_frames();
    story.send(upload, vec![b'd'; 40_000], true);
    assert_eq!(sizes(&mut story), [30_000, 10_000]);
}
