//! One connection as a machine: bytes in, bytes out.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::collections::hash_map::Entry;

use prost::Message;

use super::frame::{
    self, ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, Frame, HEADERS, PING, PUSH_PROMISE, RST_STREAM,
    SETTINGS, WINDOW_UPDATE,
};
use super::message::{self, PREFIX};
use super::outgoing::{Flood, Outgoing};
use super::request_heads::{HeadSize, Method, RequestHeads};
use super::response_heads::ResponseHeads;
use super::settings::{self, ClientSettings, DEFAULT_WINDOW};
use super::streams::{Stream, Streams};
use super::violation::Violation;
use super::{CONNECTION_WINDOW, MAX_STREAMS, STREAM_WINDOW};
use crate::echo::FloodRequest;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Above this no more is cut from what streams send, until it is written: enough for large writes.
const ENOUGH_OUTPUT: usize = 256 << 10;

/// A header block over several frames. Requests of the bench are a few hundred bytes.
const MAX_BLOCK: usize = 64 << 10;

/// The protocol of one connection.
pub(super) struct Session {
    greeted: bool,
    client: ClientSettings,
    heads: RequestHeads,
    answers: ResponseHeads,
    streams: Streams,
    /// Those that have something to send, in turns.
    sending: VecDeque<u32>,
    /// A header block that goes on in CONTINUATION.
    unfinished: Option<Unfinished>,
    newest: u32,
    send_window: i64,
    /// How much of the connection's window was used and not given back.
    received: u32,
    out: Vec<u8>,
    /// How much of `out` has been written.
    written: usize,
}

struct Unfinished {
    stream: u32,
    end: bool,
    block: Vec<u8>,
}

impl Session {
    pub(super) fn new() -> Self {
        let mut out = Vec::new();
        settings::write_own(&mut out);
        Self {
            greeted: false,
            client: ClientSettings::default(),
            heads: RequestHeads::new(),
            answers: ResponseHeads::new(),
            streams: Streams::default(),
            sending: VecDeque::new(),
            unfinished: None,
            newest: 0,
            send_window: i64::from(DEFAULT_WINDOW),
            received: 0,
            out,
            written: 0,
        }
    }

    /// Takes whole frames off the front of `input`; returns how many bytes that were.
    pub(super) fn receive(&mut self, input: &[u8]) -> Result<usize, Violation> {
        let mut rest = input;
        if !self.greeted {
            if rest.len() < PREFACE.len() {
                return Ok(0);
            }
            rest = rest.strip_prefix(PREFACE).ok_or(Violation::Preface)?;
            self.greeted = true;
        }
        while let Some((frame, after)) = Frame::split(rest)? {
            self.frame(&frame)?;
            rest = after;
        }
        Ok(input.len() - rest.len())
    }

    /// What is to be written.
    pub(super) fn output(&mut self) -> &[u8] {
        if self.written == self.out.len() {
            self.out.clear();
            self.written = 0;
        }
        self.send();
        &self.out[self.written..]
    }

    /// The size of the newest request's head.
    pub(super) fn newest_head(&self) -> HeadSize {
        self.heads.newest()
    }

    /// So much of it was written.
    pub(super) fn wrote(&mut self, bytes: usize) {
        self.written += bytes;
    }

    fn frame(&mut self, frame: &Frame<'_>) -> Result<(), Violation> {
        if self.unfinished.is_some() && frame.kind != CONTINUATION {
            return Err(Violation::Continuation);
        }
        match frame.kind {
            DATA => self.data(frame),
            HEADERS => {
                let (end, block) = (frame.has(END_STREAM), frame.content()?);
                if frame.has(END_HEADERS) {
                    return self.head(frame.stream, block, end);
                }
                self.unfinished = Some(Unfinished { stream: frame.stream, end, block: block.to_vec() });
                Ok(())
            }
            CONTINUATION => self.continuation(frame),
            SETTINGS if frame.has(ACK) => Ok(()),
            SETTINGS => self.settings(frame),
            PING if frame.payload.len() != 8 => Err(frame.malformed()),
            PING if frame.has(ACK) => Ok(()),
            PING => {
                frame::write(&mut self.out, PING, ACK, 0, frame.payload);
                Ok(())
            }
            WINDOW_UPDATE => self.window_update(frame),
            RST_STREAM => {
                frame.number()?;
                self.streams.remove(&frame.stream);
                Ok(())
            }
            PUSH_PROMISE => Err(frame.malformed()),
            // PRIORITY, GOAWAY and kinds that are unknown ask for nothing.
            _ => Ok(()),
        }
    }

