//! Limits of what a server's header blocks may hold.

use trunkline_http2::{Config, ErrorCode, StreamKey};

use crate::support::server::Server;
use crate::support::{Story, Told, flag, hpack, kind};

/// `:status: 200`, as RFC 9113 6.5.2 counts it.
const STATUS: u32 = 7 + 3 + 32;

/// Continuations that one block may have.
const CONTINUATIONS: usize = 256;

fn story() -> Story {
    Story::with(Config { max_header_list_size: STATUS + 100, ..Config::default() })
}

/// A head whose list is of this size, without `:status`.
fn head(size: usize) -> Vec<u8> {
    [&[0x88][..], &hpack::literal("name", vec![b'v'; size - 32 - 4])].concat()
}

#[track_caller]
fn expect_too_large(story: &mut Story, call: StreamKey) {
    story.expect(Told::Violation { stream: call.id(), code: ErrorCode::ENHANCE_YOUR_CALM.0 });
    assert!(story.request(call).reset.is_some(), "the server is told");
    story.expect_nothing();
}

// behaviour 91
#[test]
fn a_header_list_of_the_announced_size_is_accepted_and_a_larger_one_costs_its_stream() {
    let mut story = story();
    let (fits, exceeds) = (story.call(), story.call());
    story.server().block(fits, head(100), true).block(exceeds, head(101), true);
    assert_eq!(story.expect_only_trailers(fits).len(), 1);
    expect_too_large(&mut story, exceeds);
}

// behaviour 91
#[test]
fn the_limit_holds_for_trailers_and_for_informational_heads() {
    let mut story = story();
    let (trailers, informational) = (story.call(), story.call());
    story.server().block(trailers, [0x88], false).block(trailers, &head(200)[1..], true);
    story.expect_head(trailers);
    expect_too_large(&mut story, trailers);
    let early = [hpack::literal(":status", "103"), head(200)[1..].to_vec()].concat();
    story.server().block(informational, early, false);
    expect_too_large(&mut story, informational);
}

#[test]
fn a_list_that_is_too_large_still_enters_the_table() {
    let mut story = story();
    let (large, next) = (story.call(), story.call());
    let block = [head(101), hpack::indexed_literal("kept", "in the table")].concat();
    story.server().block(large, block, false);
    expect_too_large(&mut story, large);
    story.server().block(next, [0x88, 0xbe], true);
    assert_eq!(story.expect_only_trailers(next), [("kept".to_owned(), "in the table".to_owned())]);
}

#[test]
fn a_small_block_that_unfolds_to_a_large_list_is_too_large() {
    // One entry of 4000 bytes, named by one byte each time: 10 000 of them would be 40 MB.
    let mut story = Story::begin();
    let (one, bomb) = (story.call(), story.call());
    let entry = hpack::indexed_literal("n", "v".repeat(3_950));
    story.server().block(one, [&[0x88][..], &entry].concat(), true);
    story.expect_only_trailers(one);
    story.server().block(bomb, [&[0x88][..], &[0xbe; 10_000]].concat(), true);
    expect_too_large(&mut story, bomb);
    // Another time, since blocks may be remembered.
    let again = story.call();
    story.server().block(again, [&[0x88][..], &[0xbe; 10_000]].concat(), true);
    expect_too_large(&mut story, again);
}

#[test]
fn a_compressed_block_of_the_largest_size_is_read_and_a_larger_one_ends_the_connection() {
    for (excess, is_over) in [(0, false), (1, true)] {
        let mut story = Story::with(Config { max_header_block: 40_000, ..Config::default() });
        let call = story.call();
        let mut block = [&[0x88][..], &hpack::literal("name", vec![b'v'; 39_000])].concat();
        block.resize(40_000 + excess, 0x88 + 1);
        let chunks: Vec<_> = block.chunks(16_000).collect();
        story
            .server()
            .frame(kind::HEADERS, 0, call, chunks[0])
            .frame(kind::CONTINUATION, 0, call, chunks[1])
            .frame(kind::CONTINUATION, flag::END_HEADERS, call, chunks[2]);
        if is_over {
            story.expect_connection_error(ErrorCode::ENHANCE_YOUR_CALM);
        } else {
            // `:status: 204` many times more is malformed, but it was read.
            story.expect_stream_error(call, ErrorCode::PROTOCOL_ERROR);
        }
    }
}

#[test]
fn a_block_in_one_frame_is_limited_too() {
    let mut story = Story::with(Config { max_header_block: 1_000, ..Config::default() });
    let call = story.call();
    story.server().block(call, [0x88; 1_001], false);
    story.expect_connection_error(ErrorCode::ENHANCE_YOUR_CALM);
}

/// HEADERS without its end, and so many CONTINUATIONs.
fn continued<'s>(server: Server<'s>, call: StreamKey, frames: usize, fragment: &[u8]) -> Server<'s> {
    server
        .frame(kind::HEADERS, 0, call, [0x88])
        .times(frames, |server, _| server.frame(kind::CONTINUATION, 0, call, fragment))
}

