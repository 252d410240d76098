//! Limits of what the engine keeps.

use trunkline_http2::{Config, ErrorCode};

use crate::support::{Story, Told, kind, setting};

#[test]
fn templates_are_bounded() {
    let mut story = Story::begin().told_once();
    let mut made = 0;
    while story.engine().template([(":path", format!("/{made}"))]).is_some() {
        made += 1;
        assert!(made <= 1_024, "the harness made one already");
    }
    assert_eq!(made, 1_023);
    story.expect_works();
}

#[test]
fn templates_with_fields_that_http2_cannot_carry_are_refused() {
    let mut story = Story::begin();
    let [method, scheme, path] = [(":method", "POST"), (":scheme", "http"), (":path", "/a/B")];
    let refused = [
        (":authority", "a\nB"),
        (":pa th", "/a/B"),
        (":Path", "/a/B"),
        (":", "/a/B"),
        ("Upper", "x"),
        ("", "x"),
        ("name", "a\0b"),
        ("connection", "close"),
        ("te", "gzip"),
    ];
    for field in refused {
        assert!(story.engine().template([method, scheme, path, field]).is_none(), "{field:?}");
    }
    assert!(story.engine().template([method, scheme, (":path", "/a\nB")]).is_none());
    // Pseudo fields come first.
    assert!(story.engine().template([method, scheme, ("te", "trailers"), path]).is_none());
    assert!(story.engine().template([method, scheme, path, ("te", "trailers")]).is_some());
    story.expect_works();
}

#[test]
fn data_in_many_small_pieces_fills_a_stream() {
    let mut story = Story::settings(&[(setting::INITIAL_WINDOW_SIZE, 1 << 20)]).told_once();
    story.server().window(0, 1 << 20);
    let (other, upload) = (story.upload(), story.upload());
    story.stall();
    // As much as lies ready to be written at a time, so that what follows waits.
    story.send(other, vec![0; 300_000], true);
    story.engine().wants_write();
    let mut pieces = 0;
    while story.engine().is_writable(upload) && pieces < 100_000 {
        story.send(upload, b"x", false);
        pieces += 1;
    }
    assert_eq!(pieces, 4_096);
    story.unstall();
    story.expect(Told::Writable { stream: upload.id() });
    story.expect_nothing();
}

#[test]
fn the_text_in_goaway_is_kept_up_to_a_limit() {
    for (sent, kept) in [(0, 0), (1_024, 1_024), (1_025, 1_024), (16_000, 1_024)] {
        let mut story = Story::begin();
        story.server().goaway(0, ErrorCode::NO_ERROR, vec![b'x'; sent]);
        let Told::GoAway { debug, .. } = story.next() else { panic!("no GOAWAY") };
        assert_eq!(debug.len(), kept);
    }
}

#[test]
fn eight_pings_and_eight_probes_may_be_under_way() {
    let mut story = Story::begin();
    assert_eq!((0..100).filter(|opaque| story.ping(*opaque)).count(), 8);
    assert_eq!((0..100).filter(|_| story.probe()).count(), 8);
    story.server().pong(3).settings_ack();
    assert!(story.ping(100) && !story.ping(101));
    assert!(story.probe() && !story.probe());
}

#[test]
fn data_that_is_staged_is_bounded_while_the_socket_takes_nothing() {
    let mut story = Story::settings(&[(setting::INITIAL_WINDOW_SIZE, 1 << 30)]).told_once();
    story.server().window(0, 1 << 30);
    let uploads: Vec<_> = (0..20).map(|_| story.upload()).collect();
    story.take_frames();
    story.stall();
    for upload in &uploads {
        story.send(*upload, vec![0; 100_000], true);
    }
    // What is staged can no longer be taken back; the rest can.
    for upload in &uploads {
        story.reset(*upload, ErrorCode::CANCEL);
    }
    story.unstall();
    let written: usize = story.take_frames().iter().map(|frame| frame.payload.len()).sum();
    assert!(written <= 300 * 1_024, "{written} bytes were staged");
}

#[test]
fn small_bodies_that_are_staged_are_bounded_too() {
    let mut story = Story::settings(&[(setting::INITIAL_WINDOW_SIZE, 1 << 30)]).told_once();
    story.server().window(0, 1 << 30);
    story.take_frames();
    story.stall();
    // Each of them fits into a frame and has nobody to wait for.
    let calls: Vec<_> = (0..100).map(|_| story.call_with(vec![0; 16_000])).collect();
    for call in calls {
        story.reset(call, ErrorCode::CANCEL);
    }
    story.unstall();
    let frames = story.take_frames();
    let written: usize =
        frames.iter().filter(|frame| frame.kind == kind::DATA).map(|f| f.payload.len()).sum();
    assert!(written <= 300 * 1_024, "{written} bytes were staged");
}

#[test]
fn what_waits_in_small_frames_is_written_once_however_little_the_socket_takes() {
    let mut story = Story::settings(&[(setting::INITIAL_WINDOW_SIZE, 1 << 20)]).told_once();
    story.server().window(0, 1 << 20);
    let upload = story.upload();
    let mut body = Vec::new();
    story.stall();
    for i in 0..2_000_usize {
        let message = [(i % 251) as u8; 100];
        story.send(upload, message, false);
        body.extend_from_slice(&message);
        story.write(if i < 1_000 { 30 } else { 150 });
    }
    story.unstall();
    assert!(story.request(upload).body == body);
}

#[test]
fn updates_while_the_socket_takes_nothing_are_bounded() {
    let config = Config { stream_window: 1_000, ..Config::default() };
    let mut story = Story::with(config).told_once();
    let call = story.call();
    story.server().head(call);
    story.expect_head(call);
    story.take_frames();
    story.stall();
    // The server is told of no more window, so it can use no more than it had.
    story.server().data(call, [0; 1_000]);
    story.release(call, 1_000);
    story.server().data(call, [0; 1]);
    story.unstall();
    let updates = story.take_frames();
    assert!(updates.len() <= 3, "{updates:?}");
}
