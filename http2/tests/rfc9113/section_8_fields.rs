//! RFC 9113 sections 8.2 and 8.3: header fields, in responses and in requests.

use bytes::Bytes;
use trunkline_http2::{ErrorCode, Field, Indexing, OpenError, StreamKey};

use crate::support::{Story, hpack};

/// What becomes of a head with one more field.
fn head_with(name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> (Story, StreamKey) {
    let mut story = Story::begin();
    let call = story.call();
    story.server().block(call, [&[0x88][..], &hpack::literal(name, value)].concat(), false);
    (story, call)
}

#[track_caller]
fn expect_malformed(name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
    let (mut story, call) = head_with(name, value);
    story.expect_stream_error(call, ErrorCode::PROTOCOL_ERROR);
}

#[test]
fn section_8_2_1_names_are_tokens_in_lower_case() {
    for octet in 0..=255_u8 {
        let token =
            octet.is_ascii_lowercase() || octet.is_ascii_digit() || b"!#$%&'*+-.^_`|~".contains(&octet);
        let (mut story, call) = head_with([b'x', octet], b"value");
        if token {
            story.expect_head(call);
            story.expect_works();
        } else {
            story.expect_stream_error(call, ErrorCode::PROTOCOL_ERROR);
        }
    }
}

#[test]
fn section_8_2_1_a_name_is_not_empty() {
    expect_malformed("", "value");
}

#[test]
fn section_8_2_1_values_hold_no_nul_and_no_line_end() {
    for octet in 0..=255_u8 {
        let (mut story, call) = head_with("name", [b'x', octet, b'y']);
        if [0, b'\r', b'\n'].contains(&octet) {
            story.expect_stream_error(call, ErrorCode::PROTOCOL_ERROR);
        } else {
            story.expect_head(call);
            story.expect_works();
        }
    }
}

#[test]
fn section_8_2_1_white_space_around_values_is_stripped() {
    for value in [" x", "x ", "\tx", "x\t", " \tx\t "] {
        let (mut story, call) = head_with("name", value);
        assert_eq!(story.expect_head(call), [("name".to_owned(), "x".to_owned())]);
        story.expect_works();
    }
}

#[test]
fn section_8_2_1_white_space_around_values_is_stripped_from_entries_of_the_table() {
    let mut story = Story::begin();
    let [first, second] = [story.call(), story.call()];
    story.server().block(first, b"\x88\x40\x04name\x03 x ", false).block(second, b"\x88\xbe", false);
    for call in [first, second] {
        assert_eq!(story.expect_head(call), [("name".to_owned(), "x".to_owned())]);
    }
    story.expect_works();
}

#[test]
fn section_8_2_1_white_space_around_values_is_not_sent() {
    let mut story = Story::begin().told_once();
    let head = [(":method", "POST"), (":scheme", "http"), (":path", "/a/b "), ("user-agent", " a b\t")];
    let template = story.engine().template(head).unwrap();
    let field = Field { name: b"name", value: b" \tx ", indexing: Indexing::Adaptive };
    let call = story.engine().open(template, &[field], Bytes::new(), true).unwrap();
    let expected =
        [(":method", "POST"), (":scheme", "http"), (":path", "/a/b"), ("user-agent", "a b"), ("name", "x")];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    story.unstall();
    assert_eq!(story.request(call).fields, expected);
}

#[test]
fn section_8_2_1_values_may_be_empty() {
    let (mut story, call) = head_with("name", "");
    assert_eq!(story.expect_head(call), [("name".to_owned(), String::new())]);
    story.expect_works();
}

#[test]
fn section_8_2_2_fields_of_the_connection_are_malformed() {
    for name in ["connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade"] {
        expect_malformed(name, "x");
    }
}

#[test]
fn section_8_2_2_te_is_of_trailers_or_malformed() {
    expect_malformed("te", "gzip");
    let (mut story, call) = head_with("te", "trailers");
    assert_eq!(story.expect_head(call), [("te".to_owned(), "trailers".to_owned())]);
    story.expect_works();
}

#[test]
fn section_8_2_the_rules_hold_in_trailers() {
    for (name, value) in [("Upper", "x"), ("connection", "x"), ("name", "a\nb"), ("", "x")] {
        let mut story = Story::begin();
        let call = story.call();
        story.server().head(call).block(call, hpack::literal(name, value), true);
        story.expect_head(call);
        story.expect_stream_error(call, ErrorCode::PROTOCOL_ERROR);
    }
}

#[test]
fn section_8_3_pseudo_fields_come_first() {
    let mut story = Story::begin();
    let call = story.call();
    story.server().headers(call, &[("name", "value"), (":status", "200")], false);
    story.expect_stream_error(call, ErrorCode::PROTOCOL_ERROR);
}

#[test]
fn section_8_3_pseudo_fields_come_once() {
    for second in ["200", "500"] {
        let mut story = Story::begin();
        let call = story.call();
        story.server().headers(call, &[(":status", "200"), (":status", second)], false);
        story.expect_stream_error(call, ErrorCode::PROTOCOL_ERROR);
    }
}

#[test]
fn section_8_3_pseudo_fields_of_requests_and_unknown_ones_are_malformed() {
    for name in [":method", ":scheme", ":path", ":authority", ":protocol", ":unknown", ":"] {
        let mut story = Story::begin();
        let call = story.call();
        story.server().headers(call, &[(":status", "200"), (name, "x")], false);
        story.expect_stream_error(call, ErrorCode::PROTOCOL_ERROR);
    }
}

#[test]
fn section_8_3_2_a_head_has_a_status() {
    let mut story = Story::begin();
    let call = story.call();
    story.server().headers(call, &[("content-type", "application/grpc")], true);
    story.expect_stream_error(call, ErrorCode::PROTOCOL_ERROR);
}

#[test]
fn section_8_3_2_a_status_is_three_digits() {
    for status in ["", "2", "20", "2000", "2x0", "-20", "+20", "abc", "099", "000", "200 "] {
        let mut story = Story::begin();
        let call = story.call();
        story.server().headers(call, &[(":status", status)], true);
        story.expect_stream_error(call, ErrorCode::PROTOCOL_ERROR);
    }
}

#[test]
fn section_8_2_what_is_malformed_once_is_malformed_again() {
    // The same bytes: what the engine remembers of a block, it remembers with its verdict.
    let block = hpack::block(&[(":status", "200"), ("Upper", "case")]);
    let mut story = Story::begin();
    for _ in 0..5 {
        let call = story.call();
        story.server().block(call, &block, false);
        story.expect_stream_error(call, ErrorCode::PROTOCOL_ERROR);
    }
}

#[test]
fn section_8_3_a_block_that_was_a_head_is_judged_anew_as_trailers() {
    let block = hpack::block(&[(":status", "200"), ("grpc-status", "0")]);
    let trailers = hpack::block(&[("grpc-status", "0")]);
    let mut story = Story::begin();
    for _ in 0..3 {
        let (good, bad, worse) = (story.call(), story.call(), story.call());
        story.server().block(good, &block, false).block(good, &trailers, true);
        story.expect_head(good);
        story.expect_trailers(good);
        story.server().block(bad, &block, false).block(bad, &block, true);
        story.expect_head(bad);
        story.expect_stream_error(bad, ErrorCode::PROTOCOL_ERROR);
        story.server().block(worse, &trailers, true);
        story.expect_stream_error(worse, ErrorCode::PROTOCOL_ERROR);
    }
}

#[test]
fn section_8_2_1_requests_with_fields_that_http2_cannot_carry_are_not_sent() {
    let fields = [
        ("Upper", "x"),
        ("na me", "x"),
        ("", "x"),
        (":path", "/other"),
        ("name", "a\nb"),
        ("name", "a\0b"),
        ("connection", "close"),
        ("transfer-encoding", "chunked"),
    ];
    for field in fields {
        let mut story = Story::begin();
        story.take_frames();
        let refused = story.try_open(&[field], b"body", true);
        assert!(matches!(refused, Err(OpenError::Invalid(_))), "{field:?}: {refused:?}");
        story.expect_no_frames();
        story.expect_works();
    }
}

#[test]
fn section_8_3_1_requests_carry_their_pseudo_fields_first_and_once() {
    let mut story = Story::begin();
    for _ in 0..5 {
        let call = story.try_open(&[("grpc-timeout", "1S"), ("x-name", "value")], b"", true).unwrap();
        let fields = &story.request(call).fields;
        let names: Vec<_> = fields.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            [":method", ":scheme", ":path", ":authority", "te", "content-type", "grpc-timeout", "x-name"]
        );
    }
}

