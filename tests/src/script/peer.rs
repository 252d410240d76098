//! The script of one connection: verbs for what a server says, and for what it waits to hear.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use loona_hpack::Decoder;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::headers::literals;
use super::{Code, Frame, Headers, Kind, Setting, flags};

/// How long a script waits for what it expects before it says so. Under a paused clock this is no time at
/// all.
const PATIENCE: Duration = Duration::from_secs(3600);

/// What a server of HTTP/2 is greeted with (RFC 9113 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The size of frame that every peer accepts.
const FRAME_SIZE: usize = 16 << 10;

/// The server's end of a connection.
///
/// Unless told otherwise it acknowledges SETTINGS, answers PINGs and gives flow-control window back for what
/// it reads; but only while it waits for something, since it has no task of its own: a peer that nobody waits
/// on is a server that has stalled. Frames that come before the awaited one are kept for later.
pub struct Peer<T> {
    io: T,
    /// Read and not yet a whole frame.
    bytes: BytesMut,
    decoder: Decoder<'static>,
    /// Read and not yet asked for.
    kept: VecDeque<Frame>,
    answers_pings: bool,
    gives_window: bool,
}

/// A request's head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Its stream.
    pub stream: u32,
    /// Its headers, pseudo-headers among them.
    pub headers: Headers,
    /// Whether it has no body.
    pub ended: bool,
}

impl Request {
    /// The method that is called, `/package.Service/Method`.
    pub fn path(&self) -> &str {
        self.headers.get(":path").unwrap_or_default()
    }
}

// What a server says.
impl<T: AsyncRead + AsyncWrite + Unpin> Peer<T> {
    /// A script on `io`, on which nothing was said yet.
    pub fn new(io: T) -> Self {
        Self {
            io,
            bytes: BytesMut::new(),
            decoder: Decoder::new(),
            kept: VecDeque::new(),
            answers_pings: true,
            gives_window: true,
        }
    }

    /// Takes the client's preface, and sends SETTINGS: then the connection is ready.
    pub async fn greet(&mut self, settings: &[(Setting, u32)]) {
        self.preface().await;
        self.settings(settings).await;
    }

    /// SETTINGS.
    pub async fn settings(&mut self, settings: &[(Setting, u32)]) {
        let mut payload = BytesMut::new();
        for (Setting(id), value) in settings {
            payload.put_u16(*id);
            payload.put_u32(*value);
        }
        self.send(Kind::SETTINGS, flags::NONE, 0, payload).await;
    }

    /// The head of a response, after which something follows.
    pub async fn head(&mut self, stream: u32, headers: &[(&str, &str)]) {
        let block =
            [literals(&[(":status", "200"), ("content-type", "application/grpc")]), literals(headers)];
        self.headers(stream, block.concat(), false).await;
    }

    /// A response of a head alone, which gRPC calls Trailers-Only.
    pub async fn trailers_only(&mut self, stream: u32, trailers: &[(&str, &str)]) {
        let block =
            [literals(&[(":status", "200"), ("content-type", "application/grpc")]), literals(trailers)];
        self.headers(stream, block.concat(), true).await;
    }

    /// Trailers, which end the stream.
    pub async fn trailers(&mut self, stream: u32, trailers: &[(&str, &str)]) {
        self.headers(stream, literals(trailers), true).await;
    }

    /// A header block of these bytes, in as many frames as it takes.
    pub async fn headers(&mut self, stream: u32, block: impl Into<Bytes>, end: bool) {
        let mut block = block.into();
        let mut kind = Kind::HEADERS;
        let mut flag = if end { flags::END_STREAM } else { flags::NONE };
        loop {
            let part = block.split_to(block.len().min(FRAME_SIZE));
            let last = if block.is_empty() { flags::END_HEADERS } else { flags::NONE };
            self.send(kind, flag | last, stream, part).await;
            if block.is_empty() {
                return;
            }
            (kind, flag) = (Kind::CONTINUATION, flags::NONE);
        }
    }

