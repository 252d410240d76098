//! What the tests stand on: a dial's task in small, a server by the `h2` crate, a server of bare frames.

use std::future::poll_fn;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::{mpsc, oneshot};
use trunkline_proto::{Address, ConnectError};

use crate::connect::Connected;
use crate::control::Usage;
use crate::transport::h2::start::start_at_stream;
use crate::transport::{
    Connection, Driver, DriverNews, RequestHead, SendHalf, Stream, StreamError, StreamEvent,
    TransportOptions, start,
};

/// Room in the pipe for whatever a test writes without reading.
const PIPE: usize = 64 << 20;

pub(super) fn address() -> Address {
    Address::tcp("10.0.0.7:443".parse().unwrap())
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
        (Self::spawn(start(Connected::new(ours), &address(), options).await.unwrap()), theirs)
    }

    /// As [`begin`](Self::begin), near the end of the stream ids.
    pub(super) async fn begin_at_stream(first: u32) -> (Self, DuplexStream) {
        let (ours, theirs) = tokio::io::duplex(PIPE);
        let driver =
            start_at_stream(first, Connected::new(ours), &address(), &TransportOptions::default()).await;
        (Self::spawn(driver.unwrap()), theirs)
    }

    fn spawn(mut driver: Driver) -> Self {
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
        scheme: http::uri::Scheme::HTTP,
        authority: "greeter.prod".parse().unwrap(),
        path: "/greeter.Greeter/SayHello".parse().unwrap(),
        user_agent: HeaderValue::from_static("test"),
        timeout: None,
        headers: HeaderMap::new(),
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
            StreamEvent::Head(head) if head.end => head.headers,
            StreamEvent::Head(head) => {
                assert_eq!(head.status, StatusCode::OK);
                continue;
            }
            StreamEvent::Data(data) => {
                body.extend_from_slice(&data);
                continue;
            }
            StreamEvent::Trailers(trailers) => trailers,
            event => panic!("{event:?}"),
        };
        return (body, fields["grpc-status"].to_str().unwrap().to_owned());
    }
}

pub(super) async fn ready_to_send(sender: &mut SendHalf) -> Result<(), crate::transport::SendClosed> {
    poll_fn(|cx| sender.poll_ready(cx)).await
}

/// Lets every task do what it can now.
pub(super) async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

pub(super) fn grpc_status(code: &'static str) -> HeaderMap {
    HeaderMap::from_iter([("grpc-status".parse().unwrap(), HeaderValue::from_static(code))])
}

/// A server by the `h2` crate, with what its builder was told.
pub(super) type Server = h2::server::Connection<DuplexStream, Bytes>;
pub(super) type Respond = h2::server::SendResponse<Bytes>;

pub(super) async fn server(io: DuplexStream) -> Server {
    h2::server::handshake(io).await.unwrap()
}

/// Serves every request by `handle`, each in a task of its own.
pub(super) fn serve<H, F>(mut server: Server, handle: H)
where
    H: Fn(http::Request<h2::RecvStream>, Respond) -> F + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    tokio::spawn(async move {
        while let Some(Ok((request, respond))) = server.accept().await {
            tokio::spawn(handle(request, respond));
        }
    });
}

/// Answers with the request's own bytes and status 0.
pub(super) async fn echo(request: http::Request<h2::RecvStream>, mut respond: Respond) {
    let mut body = request.into_body();
    let mut send = respond.send_response(Response::new(()), false).unwrap();
    while let Some(data) = body.data().await {
        let data = data.unwrap();
        body.flow_control().release_capacity(data.len()).unwrap();
        send.send_data(data, false).unwrap();
    }
    send.send_trailers(grpc_status("0")).unwrap();
}

/// A server of bare frames, for what a well-behaved one never does.
pub(super) struct Frames(pub(super) DuplexStream);

impl Frames {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

    /// Takes the client's preface.
    pub(super) async fn accept(mut io: DuplexStream) -> Self {
        let mut preface = [0; 24];
        io.read_exact(&mut preface).await.unwrap();
        assert_eq!(preface, Self::PREFACE);
        Self(io)
    }

    pub(super) async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let mut frame = vec![length[1], length[2], length[3], kind, flags];
        frame.extend_from_slice(&stream.to_be_bytes());
        frame.extend_from_slice(payload);
        self.0.write_all(&frame).await.unwrap();
    }

    /// An empty SETTINGS, or one with pairs of id and value.
    pub(super) async fn settings(&mut self, pairs: &[(u16, u32)]) {
        let payload: Vec<u8> = pairs
            .iter()
            .flat_map(|(id, value)| [&id.to_be_bytes()[..], &value.to_be_bytes()[..]].concat())
            .collect();
        self.send(4, 0, 0, &payload).await;
    }

    pub(super) async fn goaway(&mut self, last: u32, code: u32, debug: &str) {
        let payload = [&last.to_be_bytes()[..], &code.to_be_bytes()[..], debug.as_bytes()].concat();
        self.send(7, 0, 0, &payload).await;
    }

    pub(super) async fn reset(&mut self, stream: u32, code: u32) {
        self.send(3, 0, stream, &code.to_be_bytes()).await;
    }

    /// The next frame: its kind, flags, stream and payload.
    pub(super) async fn next(&mut self) -> Option<(u8, u8, u32, Vec<u8>)> {
        let mut header = [0; 9];
        self.0.read_exact(&mut header).await.ok()?;
        let length = u32::from_be_bytes([0, header[0], header[1], header[2]]);
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        self.0.read_exact(&mut payload).await.ok()?;
        let stream = u32::from_be_bytes([header[5], header[6], header[7], header[8]]);
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

pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const RST_STREAM: u8 = 3;
pub(super) const PING: u8 = 6;
pub(super) const END_STREAM: u8 = 1;
pub(super) const END_HEADERS: u8 = 4;
pub(super) const CANCEL: u32 = 8;
