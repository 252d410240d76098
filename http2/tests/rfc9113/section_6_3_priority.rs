//! RFC 9113 section 6.3: PRIORITY, which nobody needs and anybody may send.

use trunkline_http2::ErrorCode;

use crate::support::{Story, kind};

// behaviour 98
#[test]
fn section_6_3_priorities_are_ignored() {
    let mut story = Story::begin();
    let call = story.call();
    story.server().priority(call, 0).head(call).priority(call, 99).data(call, b"data").priority(7, call.id());
    story.expect_head(call);
    story.expect_data(call, b"data");
    story.server().trailers(call).priority(call, 3);
    story.expect_trailers(call);
    story.expect_works();
}

#[test]
fn section_6_3_a_priority_on_stream_0_is_an_error() {
    let mut story = Story::begin();
    story.server().priority(0, 1);
    story.expect_connection_error(ErrorCode::PROTOCOL_ERROR);
}

#[test]
fn section_6_3_a_priority_of_another_length_is_an_error_of_its_stream() {
    for length in [0, 4, 6] {
        let mut story = Story::begin();
        let call = story.call();
        story.server().frame(kind::PRIORITY, 0, call, vec![0; length]);
        story.expect_stream_error(call, ErrorCode::FRAME_SIZE_ERROR);
    }
}

#[test]
fn section_6_3_a_priority_of_another_length_on_a_stream_that_is_over_costs_nothing() {
    let mut story = Story::begin();
    let call = story.call();
    story.server().only_trailers(call).frame(kind::PRIORITY, 0, call, [0; 4]);
    story.expect_only_trailers(call);
    story.expect_works();
}

#[test]
fn section_6_4_a_priority_of_another_length_on_an_idle_stream_cannot_be_answered_by_a_reset() {
    let mut story = Story::begin();
    story.call();
    story.server().frame(kind::PRIORITY, 0, 99, [0; 4]);
    story.expect_connection_error(ErrorCode::FRAME_SIZE_ERROR);
}

#[test]
fn section_5_3_1_of_rfc_7540_a_priority_of_a_stream_on_itself_is_an_error_of_the_stream() {
    let mut story = Story::begin();
    let call = story.call();
    story.server().priority(call, call.id());
    story.expect_stream_error(call, ErrorCode::PROTOCOL_ERROR);
}

#[test]
fn section_6_3_a_priority_within_a_header_block_is_an_error() {
    let mut story = Story::begin();
    let call = story.call();
    story.server().frame(kind::HEADERS, 0, call, [0x88]).priority(call, 0);
    story.expect_connection_error(ErrorCode::PROTOCOL_ERROR);
}
