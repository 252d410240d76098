//! RFC 9113 section 8.1: how a response is made of frames, and what makes one malformed.

use trunkline_http2::ErrorCode;

use crate::support::{Story, Told, hpack};

#[test]
fn section_8_1_a_response_is_a_head_data_and_trailers() {
    let mut story = Story::begin();
    let call = story.call();
    story.server().head_with(call, &[("a", "1"), ("b", "2"), ("a", "3")]).data(call, b"data").headers(
        call,
        &[("grpc-status", "5"), ("grpc-message", "no")],
        true,
    );
    let head = story.expect_head(call);
    let fields: Vec<_> = head.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(fields, [("content-type", "application/grpc"), ("a", "1"), ("b", "2"), ("a", "3")]);
    story.expect_data(call, b"data");
    let trailers = story.expect_trailers(call);
    assert_eq!(trailers[0], ("grpc-status".to_owned(), "5".to_owned()));
    story.expect_works();
}

#[test]
fn section_8_1_a_head_may_be_all() {
    let mut story = Story::begin();
    let call = story.call();
    story.server().only_trailers(call);
    let fields = story.expect_only_trailers(call);
    assert!(fields.contains(&("grpc-status".to_owned(), "0".to_owned())));
    story.expect_works();
}

// behaviour 92
#[test]
fn section_8_3_2_every_final_status_is_told() {
    for status in ["200", "204", "302", "404", "429", "503", "599", "999"] {
        let mut story = Story::begin();
        let call = story.call();
        story.server().headers(call, &[(":status", status)], true);
        story.expect(Told::Head {
            stream: call.id(),
            status: status.parse().unwrap(),
            fields: Vec::new(),
            end: true,
        });
        story.expect_works();
    }
}

// behaviour 98
#[test]
fn section_8_1_informational_heads_are_ignored() {
    let mut story = Story::begin();
    let call = story.call();
    story
        .server()
        .headers(call, &[(":status", "100")], false)
        .headers(call, &[(":status", "103"), ("link", "</style.css>")], false)
        .headers(call, &[(":status", "199")], false)
        .response(call, b"data");
    story.expect_response(call, b"data");
    story.expect_works();
}

#[test]
fn section_8_1_an_informational_head_does_not_end_a_response() {
    let mut story = Story::begin();
    let call = story.call();
    story.server().headers(call, &[(":status", "103")], true);
    story.expect_stream_error(call, ErrorCode::PROTOCOL_ERROR);
}

#[test]
fn section_8_1_data_after_an_informational_head_alone_is_malformed() {
    let mut story = Story::begin();
    let call = story.call();
    story.server().headers(call, &[(":status", "103")], false).data(call, b"data");
    story.expect_stream_error(call, ErrorCode::PROTOCOL_ERROR);
}

#[test]
fn section_8_1_an_informational_head_after_the_final_one_is_malformed() {
    let mut story = Story::begin();
    let call = story.call();
    story.server().head(call).headers(call, &[(":status", "103")], false);
    story.expect_head(call);
    story.expect_stream_error(call, ErrorCode::PROTOCOL_ERROR);
}

#[test]
fn section_8_6_switching_protocols_is_malformed() {
    let mut story = Story::begin();
    let call = story.call();
    story.server().headers(call, &[(":status", "101")], false);
    story.expect_stream_error(call, ErrorCode::PROTOCOL_ERROR);
}

#[test]
fn section_8_1_data_before_the_head_is_malformed() {
    for data in [&b"data"[..], b""] {
        let mut story = Story::begin();
        let call = story.call();
        story.server().data(call, data);
        story.expect_stream_error(call, ErrorCode::PROTOCOL_ERROR);
    }
}

#[test]
fn section_8_1_trailers_that_do_not_end_the_response_are_malformed() {
    let mut story = Story::begin();
    let call = story.call();
    story.server().head(call).data(call, b"data").headers(call, &[("grpc-status", "0")], false);
    story.expect_head(call);
    story.expect_data(call, b"data");
    story.expect_stream_error(call, ErrorCode::PROTOCOL_ERROR);
}

#[test]
fn section_8_1_a_second_head_is_malformed() {
    for end in [false, true] {
        let mut story = Story::begin();
        let call = story.call();
        story.server().head(call).headers(call, &[(":status", "200")], end);
        story.expect_head(call);
        story.expect_stream_error(call, ErrorCode::PROTOCOL_ERROR);
    }
}

#[test]
fn section_8_1_trailers_without_a_head_are_malformed() {
    let mut story = Story::begin();
    let call = story.call();
    story.server().trailers(call);
    story.expect_stream_error(call, ErrorCode::PROTOCOL_ERROR);
}

#[test]
fn section_8_1_trailers_have_no_pseudo_fields() {
    for name in [":status", ":path", ":method", ":unknown"] {
        let mut story = Story::begin();
        let call = story.call();
        story.server().head(call).headers(call, &[("grpc-status", "0"), (name, "200")], true);
        story.expect_head(call);
        story.expect_stream_error(call, ErrorCode::PROTOCOL_ERROR);
    }
}

