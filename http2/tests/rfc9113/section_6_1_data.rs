//! RFC 9113 section 6.1: DATA.

use trunkline_http2::{Config, ErrorCode};

use crate::support::server::padded;
use crate::support::{Story, flag, kind};

#[test]
fn section_6_1_data_comes_as_it_was_sent() {
    let mut story = Story::begin();
    let call = story.call();
    let large: Vec<u8> = (0..16_384_u32).map(|i| i as u8).collect();
    story.server().head(call).data(call, b"small").data(call, &large).data(call, b"x").trailers(call);
    story.expect_head(call);
    story.expect_data(call, [b"small", &large[..], b"x"].concat());
    story.expect_trailers(call);
    story.expect_nothing();
}

#[test]
fn section_6_1_the_last_data_may_end_the_response() {
    let mut story = Story::begin();
    let (some, none) = (story.call(), story.call());
    story.server().head(some).last_data(some, b"data").head(none).last_data(none, b"");
    story.expect_head(some);
    story.expect_last_data(some, b"data");
    story.expect_head(none);
    story.expect_last_data(none, b"");
    story.expect_works();
}

#[test]
fn section_6_1_data_of_streams_that_alternate_is_not_mixed() {
    let mut story = Story::begin();
    let (one, two) = (story.call(), story.call());
    story.server().head(one).head(two).data(one, b"1").data(two, b"2").data(one, b"3").data(two, b"4");
    story.expect_head(one);
    story.expect_head(two);
    for (stream, data) in [(one, b"1"), (two, b"2"), (one, b"3"), (two, b"4")] {
        story.expect_data(stream, data);
    }
    story.expect_nothing();
}

#[test]
fn section_6_1_data_on_stream_0_is_an_error() {
    let mut story = Story::begin();
    story.server().data(0, b"data");
    story.expect_connection_error(ErrorCode::PROTOCOL_ERROR);
}

#[test]
fn section_6_1_empty_data_is_nothing() {
    let mut story = Story::begin();
    let call = story.call();
    story.server().head(call).data(call, b"").data(call, b"data").data(call, b"").trailers(call);
    story.expect_response(call, b"data");
    story.expect_works();
}

// behaviour 89
#[test]
fn section_6_1_padding_is_taken_away() {
    for padding in [0, 1, 200, 255] {
        let mut story = Story::begin();
        let call = story.call();
        story
            .server()
            .head(call)
            .padded_data(call, b"data", padding)
            .padded_data(call, b"", padding)
            .padded_data(call, vec![b'l'; 5_000], padding)
            .frame(kind::DATA, flag::PADDED | flag::END_STREAM, call, padded(b"end", padding));
        story.expect_head(call);
        story.expect_last_data(call, [b"data", &[b'l'; 5_000][..], b"end"].concat());
        story.expect_works();
    }
}

#[test]
fn section_6_1_what_padding_is_made_of_is_not_looked_at() {
    let mut story = Story::begin();
    let call = story.call();
    story
        .server()
        .head(call)
        .frame(kind::DATA, flag::PADDED, call, b"\x04data\x01\xff\x00x")
        .frame(kind::DATA, flag::PADDED, call, [255; 256])
        .frame(kind::HEADERS, 0x0d, call, b"\x03\x00\x01n\x01v\x80\x80\xff");
    story.expect_head(call);
    story.expect_data(call, b"data");
    assert_eq!(story.expect_trailers(call), [("n".to_owned(), "v".to_owned())]);
    story.expect_works();
}

#[test]
fn section_6_1_padding_may_fill_the_payload_but_not_exceed_it() {
    let mut story = Story::begin();
    let call = story.call();
    // Three bytes are left after the length of the padding.
    story.server().head(call).frame(kind::DATA, flag::PADDED, call, [3, 0, 0, 0]);
    story.expect_head(call);
    story.expect_nothing();
    story.server().frame(kind::DATA, flag::PADDED, call, [4, 0, 0, 0]);
    story.expect_connection_error(ErrorCode::PROTOCOL_ERROR);
}

#[test]
fn section_6_1_too_much_padding_is_an_error_on_a_gone_stream_too() {
    let mut story = Story::begin();
    let call = story.call();
    story.reset(call, ErrorCode::CANCEL);
    story.server().frame(kind::DATA, flag::PADDED, call, [4, 0, 0, 0]);
    story.expect_connection_error(ErrorCode::PROTOCOL_ERROR);
}

// behaviour 89
#[test]
fn section_6_1_padding_counts_and_is_given_back_by_nobody_s_reading() {
    let config = Config { stream_window: 1_000, ..Config::default() };
    let mut story = Story::with(config);
    let call = story.call();
    story.server().head(call);
    story.expect_head(call);
    story.take_frames();
    // 10 000 bytes of padding through a window of 1000, while nobody releases anything.
    for _ in 0..40 {
        story.server().padded_data(call, b"", 249);
    }
    story.expect_nothing();
    let updates = story.take_frames();
    assert!(updates.iter().all(|frame| (frame.kind, frame.stream) == (kind::WINDOW_UPDATE, call.id())));
    let returned: u32 = updates.iter().map(|frame| frame.number_at(0)).sum();
    assert!((9_500..=10_000).contains(&returned), "{returned}");
}

#[test]
fn section_6_1_padding_counts_against_the_streams_window() {
    let mut story = Story::with(Config { stream_window: 1_000, ..Config::default() });
    let call = story.call();
    story.server().head(call).data(call, [0; 900]);
    story.expect_head(call);
    story.expect_data(call, [0; 900]);
    // 1 + 50 + 50 is one more than 100.
    story.server().padded_data(call, [0; 50], 50);
    story.expect_stream_error(call, ErrorCode::FLOW_CONTROL_ERROR);
}

#[test]
fn section_6_1_padding_around_data_is_given_back_without_being_read() {
    let mut story = Story::with(Config { stream_window: 1_000, ..Config::default() });
    let call = story.call();
    story.server().head(call);
    story.expect_head(call);
    // Of each frame of 200 bytes one is left unread: the window lasts for hundreds of them.
    for _ in 0..400 {
        story.server().padded_data(call, b"d", 198);
    }
    story.expect_data(call, [b'd'; 400]);
    story.expect_nothing();
}
