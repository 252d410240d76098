//! What the tests stand on: a dial's task in small, a server by the `h2` crate, a server of bare frames.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf};
use tokio::sync::{mpsc, oneshot};
use trunkline_proto::{Address, ConnectError};

use crate::connect::Connected;
use crate::control::Usage;
use crate::transport::{
    Connection, Driver, DriverNews, Origin, Reply, RequestHead, SendHalf, Stream, StreamError, StreamEvent,
    TransportOptions, start,
};

/// Room in the pipe for whatever a test writes without reading.
const PIPE: usize = 64 << 20;

pub(super) fn address() -> Address {
    Address::tcp("10.0.0.7:443".parse().unwrap())
}

pub(super) fn origin() -> Origin {
    Origin {
        scheme: http::uri::Scheme::HTTP,
        authority: "greeter.prod".parse().unwrap(),
        user_agent: HeaderValue::from_static("test"),
    }
}

/// A dial's task in small: it polls the driver, passes its news on, and takes orders.
pub(super) struct Dial {
    news: mpsc::UnboundedReceiver<DriverNews>,
    orders: mpsc::UnboundedSender<Order>,
}

enum Order {
    Drain,
    Abort(ConnectError),
    Usage(oneshot::Sender<Usage>),
}

impl Dial {
    /// Begins HTTP/2 on a new pipe, whose other end it returns.
    pub(super) async fn begin(options: &TransportOptions) -> (Self, DuplexStream) {
        let (ours, theirs) = tokio::io::duplex(PIPE);
        (Self::spawn(start(Connected::new(ours), &address(), origin(), options).await.unwrap()), theirs)
    }

    /// As [`begin`](Self::begin), and counts the reads and writes.
    pub(super) async fn begin_counting(options: &TransportOptions) -> (Self, DuplexStream, Counters) {
        let (ours, theirs) = tokio::io::duplex(PIPE);
        let counters = Counters::default();
        let counting = CountingIo { io: ours, counters: counters.clone() };
        (
            Self::spawn(start(Connected::new(counting), &address(), origin(), options).await.unwrap()),
            theirs,
            counters,
        )
    }

    /// As [`begin`](Self::begin), through a pipe that holds only so many bytes.
    pub(super) async fn begin_narrow(bytes: usize) -> (Self, DuplexStream) {
        let (ours, theirs) = tokio::io::duplex(bytes);
        (
            Self::spawn(
                start(Connected::new(ours), &address(), origin(), &TransportOptions::default())
                    .await
                    .unwrap(),
            ),
            theirs,
        )
    }

    /// A ready connection to a server of bare frames.
    pub(super) async fn with_frames() -> (Self, Connection, Frames) {
        let (mut dial, io) = Self::begin(&TransportOptions::default()).await;
        let mut peer = Frames::accept(io).await;
        peer.settings(&[]).await;
        let connection = dial.ready().await;
        (dial, connection, peer)
    }

    /// A ready connection to a server that echoes.
    pub(super) async fn echoing() -> (Self, Connection) {
        let (mut dial, io) = Self::begin(&TransportOptions::default()).await;
        serve_echo(io);
        let connection = dial.ready().await;
        (dial, connection)
    }