    fn continuation(&mut self, frame: &Frame<'_>) -> Result<(), Violation> {
        let mut unfinished = self.unfinished.take().ok_or(Violation::Continuation)?;
        if unfinished.stream != frame.stream {
            return Err(Violation::Continuation);
        }
        unfinished.block.extend_from_slice(frame.payload);
        if unfinished.block.len() > MAX_BLOCK {
            return Err(Violation::HeaderBlockSize(MAX_BLOCK));
        }
        if frame.has(END_HEADERS) {
            return self.head(unfinished.stream, &unfinished.block, unfinished.end);
        }
        self.unfinished = Some(unfinished);
        Ok(())
    }

    fn settings(&mut self, frame: &Frame<'_>) -> Result<(), Violation> {
        let before = i64::from(self.client.initial_window);
        self.client.update(frame)?;
        self.answers.limit(self.client.header_table);
        // Windows that are open change with it, below zero if need be (RFC 9113, 6.9.2).
        let change = i64::from(self.client.initial_window) - before;
        self.streams.values_mut().for_each(|stream| stream.send_window += change);
        frame::write(&mut self.out, SETTINGS, ACK, 0, &[]);
        Ok(())
    }

    fn window_update(&mut self, frame: &Frame<'_>) -> Result<(), Violation> {
        let increment = i64::from(frame.number()? & 0x7fff_ffff);
        let window = if frame.stream == 0 {
            &mut self.send_window
        } else if let Some(stream) = self.streams.get_mut(&frame.stream) {
            &mut stream.send_window
        } else {
            return Ok(());
        };
        *window += increment;
        if increment == 0 || *window > i64::from(i32::MAX) { Err(Violation::Window) } else { Ok(()) }
    }

    fn head(&mut self, id: u32, block: &[u8], end: bool) -> Result<(), Violation> {
        let method = self.heads.read(block)?;
        if id.is_multiple_of(2) || id <= self.newest {
            return Err(Violation::StreamId);
        }
        if end {
            return Err(Violation::Message("there is none"));
        }
        if self.streams.len() >= MAX_STREAMS as usize {
            return Err(Violation::TooManyStreams(MAX_STREAMS));
        }
        self.newest = id;
        self.streams.insert(id, Stream::new(method, self.client.initial_window));
        if method == Method::Chat {
            self.answers.head(&mut self.out, id);
        }
        Ok(())
    }

    fn data(&mut self, frame: &Frame<'_>) -> Result<(), Violation> {
        let (content, end) = (frame.content()?, frame.has(END_STREAM));
        self.credit_connection(frame.payload.len() as u32)?;
        // One that was reset may still be on its way.
        let Entry::Occupied(mut entry) = self.streams.entry(frame.stream) else { return Ok(()) };
        let stream = entry.get_mut();
        let method = stream.method;
        if end && stream.incoming.is_empty() && method == Method::Say {
            // The whole message in one frame: no copy of it is needed.
            return self.say(frame.stream, Cow::Borrowed(content));
        }
        if stream.incoming.is_empty() {
            stream.incoming.reserve_exact(message::announced(content));
        }
        stream.incoming.extend_from_slice(content);
        if !end {
            stream.received += frame.payload.len() as u32;
            if stream.received > STREAM_WINDOW {
                return Err(Violation::Window);
            }
            if stream.received >= STREAM_WINDOW / 2 {
                frame::write(&mut self.out, WINDOW_UPDATE, 0, frame.stream, &stream.received.to_be_bytes());
                stream.received = 0;
            }
        }
        stream.ended = end;
        if method != Method::Chat && !end {
            return Ok(());
        }
        let incoming = std::mem::take(&mut stream.incoming);
        match method {
            Method::Say => self.say(frame.stream, Cow::Owned(incoming)),
            Method::Flood => self.flood(frame.stream, &incoming),
            Method::Chat => self.chat(frame.stream, &incoming),
        }
    }

