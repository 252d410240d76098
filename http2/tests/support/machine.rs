//! An engine and what was done to it, step by step: the only place that calls it. Steps are values, so that
//! a story can be told again to a fresh engine with its bytes cut elsewhere.

use std::io::IoSlice;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use trunkline_http2::{
    Config, Connection, ConnectionError, ErrorCode, Field, Indexing, OpenError, StreamKey, TemplateId,
};

use super::told::{Told, join};

/// One thing that happens to an engine. Streams are named by the order in which they were opened.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Receive(Vec<u8>),
    Open {
        fields: Vec<(String, String)>,
        body: Bytes,
        end: bool,
    },
    Send {
        stream: usize,
        data: Bytes,
        end: bool,
    },
    Reset {
        stream: usize,
        code: u32,
    },
    StopSending {
        stream: usize,
    },
    Release {
        stream: usize,
        bytes: usize,
    },
    Ping(u64),
    Probe,
    Close(u32),
    Advance(Duration),
    /// Writes at most so many bytes.
    Write(usize),
    Rest,
}

pub(crate) struct Machine {
    pub(crate) connection: Connection,
    pub(crate) now: Instant,
    template: TemplateId,
    input: BytesMut,
    /// Streams in the order in which they were opened.
    pub(crate) streams: Vec<StreamKey>,
    pub(crate) not_opened: Option<OpenError>,
    /// Whether the last `send` found its stream.
    pub(crate) sent: bool,
    /// Whether the last `ping` or `probe` found room.
    pub(crate) queued: bool,
    pub(crate) told: Vec<Told>,
    pub(crate) wrote: Vec<u8>,
    pub(crate) over: Option<ConnectionError>,
}

impl Machine {
    pub(crate) fn new(config: Config, now: Instant) -> Self {
        let mut connection = Connection::new(config, now);
        let fields: [(&[u8], &[u8]); 6] = [
            (b":method", b"POST"),
            (b":scheme", b"http"),
            (b":path", b"/story.Service/Method"),
            (b":authority", b"story.test"),
            (b"te", b"trailers"),
            (b"content-type", b"application/grpc"),
        ];
        let template = connection.template(fields).expect("the first template finds room");
        Self {
            connection,
            now,
            template,
            input: BytesMut::new(),
            streams: Vec::new(),
            not_opened: None,
            sent: true,
            queued: true,
            told: Vec::new(),
            wrote: Vec::new(),
            over: None,
        }
    }

    /// Does one thing. `cut` says after how many of the remaining bytes to cut what is received.
    pub(crate) fn apply(&mut self, step: &Step, cut: &mut dyn FnMut(usize) -> usize) {
        match step {
            Step::Receive(bytes) => self.receive(bytes, cut),
            Step::Open { fields, body, end } => self.open(fields, body.clone(), *end),
            Step::Send { stream, data, end } => {
                self.sent = self.connection.send(self.streams[*stream], data.clone(), *end).is_ok();
            }
            Step::StopSending { stream } => self.connection.stop_sending(self.streams[*stream]),
            Step::Reset { stream, code } => self.connection.reset(self.streams[*stream], ErrorCode(*code)),
            Step::Release { stream, bytes } => self.connection.release(self.streams[*stream], *bytes),
            Step::Ping(opaque) => self.queued = self.connection.ping(self.now, *opaque),
            Step::Probe => self.queued = self.connection.probe(self.now),
            Step::Close(code) => self.connection.close(ErrorCode(*code)),
            Step::Advance(by) => self.advance(*by),
            Step::Write(limit) => self.write(*limit),
            Step::Rest => self.connection.rest(),
        }
        self.listen();
    }

    /// Bytes that wait to be written, which the engine tells to people alone. To ask for them would make it cut more.
    pub(crate) fn lies_ready(&self) -> usize {
        let shown = format!("{:?}", self.connection);
        let number = shown.split_once("unwritten: ").and_then(|(_, rest)| rest.split(&[',', ' ']).next());
        number.and_then(|number| number.parse().ok()).expect("the engine shows what is unwritten")
    }

    fn receive(&mut self, mut bytes: &[u8], cut: &mut dyn FnMut(usize) -> usize) {
        while !bytes.is_empty() && self.over.is_none() {
            let at = cut(bytes.len()).clamp(1, bytes.len());
            self.input.extend_from_slice(&bytes[..at]);
            bytes = &bytes[at..];
            self.over = self.connection.receive(self.now, &mut self.input).err();
            self.listen();
        }
    }

    fn open(&mut self, fields: &[(String, String)], body: Bytes, end: bool) {
        let fields: Vec<_> = fields
            .iter()
            .map(|(name, value)| Field {
                name: name.as_bytes(),
                value: value.as_bytes(),
                indexing: Indexing::Adaptive,
            })
            .collect();
        match self.connection.open(self.template, &fields, body, end) {
            Ok(stream) => {
                self.streams.push(stream);
                self.not_opened = None;
            }
            Err(error) => self.not_opened = Some(error),
        }
    }

    fn advance(&mut self, by: Duration) {
        let until = self.now + by;
        // A clock that stops at every time the engine asked for, as its driver's does.
        while let Some(at) = self.connection.poll_timeout().filter(|at| *at <= until && self.over.is_none()) {
            self.now = self.now.max(at);
            self.over = self.connection.handle_timeout(self.now).err();
            assert!(
                self.over.is_some() || self.connection.poll_timeout().is_none_or(|next| next > at),
                "the engine asks for the same time again"
            );
        }
        self.now = until;
    }

    fn write(&mut self, mut limit: usize) {
        while limit > 0 {
            let mut slices = [IoSlice::new(&[]); 4];
            let filled = self.connection.outgoing(&mut slices);
            let mut taken = 0;
            for slice in &slices[..filled] {
                let part = &slice[..slice.len().min(limit - taken)];
                self.wrote.extend_from_slice(part);
                taken += part.len();
            }
            if taken == 0 {
                assert_eq!(filled, 0, "slices with nothing in them");
                return;
            }
            self.connection.written(taken);
            limit -= taken;
        }
    }

    fn listen(&mut self) {
        while let Some(event) = self.connection.poll_event() {
            join(&mut self.told, Told::of(event));
        }
    }
}

/// Nothing is cut.
pub(crate) fn whole(rest: usize) -> usize {
    rest
}