#[test]
fn a_block_may_continue_so_often_and_not_more() {
    let mut story = Story::begin();
    let call = story.call();
    continued(story.server(), call, CONTINUATIONS - 1, &[0x00, 1, b'n', 1, b'v']).frame(
        kind::CONTINUATION,
        flag::END_HEADERS,
        call,
        b"",
    );
    assert_eq!(story.expect_head(call).len(), CONTINUATIONS - 1);
    story.expect_works();
    let flood = story.call();
    continued(story.server(), flood, CONTINUATIONS + 1, b"");
    story.expect_connection_error(ErrorCode::ENHANCE_YOUR_CALM);
}

/// A block whose first field fills the table, and whose others, of two bytes each, put that field's name there again.
fn unfolding(times: usize) -> Vec<u8> {
    // RFC 7541 5.1: 127 + 0x5d + 128 * 0x1e = 4060.
    let filling = [&[0x40, 0x7f, 0xdd, 0x1e][..], &[b'n'; 4_060], &[0]].concat();
    [&filling[..], &[0x7e, 0].repeat(times)].concat()
}

#[test]
fn a_block_that_has_far_more_copied_than_any_list_may_hold_ends_the_connection() {
    for (times, is_over) in [(900, false), (1_100, true)] {
        let mut story = Story::begin();
        let call = story.call();
        story.server().block(call, unfolding(times), false);
        if is_over {
            story.expect_connection_error(ErrorCode::ENHANCE_YOUR_CALM);
        } else {
            story.expect_stream_error(call, ErrorCode::ENHANCE_YOUR_CALM);
        }
    }
}

#[test]
fn blocks_that_nobody_gets_are_paid_for_by_what_they_have_copied() {
    let informational = [&[0x08, 3, b'1', b'0', b'3'][..], &unfolding(60)].concat();
    for (block, is_of_reset, most) in [(unfolding(800), true, 15), (informational, false, 200)] {
        let mut story = Story::begin().told_once();
        let (reset, waits) = (story.upload(), story.call());
        story.reset(reset, ErrorCode::CANCEL);
        let stream = if is_of_reset { reset } else { waits };
        let mut borne = 0;
        while !story.is_over() && borne < 2 * most {
            story.server().block(stream, &block, false);
            borne += 1;
        }
        assert!(borne < most && borne > most / 2, "{borne}");
        story.expect_connection_error(ErrorCode::ENHANCE_YOUR_CALM);
    }
}

#[test]
fn lists_that_say_one_field_of_the_table_over_and_over_are_paid_for_although_they_are_told() {
    // 0xbe: the newest entry, of 4 kB; a list of the largest size is in 70 bytes.
    let filling = [&[0x88, 0x40, 1, b'n', 0x7f, 0x81, 0x1e][..], &[b'v'; 3_968]].concat();
    let heads = |times: usize, most: usize| {
        let config = Config { max_header_list_size: 256 << 10, ..Config::default() };
        let mut story = Story::with(config).told_once();
        let first = story.call();
        story.server().block(first, &filling, false);
        let mut borne = 0;
        while !story.is_over() && borne < most {
            let call = story.call();
            story.server().block(call, [&[0x88][..], &vec![0xbe; times]].concat(), false);
            borne += 1;
        }
        (borne, story.is_over())
    };
    let (borne, is_over) = heads(64, 1_000);
    assert!(is_over && (80..320).contains(&borne), "{borne} lists of 250 kB");
    assert_eq!(heads(2, 5_000), (5_000, false), "a server may repeat what is large");
}

#[test]
fn a_limit_of_blocks_that_is_larger_can_be_reached_in_frames_of_the_usual_size() {
    let mut story = Story::with(Config { max_header_block: 8 << 20, ..Config::default() });
    let call = story.call();
    // A field of 16 000 bytes in each (RFC 7541 5.1: 127 + 0x81 + 128 * 0x7c = 16 000).
    let field = [&[0x00, 1, b'n', 0x7f, 0x81, 0x7c][..], &[b'v'; 16_000]].concat();
    continued(story.server(), call, 500, &field).frame(kind::CONTINUATION, flag::END_HEADERS, call, b"");
    story.expect_stream_error(call, ErrorCode::ENHANCE_YOUR_CALM);
    story.expect_works();
}

#[test]
fn an_endless_block_ends_the_connection_long_before_it_has_cost_memory() {
    let mut story = Story::begin().told_once();
    let call = story.call();
    let frame = [b'v'; 16_384];
    story.server().frame(kind::HEADERS, 0, call, frame);
    let mut frames = 1;
    while !story.is_over() && frames < 1_000 {
        story.server().frame(kind::CONTINUATION, 0, call, frame);
        frames += 1;
    }
    story.expect_connection_error(ErrorCode::ENHANCE_YOUR_CALM);
    assert_eq!(frames, 1 + (1 << 20) / 16_384);
}
