//! RFC 9113 section 6.9, for what the engine sends: the windows that the server gives. That no window is ever
//! overrun is checked by the harness, in every story.

use trunkline_http2::{Config, ErrorCode};

use crate::support::wire::LARGEST_WINDOW;
use crate::support::{Story, Told, flag, kind, setting};

const WINDOW: u16 = setting::INITIAL_WINDOW_SIZE;

// behaviour 89
#[test]
fn section_6_9_2_without_settings_windows_are_65535() {
    let mut story = Story::begin();
    let call = story.call_with(vec![b'd'; 70_000]);
    assert_eq!(story.request(call).body.len(), 65_535);
    assert!(story.engine().is_window_exhausted(call));
    assert_eq!(story.engine().connection_send_window(), 0);
    // The window of the stream alone does not help, nor does that of the connection.
    story.server().window(call, 5_000);
    assert_eq!(story.request(call).body.len(), 65_535);
    story.server().window(0, 4_000);
    assert_eq!(story.request(call).body.len(), 69_535);
    story.server().window(0, 4_000);
    assert_eq!(story.request(call).body.len(), 70_000);
    assert!(story.request(call).ended);
    story.expect_nothing();
}

// behaviour 89
#[test]
fn section_6_9_a_window_of_zero_holds_data_back_until_it_opens() {
    let mut story = Story::settings(&[(WINDOW, 0)]);
    let call = story.call_with(b"body");
    assert!(story.has_request(call), "headers do not wait");
    assert_eq!(story.request(call).body, b"");
    for (i, end) in [(1, false), (2, false), (3, false), (4, true)] {
        story.server().window(call, 1);
        assert_eq!(story.request(call).body, b"body"[..i]);
        assert_eq!(story.request(call).ended, end);
    }
    story.server().response(call, b"data");
    story.expect_response(call, b"data");
}

#[test]
fn section_6_9_1_the_end_alone_needs_no_window() {
    let mut story = Story::settings(&[(WINDOW, 4)]);
    let upload = story.upload();
    story.send(upload, b"body", false);
    assert!(!story.request(upload).ended);
    story.send(upload, b"", true);
    assert!(story.request(upload).ended);
    let last = story.all_frames(kind::DATA).pop().unwrap();
    assert_eq!((last.flags, last.payload.len()), (flag::END_STREAM, 0));
}

#[test]
fn section_6_9_1_the_end_comes_with_the_last_byte() {
    let mut story = Story::settings(&[(WINDOW, 4)]);
    let upload = story.upload();
    story.send(upload, b"0123456789", false);
    story.send(upload, b"", true);
    story.server().window(upload, 100);
    assert_eq!(story.request(upload).body, b"0123456789");
    assert!(story.request(upload).ended);
    let ends = story.all_frames(kind::DATA).iter().filter(|frame| frame.has(flag::END_STREAM)).count();
    assert_eq!(ends, 1);
}

// behaviour 89
#[test]
fn section_6_9_2_settings_may_make_a_window_negative() {
    let mut story = Story::settings(&[(WINDOW, 100)]);
    let call = story.call_with([b'd'; 300]);
    assert_eq!(story.request(call).body.len(), 100);
    story.server().settings(&[(WINDOW, 40)]);
    // It is 60 below zero: an update of 60 makes it zero, no more.
    story.server().window(call, 60);
    assert_eq!(story.request(call).body.len(), 100);
    story.server().window(call, 1);
    assert_eq!(story.request(call).body.len(), 101);
    story.server().settings(&[(WINDOW, 140)]);
    assert_eq!(story.request(call).body.len(), 201);
    story.server().window(call, 99);
    assert!(story.request(call).ended);
}

#[test]
fn section_6_9_2_settings_move_the_windows_of_streams_but_not_of_the_connection() {
    let mut story = Story::begin();
    let call = story.call_with(vec![b'd'; 100_000]);
    story.server().settings(&[(WINDOW, LARGEST_WINDOW)]);
    assert_eq!(story.request(call).body.len(), 65_535);
    story.server().window(0, 1 << 20);
    assert!(story.request(call).ended);
}

#[test]
fn section_6_9_2_settings_move_windows_of_streams_that_are_half_closed_by_the_server() {
    let mut story = Story::settings(&[(WINDOW, 0)]);
    let upload = story.upload();
    story.send(upload, b"body", true);
    story.server().only_trailers(upload).settings(&[(WINDOW, 10)]);
    story.expect_only_trailers(upload);
    assert_eq!(story.request(upload).body, b"body");
    story.expect_works();
}

