//! The connection's own stories: one or a few for each of its rooms. What the RFC says section by section is told
//! beside the crate, in `tests/`.

mod prices;

use std::io::IoSlice;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};

use crate::frame::{Head, flag, kind};
use crate::{
    Config, Connection, ConnectionError, ErrorCode, Event, Field, Indexing, OpenError, StreamKey,
    StreamViolation, TemplateId,
};

/// `:status: 200` from the static table (RFC 7541 appendix A), and `grpc-status: 0` as a literal.
const OK: &[u8] = b"\x88";
const TRAILERS: &[u8] = b"\x00\x0bgrpc-status\x010";

/// A connection between its owner and a server that does what it is told.
struct Story {
    connection: Connection,
    template: TemplateId,
    now: Instant,
}

impl Story {
    /// SETTINGS were exchanged, and what was said so far is forgotten.
    fn begin(config: Config) -> Self {
        let mut story = Self::greet(config);
        story.server(kind::SETTINGS, 0, 0, b"");
        story.server(kind::SETTINGS, flag::ACK, 0, b"");
        story.events();
        story.write();
        story
    }

    #[expect(clippy::disallowed_methods, reason = "a virtual time begins somewhere")]
    fn greet(config: Config) -> Self {
        let now = Instant::now();
        let mut connection = Connection::new(config, now);
        let head = [(":method", "POST"), (":scheme", "http"), (":path", "/a/b"), ("te", "trailers")];
        let template = connection.template(head).unwrap();
        Self { connection, template, now }
    }

    fn open(&mut self, body: &[u8], end: bool) -> StreamKey {
        self.connection.open(self.template, &[], Bytes::copy_from_slice(body), end).unwrap()
    }

    fn server(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        self.try_server(kind, flags, stream, payload).unwrap();
    }

    fn try_server(
        &mut self,
        kind: u8,
        flags: u8,
        stream: u32,
        payload: &[u8],
    ) -> Result<(), ConnectionError> {
        let length = u32::try_from(payload.len()).unwrap();
        let mut input = BytesMut::from(&Head { length, kind, flags, stream }.to_bytes()[..]);
        input.extend_from_slice(payload);
        self.connection.receive(self.now, &mut input)
    }

    /// The head of a response, once its request is written.
    fn head(&mut self, stream: StreamKey) {
        self.write();
        self.server(kind::HEADERS, flag::END_HEADERS, stream.id(), OK);
    }

    fn data(&mut self, stream: StreamKey, data: &[u8]) {
        self.server(kind::DATA, 0, stream.id(), data);
    }

    fn trailers(&mut self, stream: StreamKey) {
        self.server(kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, stream.id(), TRAILERS);
    }

    fn window_update(&mut self, stream: u32, by: u32) {
        self.server(kind::WINDOW_UPDATE, 0, stream, &by.to_be_bytes());
    }

    fn events(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.connection.poll_event()).map(|event| shown(&event)).collect()
    }

    /// All that is to be written, as frames: kind, flags, stream, length.
    fn write(&mut self) -> Vec<(u8, u8, u32, usize)> {
        let bytes = self.write_bytes();
        let mut rest = bytes.strip_prefix(super::PREFACE).unwrap_or(&bytes);
        let mut frames = Vec::new();
        while let Some(head) = Head::parse(rest) {
            frames.push((head.kind, head.flags, head.stream, head.length as usize));
            rest = &rest[head.frame_length()..];
        }
        assert!(rest.is_empty(), "half a frame was written");
        frames
    }

    fn write_bytes(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        while self.connection.wants_write() {
            let mut slices = [IoSlice::new(&[]); 3];
            let filled = self.connection.outgoing(&mut slices);
            assert!(filled > 0);
            let before = bytes.len();
            slices[..filled].iter().for_each(|slice| bytes.extend_from_slice(slice));
            self.connection.written(bytes.len() - before);
        }
        bytes
    }
}