    /// One DATA frame of these bytes.
    pub async fn data(&mut self, stream: u32, data: impl Into<Bytes>, end: bool) {
        self.send(Kind::DATA, if end { flags::END_STREAM } else { flags::NONE }, stream, data).await;
    }

    /// One message, framed as gRPC has it, in one DATA frame.
    pub async fn message(&mut self, stream: u32, message: &[u8]) {
        let mut framed = BytesMut::with_capacity(5 + message.len());
        framed.put_u8(0);
        framed.put_u32(u32::try_from(message.len()).expect("a test's message fits gRPC's length"));
        framed.put_slice(message);
        self.data(stream, framed, false).await;
    }

    /// A whole unary response: head, one message, `grpc-status`.
    pub async fn respond(&mut self, stream: u32, message: &[u8], status: &str) {
        self.head(stream, &[]).await;
        self.message(stream, message).await;
        self.trailers(stream, &[("grpc-status", status)]).await;
    }

    /// RST_STREAM.
    pub async fn reset(&mut self, stream: u32, code: Code) {
        self.send(Kind::RST_STREAM, flags::NONE, stream, (code as u32).to_be_bytes().to_vec()).await;
    }

    /// GOAWAY: streams above `last` were not processed.
    pub async fn go_away(&mut self, last: u32, code: Code, debug: &str) {
        let payload = [&last.to_be_bytes()[..], &(code as u32).to_be_bytes(), debug.as_bytes()].concat();
        self.send(Kind::GOAWAY, flags::NONE, 0, payload).await;
    }

    /// The GOAWAY by which a graceful server announces a second one: no stream is lost by it.
    pub async fn go_away_gently(&mut self) {
        self.go_away((1 << 31) - 1, Code::NoError, "").await;
    }

    /// PING.
    pub async fn ping(&mut self, payload: [u8; 8]) {
        self.send(Kind::PING, flags::NONE, 0, payload.to_vec()).await;
    }

    /// WINDOW_UPDATE, of the connection if `stream` is 0.
    pub async fn open_window(&mut self, stream: u32, bytes: u32) {
        self.send(Kind::WINDOW_UPDATE, flags::NONE, stream, bytes.to_be_bytes().to_vec()).await;
    }

    /// Any frame.
    pub async fn send(&mut self, kind: Kind, flags: u8, stream: u32, payload: impl Into<Bytes>) {
        self.write(&Frame::new(kind, flags, stream, payload)).await;
    }

    /// Any bytes.
    pub async fn garbage(&mut self, bytes: &[u8]) {
        // A client that has closed hears nothing, and that is its right.
        let _closed = self.io.write_all(bytes).await;
        let _closed = self.io.flush().await;
    }

    /// Says nothing more, and goes on listening: half-closed.
    pub async fn finish_writing(&mut self) {
        let _closed = self.io.shutdown().await;
    }

    /// Whether PINGs are answered from now on.
    pub fn answer_pings(&mut self, answers: bool) {
        self.answers_pings = answers;
    }

    /// Whether flow-control window is given back from now on for what is read.
    pub fn give_window(&mut self, gives: bool) {
        self.gives_window = gives;
    }

    async fn write(&mut self, frame: &Frame) {
        let _closed = frame.write(&mut self.io).await;
    }
}

// What a server hears.
impl<T: AsyncRead + AsyncWrite + Unpin> Peer<T> {
    /// Takes the client's preface.
    ///
    /// # Panics
    ///
    /// If it is another.
    pub async fn preface(&mut self) {
        let mut preface = vec![0; PREFACE.len()];
        let read = within_patience("the client's preface", self.io.read_exact(&mut preface)).await;
        read.unwrap_or_else(|error| panic!("no preface: {error}"));
        assert_eq!(preface.escape_ascii().to_string(), PREFACE.escape_ascii().to_string());
    }