    pub(super) fn spawn(mut driver: Driver) -> Self {
        let (news_in, news) = mpsc::unbounded_channel();
        let (orders, mut orders_out) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    biased;
                    order = orders_out.recv() => match order {
                        Some(Order::Drain) => driver.drain(),
                        Some(Order::Usage(answer)) => answer.send(driver.usage()).unwrap(),
                        Some(Order::Abort(cause)) => return driver.abort(cause),
                        None => return,
                    },
                    news = poll_fn(|cx| driver.poll_news(cx)) => {
                        let last = matches!(news, DriverNews::Lost(_));
                        if news_in.send(news).is_err() || last {
                            return;
                        }
                    }
                }
            }
        });
        Self { news, orders }
    }

    pub(super) async fn news(&mut self) -> DriverNews {
        self.news.recv().await.expect("the driver was polled to its end")
    }

    pub(super) fn no_news(&mut self) -> bool {
        self.news.try_recv().is_err()
    }

    pub(super) async fn ready(&mut self) -> Connection {
        match self.news().await {
            DriverNews::Ready(connection) => connection,
            news => panic!("{news:?}"),
        }
    }

    pub(super) async fn draining(&mut self) -> ConnectError {
        match self.news().await {
            DriverNews::Draining(cause) => cause,
            news => panic!("{news:?}"),
        }
    }

    pub(super) async fn lost(&mut self) -> ConnectError {
        match self.news().await {
            DriverNews::Lost(cause) => cause,
            news => panic!("{news:?}"),
        }
    }

    pub(super) fn drain(&self) {
        self.orders.send(Order::Drain).ok().unwrap();
    }

    pub(super) fn abort(&self, cause: ConnectError) {
        self.orders.send(Order::Abort(cause)).ok().unwrap();
    }

    pub(super) async fn usage(&self) -> Usage {
        let (answer, usage) = oneshot::channel();
        self.orders.send(Order::Usage(answer)).ok().unwrap();
        usage.await.unwrap()
    }
}

pub(super) fn head() -> RequestHead {
    RequestHead {
        path: "/greeter.Greeter/SayHello".parse().unwrap(),
        timeout: None,
        headers: HeaderMap::new(),
        reply: Reply::Stream,
    }
}

/// A unary request.
pub(super) async fn call(connection: &Connection, message: &'static str) -> Stream {
    let slot = connection.reserve().await.unwrap();
    connection.start(slot, head(), Some(Bytes::from_static(message.as_bytes())), true).unwrap()
}

/// A request that goes on.
pub(super) async fn call_streaming(connection: &Connection) -> (Stream, SendHalf) {
    let slot = connection.reserve().await.unwrap();
    let mut stream = connection.start(slot, head(), None, false).unwrap();
    let sender = stream.take_sender().unwrap();
    (stream, sender)
}

pub(super) async fn event(stream: &mut Stream) -> StreamEvent {
    poll_fn(|cx| stream.poll_event(cx)).await
}

pub(super) async fn failed(stream: &mut Stream) -> StreamError {
    match event(stream).await {
        StreamEvent::Failed(error) => error,
        event => panic!("{event:?}"),
    }
}

/// A whole answer: its body, and its `grpc-status`.
pub(super) async fn answer(stream: &mut Stream) -> (Vec<u8>, String) {
    let mut body = Vec::new();
    loop {
        let fields = match event(stream).await {
            StreamEvent::Head(head) if head.end => head.headers.into_map(),
            StreamEvent::Head(head) => {
                assert_eq!(head.status, StatusCode::OK);
                continue;
            }
            StreamEvent::Data(data) => {
                body.extend_from_slice(&data);
                continue;
            }
            StreamEvent::Trailers(trailers) => trailers.into_map(),
            event => panic!("{event:?}"),
        };
        return (body, fields["grpc-status"].to_str().unwrap().to_owned());
    }
}

/// How many streams the connection counts.
pub(super) fn streams(connection: &Connection) -> usize {
    match connection {
        Connection::H2(connection) => connection.quota().taken(),
        Connection::Memory(_) => unreachable!("these tests are about bytes"),
    }
}

pub(super) async fn ready_to_send(sender: &mut SendHalf) -> Result<(), crate::transport::SendClosed> {
    poll_fn(|cx| sender.poll_ready(cx)).await
}

/// Lets every task do what it can now.
pub(super) async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

/// A server by the `h2` crate.
pub(super) async fn server(io: DuplexStream) -> h2::server::Connection<DuplexStream, Bytes> {
    h2::server::handshake(io).await.unwrap()
}