#[test]
fn section_6_9_1_a_window_may_reach_its_largest_size_but_not_exceed_it() {
    let mut story = Story::begin();
    let upload = story.upload();
    story.server().window(upload, LARGEST_WINDOW - 65_535).window(0, LARGEST_WINDOW - 65_535);
    story.expect_works();
    story.server().window(upload, 1);
    story.expect_stream_error(upload, ErrorCode::FLOW_CONTROL_ERROR);
    story.server().window(0, 1);
    story.expect_connection_error(ErrorCode::FLOW_CONTROL_ERROR);
}

#[test]
fn section_6_9_2_settings_that_make_a_window_too_large_are_an_error_of_the_connection() {
    let mut story = Story::begin();
    let upload = story.upload();
    story.server().window(upload, 1);
    story.server().settings(&[(WINDOW, LARGEST_WINDOW)]);
    story.expect_connection_error(ErrorCode::FLOW_CONTROL_ERROR);
}

#[test]
fn section_6_9_an_update_by_nothing_is_an_error() {
    let mut story = Story::begin();
    let upload = story.upload();
    story.server().window(upload, 0);
    story.expect_stream_error(upload, ErrorCode::PROTOCOL_ERROR);
    story.server().window(0, 0);
    story.expect_connection_error(ErrorCode::PROTOCOL_ERROR);
}

#[test]
fn section_6_9_an_update_of_another_length_is_an_error_of_the_connection() {
    for length in [0, 3, 5] {
        for on_stream in [false, true] {
            let mut story = Story::begin();
            let stream = if on_stream { story.call().id() } else { 0 };
            story.server().frame(kind::WINDOW_UPDATE, 0, stream, vec![1; length]);
            story.expect_connection_error(ErrorCode::FRAME_SIZE_ERROR);
        }
    }
}

#[test]
fn section_6_9_the_reserved_bit_of_an_increment_means_nothing() {
    let mut story = Story::settings(&[(WINDOW, 0)]);
    let call = story.call_with(b"body");
    story.server().window(call, 4 | 1 << 31);
    assert!(story.request(call).ended);
    story.server().only_trailers(call);
    story.expect_only_trailers(call);
    let upload = story.upload();
    // Without that bit it is an update by nothing.
    story.server().window(upload, 1 << 31);
    story.expect(Told::Violation { stream: upload.id(), code: ErrorCode::PROTOCOL_ERROR.0 });
    story.expect_rst_stream(upload, ErrorCode::PROTOCOL_ERROR);
}

#[test]
fn section_5_2_1_long_requests_share_the_connections_window_one_after_the_other() {
    let mut story = Story::settings(&[(WINDOW, LARGEST_WINDOW), (setting::MAX_FRAME_SIZE, 16_384)]);
    // Larger than the window of the connection, each.
    let calls: Vec<_> = (0..4).map(|_| story.call_with(vec![b'd'; 200_000])).collect();
    story.server().times(60, |server, _| server.window(0, 10_000));
    let sent: Vec<_> = calls.iter().map(|call| story.request(*call).body.len()).collect();
    assert_eq!(sent.iter().sum::<usize>(), 665_535);
    // Each has sent what might have been all of it; of the rest, the first have sent theirs.
    assert!(sent.iter().all(|sent| *sent >= 65_536), "{sent:?}");
    assert_eq!(sent[..2], [200_000; 2]);
    assert!(sent.is_sorted_by(|one, next| one >= next), "{sent:?}");
}

#[test]
fn section_5_2_1_short_requests_take_turns_frame_by_frame() {
    let mut story = Story::settings(&[(WINDOW, 0)]);
    story.server().window(0, 1 << 20);
    let calls: Vec<_> = (0..3).map(|_| story.call_with(vec![b'd'; 50_000])).collect();
    story.take_frames();
    story.server().settings(&[(WINDOW, 1 << 20)]);
    let frames = story.take_frames();
    let turns: Vec<_> = frames.iter().filter(|f| f.kind == kind::DATA).map(|frame| frame.stream).collect();
    let ids: Vec<_> = calls.iter().map(|call| call.id()).collect();
    assert_eq!(turns, ids.repeat(4));
}

#[test]
fn section_5_2_a_stream_without_a_window_does_not_hold_up_the_others() {
    let mut story = Story::settings(&[(WINDOW, 10)]);
    let stuck = story.call_with([b's'; 1_000]);
    for _ in 0..5 {
        let call = story.call_with(b"0123456789");
        assert!(story.request(call).ended);
    }
    assert_eq!(story.request(stuck).body.len(), 10);
}