    fn credit_connection(&mut self, bytes: u32) -> Result<(), Violation> {
        self.received += bytes;
        if self.received > CONNECTION_WINDOW {
            return Err(Violation::Window);
        }
        if self.received >= CONNECTION_WINDOW / 2 {
            frame::write(&mut self.out, WINDOW_UPDATE, 0, 0, &self.received.to_be_bytes());
            self.received = 0;
        }
        Ok(())
    }

    fn say(&mut self, id: u32, body: Cow<'_, [u8]>) -> Result<(), Violation> {
        let framed = message::only(&body)?;
        message::check_payload(framed)?;
        self.answers.head(&mut self.out, id);
        let Some(stream) = self.streams.get_mut(&id) else { return Ok(()) };
        let size = framed.len() as i64;
        let fits = size <= self.send_window.min(stream.send_window) && framed.len() <= self.client.max_frame;
        // Nobody may be overtaken for ever, so only while nobody waits.
        if fits && self.sending.is_empty() {
            self.send_window -= size;
            frame::write(&mut self.out, DATA, 0, id, framed);
            self.answers.trailers(&mut self.out, id);
            self.streams.remove(&id);
        } else {
            stream.outgoing = Outgoing::Bytes(body.into_owned(), 0);
            stream.ended = true;
            self.queue(id);
        }
        Ok(())
    }

    fn flood(&mut self, id: u32, body: &[u8]) -> Result<(), Violation> {
        let framed = message::only(body)?;
        let request = FloodRequest::decode(&framed[PREFIX..])
            .map_err(|_| Violation::Message("it is no FloodRequest"))?;
        self.answers.head(&mut self.out, id);
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.outgoing = Outgoing::Flood(Flood::new(&request)?);
        }
        self.queue(id);
        Ok(())
    }

    fn chat(&mut self, id: u32, incoming: &[u8]) -> Result<(), Violation> {
        let Some(stream) = self.streams.get_mut(&id) else { return Ok(()) };
        let mut rest = incoming;
        while let Some((framed, after)) = message::split(rest)? {
            message::check_payload(framed)?;
            stream.outgoing.push(framed);
            rest = after;
        }
        if stream.ended && !rest.is_empty() {
            return Err(Violation::Message("it is cut off"));
        }
        stream.incoming = rest.to_vec();
        self.queue(id);
        Ok(())
    }

    fn queue(&mut self, id: u32) {
        if let Some(stream) = self.streams.get_mut(&id).filter(|stream| !stream.queued) {
            stream.queued = true;
            self.sending.push_back(id);
        }
    }

    /// Cuts frames from what streams have to send, one each in turns, as far as windows allow.
    fn send(&mut self) {
        // How many streams in a row could not move.
        let mut stuck = 0;
        while stuck < self.sending.len() && self.out.len() < ENOUGH_OUTPUT {
            let Some(id) = self.sending.pop_front() else { return };
            let Some(stream) = self.streams.get_mut(&id) else { continue };
            let window = self.send_window.min(stream.send_window).max(0);
            let room = self.client.max_frame.min(window as usize);
            if room == 0 && !stream.outgoing.is_empty() {
                stuck += 1;
                self.sending.push_back(id);
                continue;
            }
            stuck = 0;
            if !stream.outgoing.is_empty() {
                let head = self.out.len();
                frame::write_head(&mut self.out, 0, DATA, 0, id);
                stream.outgoing.take(room, &mut self.out);
                let length = self.out.len() - head - frame::HEAD;
                self.out[head..head + 3].copy_from_slice(&(length as u32).to_be_bytes()[1..]);
                self.send_window -= length as i64;
                stream.send_window -= length as i64;
            }
            if !stream.outgoing.is_empty() {
                self.sending.push_back(id);
                continue;
            }
            stream.queued = false;
            if stream.ended {
                self.answers.trailers(&mut self.out, id);
                self.streams.remove(&id);
            }
        }
    }
}