/// Answers every request with its own bytes and status 0, each in a task of its own.
pub(super) fn serve_echo(io: DuplexStream) {
    tokio::spawn(async move {
        let mut server = server(io).await;
        while let Some(Ok((request, respond))) = server.accept().await {
            tokio::spawn(echo(request, respond));
        }
    });
}

async fn echo(request: http::Request<h2::RecvStream>, mut respond: h2::server::SendResponse<Bytes>) {
    let mut body = request.into_body();
    let mut send = respond.send_response(Response::new(()), false).unwrap();
    while let Some(data) = body.data().await {
        let data = data.unwrap();
        body.flow_control().release_capacity(data.len()).unwrap();
        send.send_data(data, false).unwrap();
    }
    let status = ("grpc-status".parse().unwrap(), HeaderValue::from_static("0"));
    send.send_trailers(HeaderMap::from_iter([status])).unwrap();
}

/// A server of bare frames, for what a well-behaved one never does.
pub(super) struct Frames {
    pub(super) io: DuplexStream,
    /// How many SETTINGS of the client were acknowledged, and how many were read.
    acknowledged: usize,
    read: usize,
}

impl Frames {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

    /// Takes the client's preface.
    pub(super) async fn accept(mut io: DuplexStream) -> Self {
        let mut preface = [0; 24];
        io.read_exact(&mut preface).await.unwrap();
        assert_eq!(preface, Self::PREFACE);
        Self { io, acknowledged: 0, read: 0 }
    }

    pub(super) async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let mut frame = vec![length[1], length[2], length[3], kind, flags];
        frame.extend_from_slice(&stream.to_be_bytes());
        frame.extend_from_slice(payload);
        self.io.write_all(&frame).await.unwrap();
    }

    /// SETTINGS with these pairs of id and value. The first ones acknowledge the client's, too.
    pub(super) async fn settings(&mut self, pairs: &[(u16, u32)]) {
        let payload: Vec<u8> = pairs
            .iter()
            .flat_map(|(id, value)| [&id.to_be_bytes()[..], &value.to_be_bytes()[..]].concat())
            .collect();
        self.send(SETTINGS, 0, 0, &payload).await;
        if self.acknowledged == 0 {
            self.acknowledge().await;
        }
    }

    async fn acknowledge(&mut self) {
        let ack = 1;
        self.send(SETTINGS, ack, 0, &[]).await;
        self.acknowledged += 1;
    }

    pub(super) async fn goaway(&mut self, last: u32, code: u32, debug: &str) {
        let payload = [&last.to_be_bytes()[..], &code.to_be_bytes()[..], debug.as_bytes()].concat();
        self.send(7, 0, 0, &payload).await;
    }

    pub(super) async fn reset(&mut self, stream: u32, code: u32) {
        self.send(3, 0, stream, &code.to_be_bytes()).await;
    }

    pub(super) async fn open_window(&mut self, stream: u32, bytes: u32) {
        self.send(WINDOW_UPDATE, 0, stream, &bytes.to_be_bytes()).await;
    }

    /// A whole answer: head, one DATA frame, `grpc-status: 0`.
    pub(super) async fn answer(&mut self, stream: u32, body: &[u8]) {
        self.send(HEADERS, END_HEADERS, stream, STATUS_200).await;
        self.send(DATA, 0, stream, body).await;
        self.send(HEADERS, END_HEADERS | END_STREAM, stream, GRPC_STATUS_0).await;
    }

    /// A header block that ends its stream, in frames of the size that every peer accepts, as servers send
    /// it.
    pub(super) async fn send_block(&mut self, stream: u32, block: &[u8]) {
        let parts: Vec<_> = block.chunks(16 << 10).collect();
        for (index, part) in parts.iter().enumerate() {
            let (kind, first) = if index == 0 { (HEADERS, END_STREAM) } else { (CONTINUATION, 0) };
            let last = if index + 1 == parts.len() { END_HEADERS } else { 0 };
            self.send(kind, first | last, stream, part).await;
        }
    }

    /// Takes all that the client has to say.
    pub(super) async fn hear_everything(&mut self) {
        while let Ok(Some(_)) = tokio::time::timeout(Duration::from_millis(1), self.next()).await {}
    }

    /// By how much the client has opened the window of `stream`, as far as it has said. Takes all frames that
    /// are there.
    pub(super) async fn window_updates(&mut self, stream: u32) -> usize {
        let mut sum = 0;
        while let Ok(frame) = tokio::time::timeout(Duration::from_millis(1), self.next()).await {
            if let Some((WINDOW_UPDATE, _, found, payload)) = frame
                && found == stream
            {
                sum += usize::try_from(u32::from_be_bytes(payload.try_into().unwrap())).unwrap();
            }
        }
        sum
    }

    /// The next frame: its kind, flags, stream and payload. SETTINGS are acknowledged.
    pub(super) async fn next(&mut self) -> Option<(u8, u8, u32, Vec<u8>)> {
        let mut header = [0; 9];
        self.io.read_exact(&mut header).await.ok()?;
        let length = u32::from_be_bytes([0, header[0], header[1], header[2]]);
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        self.io.read_exact(&mut payload).await.ok()?;
        let stream = u32::from_be_bytes([header[5], header[6], header[7], header[8]]);
        if header[3] == SETTINGS && header[4] == 0 {
            self.read += 1;
            if self.read > self.acknowledged {
                self.acknowledge().await;
            }
        }
        Some((header[3], header[4], stream, payload))
    }

    /// The next frame of this kind; others are dropped.
    pub(super) async fn next_of(&mut self, kind: u8) -> (u8, u32, Vec<u8>) {
        loop {
            let (found, flags, stream, payload) =
                self.next().await.expect("the client closed the connection");
            if found == kind {
                return (flags, stream, payload);
            }
        }
    }
}