fn shown(event: &Event) -> String {
    match event {
        Event::Head { stream, status, end, .. } => format!("{} head {} {end}", stream.id(), status.as_u16()),
        Event::Data { stream, data, end } => format!("{} data {} {end}", stream.id(), data.len()),
        Event::Trailers { stream, headers } => format!("{} trailers {}", stream.id(), headers.len()),
        Event::Reset { stream, code } => format!("{} reset {code}", stream.id()),
        Event::NotProcessed { stream } => format!("{} not processed", stream.id()),
        Event::Violation { stream, violation } => format!("{} violation {}", stream.id(), violation.code()),
        Event::Writable { stream } => format!("{} writable", stream.id()),
        Event::GoAway { last_stream_id, code, .. } => format!("goaway {last_stream_id} {code}"),
        Event::StreamLimit(limit) => format!("limit {limit:?}"),
        other => format!("{other:?}"),
    }
}

#[test]
fn a_connection_begins_with_preface_settings_and_a_window() {
    let mut story = Story::greet(Config::default());
    let bytes = story.write_bytes();
    assert!(bytes.starts_with(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x12\x04\x00"));
    assert!(bytes.ends_with(b"\x00\x00\x04\x08\x00\x00\x00\x00\x00\x00\xff\x00\x01"));
    story.server(kind::SETTINGS, 0, 0, b"\0\x03\0\0\0\x07");
    assert_eq!(story.events(), ["SettingsReceived", "limit Some(7)"]);
    assert_eq!(story.write(), [(kind::SETTINGS, flag::ACK, 0, 0)]);
    story.server(kind::SETTINGS, flag::ACK, 0, b"");
    assert_eq!(story.events(), ["SettingsAcknowledged"]);
}

#[test]
fn a_unary_call_is_headers_and_data_in_one_piece_and_three_events() {
    let mut story = Story::begin(Config::default());
    let stream = story.open(b"hello", true);
    assert!(!story.connection.is_sent(stream));
    let frames = story.write();
    assert_eq!(frames.len(), 2);
    assert_eq!(frames[0].1, flag::END_HEADERS);
    assert_eq!(frames[1], (kind::DATA, flag::END_STREAM, 1, 5));
    assert!(story.connection.is_sent(stream));
    story.head(stream);
    story.data(stream, b"answer");
    story.trailers(stream);
    assert_eq!(story.events(), ["1 head 200 false", "1 data 6 false", "1 trailers 1"]);
    assert_eq!(story.connection.active_streams(), 0);
    assert_eq!(story.open(b"", true).index(), stream.index());
}

#[test]
fn a_body_that_is_copied_goes_out_as_one_that_is_shared_does() {
    let body: Vec<u8> = (0..100_000_u32).map(|at| (at % 251) as u8).collect();
    // Below and above what is copied in any case, a frame, and a window.
    for length in [0, 1, 511, 512, 16_385, 70_000] {
        let body = &body[..length];
        let [mut copied, mut shared] = [(); 2].map(|()| Story::begin(Config::default()));
        copied.connection.open(copied.template, &[], body, true).unwrap();
        shared.connection.open(shared.template, &[], Bytes::copy_from_slice(body), true).unwrap();
        let [at_once, expected] = [&mut copied, &mut shared].map(|story| story.write_bytes());
        assert_eq!(at_once, expected, "{length} bytes");
        let later = [&mut copied, &mut shared].map(|story| {
            story.window_update(0, 10_000);
            if length > 65_535 {
                story.window_update(1, 10_000);
            }
            story.write_bytes()
        });
        assert_eq!(later[0], later[1], "{length} bytes");
        assert_eq!(later[0].is_empty(), length <= 65_535, "{length} bytes");
    }
    let mut story = Story::begin(Config::default());
    story.connection.open(story.template, &[], &body[..600], true).unwrap();
    assert!(story.write_bytes().ends_with(&body[..600]));
}

#[test]
fn data_that_finds_no_window_waits_and_goes_by_turns() {
    let mut story = Story::begin(Config { send_buffer: 50_000, ..Config::default() });
    let large = story.open(&[0; 100_000], true);
    let other = story.open(&[1; 60_000], false);
    assert!(!story.connection.is_writable(other));
    let data = story.write().into_iter().filter(|frame| frame.0 == kind::DATA);
    let lengths: Vec<_> = data.map(|frame| (frame.2, frame.3)).collect();
    assert_eq!(lengths, [(1, 16_384), (3, 16_384), (1, 16_384), (3, 16_383)]);
    assert!(story.connection.is_window_exhausted(large));
    assert_eq!(story.connection.connection_send_window(), 0);
    story.window_update(0, 100_000);
    assert_eq!(story.events(), [] as [&str; 0]);
    let lengths: Vec<_> = story.write().into_iter().map(|frame| (frame.2, frame.3)).collect();
    assert_eq!(lengths, [(1, 16_384), (3, 16_384), (1, 16_383), (3, 10_849)]);
    assert_eq!(story.events(), ["3 writable"]);
    assert!(story.connection.is_writable(other));
    story.window_update(1, 100_000);
    story.connection.send(other, Bytes::new(), true).unwrap();
    let frames = story.write();
    assert_eq!(frames[0], (kind::DATA, flag::END_STREAM, 3, 0));
    assert_eq!(frames.last().map(|frame| frame.1), Some(flag::END_STREAM));
    assert_eq!(story.connection.send(other, Bytes::new(), false), Err(crate::StreamGone));
}

#[test]
fn there_is_no_room_without_a_window_and_who_asked_is_told_once() {
    let mut story = Story::begin(Config::default());
    story.server(kind::SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]);
    let stream = story.open(b"", false);
    let other = story.open(b"", false);
    story.write();
    assert!(!story.connection.is_writable(stream));
    story.window_update(stream.id(), 70_000);
    assert_eq!(story.events(), ["1 writable"]);
    story.connection.send(stream, Bytes::from(vec![0; 65_535]), false).unwrap();
    story.window_update(other.id(), 1);
    assert_eq!(story.events(), ["3 writable"]);
    story.write();
    assert!(!story.connection.is_writable(stream) && !story.connection.is_writable(other));
    story.window_update(stream.id(), 1);
    assert_eq!(story.events(), [] as [&str; 0]);
    story.window_update(0, 1);
    assert_eq!(story.events(), ["1 writable", "3 writable"]);
    assert!(story.connection.is_writable(stream));
    story.connection.send(stream, Bytes::from_static(b"x"), true).unwrap();
    assert!(!story.connection.is_writable(stream));
    story.window_update(0, 9);
    story.window_update(other.id(), 9);
    assert_eq!(story.events(), [] as [&str; 0]);
}

#[test]
fn a_path_may_follow_a_template_of_pseudo_fields_alone() {
    let mut story = Story::begin(Config::default());
    let pseudo = story.connection.template([(":method", "POST"), (":scheme", "http")]).unwrap();
    let field =
        |name: &'static str| Field { name: name.as_bytes(), value: b"/", indexing: Indexing::Adaptive };
    let mut open = |template, fields: &[Field<'_>]| {
        story.connection.open(template, fields, Bytes::new(), true).map(StreamKey::id)
    };
    assert_eq!(open(pseudo, &[field(":path"), field("a")]), Ok(1));
    assert!(matches!(open(pseudo, &[field("a"), field(":path")]), Err(OpenError::Invalid(_))));
    assert!(matches!(open(story.template, &[field(":path")]), Err(OpenError::Invalid(_))));
}

#[test]
fn a_server_that_begins_with_goaway_is_heard_and_left() {
    let mut story = Story::greet(Config::default());
    let error = story.try_server(kind::GOAWAY, 0, 0, b"\0\0\0\0\0\0\0\x0bfull").unwrap_err();
    assert_eq!(error.code(), ErrorCode::PROTOCOL_ERROR);
    assert_eq!(story.events(), ["goaway 0 ENHANCE_YOUR_CALM"]);
}

#[test]
fn settings_may_make_windows_negative_and_bring_them_back() {
    let mut story = Story::begin(Config::default());
    let stream = story.open(&[0; 65_535], false);
    story.write();
    story.window_update(0, 100_000);
    story.connection.send(stream, Bytes::from_static(&[0; 1000]), true).unwrap();
    story.server(kind::SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]);
    story.window_update(1, 65_535);
    assert_eq!(story.write(), [(kind::SETTINGS, flag::ACK, 0, 0)]);
    assert!(story.connection.is_window_exhausted(stream));
    story.server(kind::SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 10]);
    assert_eq!(story.write()[1], (kind::DATA, 0, 1, 10));
    story.window_update(1, 990);
    assert_eq!(story.write(), [(kind::DATA, flag::END_STREAM, 1, 990)]);
}