    /// The head of the next request.
    pub async fn request(&mut self) -> Request {
        let mut frame = self.next_of(Kind::HEADERS).await;
        let (stream, ended) = (frame.stream, frame.has(flags::END_STREAM));
        assert!(
            !frame.has(flags::PADDED) && !frame.has(flags::PRIORITY),
            "clients of gRPC send plain HEADERS: {frame:?}"
        );
        let mut block = frame.payload.to_vec();
        while !frame.has(flags::END_HEADERS) {
            frame = self.next_of(Kind::CONTINUATION).await;
            block.extend_from_slice(&frame.payload);
        }
        Request { stream, headers: Headers::decode(&mut self.decoder, &block), ended }
    }

    /// The body of a request up to its end, as it was framed.
    pub async fn body(&mut self, stream: u32) -> Bytes {
        let mut body = BytesMut::new();
        loop {
            let frame =
                self.next_where("DATA", |frame| frame.kind == Kind::DATA && frame.stream == stream).await;
            body.extend_from_slice(&frame.payload);
            if frame.has(flags::END_STREAM) {
                return body.freeze();
            }
        }
    }

    /// The code with which the client resets `stream`.
    pub async fn reset_of(&mut self, stream: u32) -> u32 {
        let is_it = |frame: &Frame| frame.kind == Kind::RST_STREAM && frame.stream == stream;
        self.next_where("RST_STREAM", is_it).await.number_at(0)
    }

    /// The next frame of this kind. PINGs and SETTINGS come here too, whether they were answered or not.
    pub async fn next_of(&mut self, kind: Kind) -> Frame {
        self.next_where(&format!("{kind:?}"), |frame| frame.kind == kind).await
    }

    /// The next frame of which `is_it` is true; those before it are kept for later.
    ///
    /// # Panics
    ///
    /// If the client closes the connection first, or nothing comes.
    pub async fn next_where(&mut self, what: &str, is_it: impl Fn(&Frame) -> bool) -> Frame {
        if let Some(found) = self.kept.iter().position(&is_it) {
            return self.kept.remove(found).expect("`position` is inside");
        }
        loop {
            match within_patience(what, self.read()).await {
                None => panic!(
                    "the client closed the connection instead of sending {what}; kept: {:?}",
                    self.kept
                ),
                Some(frame) if is_it(&frame) => return frame,
                Some(frame) => self.kept.push_back(frame),
            }
        }
    }

    /// Reads what the client has sent up to now, and says whether a frame of this kind is among it.
    pub async fn has_sent(&mut self, kind: Kind) -> bool {
        loop {
            while let Some(frame) = self.take().await {
                self.kept.push_back(frame);
            }
            // One moment of the test's time lets the client's tasks say what they have to say.
            match tokio::time::timeout(Duration::from_millis(1), self.io.read_buf(&mut self.bytes)).await {
                Ok(Ok(1..)) => {}
                _silent_or_closed => break,
            }
        }
        self.kept.iter().any(|frame| frame.kind == kind)
    }

    /// Waits until the client closes the connection, and returns what it said before.
    pub async fn closed(&mut self) -> Vec<Frame> {
        while let Some(frame) = within_patience("the end of the connection", self.read()).await {
            self.kept.push_back(frame);
        }
        self.kept.drain(..).collect()
    }

    /// The next frame on the wire; `None` at the end of the bytes.
    async fn read(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = self.take().await {
                return Some(frame);
            }
            if self.io.read_buf(&mut self.bytes).await.ok()? == 0 {
                return None;
            }
        }
    }

    /// The next frame that is here already.
    async fn take(&mut self) -> Option<Frame> {
        let frame = Frame::take(&mut self.bytes)?;
        self.react(&frame).await;
        Some(frame)
    }

    async fn react(&mut self, frame: &Frame) {
        match frame.kind {
            Kind::SETTINGS if !frame.has(flags::ACK) => {
                self.send(Kind::SETTINGS, flags::ACK, 0, Bytes::new()).await
            }
            Kind::PING if !frame.has(flags::ACK) && self.answers_pings => {
                self.send(Kind::PING, flags::ACK, 0, frame.payload.clone()).await;
            }
            Kind::DATA if self.gives_window && !frame.payload.is_empty() => {
                let read = u32::try_from(frame.payload.len()).expect("a frame has at most 2^24 bytes");
                self.open_window(0, read).await;
                if !frame.has(flags::END_STREAM) {
                    self.open_window(frame.stream, read).await;
                }
            }
            _ => {}
        }
    }
}