/// `:status: 200` in HPACK.
pub(super) const STATUS_200: &[u8] = &[0x88];
/// `grpc-status: 0` in HPACK, as a literal.
pub(super) const GRPC_STATUS_0: &[u8] = b"\x00\x0bgrpc-status\x010";

/// A header in HPACK, as a literal without indexing.
pub(super) fn literal(name: &str, value: &[u8]) -> Vec<u8> {
    let mut header = vec![0];
    for text in [name.as_bytes(), value] {
        let length = text.len();
        match length.checked_sub(127) {
            None => header.push(u8::try_from(length).unwrap()),
            // RFC 7541 5.1: the rest in groups of seven bits.
            Some(mut rest) => {
                header.push(127);
                while rest >= 128 {
                    header.push(u8::try_from(rest % 128).unwrap() | 128);
                    rest /= 128;
                }
                header.push(u8::try_from(rest).unwrap());
            }
        }
        header.extend_from_slice(text);
    }
    header
}

/// Bytes that count how often they are moved.
struct CountingIo {
    io: DuplexStream,
    counters: Counters,
}

/// How many reads and writes there were that moved something.
#[derive(Clone, Default)]
pub(super) struct Counters(Arc<[AtomicUsize; 2]>);

impl Counters {
    pub(super) fn reads(&self) -> usize {
        self.0[0].load(Ordering::Relaxed)
    }

    pub(super) fn writes(&self) -> usize {
        self.0[1].load(Ordering::Relaxed)
    }
}

impl AsyncRead for CountingIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = ready!(Pin::new(&mut self.io).poll_read(cx, buf));
        self.counters.0[0].fetch_add(1, Ordering::Relaxed);
        Poll::Ready(read)
    }
}

impl AsyncWrite for CountingIo {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.counters.0[1].fetch_add(1, Ordering::Relaxed);
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const PING: u8 = 6;
pub(super) const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
pub(super) const END_STREAM: u8 = 1;
pub(super) const END_HEADERS: u8 = 4;
pub(super) const CANCEL: u32 = 8;
