//! Frames that are of no use, in numbers: a burst is borne, a flood is not, and what counts is the rate.

use std::time::Duration;

use trunkline_http2::{Config, ErrorCode, StreamKey};

use crate::support::server::Server;
use crate::support::{Story, kind, setting};

/// Useless frames that may come at once, and per second.
const BURST: usize = 10_000;
const PER_SECOND: usize = 1_000;

/// What the handshake and a few streams may have taken from the burst.
const SLACK: usize = 20;

/// One useless frame; what it needs of the story is there before.
type Flood = fn(Server<'_>, Scene, usize) -> Server<'_>;

#[derive(Clone, Copy)]
struct Scene {
    /// Open, with its head in.
    open: StreamKey,
    /// Reset by us when the server had used its window up.
    reset: StreamKey,
    /// Reset by the server.
    gone: StreamKey,
}

fn scene() -> (Story, Scene) {
    let mut story = Story::with(Config { stream_window: 16_384, ..Config::default() }).told_once();
    let scene = Scene { open: story.upload(), reset: story.upload(), gone: story.upload() };
    story.server().head(scene.reset).data(scene.reset, [b'd'; 16_384]);
    story.reset(scene.reset, ErrorCode::CANCEL);
    story.server().head(scene.open).rst_stream(scene.gone, ErrorCode::CANCEL);
    story.told.clear();
    (story, scene)
}

const FLOODS: [(&str, Flood); 17] = [
    ("empty DATA", |server, scene, _| server.data(scene.open, b"")),
    ("DATA of padding alone", |server, scene, _| server.padded_data(scene.open, b"", 0)),
    ("empty DATA for a stream that was reset", |server, scene, _| server.data(scene.reset, b"")),
    ("DATA for a stream that was reset", |server, scene, _| server.data(scene.reset, b"d")),
    ("PING", |server, _, i| server.ping(i as u64)),
    ("answers to no PING", |server, _, i| server.pong(i as u64)),
    ("GOAWAY", |server, _, _| server.goaway(99, ErrorCode::NO_ERROR, b"again")),
    ("SETTINGS", |server, _, _| server.settings(&[])),
    ("SETTINGS that change", |server, _, i| server.settings(&[(setting::HEADER_TABLE_SIZE, i as u32)])),
    ("PRIORITY", |server, scene, _| server.priority(scene.open, 0)),
    ("PRIORITY of idle streams", |server, _, i| server.priority(99 + 2 * i as u32, 0)),
    ("unknown frames", |server, _, _| server.frame(0xfa, 0, 0, b"payload")),
    ("updates of the connection", |server, _, _| server.window(0, 1)),
    ("updates of a stream", |server, scene, _| server.window(scene.open, 1)),
    ("updates of a stream that is over", |server, scene, _| server.window(scene.gone, 1)),
    ("resets of a stream that is over", |server, scene, _| server.rst_stream(scene.gone, ErrorCode::CANCEL)),
    ("heads for a stream that was reset", |server, scene, _| server.head(scene.reset)),
];

/// How many come through at one moment, up to `most`, to within `STEP`.
fn pour(story: &mut Story, scene: Scene, flood: Flood, most: usize) -> usize {
    for start in (0..most).step_by(STEP) {
        story.server().times(STEP, |server, i| flood(server, scene, start + i));
        if story.is_over() {
            return start;
        }
    }
    most
}

/// Frames that are sent together.
const STEP: usize = 10;

#[test]
fn a_burst_is_borne_and_a_flood_is_not() {
    for (name, flood) in FLOODS {
        let (mut story, scene) = scene();
        let borne = pour(&mut story, scene, flood, BURST + SLACK);
        assert!((BURST - SLACK..BURST + SLACK).contains(&borne), "{name}: {borne} were borne");
        story.expect_connection_error(ErrorCode::ENHANCE_YOUR_CALM);
    }
}

#[test]
fn time_heals() {
    for (name, flood) in FLOODS {
        let (mut story, scene) = scene();
        assert_eq!(pour(&mut story, scene, flood, BURST - SLACK), BURST - SLACK, "{name}");
        for _ in 0..3 {
            story.advance(Duration::from_secs(1));
            let borne = pour(&mut story, scene, flood, PER_SECOND - SLACK);
            assert_eq!(borne, PER_SECOND - SLACK, "{name}");
        }
        let borne = pour(&mut story, scene, flood, PER_SECOND);
        assert!(borne < 5 * SLACK, "{name}: {borne} more were borne without any time");
        story.expect_connection_error(ErrorCode::ENHANCE_YOUR_CALM);
    }
}

#[test]
fn time_does_not_save_up_more_than_a_burst() {
    let (mut story, scene) = scene();
    story.advance(Duration::from_secs(1_000_000));
    let borne = pour(&mut story, scene, |server, _, i| server.ping(i as u64), 2 * BURST);
    assert!((BURST - SLACK..BURST + SLACK).contains(&borne), "{borne}");
    story.expect_connection_error(ErrorCode::ENHANCE_YOUR_CALM);
}

#[test]
fn all_kinds_together_are_one_flood() {
    let (mut story, scene) = scene();
    let mut borne = 0;
    while !story.is_over() {
        FLOODS[borne % FLOODS.len()].1(story.server(), scene, borne);
        borne += 1;
    }
    assert!((BURST - SLACK..BURST + SLACK).contains(&borne), "{borne}");
    story.expect_connection_error(ErrorCode::ENHANCE_YOUR_CALM);
}

#[test]
fn informational_heads_without_end_are_a_flood() {
    let (mut story, scene) = scene();
    let call = story.call();
    let informational = |server: Server<'_>| drop(server.headers(call, &[(":status", "103")], false));
    let mut borne = 0;
    while !story.is_over() && borne < 2 * BURST {
        informational(story.server());
        borne += 1;
    }
    assert!(borne < BURST + SLACK, "{borne}");
    story.expect_connection_error(ErrorCode::ENHANCE_YOUR_CALM);
    assert!(scene.open.id() != call.id());
}

#[test]
fn what_may_be_under_way_to_streams_that_are_reset_is_no_flood() {
    // Full frames of a stream's whole window, small messages of another, and small ones of the connection's.
    for (streams, frame) in [(1, 16_384), (1, 20), (16, 256)] {
        let mut story = Story::begin().told_once();
        let calls: Vec<_> = (0..streams).map(|_| story.upload()).collect();
        for call in &calls {
            story.reset(*call, ErrorCode::CANCEL);
        }
        let data = vec![b'd'; frame];
        for call in calls {
            for _ in 0..(1 << 20) / frame / STEP {
                story.server().times(STEP, |server, _| server.data(call, &data));
            }
        }
        story.expect_works();
    }
}

#[test]
fn more_than_can_be_under_way_to_streams_that_are_reset_is_a_flood_in_whatever_frames() {
    let config = Config { stream_window: 65_535, connection_window: 65_535, ..Config::default() };
    for frame in [1, 1_000, 16_384] {
        let mut story = Story::with(config.clone()).told_once();
        let calls: Vec<_> = (0..10).map(|_| story.upload()).collect();
        for call in &calls {
            story.reset(*call, ErrorCode::CANCEL);
        }
        let data = vec![b'd'; frame];
        let mut borne = 0;
        while !story.is_over() && borne < 2 * BURST {
            story.server().data(calls[0], &data);
            borne += 1;
        }
        let free = 65_535 / frame.max(16);
        assert!((free + BURST - SLACK..free + BURST + SLACK).contains(&borne), "{frame}: {borne}");
        story.expect_connection_error(ErrorCode::ENHANCE_YOUR_CALM);
    }
}

#[test]
fn a_response_that_has_ended_has_nothing_under_way() {
    let mut story = Story::begin().told_once();
    let upload = story.upload();
    story.server().only_trailers(upload);
    story.expect_only_trailers(upload);
    story.reset(upload, ErrorCode::CANCEL);
    let mut borne = 0;
    while !story.is_over() && borne < 2 * BURST {
        story.server().data(upload, b"d");
        borne += 1;
    }
    assert!(borne < BURST + SLACK, "{borne}");
    story.expect_connection_error(ErrorCode::ENHANCE_YOUR_CALM);
}

#[test]
fn settings_that_move_the_windows_of_many_streams_cost_more_than_others() {
    let mut story = Story::begin().told_once();
    for _ in 0..1_000 {
        story.upload();
    }
    let mut borne = 0;
    while !story.is_over() && borne < 2 * BURST {
        story.server().settings(&[(setting::INITIAL_WINDOW_SIZE, 10_000 + borne as u32 % 2)]);
        borne += 1;
    }
    assert!(borne * 1_000 < 100 * BURST, "{borne} times a thousand windows were moved");
    story.expect_connection_error(ErrorCode::ENHANCE_YOUR_CALM);
}

#[test]
fn settings_of_many_parameters_cost_more_than_others() {
    let mut story = Story::begin().told_once();
    let many = vec![(setting::MAX_HEADER_LIST_SIZE, 1 << 20); 2_700];
    let mut borne = 0;
    while !story.is_over() && borne < BURST {
        story.server().settings(&many);
        borne += 1;
    }
    assert!(borne < BURST / 50, "{borne}");
    story.expect_connection_error(ErrorCode::ENHANCE_YOUR_CALM);
}

#[test]
fn a_window_opened_byte_by_byte_is_paid_for_by_the_server() {
    let mut story = Story::settings(&[(setting::INITIAL_WINDOW_SIZE, 0)]).told_once();
    let upload = story.upload();
    story.send(upload, vec![0; 100_000], true);
    let mut borne = 0;
    while !story.is_over() && borne < 2 * BURST {
        story.server().window(upload, 1);
        borne += 1;
    }
    assert!(story.is_over(), "frames of one byte, without end");
    story.expect_connection_error(ErrorCode::ENHANCE_YOUR_CALM);
}

#[test]
fn answers_that_are_not_taken_are_limited() {
    type Ask = fn(Server<'_>, usize) -> Server<'_>;
    let asks: [Ask; 2] = [|server, i| server.ping(i as u64), |server, _| server.settings(&[])];
    for ask in asks {
        let mut story = Story::begin();
        story.stall();
        story.server().times(1_000, ask);
        story.expect_nothing();
        // They are taken: there is room for as many more.
        story.write(usize::MAX);
        story.server().times(1_000, ask);
        story.expect_nothing();
        story.server().times(1, ask);
        assert!(story.is_over());
        story.unstall();
        story.expect_connection_error(ErrorCode::ENHANCE_YOUR_CALM);
    }
}

#[test]
fn tiny_data_is_packed() {
    let mut story = Story::begin().told_once();
    let call = story.call();
    story.server().head(call);
    story.expect_head(call);
    let mut bytes = bytes::BytesMut::new();
    for _ in 0..50_000 {
        bytes.extend_from_slice(&[0, 0, 1, kind::DATA, 0, 0, 0, 0, call.id() as u8, b'd']);
    }
    let now = story.now();
    story.engine().receive(now, &mut bytes).unwrap();
    let mut events = 0;
    while story.engine().poll_event().is_some() {
        events += 1;
    }
    assert!(events <= 20, "{events} events for 50 000 bytes");
}