#[test]
fn section_5_2_a_small_request_waits_behind_a_large_one_for_a_frame_at_most() {
    let mut story = Story::settings(&[(WINDOW, 1 << 20)]);
    story.stall();
    story.server().window(0, 1 << 20);
    let large = story.call_with(vec![b'l'; 900_000]);
    // What the socket takes at a time.
    story.write(50_000);
    let small = story.call_with(b"small");
    let before = story.all_frames(kind::DATA).len();
    for _ in 0..40 {
        if story.has_request(small) && story.request(small).ended {
            break;
        }
        story.write(50_000);
    }
    let between = story.all_frames(kind::DATA).len() - before;
    // 256 KiB may lie ready to be written already; behind that it is one frame of the other's.
    assert!(between <= 256 / 16 + 3, "{between} frames before it");
    story.unstall();
    assert!(story.request(large).ended);
}

#[test]
fn section_5_2_a_stream_says_when_its_buffer_is_full_and_when_half_of_it_is_free() {
    let mut story = Story::with(Config { send_buffer: 1_000, ..Config::default() });
    story.server().settings(&[(WINDOW, 1 << 20)]).window(0, 1 << 20);
    let (other, upload) = (story.upload(), story.upload());
    story.stall();
    // As much as lies ready to be written at a time, so that what follows waits.
    story.send(other, vec![0; 300_000], true);
    story.engine().wants_write();
    assert!(story.engine().is_writable(upload));
    story.send(upload, [0; 999], false);
    assert!(story.engine().is_writable(upload));
    story.send(upload, [0; 1], false);
    assert!(!story.engine().is_writable(upload));
    // It takes what it is given all the same.
    assert!(story.send(upload, [0; 5_000], false));
    story.expect_nothing();
    story.unstall();
    story.expect(Told::Writable { stream: upload.id() });
    story.expect_nothing();
    assert!(story.engine().is_writable(upload));
    assert_eq!(story.request(upload).body.len(), 6_000);
}

#[test]
fn section_5_2_a_stream_without_a_window_says_when_it_has_one() {
    for (stream_first, by) in [(true, 1), (false, 1), (true, 1_000)] {
        let mut story = Story::begin();
        let (upload, other) = (story.upload(), story.upload());
        story.send(upload, [0; 65_535], false);
        assert!(!story.engine().is_writable(upload) && !story.engine().is_writable(other));
        story.expect_nothing();
        if stream_first {
            story.server().window(upload, by);
            assert!(!story.engine().is_writable(upload), "the connection's is shut");
            story.expect_nothing();
            story.server().window(0, by);
        } else {
            story.server().window(0, by);
            assert_eq!(story.next(), Told::Writable { stream: other.id() });
            story.expect_nothing();
            story.server().window(upload, by);
        }
        let news = std::mem::take(&mut story.told);
        assert_eq!(news.iter().filter(|told| **told == Told::Writable { stream: upload.id() }).count(), 1);
        assert!(story.engine().is_writable(upload));
        assert!(story.send(upload, [0; 1], true));
        assert_eq!(story.request(upload).body.len(), 65_536);
    }
}

#[test]
fn section_5_2_a_stream_that_waits_for_room_is_told_of_it_once() {
    let mut story = Story::settings(&[(WINDOW, 10)]);
    let upload = story.upload();
    story.send(upload, [0; 100], false);
    story.server().window(upload, 10).window(upload, 10);
    story.expect_nothing();
    story.server().window(upload, 1_000).window(upload, 1_000);
    story.expect(Told::Writable { stream: upload.id() });
    story.expect_works();
}

#[test]
fn section_5_2_a_stream_that_has_ended_sending_waits_for_no_room() {
    let mut story = Story::settings(&[(WINDOW, 10)]);
    let upload = story.upload();
    story.send(upload, [0; 100], true);
    assert!(!story.engine().is_writable(upload));
    story.server().window(upload, 1_000);
    assert!(story.request(upload).ended);
    story.expect_works();
}

#[test]
fn section_6_9_an_update_for_a_stream_with_nothing_to_send_is_kept() {
    let mut story = Story::settings(&[(WINDOW, 0)]);
    let upload = story.upload();
    story.server().window(upload, 4);
    story.send(upload, b"0123456789", true);
    assert_eq!(story.request(upload).body, b"0123");
}

#[test]
fn section_6_9_large_bodies_arrive_as_they_were_handed_over() {
    let mut story = Story::begin();
    let body: Vec<u8> = (0..1_000_000_u32).map(|i| (i * 7 + i / 251) as u8).collect();
    let upload = story.upload();
    for piece in body.chunks(777) {
        story.send(upload, piece, false);
    }
    story.send(upload, b"", true);
    for _ in 0..100 {
        story.server().window(0, 12_345).window(upload, 10_007);
    }
    assert!(story.request(upload).ended);
    assert!(story.request(upload).body == body);
}