#[test]
fn section_8_2_secrets_and_passing_values_arrive_like_the_others() {
    let mut story = Story::begin();
    for round in 0..50 {
        let timeout = format!("{round}m");
        let call = story.try_open(&[("grpc-timeout", &timeout), ("same", "value")], b"", true).unwrap();
        assert!(story.request(call).fields.contains(&("grpc-timeout".to_owned(), timeout)));
        assert!(story.request(call).fields.contains(&("same".to_owned(), "value".to_owned())));
    }
}

const METHOD: (&str, &str) = (":method", "POST");
const SCHEME: (&str, &str) = (":scheme", "http");
const PATH: (&str, &str) = (":path", "/a/B");
const AUTHORITY: (&str, &str) = (":authority", "story.test");
const TE: (&str, &str) = ("te", "trailers");

/// What becomes of a request with this template and these fields behind it: the template may be refused already.
fn open(
    template: &[(&'static str, &'static str)],
    fields: &[(&'static str, &'static str)],
) -> Option<Result<(), OpenError>> {
    let mut story = Story::begin().told_once();
    let template_id = story.engine().template(template.iter().copied())?;
    let adaptive = |(name, value): &(&'static str, &'static str)| Field {
        name: name.as_bytes(),
        value: value.as_bytes(),
        indexing: Indexing::Adaptive,
    };
    let adaptive: Vec<_> = fields.iter().map(adaptive).collect();
    let opened = story.engine().open(template_id, &adaptive, Bytes::new(), true);
    story.unstall();
    match opened {
        Ok(stream) => {
            let expected = template.iter().chain(fields);
            let expected: Vec<_> =
                expected.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            assert_eq!(story.request(stream).fields, expected);
            Some(Ok(()))
        }
        Err(error) => {
            story.expect_works();
            Some(Err(error))
        }
    }
}

