//! A script as our engine takes it.

use std::collections::BTreeMap;
use std::io::IoSlice;

use bytes::{Bytes, BytesMut};
use tokio::time::Instant;
use trunkline_http2::{Config, Connection, Event, StreamKey};

use crate::outcome::{End, Outcome, Seen};
use crate::scripts::{Script, WINDOW};
use crate::wire::{Frame, PREFACE};

pub(crate) fn run(script: &Script) -> Outcome {
    let now = Instant::now().into_std();
    let config = Config { stream_window: WINDOW, connection_window: WINDOW, ..Config::default() };
    let mut engine = Connection::new(config, now);
    let head = [(":method", "POST"), (":scheme", "http"), (":authority", "test"), (":path", "/")];
    let template = engine.template(head).unwrap();
    let mut streams = BTreeMap::new();
    for end in [true, true, false] {
        let stream = engine.open(template, &[], Bytes::new(), end).unwrap();
        streams.insert(stream.id(), Seen::default());
    }
    let mut wrote = write(&mut engine);
    let mut over = false;
    for part in script.parts() {
        let mut input = BytesMut::from(&part[..]);
        over = over || engine.receive(now, &mut input).is_err();
        while let Some(event) = engine.poll_event() {
            hear(&mut streams, event);
        }
        wrote.extend(write(&mut engine));
    }
    wrote.drain(..PREFACE.len());
    let mut frames = Vec::new();
    while let Some(frame) = Frame::take(&mut wrote) {
        frames.push(frame);
    }
    let outcome = Outcome { gave_up: None, streams }.with_frames(&frames);
    assert_eq!(outcome.gave_up.is_some(), over, "an error is told to the server, and only an error");
    outcome
}

fn write(engine: &mut Connection) -> Vec<u8> {
    let mut wrote = Vec::new();
    loop {
        let mut slices = [IoSlice::new(&[]); 8];
        let filled = engine.outgoing(&mut slices);
        if filled == 0 {
            return wrote;
        }
        let bytes: Vec<u8> = slices[..filled].iter().flat_map(|slice| slice.iter().copied()).collect();
        engine.written(bytes.len());
        wrote.extend(bytes);
    }
}

fn hear(streams: &mut BTreeMap<u32, Seen>, event: Event) {
    match event {
        Event::Head { stream, status, end, .. } => {
            let seen = of(streams, stream);
            seen.status = Some(status.as_u16());
            seen.end = if end { End::Complete } else { End::Waiting };
        }
        Event::Data { stream, data, end } => {
            let seen = of(streams, stream);
            seen.body.extend_from_slice(&data);
            seen.end = if end { End::Complete } else { End::Waiting };
        }
        Event::Trailers { stream, headers } => {
            let seen = of(streams, stream);
            seen.trailers = Some(headers.len());
            seen.end = End::Complete;
        }
        Event::Reset { stream, code } => of(streams, stream).end = End::Reset(code.0),
        Event::NotProcessed { stream } => of(streams, stream).end = End::NotProcessed,
        Event::Violation { stream, .. } => of(streams, stream).end = End::Faulty,
        _ => {}
    }
}

fn of(streams: &mut BTreeMap<u32, Seen>, stream: StreamKey) -> &mut Seen {
    streams.get_mut(&stream.id()).unwrap()
}