#[test]
fn small_data_is_packed_and_large_data_is_not() {
    let mut story = Story::begin(Config::default());
    let stream = story.open(b"", true);
    story.write();
    let mut input = BytesMut::new();
    let mut frame = |kind, flags, payload: &[u8]| {
        let length = u32::try_from(payload.len()).unwrap();
        input.extend_from_slice(&Head { length, kind, flags, stream: 1 }.to_bytes());
        input.extend_from_slice(payload);
    };
    frame(kind::HEADERS, flag::END_HEADERS, OK);
    for _ in 0..3 {
        frame(kind::DATA, 0, b"small");
    }
    frame(kind::DATA, 0, &[0; 2000]);
    frame(kind::DATA, flag::PADDED, b"\x03small\0\0\0");
    frame(kind::DATA, flag::END_STREAM, b"end");
    story.connection.receive(story.now, &mut input).unwrap();
    assert!(input.is_empty());
    assert_eq!(story.events(), ["1 head 200 false", "1 data 15 false", "1 data 2000 false", "1 data 8 true"]);
    story.connection.release(stream, 2023);
    assert_eq!(story.write(), []);
}

#[test]
fn windows_are_given_back_by_halves() {
    let mut story = Story::begin(Config { stream_window: 10_000, ..Config::default() });
    let stream = story.open(b"", true);
    story.write();
    story.head(stream);
    story.data(stream, &[0; 6000]);
    story.events();
    assert_eq!(story.write(), []);
    story.connection.release(stream, 4000);
    assert_eq!(story.write(), []);
    story.connection.release(stream, 1000);
    assert_eq!(story.write(), [(kind::WINDOW_UPDATE, 0, 1, 4)]);
    let violation = {
        story.data(stream, &[0; 9001]);
        story.events()
    };
    assert_eq!(violation, ["1 violation FLOW_CONTROL_ERROR"]);
    assert_eq!(story.write(), [(kind::RST_STREAM, 0, 1, 4)]);
}