#[test]
fn section_8_1_1_content_length_that_is_right_costs_nothing() {
    let mut story = Story::begin();
    let calls = [story.call(), story.call(), story.call()];
    let length = [("content-length", "4")];
    story.server().head_with(calls[0], &length).data(calls[0], b"da").last_data(calls[0], b"ta");
    story.expect_head(calls[0]);
    story.expect_last_data(calls[0], b"data");
    story.server().head_with(calls[1], &length).data(calls[1], b"data").trailers(calls[1]);
    story.expect_response(calls[1], b"data");
    // Padding does not count.
    story.server().head_with(calls[2], &length).padded_data(calls[2], b"data", 100).last_data(calls[2], b"");
    story.expect_head(calls[2]);
    story.expect_last_data(calls[2], b"data");
    story.expect_works();
}

#[test]
fn section_8_1_1_more_than_content_length_is_malformed() {
    let mut story = Story::begin();
    let call = story.call();
    story.server().head_with(call, &[("content-length", "4")]).data(call, b"data").data(call, b"!");
    story.expect_head(call);
    story.expect_data(call, b"data");
    story.expect_stream_error(call, ErrorCode::PROTOCOL_ERROR);
}

#[test]
fn section_8_1_1_less_than_content_length_is_malformed() {
    let length = [("content-length", "4")];
    let mut story = Story::begin();
    let (by_data, by_trailers, by_head) = (story.call(), story.call(), story.call());
    story.server().head_with(by_data, &length).last_data(by_data, b"dat");
    story.expect_head(by_data);
    story.expect_stream_error(by_data, ErrorCode::PROTOCOL_ERROR);
    story.server().head_with(by_trailers, &length).data(by_trailers, b"dat").trailers(by_trailers);
    story.expect_head(by_trailers);
    story.expect_data(by_trailers, b"dat");
    story.expect_stream_error(by_trailers, ErrorCode::PROTOCOL_ERROR);
    story.server().headers(by_head, &[(":status", "200"), ("content-length", "4")], true);
    story.expect_stream_error(by_head, ErrorCode::PROTOCOL_ERROR);
}

#[test]
fn section_8_1_1_content_length_that_is_no_number_is_malformed() {
    for length in ["", "-1", "+4", "4x", "0x4", "4,5", "99999999999999999999999"] {
        let mut story = Story::begin();
        let call = story.call();
        story.server().head_with(call, &[("content-length", length)]);
        story.expect_stream_error(call, ErrorCode::PROTOCOL_ERROR);
    }
}

#[test]
fn section_8_1_1_two_content_lengths_must_agree() {
    let mut story = Story::begin();
    let (agree, differ) = (story.call(), story.call());
    let fields = [("content-length", "4"), ("content-length", "4")];
    story.server().head_with(agree, &fields).last_data(agree, b"data");
    story.expect_head(agree);
    story.expect_last_data(agree, b"data");
    story.server().head_with(differ, &[("content-length", "4"), ("content-length", "5")]);
    story.expect_stream_error(differ, ErrorCode::PROTOCOL_ERROR);
}

#[test]
fn section_8_1_1_responses_without_content_may_say_the_length_that_they_would_have() {
    for status in ["204", "304"] {
        let mut story = Story::begin();
        let call = story.call();
        story.server().headers(call, &[(":status", status), ("content-length", "99")], true);
        assert!(matches!(story.next(), Told::Head { end: true, .. }));
        story.expect_works();
    }
}

// behaviour 94
#[test]
fn section_8_1_a_response_may_end_before_the_request() {
    let mut story = Story::begin();
    let upload = story.upload();
    story.send(upload, b"part", false);
    story.server().response(upload, b"no more, please");
    story.expect_response(upload, b"no more, please");
    assert_eq!(story.engine().active_streams(), 1, "it is the caller who gives the rest up");
    story.reset(upload, ErrorCode::NO_ERROR);
    assert_eq!(story.engine().active_streams(), 0);
    story.expect_works();
}

// behaviour 93
#[test]
fn section_8_7_a_refused_stream_is_told_as_such() {
    let mut story = Story::begin();
    let call = story.call();
    story.server().rst_stream(call, ErrorCode::REFUSED_STREAM);
    story.expect_reset(call, ErrorCode::REFUSED_STREAM);
    story.expect_works();
}

#[test]
fn section_8_8_responses_may_come_in_any_order_and_mixed() {
    let mut story = Story::begin();
    let calls: Vec<_> = (0..5).map(|_| story.call()).collect();
    for call in calls.iter().rev() {
        story.server().head(*call);
    }
    for call in &calls {
        story.server().data(*call, call.id().to_string());
    }
    for call in calls.iter().rev() {
        story.server().trailers(*call);
    }
    for call in calls.iter().rev() {
        story.expect_head(*call);
    }
    for call in &calls {
        story.expect_data(*call, call.id().to_string());
    }
    for call in calls.iter().rev() {
        story.expect_trailers(*call);
    }
    story.expect_works();
}

#[test]
fn section_8_1_a_malformed_head_tells_nothing_else_of_its_stream() {
    let mut story = Story::begin();
    let call = story.call();
    let head = hpack::block(&[("content-type", "application/grpc")]);
    story.server().block(call, head, false).data(call, b"data").trailers(call);
    story.expect_stream_error(call, ErrorCode::PROTOCOL_ERROR);
}