#[test]
fn section_8_3_1_a_pseudo_field_may_follow_a_template_of_pseudo_fields() {
    let head = [METHOD, SCHEME, AUTHORITY];
    assert_eq!(open(&head, &[PATH]), Some(Ok(())));
    assert_eq!(open(&head, &[PATH, TE, ("path", "/a/B")]), Some(Ok(())));
    assert_eq!(open(&[PATH], &[METHOD, SCHEME]), Some(Ok(())));
    for fields in [&[(":path ", "/a/B")][..], &[TE, PATH], &[PATH, TE, AUTHORITY]] {
        assert!(matches!(open(&head, fields), Some(Err(OpenError::Invalid(_)))), "{fields:?}");
    }
}

#[test]
fn section_8_3_1_a_request_has_a_method_a_scheme_and_a_path() {
    let head = [METHOD, SCHEME, PATH, AUTHORITY];
    for without in head {
        let head: Vec<_> = head.into_iter().filter(|field| *field != without).collect();
        let is_complete = without == AUTHORITY;
        let with_te = [&head[..], &[TE]].concat();
        assert_eq!(open(&with_te, &[]).is_some(), is_complete, "{with_te:?}");
        for fields in [&[][..], &[TE]] {
            let opened = open(&head, fields).expect("it may be completed");
            assert_eq!(opened.is_ok(), is_complete, "{head:?}: {opened:?}");
        }
    }
    assert!(open(&[("name", "value")], &[]).is_none());
    assert!(matches!(open(&[], &[TE]), Some(Err(OpenError::Invalid(_)))));
    assert_eq!(open(&[], &[METHOD, SCHEME, PATH]), Some(Ok(())));
}

#[test]
fn section_8_3_1_a_pseudo_field_of_a_request_is_not_empty() {
    let head = [METHOD, SCHEME, PATH, AUTHORITY];
    for at in 0..head.len() {
        for value in ["", " \t"] {
            let mut head = head;
            head[at].1 = value;
            assert!(open(&head, &[]).is_none(), "{head:?}");
            assert!(open(&[&head[..], &[TE]].concat(), &[]).is_none(), "{head:?}");
        }
    }
    let empty = open(&[METHOD, SCHEME], &[(":path", "")]);
    assert!(matches!(empty, Some(Err(OpenError::Invalid(_)))));
}

#[test]
fn section_8_3_a_request_has_no_pseudo_field_twice_and_none_that_is_unknown() {
    let head = [METHOD, SCHEME, PATH, AUTHORITY];
    let wrong = [METHOD, SCHEME, PATH, AUTHORITY, (":status", "200"), (":unknown", "x"), (":protocol", "x")];
    for field in wrong {
        let template = [&head[..], &[field]].concat();
        assert!(open(&template, &[]).is_none(), "{field:?}");
        assert!(open(&[&template[..], &[TE]].concat(), &[]).is_none(), "{field:?}");
        assert!(matches!(open(&head, &[field]), Some(Err(OpenError::Invalid(_)))), "{field:?}");
    }
}

#[test]
fn section_8_5_connect_has_an_authority_and_neither_scheme_nor_path() {
    let connect = [(":method", "CONNECT"), AUTHORITY];
    assert_eq!(open(&connect, &[TE]), Some(Ok(())));
    assert!(open(&[connect[0], SCHEME, PATH, AUTHORITY, TE], &[]).is_none());
    assert!(matches!(open(&connect, &[PATH]), Some(Err(OpenError::Invalid(_)))));
}