#[test]
fn what_comes_for_a_stream_that_was_reset_is_ignored_and_after_its_end_an_error() {
    let mut story = Story::begin(Config::default());
    let reset = story.open(b"", true);
    let ended = story.open(b"", true);
    story.connection.reset(reset, ErrorCode::CANCEL);
    story.connection.reset(reset, ErrorCode::CANCEL);
    assert_eq!(story.write().last(), Some(&(kind::RST_STREAM, 0, 1, 4)));
    story.head(reset);
    story.data(reset, b"late");
    story.trailers(reset);
    story.head(ended);
    story.trailers(ended);
    assert_eq!(story.events(), ["3 head 200 false", "3 trailers 1"]);
    story.window_update(ended.id(), 1);
    story.server(kind::RST_STREAM, 0, ended.id(), &[0; 4]);
    let error = story.try_server(kind::DATA, 0, ended.id(), b"late").unwrap_err();
    assert_eq!(error.code(), ErrorCode::STREAM_CLOSED);
    assert_eq!(story.write(), [(kind::GOAWAY, 0, 0, 8 + error.reason().len())]);
    assert!(story.connection.is_draining());
    assert_eq!(story.try_server(kind::PING, 0, 0, &[0; 8]), Err(error));
}

#[test]
fn goaway_tells_which_streams_were_not_processed() {
    let mut story = Story::begin(Config::default());
    let first = story.open(b"", true);
    story.open(b"", true);
    story.server(kind::GOAWAY, 0, 0, b"\0\0\0\x01\0\0\0\0bye");
    assert_eq!(story.events(), ["goaway 1 NO_ERROR", "3 not processed"]);
    let refused = story.connection.open(story.template, &[], Bytes::new(), true);
    assert_eq!(refused, Err(OpenError::Draining));
    story.head(first);
    story.trailers(first);
    assert_eq!(story.connection.active_streams(), 0);
    let error = story.try_server(kind::GOAWAY, 0, 0, b"\0\0\0\x03\0\0\0\0").unwrap_err();
    assert_eq!(error.code(), ErrorCode::PROTOCOL_ERROR);
}

