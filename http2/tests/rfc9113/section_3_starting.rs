//! RFC 9113 section 3: how a connection starts.

use trunkline_http2::{Config, ErrorCode};

use crate::support::{Story, Told, flag, kind, setting};

#[test]
fn section_3_4_the_client_starts_with_its_preface_and_settings() {
    let mut story = Story::before_settings(Config::default());
    // The preface itself is read by the harness, which takes nothing else.
    let frames = story.take_frames();
    assert_eq!((frames[0].kind, frames[0].flags, frames[0].stream), (kind::SETTINGS, 0, 0));
}

#[test]
fn section_6_5_2_the_first_settings_refuse_pushes_and_say_what_is_accepted() {
    let config = Config {
        stream_window: 100_000,
        max_frame_size: 20_000,
        max_header_list_size: 9_000,
        decoder_table_size: 8_192,
        ..Config::default()
    };
    let mut story = Story::before_settings(config);
    let mut settings = story.take_frames()[0].settings();
    settings.sort_unstable();
    assert_eq!(
        settings,
        [
            (setting::HEADER_TABLE_SIZE, 8_192),
            (setting::ENABLE_PUSH, 0),
            (setting::INITIAL_WINDOW_SIZE, 100_000),
            (setting::MAX_FRAME_SIZE, 20_000),
            (setting::MAX_HEADER_LIST_SIZE, 9_000),
        ]
    );
}

#[test]
fn section_6_9_2_the_connections_window_is_raised_right_after_the_preface() {
    let config = Config { connection_window: 1 << 20, ..Config::default() };
    let mut story = Story::before_settings(config);
    let frames = story.take_frames();
    assert_eq!((frames[1].kind, frames[1].stream), (kind::WINDOW_UPDATE, 0));
    assert_eq!(frames[1].number_at(0), (1 << 20) - 65_535);
    assert_eq!(frames.len(), 2);
}

#[test]
fn section_3_4_requests_need_not_wait_for_the_servers_settings() {
    let mut story = Story::before_settings(Config::default());
    let call = story.call_with(b"early");
    assert_eq!(story.request(call).body, b"early");
    story.server().settings(&[]).settings_ack().response(call, b"reply");
    story.expect(Told::SettingsReceived);
    story.expect(Told::StreamLimit(None));
    story.expect(Told::SettingsAcknowledged);
    story.expect_response(call, b"reply");
    story.expect_nothing();
}

#[test]
fn section_3_4_the_servers_first_settings_may_be_empty_and_are_acknowledged() {
    let mut story = Story::before_settings(Config::default());
    story.take_frames();
    story.server().settings(&[]);
    story.expect(Told::SettingsReceived);
    story.expect(Told::StreamLimit(None));
    story.expect_nothing();
    let frames = story.take_frames();
    assert_eq!((frames.len(), frames[0].kind, frames[0].flags), (1, kind::SETTINGS, flag::ACK));
}

#[test]
fn section_3_4_a_server_that_starts_with_another_frame_is_refused() {
    for first in [
        kind::DATA,
        kind::HEADERS,
        kind::PRIORITY,
        kind::RST_STREAM,
        kind::PUSH_PROMISE,
        kind::PING,
        kind::GOAWAY,
        kind::WINDOW_UPDATE,
        kind::CONTINUATION,
        0xfa,
    ] {
        let mut story = Story::before_settings(Config::default());
        let on_stream = [kind::DATA, kind::HEADERS, kind::PRIORITY, kind::RST_STREAM, kind::CONTINUATION];
        let stream = u32::from(on_stream.contains(&first));
        story.server().frame(first, 0, stream, [0; 8]);
        story.expect_connection_error(ErrorCode::PROTOCOL_ERROR);
    }
}

#[test]
fn section_3_4_what_a_server_says_by_goaway_instead_of_settings_is_told_all_the_same() {
    let mut story = Story::before_settings(Config::default());
    let call = story.call();
    story.server().goaway(0, ErrorCode::ENHANCE_YOUR_CALM, b"full house");
    let debug = b"full house".to_vec();
    story.expect(Told::GoAway { last: 0, code: ErrorCode::ENHANCE_YOUR_CALM.0, debug });
    story.told.retain(|told| *told != Told::NotProcessed { stream: call.id() });
    assert_eq!(story.told, []);
    story.expect_connection_error(ErrorCode::PROTOCOL_ERROR);
}

#[test]
fn section_3_4_an_acknowledgement_is_no_first_settings_frame() {
    let mut story = Story::before_settings(Config::default());
    story.server().settings_ack();
    story.expect_connection_error(ErrorCode::PROTOCOL_ERROR);
}

#[test]
fn section_3_4_what_is_not_http2_is_refused_before_it_has_all_arrived() {
    let mut story = Story::before_settings(Config::default());
    story.server().raw(b"HTTP/1.1 400 Bad Request\r\n");
    assert!(story.is_over());
}

#[test]
fn section_3_4_the_first_settings_are_read_however_they_are_cut() {
    let mut story = Story::before_settings(Config::default());
    story.server().raw([0, 0]);
    story.server().raw([6, 4, 0, 0, 0, 0, 0, 0]);
    story.expect_nothing();
    story.server().raw([3, 0, 0, 0, 7]);
    story.expect(Told::SettingsReceived);
    story.expect(Told::StreamLimit(Some(7)));
    story.expect_nothing();
}
