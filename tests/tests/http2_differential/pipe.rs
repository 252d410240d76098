//! Our engine at one end of a pipe in memory: what its driver does, without any of a driver's cares.

use std::collections::HashMap;
use std::io::IoSlice;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::{Instant, timeout};
use trunkline_http2::{Config, Connection, ErrorCode, Event, Field, Indexing, StreamKey, TemplateId};

/// Longer than anything takes under a clock that stands still.
const PATIENCE: Duration = Duration::from_secs(3_600);

pub(crate) struct Client {
    pub(crate) engine: Connection,
    io: DuplexStream,
    input: BytesMut,
    template: TemplateId,
    /// What came of each stream, by its id.
    pub(crate) replies: HashMap<u32, Reply>,
    /// What concerns the connection.
    pub(crate) news: Vec<Event>,
    /// Whether data is released when it is told.
    pub(crate) reads: bool,
}

/// A response as far as it came.
#[derive(Debug, Default)]
pub(crate) struct Reply {
    pub(crate) status: Option<u16>,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Vec<(String, String)>,
    pub(crate) end: Option<End>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Complete,
    Reset(ErrorCode),
    NotProcessed,
}

impl Client {
    pub(crate) fn new(config: Config, io: DuplexStream) -> Self {
        let mut engine = Connection::new(config, Instant::now().into_std());
        let head = [(":method", "POST"), (":scheme", "http"), (":authority", "test")];
        let template = engine.template(head).unwrap();
        let (input, replies, news) = (BytesMut::new(), HashMap::new(), Vec::new());
        Self { engine, io, input, template, replies, news, reads: true }
    }

    pub(crate) fn open(&mut self, path: &str, body: impl Into<Bytes>, end: bool) -> StreamKey {
        self.open_with(path, &[], body, end)
    }

    pub(crate) fn open_with(
        &mut self,
        path: &str,
        fields: &[(&str, &str)],
        body: impl Into<Bytes>,
        end: bool,
    ) -> StreamKey {
        // A template for each path, as a channel has them; the engine's own number of them is far away.
        let template = match path {
            "" => self.template,
            path => {
                let head =
                    [(":method", "POST"), (":scheme", "http"), (":authority", "test"), (":path", path)];
                self.engine.template(head).unwrap()
            }
        };
        let fields: Vec<_> = fields
            .iter()
            .map(|(name, value)| Field {
                name: name.as_bytes(),
                value: value.as_bytes(),
                indexing: Indexing::Adaptive,
            })
            .collect();
        self.engine.open(template, &fields, body.into(), end).unwrap()
    }

    pub(crate) fn reply(&self, stream: StreamKey) -> &Reply {
        self.replies.get(&stream.id()).unwrap_or_else(|| panic!("nothing came for {}", stream.id()))
    }

    /// Until the response is over, whichever way.
    pub(crate) async fn finish(&mut self, stream: StreamKey) -> &Reply {
        self.until(|client| client.is_over(stream)).await;
        self.reply(stream)
    }

    pub(crate) fn is_over(&self, stream: StreamKey) -> bool {
        self.replies.get(&stream.id()).is_some_and(|reply| reply.end.is_some())
    }

    /// Reads and writes until `done`.
    pub(crate) async fn until(&mut self, mut done: impl FnMut(&mut Self) -> bool) {
        loop {
            self.write().await;
            if done(self) {
                return;
            }
            let read = timeout(PATIENCE, self.io.read_buf(&mut self.input)).await;
            let read = read.unwrap_or_else(|_| panic!("nothing more came: {:?}", self.engine)).unwrap();
            assert!(read > 0, "the server hung up: {:?} {:?}", self.engine, self.replies);
            self.engine.receive(Instant::now().into_std(), &mut self.input).unwrap();
            self.listen();
        }
    }

    pub(crate) async fn write(&mut self) {
        loop {
            let mut slices = [IoSlice::new(&[]); 16];
            let filled = self.engine.outgoing(&mut slices);
            let bytes: Vec<u8> = slices[..filled].iter().flat_map(|slice| slice.iter().copied()).collect();
            if bytes.is_empty() {
                return self.listen();
            }
            self.io.write_all(&bytes).await.unwrap();
            self.engine.written(bytes.len());
        }
    }

    fn listen(&mut self) {
        while let Some(event) = self.engine.poll_event() {
            self.hear(event);
        }
    }

    fn hear(&mut self, event: Event) {
        match event {
            Event::Head { stream, status, headers, end } => {
                let reply = self.reply_mut(stream);
                reply.status = Some(status.as_u16());
                reply.fields = text(&headers);
                reply.end = end.then_some(End::Complete);
            }
            Event::Data { stream, data, end } => {
                let reply = self.reply_mut(stream);
                reply.body.extend_from_slice(&data);
                reply.end = end.then_some(End::Complete);
                if self.reads {
                    self.engine.release(stream, data.len());
                }
            }
            Event::Trailers { stream, headers } => {
                let reply = self.reply_mut(stream);
                reply.trailers = text(&headers);
                reply.end = Some(End::Complete);
            }
            Event::Reset { stream, code } => self.reply_mut(stream).end = Some(End::Reset(code)),
            Event::NotProcessed { stream } => self.reply_mut(stream).end = Some(End::NotProcessed),
            Event::Violation { stream, violation } => {
                panic!("h2 breaks no rules, but on {}: {violation}", stream.id())
            }
            Event::Writable { .. } => {}
            other => self.news.push(other),
        }
    }

    fn reply_mut(&mut self, stream: StreamKey) -> &mut Reply {
        self.replies.entry(stream.id()).or_default()
    }
}

fn text(headers: &trunkline_http2::Headers) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    headers.iter().map(|(name, value)| (text(name), text(value))).collect()
}