#[test]
fn the_last_id_is_used_and_no_other() {
    let mut story = Story::begin(Config { first_stream_id: (1 << 31) - 3, ..Config::default() });
    story.open(b"", true);
    assert!(story.connection.can_open());
    let last = story.open(b"", true);
    assert_eq!(last.id(), (1 << 31) - 1);
    assert_eq!(story.events(), ["IdsExhausted"]);
    assert!(story.connection.is_draining());
    let refused = story.connection.open(story.template, &[], Bytes::new(), true);
    assert_eq!(refused, Err(OpenError::IdsExhausted));
    story.head(last);
    assert_eq!(story.events(), ["2147483647 head 200 false"]);
}

#[test]
fn a_stream_is_not_opened_against_the_peers_limits() {
    let mut story = Story::begin(Config::default());
    story.server(kind::SETTINGS, 0, 0, b"\0\x03\0\0\0\x01\0\x06\0\0\0\xcb");
    assert_eq!(story.events(), ["limit Some(1)"]);
    let mut open = |name: &str, value: &str| {
        let (name, value) = (name.as_bytes(), value.as_bytes());
        let field = Field { name, value, indexing: Indexing::Adaptive };
        story.connection.open(story.template, &[field], Bytes::new(), true)
    };
    let size = 4 * 32 + ":methodPOST:schemehttp:path/a/btetrailers".len() + 32 + "name".len() + 100;
    assert_eq!(open("name", &"x".repeat(100)), Err(OpenError::HeadersTooLarge { size, limit: 203 }));
    assert!(matches!(open("Name", ""), Err(OpenError::Invalid(_))));
    assert!(matches!(open("name", "a\nb"), Err(OpenError::Invalid(_))));
    assert!(matches!(open(":path", "/"), Err(OpenError::Invalid(_))));
    assert!(matches!(open("te", "gzip"), Err(OpenError::Invalid(_))));
    assert!(open("n", "v").is_ok());
    assert_eq!(open("n", "v"), Err(OpenError::TooManyStreams { limit: 1 }));
}

#[test]
fn a_name_that_is_known_excuses_neither_its_value_nor_its_place() {
    let mut story = Story::begin(Config::default());
    let head = [(":method", "POST"), (":scheme", "http"), (":path", "/")];
    let pseudo = story.connection.template(head).unwrap();
    let mut open = |template, name: &str, value: &str| {
        let (name, value) = (name.as_bytes(), value.as_bytes());
        let field = Field { name, value, indexing: Indexing::Transient };
        story.connection.open(template, &[field], Bytes::new(), true)
    };
    for _ in 0..3 {
        assert!(open(pseudo, "grpc-timeout", "1S").is_ok());
        assert!(open(pseudo, "te", "trailers").is_ok());
        assert!(open(pseudo, ":authority", "a").is_ok());
    }
    for value in ["1S\n", "\0", "1S\r2345678", "a line that is longer\nthan a word"] {
        assert!(matches!(open(pseudo, "grpc-timeout", value), Err(OpenError::Invalid(_))), "{value:?}");
    }
    assert!(matches!(open(pseudo, "te", "gzip"), Err(OpenError::Invalid(_))));
    for template in [pseudo, story.template] {
        assert!(matches!(open(template, ":protocol", "websocket"), Err(OpenError::Invalid(_))));
    }
    assert!(matches!(open(story.template, ":authority", "a"), Err(OpenError::Invalid(_))));
}

#[test]
fn settings_that_nobody_acknowledges_end_the_connection() {
    let mut story = Story::greet(Config::default());
    let at = story.connection.poll_timeout().unwrap();
    assert_eq!(at, story.now + Duration::from_secs(30));
    assert_eq!(story.connection.handle_timeout(at - Duration::from_millis(1)), Ok(()));
    let error = story.connection.handle_timeout(at).unwrap_err();
    assert_eq!(error.code(), ErrorCode::SETTINGS_TIMEOUT);
    assert_eq!(story.connection.poll_timeout(), None);
    let reason = error.reason().len();
    assert_eq!(story.write().last(), Some(&(kind::GOAWAY, 0, 0, 8 + reason)));
}