impl<T> fmt::Debug for Peer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer").field("kept", &self.kept).finish_non_exhaustive()
    }
}

/// A test that would hang says what it waited for.
pub(super) async fn within_patience<F: Future>(what: &str, awaited: F) -> F::Output {
    match tokio::time::timeout(PATIENCE, awaited).await {
        Ok(output) => output,
        Err(_elapsed) => panic!("waited {PATIENCE:?} for {what}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request as HttpRequest;
    use tokio::io::{DuplexStream, duplex};

    type Client = h2::client::SendRequest<Bytes>;

    /// A script, and the `h2` crate's client on the other end.
    async fn met(settings: &[(Setting, u32)]) -> (Peer<DuplexStream>, Client) {
        let (client, server) = duplex(1 << 20);
        let (requests, connection) = h2::client::handshake(client).await.unwrap();
        tokio::spawn(async move {
            let _ended = connection.await;
        });
        let mut peer = Peer::new(server);
        peer.greet(settings).await;
        (peer, requests)
    }

    fn get(path: &str) -> HttpRequest<()> {
        HttpRequest::get(format!("http://a{path}")).body(()).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_is_heard_and_answered() {
        let (mut peer, mut client) = met(&[]).await;
        for path in ["/one", "/two"] {
            let (response, mut send) = client.send_request(get(path), false).unwrap();
            send.send_data(Bytes::from_static(b"hello"), true).unwrap();
            let request = peer.request().await;
            assert_eq!((request.path(), request.ended), (path, false));
            assert_eq!(peer.body(request.stream).await, "hello");
            peer.respond(request.stream, b"x", "0").await;
            let mut body = response.await.unwrap().into_body();
            assert_eq!(body.data().await.unwrap().unwrap(), &b"\0\0\0\0\x01x"[..]);
            assert_eq!(body.trailers().await.unwrap().unwrap()["grpc-status"], "0");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn resets_and_goaway_go_both_ways() {
        let (mut peer, mut client) = met(&[]).await;
        let (dropped, _) = client.send_request(get("/"), true).unwrap();
        let request = peer.request().await;
        drop(dropped);
        assert_eq!(peer.reset_of(request.stream).await, Code::Cancel as u32);
        let (refused, _) = client.send_request(get("/"), true).unwrap();
        let request = peer.request().await;
        peer.reset(request.stream, Code::RefusedStream).await;
        assert_eq!(refused.await.unwrap_err().reason(), Some(h2::Reason::REFUSED_STREAM));
        peer.go_away_gently().await;
        drop(client);
        let said = peer.closed().await;
        assert!(said.iter().any(|frame| frame.kind == Kind::GOAWAY), "{said:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_large_upload_flows_while_window_is_given() {
        let (mut peer, mut client) = met(&[]).await;
        let (_response, mut send) = client.send_request(get("/"), false).unwrap();
        send.send_data(Bytes::from(vec![0; 200_000]), true).unwrap();
        let request = peer.request().await;
        assert_eq!(peer.body(request.stream).await.len(), 200_000);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_not_sent_is_not_found() {
        let (mut peer, mut client) = met(&[]).await;
        assert!(!peer.has_sent(Kind::HEADERS).await);
        let _call = client.send_request(get("/"), true).unwrap();
        assert!(peer.has_sent(Kind::HEADERS).await);
        assert!(peer.request().await.ended);
    }

    #[tokio::test(start_paused = true)]
    #[should_panic(expected = "waited")]
    async fn a_script_that_waits_in_vain_says_for_what() {
        let (mut peer, _client) = met(&[]).await;
        peer.request().await;
    }
}
