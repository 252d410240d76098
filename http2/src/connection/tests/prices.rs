//! What the peer pays for, what nobody pays for, and what costs nothing.

use super::*;

#[test]
fn useless_frames_end_the_connection_and_time_forgives_them() {
    let mut story = Story::begin(Config::default());
    let flood = |story: &mut Story| {
        for sent in 0..1_000_000 {
            if let Err(error) = story.try_server(kind::PING, flag::ACK, 0, &[9; 8]) {
                return (sent, error.code());
            }
        }
        panic!("it took a million");
    };
    for _ in 0..100_000 {
        story.now += Duration::from_millis(1);
        story.server(kind::PING, flag::ACK, 0, &[9; 8]);
    }
    let (sent, code) = flood(&mut story);
    assert_eq!(code, ErrorCode::ENHANCE_YOUR_CALM);
    assert!((9_000..11_000).contains(&sent), "{sent}");
}

#[test]
fn a_long_healthy_connection_never_dies_of_its_budget() {
    // A busy server that adds a WINDOW_UPDATE for stream and connection, and a PING, to every response, in time that
    // stands still: useful frames alone pay for them.
    let mut story = Story::begin(Config::default());
    for _ in 0..50_000 {
        let stream = story.open(b"request", true);
        story.head(stream);
        story.data(stream, b"response");
        story.window_update(stream.id(), 7);
        story.window_update(0, 7);
        story.server(kind::PING, 0, 0, &[0; 8]);
        story.server(kind::DATA, 0, stream.id(), b"");
        story.trailers(stream);
        while let Some(event) = story.connection.poll_event() {
            if let Event::Data { stream, data, .. } = event {
                story.connection.release(stream, data.len());
            }
        }
        let mut slices = [IoSlice::new(&[]); 4];
        let filled = story.connection.outgoing(&mut slices);
        let bytes = slices[..filled].iter().map(|slice| slice.len()).sum();
        story.connection.written(bytes);
    }
}

#[test]
fn settings_pay_for_the_places_where_streams_have_been() {
    let mut story = Story::begin(Config::default());
    let streams: Vec<_> = (0..100_000).map(|_| story.open(b"", true)).collect();
    for stream in streams {
        story.connection.reset(stream, ErrorCode::CANCEL);
    }
    story.write();
    let shifts =
        (0..100).take_while(|n| story.try_server(kind::SETTINGS, 0, 0, &[0, 4, 0, 0, 0, *n]).is_ok());
    assert!((20..30).contains(&shifts.count()));
}

#[test]
fn places_that_were_given_back_cost_nothing_any_more() {
    let mut story = Story::begin(Config::default());
    let stays = story.open(b"", true);
    let streams: Vec<_> = (0..100_000).map(|_| story.open(b"", true)).collect();
    for stream in streams {
        story.connection.reset(stream, ErrorCode::CANCEL);
    }
    story.write();
    story.connection.rest();
    for n in 0..1_000_u32 {
        let settings = [&[0, 4][..], &n.to_be_bytes()].concat();
        story.server(kind::SETTINGS, 0, 0, &settings);
        story.write();
    }
    story.head(stays);
    story.trailers(stays);
    assert_eq!(story.events(), ["1 head 200 false", "1 trailers 1"]);
}

#[test]
fn windows_of_however_many_streams_may_be_changed_a_few_times_in_a_row() {
    // As servers do that estimate bandwidth.
    let mut story = Story::begin(Config::default());
    for _ in 0..300_000 {
        story.open(b"", true);
    }
    story.write();
    let shifts =
        (0..100).take_while(|n| story.try_server(kind::SETTINGS, 0, 0, &[0, 4, 0, 0, 0, *n]).is_ok());
    assert!((8..12).contains(&shifts.count()));
}

#[test]
fn goaway_pays_for_the_streams_that_are_looked_at_and_is_not_looked_at_twice() {
    let mut story = Story::begin(Config::default());
    let streams: Vec<_> = (0..100_000).map(|_| story.open(b"", true)).collect();
    for stream in &streams[1..] {
        story.connection.reset(*stream, ErrorCode::CANCEL);
    }
    story.write();
    let goaway = |story: &mut Story, last: u32| {
        let payload = [last.to_be_bytes(), [0; 4]].concat();
        story.try_server(kind::GOAWAY, 0, 0, &payload).is_ok()
    };
    // The first step of a graceful one excludes nobody.
    for _ in 0..1000 {
        assert!(goaway(&mut story, i32::MAX as u32));
    }
    for _ in 0..1000 {
        assert!(goaway(&mut story, 199_999));
    }
    let lower = (0..100_u32).take_while(|n| goaway(&mut story, 199_997 - 2 * n));
    assert!((15..30).contains(&lower.count()));
}

#[test]
fn when_the_connections_window_opens_nobody_is_looked_at_in_vain() {
    let mut story = Story::begin(Config::default());
    story.server(kind::SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]);
    let [upload, idle] = [story.open(b"", false), story.open(b"", false)];
    story.write();
    story.window_update(upload.id(), 1 << 30);
    story.window_update(idle.id(), 1 << 30);
    let shut: Vec<_> = (0..1000).map(|_| story.open(b"", false)).collect();
    story.connection.send(upload, Bytes::from(vec![0; 100_000]), false).unwrap();
    story.write();
    story.events();
    assert_eq!(story.connection.connection_send_window(), 0);
    // A server might open it by single bytes, and have us look at a thousand streams each time.
    assert!(shut.iter().all(|stream| !story.connection.is_writable(*stream)));
    assert!(!story.connection.is_writable(upload));
    assert!(story.connection.waiting.is_empty(), "their own windows are shut, or their data is next");
    for round in 0..3 {
        assert!(!story.connection.is_writable(idle) && !story.connection.waiting.is_empty());
        story.window_update(0, 1);
        assert_eq!(story.events(), ["3 writable"], "round {round}");
        assert!(story.connection.waiting.is_empty());
        story.write();
        assert_eq!(story.connection.connection_send_window(), 0);
    }
    // Who has sent all that waited lines up at once.
    story.window_update(0, 100_000 - 65_535 - 3);
    assert_eq!(story.events(), [] as [&str; 0]);
    story.write();
    assert_eq!(story.connection.connection_send_window(), 0);
    assert_eq!(story.events(), [] as [&str; 0]);
    story.window_update(0, 1);
    assert_eq!(story.events(), ["1 writable"]);
}
