//! Connections that are busy, talkative or old, and that nobody may end for it.

use std::time::Duration;

use trunkline_http2::{Config, ErrorCode, StreamKey};

use crate::support::{Story, setting};

/// One moment: the plausible time between what a server sends.
const MOMENT: Duration = Duration::from_micros(50);

fn clear(story: &mut Story, stream: StreamKey, read: usize) {
    assert!(!story.is_over());
    story.release(stream, read);
    story.told.clear();
}

#[test]
fn a_talkative_server_may_go_on_for_ever() {
    // With every message a PING for its bandwidth estimate and both window updates, as some servers do.
    let mut story = Story::begin().told_once();
    for call in 0..20_000_u64 {
        let stream = story.call_with(b"request");
        story
            .server()
            .window(0, 7)
            .ping(call)
            .head(stream)
            .data(stream, b"reply")
            .ping(call)
            .trailers(stream)
            .rst_stream(stream, ErrorCode::NO_ERROR);
        clear(&mut story, stream, 5);
    }
    story.expect_works();
}

#[test]
fn a_stream_of_small_messages_may_go_on_for_ever() {
    let mut story = Story::begin().told_once();
    let call = story.call();
    story.server().head(call);
    for i in 0..30_000_usize {
        story.server().data(call, b"a message of some bytes");
        // A server that flushes where it has nothing to flush.
        if i % 2 == 0 {
            story.server().data(call, b"");
        }
        clear(&mut story, call, 23);
    }
    story.server().trailers(call);
    story.expect_trailers(call);
}

#[test]
fn an_upload_may_go_on_for_ever() {
    let mut story = Story::begin().told_once();
    let upload = story.upload();
    for i in 0..20_000_u64 {
        assert!(story.send(upload, [0; 1_000], false));
        story.server().window(0, 1_000).window(upload, 1_000).ping(i);
        clear(&mut story, upload, 0);
    }
    assert_eq!(story.request(upload).body.len(), 20_000_000);
}

#[test]
fn ten_thousand_uploads_may_share_a_window_that_is_returned_by_small_pieces() {
    // Go's servers return it by 4 to 16 KiB.
    let mut story = Story::begin().told_once();
    let uploads: Vec<_> = (0..10_000).map(|_| story.upload()).collect();
    let message = [0; 17 << 10];
    for upload in &uploads {
        assert!(story.send(*upload, message, false));
    }
    let mut left = (uploads.len() * message.len()).saturating_sub(65_535);
    while left > 0 {
        story.server().window(0, 16 << 10);
        assert!(!story.is_over(), "{left} bytes are left");
        left = left.saturating_sub(16 << 10);
        story.told.clear();
    }
    for upload in uploads {
        assert_eq!(story.request(upload).body.len(), message.len());
    }
}

#[test]
fn an_upload_of_small_messages_may_go_on_for_ever() {
    // Each of them is answered by both updates and a PING.
    let mut story = Story::begin().told_once();
    let upload = story.upload();
    for i in 0..20_000_u64 {
        assert!(story.send(upload, [0; 30], false));
        story.server().window(0, 30).window(upload, 30).ping(i);
        clear(&mut story, upload, 0);
    }
    assert_eq!(story.request(upload).body.len(), 600_000);
}

#[test]
fn an_idle_connection_may_be_kept_alive_for_years() {
    let mut story = Story::begin().told_once();
    for i in 0..20_000_u64 {
        story.advance(Duration::from_secs(3_600));
        story.server().ping(i).window(0, 1).settings(&[]);
        story.ping(i);
        story.server().pong(i);
        assert!(!story.is_over());
        story.told.clear();
        // The window of the connection has an end.
        if i == 1_000 {
            story.rest();
        }
    }
    story.expect_works();
}

#[test]
fn cancelled_calls_may_come_without_end() {
    // More than are remembered, and the server answers each of them, late.
    let mut story = Story::begin().told_once();
    let mut late = Vec::new();
    for _ in 0..20_000 {
        let stream = story.call();
        story.reset(stream, ErrorCode::CANCEL);
        late.push(stream);
        if late.len() == 50 {
            for stream in late.drain(..) {
                story.server().response(stream, b"late").window(stream, 9);
            }
        }
        story.advance(MOMENT * 20);
    }
    story.expect_works();
}

#[test]
fn answers_to_calls_that_were_cancelled_long_ago_are_borne() {
    let mut story = Story::begin().told_once();
    let first = story.call();
    story.reset(first, ErrorCode::CANCEL);
    for _ in 0..20_000 {
        let stream = story.call();
        story.reset(stream, ErrorCode::CANCEL);
    }
    story.server().response(first, b"very late");
    story.expect_works();
}

#[test]
fn refused_streams_may_come_without_end() {
    let mut story = Story::begin().told_once();
    for _ in 0..20_000 {
        let stream = story.call();
        story.server().rst_stream(stream, ErrorCode::REFUSED_STREAM);
        story.expect_reset(stream, ErrorCode::REFUSED_STREAM);
    }
    story.expect_works();
}

#[test]
fn settings_may_change_every_few_seconds_for_hours() {
    let mut story = Story::begin().told_once();
    for i in 0..3_000_u32 {
        story.advance(Duration::from_secs(4));
        story.server().settings(&[
            (setting::INITIAL_WINDOW_SIZE, 60_000 + i % 1_000),
            (setting::MAX_CONCURRENT_STREAMS, 100 + i % 7),
            (setting::HEADER_TABLE_SIZE, 4_096 - i % 13),
        ]);
        story.told.clear();
        let stream = story.call();
        story.server().response(stream, b"reply");
        clear(&mut story, stream, 5);
    }
    story.expect_works();
}

#[test]
fn what_is_read_slowly_is_read_in_the_end() {
    let config = Config { stream_window: 65_535, connection_window: 65_535, ..Config::default() };
    let mut story = Story::with(config).told_once();
    let call = story.call();
    story.server().head(call);
    story.expect_head(call);
    let mut window = 65_535_u32;
    for _ in 0..2_000 {
        story.take_frames();
        story.server().data(call, [b'd'; 1_000]);
        window -= 1_000;
        story.told.clear();
        story.advance(MOMENT);
        story.release(call, 1_000);
        for frame in story.take_frames() {
            window += if frame.stream == call.id() { frame.number_at(0) } else { 0 };
        }
        assert!(window >= 1_000, "the server has to wait for nothing");
    }
    story.server().trailers(call);
    story.expect_trailers(call);
}