#[test]
fn a_probe_and_a_ping_are_answered_and_until_then_known() {
    let mut story = Story::begin(Config::default());
    assert_eq!(story.connection.unanswered_since(), None);
    assert!(story.connection.ping(story.now, 7));
    assert!(story.connection.probe(story.now + Duration::from_secs(1)));
    assert_eq!(story.connection.unanswered_since(), Some(story.now));
    assert_eq!(story.write(), [(kind::PING, 0, 0, 8), (kind::SETTINGS, 0, 0, 0)]);
    story.server(kind::PING, flag::ACK, 0, &8_u64.to_be_bytes());
    story.server(kind::PING, flag::ACK, 0, &7_u64.to_be_bytes());
    assert_eq!(story.connection.unanswered_since(), Some(story.now + Duration::from_secs(1)));
    story.server(kind::SETTINGS, flag::ACK, 0, b"");
    assert_eq!(story.events(), ["Pong { opaque: 7 }", "SettingsAcknowledged"]);
    assert_eq!(story.connection.unanswered_since(), None);
    for _ in 0..8 {
        assert!(story.connection.ping(story.now, 1));
    }
    assert!(!story.connection.ping(story.now, 1));
}

#[test]
fn a_response_that_breaks_a_rule_ends_its_stream_alone() {
    type Frames<'a> = &'a [(u8, u8, &'a [u8])];
    let responses: [(Frames<'_>, &str); 7] = [
        (&[(kind::DATA, 0, b"x")], "data before the head"),
        (&[(kind::HEADERS, flag::END_HEADERS, TRAILERS)], "head without status"),
        (&[(kind::HEADERS, flag::END_HEADERS, b"\x08\x03101")], "101"),
        (&[(kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, b"\x08\x03100")], "1xx that ends"),
        (&[(kind::HEADERS, flag::END_HEADERS, OK), (kind::HEADERS, flag::END_HEADERS, OK)], "two heads"),
        (
            &[(kind::HEADERS, flag::END_HEADERS, b"\x88\x0f\x0d\x012"), (kind::DATA, flag::END_STREAM, b"x")],
            "content-length",
        ),
        (&[(kind::WINDOW_UPDATE, 0, &[0; 4])], "window update by 0"),
    ];
    for (frames, what) in responses {
        let mut story = Story::begin(Config::default());
        let stream = story.open(b"", true);
        let neighbour = story.open(b"", true);
        story.write();
        for (kind, flags, payload) in frames {
            story.server(*kind, *flags, stream.id(), payload);
        }
        let told = story.events();
        assert_eq!(told.last().map(String::as_str), Some("1 violation PROTOCOL_ERROR"), "{what}");
        assert_eq!(story.write().last(), Some(&(kind::RST_STREAM, 0, 1, 4)), "{what}");
        story.head(neighbour);
        story.trailers(neighbour);
        assert_eq!(story.events().len(), 2, "{what}");
    }
}

#[test]
fn a_header_list_that_is_too_large_ends_its_stream_alone() {
    let mut story = Story::begin(Config { max_header_list_size: 100, ..Config::default() });
    let stream = story.open(b"", true);
    story.write();
    let list = [b"\x88\x00\x01n\x40", &[b'v'; 64][..]].concat();
    story.server(kind::HEADERS, flag::END_HEADERS, stream.id(), &list);
    let Some(Event::Violation { violation, .. }) = story.connection.poll_event() else {
        panic!("no violation")
    };
    assert_eq!(violation, StreamViolation::HeadersTooLarge { limit: 100 });
}

#[test]
fn a_peer_that_asks_and_does_not_read_is_told_to_be_calm() {
    let mut story = Story::begin(Config::default());
    for _ in 0..1000 {
        story.server(kind::PING, 0, 0, &[0; 8]);
    }
    let error = story.try_server(kind::PING, 0, 0, &[0; 8]).unwrap_err();
    assert_eq!(error.code(), ErrorCode::ENHANCE_YOUR_CALM);
}

#[test]
fn a_connection_goes_from_thread_to_thread() {
    fn goes<T: Send + 'static>() {}
    goes::<Connection>();
    goes::<Event>();
}

#[test]
fn a_connection_that_rests_is_small() {
    let mut story = Story::begin(Config::default());
    let streams: Vec<_> = (0..100).map(|_| story.open(&[0; 100], true)).collect();
    story.write();
    for stream in streams {
        story.head(stream);
        story.data(stream, &[0; 500]);
        story.trailers(stream);
    }
    story.events();
    story.connection.rest();
    let connection = &story.connection;
    assert!(connection.events.capacity() == 0 && connection.block.capacity() == 0);
    let stream = story.open(b"again", true);
    story.head(stream);
    story.trailers(stream);
    assert_eq!(story.events(), ["201 head 200 false", "201 trailers 1"]);
}

/// What a server of Go's net/http2 and grpc-go's handler in it do: frames of 1 MiB are allowed, and each read of the
/// handler, 8 KiB, returns the window of the stream and of the connection.
#[test]
fn an_upload_to_a_server_that_returns_its_windows_by_the_read_goes_on() {
    let mut story = Story::greet(Config::default());
    story.server(kind::SETTINGS, 0, 0, b"\0\x05\0\x10\0\0\0\x04\0\x10\0\0");
    story.server(kind::SETTINGS, flag::ACK, 0, b"");
    story.window_update(0, 1 << 20);
    let stream = story.open(b"", false);
    story.write();
    let mut sent = 0;
    while sent < 256 << 20 {
        story.connection.send(stream, Bytes::from(vec![0; 256 << 10]), false).unwrap();
        let data = story.write().into_iter().filter(|frame| frame.0 == kind::DATA);
        let bytes: usize = data.map(|frame| frame.3).sum();
        sent += bytes;
        for _ in 0..bytes / 8192 {
            story.window_update(0, 8192);
            story.window_update(stream.id(), 8192);
        }
        story.events();
    }
}

#[test]
fn a_stream_gets_its_window_back_though_nobody_acknowledges_settings() {
    let mut story = Story::greet(Config::default());
    story.server(kind::SETTINGS, 0, 0, b"");
    let stream = story.open(b"", true);
    story.head(stream);
    story.write();
    for _ in 0..3 {
        story.data(stream, &[0; 16_000]);
        story.connection.release(stream, 16_000);
    }
    assert_eq!(story.write(), [(kind::WINDOW_UPDATE, 0, 1, 4)]);
}

#[test]
fn a_stream_gets_back_what_was_released_before_its_window_became_smaller() {
    let mut story = Story::greet(Config { stream_window: 20_000, ..Config::default() });
    story.server(kind::SETTINGS, 0, 0, b"");
    let stream = story.open(b"", true);
    story.head(stream);
    story.write();
    story.data(stream, &[0; 16_000]);
    story.connection.release(stream, 16_000);
    assert_eq!(story.write(), []);
    story.server(kind::SETTINGS, flag::ACK, 0, b"");
    assert_eq!(story.write(), [(kind::WINDOW_UPDATE, 0, 1, 4)]);
}

#[test]
fn a_timeout_beyond_all_time_is_none() {
    let story = Story::greet(Config { settings_timeout: Some(Duration::MAX), ..Config::default() });
    assert_eq!(story.connection.poll_timeout(), None);
}

#[test]
fn a_table_of_any_size_is_used_whatever_it_was_before() {
    let mut story = Story::begin(Config::default());
    let length_of_head = |story: &mut Story| {
        story.open(b"", true);
        story.write()[0].3
    };
    let lengths = [0, u32::MAX].map(|size| {
        story.server(kind::SETTINGS, 0, 0, &[&[0, 1][..], &size.to_be_bytes()].concat());
        story.write();
        length_of_head(&mut story);
        length_of_head(&mut story)
    });
    assert!(lengths[1] < lengths[0], "{lengths:?}");
}

#[test]
fn a_stream_whose_head_waits_to_be_written_is_idle_to_the_server() {
    // RFC 9113 section 5.1.
    let frames: [(u8, u8, &[u8]); 4] = [
        (kind::HEADERS, flag::END_HEADERS, OK),
        (kind::DATA, 0, b"x"),
        (kind::RST_STREAM, 0, &[0; 4]),
        (kind::WINDOW_UPDATE, 0, &[0, 0, 0, 1]),
    ];
    for (kind, flags, payload) in frames {
        for written in [0, 1] {
            let mut story = Story::begin(Config::default());
            let first = story.open(b"", true);
            story.write();
            let second = story.open(b"", true);
            assert!(story.connection.wants_write());
            story.connection.written(written);
            story.server(kind::HEADERS, flag::END_HEADERS, first.id(), OK);
            let result = story.try_server(kind, flags, second.id(), payload);
            let code = result.err().map(|error| error.code());
            assert_eq!(code, (written == 0).then_some(ErrorCode::PROTOCOL_ERROR), "{kind}, {written}");
        }
    }
}

#[test]
fn who_has_perhaps_heard_of_a_stream_may_answer_and_who_has_not_may_not() {
    let mut story = Story::begin(Config::default());
    let [first, second] = [story.open(b"", true), story.open(b"", true)];
    assert!(story.connection.wants_write());
    story.connection.reset(second, ErrorCode::CANCEL);
    // It may be that the reset was heard of; that says nothing of the first.
    story.server(kind::RST_STREAM, 0, second.id(), &[0; 4]);
    story.connection.written_perhaps();
    let third = story.open(b"", true);
    assert!(story.connection.is_sent(first) && !story.connection.is_sent(third));
    story.server(kind::HEADERS, flag::END_HEADERS, first.id(), OK);
    let error = story.try_server(kind::HEADERS, flag::END_HEADERS, third.id(), OK).unwrap_err();
    assert_eq!(error.code(), ErrorCode::PROTOCOL_ERROR);

    let mut story = Story::begin(Config::default());
    let [first, second] = [story.open(b"", true), story.open(b"", true)];
    story.connection.reset(second, ErrorCode::CANCEL);
    story.server(kind::RST_STREAM, 0, second.id(), &[0; 4]);
    let error = story.try_server(kind::HEADERS, flag::END_HEADERS, first.id(), OK).unwrap_err();
    assert_eq!(error.code(), ErrorCode::PROTOCOL_ERROR);
}

/// DATA of these sizes, one after the other in a buffer of this capacity; of each, whether it is told as a slice of
/// the buffer.
fn shared<const N: usize>(capacity: usize, sizes: [usize; N]) -> [bool; N] {
    let mut story = Story::begin(Config::default());
    let stream = story.open(b"", true);
    story.head(stream);
    story.events();
    let mut input = BytesMut::with_capacity(capacity);
    let begin = input.as_ptr() as usize;
    sizes.map(|size| {
        let length = u32::try_from(size).unwrap();
        let head = Head { length, kind: kind::DATA, flags: 0, stream: stream.id() };
        input.extend_from_slice(&head.to_bytes());
        input.extend_from_slice(&vec![7; size]);
        story.connection.receive(story.now, &mut input).unwrap();
        let Some(Event::Data { data, .. }) = story.connection.poll_event() else { panic!("no data") };
        assert_eq!(data, vec![7; size]);
        assert!(story.connection.poll_event().is_none());
        (begin..begin + capacity).contains(&(data.as_ptr() as usize))
    })
}

#[test]
fn a_small_payload_does_not_pin_a_large_buffer() {
    assert_eq!(shared(16 << 10, [1023, 1024, 4096]), [false, true, true]);
    assert_eq!(shared(256 << 10, [16_384, 1024, 4096, 12_000]), [true, false, false, true]);
    assert_eq!(shared(512 << 10, [16_384, 12_000, 9000]), [true, false, false]);
}

#[test]
fn what_is_gone_of_a_buffer_is_pinned_all_the_same() {
    let sizes = [&[16_384; 14][..], &[4096]].concat();
    let sizes: [usize; 15] = sizes.try_into().unwrap();
    assert_eq!(shared(256 << 10, sizes)[13..], [true, false]);
}
