//! Both sides' windows against a model of bare numbers: never overrun, never lost.

use trunkline_http2::{Config, ErrorCode};

use crate::support::random::for_seeds;
use crate::support::{Story, Told, kind, setting};

#[test]
fn what_the_server_may_send_is_what_was_given_and_not_a_byte_more() {
    for_seeds(100, |random| {
        let stream_window = 1 + random.below(100_000) as u32;
        let connection_window = 65_535 + random.below(100_000) as u32;
        let config = Config { stream_window, connection_window, ..Config::default() };
        let mut story = Story::with(config);
        let call = story.call();
        story.server().head(call);
        story.expect_head(call);
        let mut window = i64::from(stream_window);
        let mut unread = 0;
        story.take_frames();
        for _ in 0..random.below(60) {
            let bytes = random.below(16_385).min(window.max(0) as usize);
            story.server().data(call, vec![0; bytes]);
            window -= bytes as i64;
            unread += bytes;
            let read = random.below(unread + 1);
            story.release(call, read);
            unread -= read;
            for frame in story.take_frames() {
                assert_eq!(frame.kind, kind::WINDOW_UPDATE);
                window += if frame.stream == 0 { 0 } else { i64::from(frame.number_at(0)) };
            }
            assert!(window <= i64::from(stream_window));
            assert!(window + unread as i64 >= i64::from(stream_window / 2), "{window} and {unread} unread");
        }
        story.told.clear();
        // All of it, and then one more.
        while window > 0 {
            let bytes = (window as usize).min(16_384);
            story.server().data(call, vec![0; bytes]);
            window -= bytes as i64;
            story.told.clear();
        }
        assert!(!story.is_over());
        story.server().data(call, b"!");
        story.expect(Told::Violation { stream: call.id(), code: ErrorCode::FLOW_CONTROL_ERROR.0 });
    });
}

#[test]
fn every_byte_is_sent_as_soon_as_both_windows_allow_it_and_no_sooner() {
    for_seeds(100, |random| {
        let mut initial = random.below(70_000) as u32;
        let mut story = Story::settings(&[(setting::INITIAL_WINDOW_SIZE, initial)]);
        let mut connection = 65_535_i64;
        // The windows and the bytes that were handed over.
        let mut streams: Vec<(_, i64, usize)> = Vec::new();
        for _ in 0..random.below(80) {
            match random.below(6) {
                0 => streams.push((story.upload(), i64::from(initial), 0)),
                1 => {
                    let next = random.below(70_000) as u32;
                    story.server().settings(&[(setting::INITIAL_WINDOW_SIZE, next)]);
                    let by = i64::from(next) - i64::from(initial);
                    initial = next;
                    streams.iter_mut().for_each(|stream| stream.1 += by);
                }
                2 => {
                    let increment = 1 + random.below(50_000) as u32;
                    story.server().window(0, increment);
                    connection += i64::from(increment);
                }
                _ if streams.is_empty() => {}
                3 => {
                    let i = random.below(streams.len());
                    let increment = 1 + random.below(50_000) as u32;
                    story.server().window(streams[i].0, increment);
                    streams[i].1 += i64::from(increment);
                }
                _ => {
                    let i = random.below(streams.len());
                    let bytes = random.below(40_000);
                    story.send(streams[i].0, vec![0; bytes], false);
                    streams[i].2 += bytes;
                }
            }
            let sent = |stream| story.request(stream).body.len();
            let all: usize = streams.iter().map(|(stream, ..)| sent(*stream)).sum();
            let left = connection - all as i64;
            assert!(left >= 0);
            for (stream, ..) in &streams {
                assert!(story.has_request(*stream));
            }
            for (stream, _, queued) in &streams {
                let window = story.request(*stream).window;
                let waits = queued - sent(*stream);
                assert!(waits == 0 || window <= 0 || left == 0, "{waits} wait, {window} and {left} are free");
            }
            assert_eq!(story.engine().connection_send_window(), left);
        }
    });
}

#[test]
fn whoever_waits_for_room_is_told_once_when_there_is_some() {
    for_seeds(100, |random| {
        let mut story = Story::settings(&[(setting::INITIAL_WINDOW_SIZE, random.below(3_000) as u32)]);
        // Streams, what was handed over, and whether they wait to be told.
        let mut streams: Vec<_> = (0..1 + random.below(5)).map(|_| (story.upload(), 0, false)).collect();
        for (stream, _, waits) in &mut streams {
            *waits = !story.engine().is_writable(*stream);
        }
        for _ in 0..random.below(100) {
            let i = random.below(streams.len());
            let (stream, queued, waits) = &mut streams[i];
            match random.below(5) {
                0 => drop(story.server().window(0, 1 + random.below(30_000) as u32)),
                1 => drop(story.server().window(*stream, 1 + random.below(3_000) as u32)),
                2 => {
                    let settings = [(setting::INITIAL_WINDOW_SIZE, random.below(3_000) as u32)];
                    story.server().settings(&settings);
                }
                _ => {
                    // Often all that the window takes, and nothing waits.
                    let window = story.request(*stream).window.clamp(0, 5_000) as usize;
                    let bytes = if random.one_in(2) { window } else { random.below(5_000) };
                    story.send(*stream, vec![0; bytes], false);
                    *queued += bytes;
                    *waits |= !story.engine().is_writable(*stream);
                }
            }
            for told in std::mem::take(&mut story.told) {
                let told_of =
                    streams.iter_mut().find(|(stream, ..)| told == Told::Writable { stream: stream.id() });
                let (_, _, waits) = told_of.unwrap_or_else(|| panic!("{told:?}"));
                assert!(std::mem::take(waits), "{told:?}, though nobody waits");
            }
            for (stream, queued, waits) in &streams {
                let request = story.request(*stream);
                let room =
                    request.body.len() == *queued && request.window > 0 && story.connection_window() > 0;
                assert!(!(room && *waits), "{} was not told of its room", stream.id());
            }
        }
    });
}
