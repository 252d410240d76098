//! The h2 crate with as little around it as a correct call can have: what a channel on h2 cannot surpass.

use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use h2::client::{self, ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, Version, header};
use prost::Message;
use tokio::net::TcpStream;

use super::echo::{Echo, Target};
use super::failure::Failure;
use super::flood::Expected;
use crate::echo::Payload;

/// As hyper's and Trunkline's: enough for what is under way.
const STREAM_WINDOW: u32 = 2 << 20;
const CONNECTION_WINDOW: u32 = 5 << 20;

/// gRPC's prefix: a flag and a length.
const PREFIX: usize = 5;

/// A handle on one connection.
#[derive(Clone)]
pub(super) struct RawH2 {
    requests: SendRequest<Bytes>,
    head: HeaderMap,
    say: Uri,
    flood: Uri,
    chat: Uri,
    deadline: Duration,
}

/// Both halves of a call that stays open.
pub(super) struct Open {
    _requests: SendStream<Bytes>,
    _replies: RecvStream,
}

impl Echo for RawH2 {
    type Idle = Open;

    async fn connect(target: &Target) -> Result<Self, Failure> {
        let socket = TcpStream::connect(target.server).await?;
        socket.set_nodelay(true)?;
        let (requests, connection) = client::Builder::new()
            .enable_push(false)
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            // Else one DATA frame per message ends the connection.
            .data_frame_budget(usize::MAX)
            .handshake(socket)
            .await?;
        // Its error shows in the calls.
        tokio::spawn(async { drop(connection.await) });
        let uri = |method| {
            let path = format!("/bench.v1.Echo/{method}");
            Uri::builder().scheme("http").authority(target.server.to_string()).path_and_query(path).build()
        };
        let mut head = HeaderMap::new();
        head.insert(header::TE, HeaderValue::from_static("trailers"));
        head.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        head.insert(header::USER_AGENT, HeaderValue::from_static("raw-h2"));
        let millis = format!("{}m", target.deadline.as_millis());
        head.insert("grpc-timeout", HeaderValue::try_from(millis).map_err(http::Error::from)?);
        let (say, flood, chat) = (uri("Say")?, uri("Flood")?, uri("Chat")?);
        Ok(Self { requests, head, say, flood, chat, deadline: target.deadline })
    }

    async fn say(&mut self, body: Bytes) -> Result<Bytes, Failure> {
        tokio::time::timeout(self.deadline, self.say_in_time(body)).await?
    }

    async fn flood(&mut self, expected: &mut Expected) -> Result<(), Failure> {
        tokio::time::timeout(self.deadline, self.flood_in_time(expected)).await?
    }

    async fn chat(&mut self, first: Bytes) -> Result<(Bytes, Open), Failure> {
        let (response, requests) = self.start(self.chat.clone(), &Payload { body: first }, false).await?;
        let mut replies = accept(response).await?;
        let mut whole = Unread::default();
        loop {
            let piece = data(&mut replies).await?.ok_or(Failure::Reply("the call has ended"))?;
            whole.push(piece);
            if let Some(message) = whole.pop() {
                let body = Payload::decode(message).map_err(|_| Failure::Reply("no Payload"))?.body;
                return Ok((body, Open { _requests: requests, _replies: replies }));
            }
        }
    }
}

impl RawH2 {
    async fn say_in_time(&self, body: Bytes) -> Result<Bytes, Failure> {
        let (response, _) = self.start(self.say.clone(), &Payload { body }, true).await?;
        let mut replies = accept(response).await?;
        let mut whole = Unread::default();
        while let Some(piece) = data(&mut replies).await? {
            whole.push(piece);
        }
        check_trailers(replies).await?;
        let message = whole.pop().filter(|_| whole.is_empty()).ok_or(Failure::Reply("not one message"))?;
        Ok(Payload::decode(message).map_err(|_| Failure::Reply("no Payload"))?.body)
    }

    async fn flood_in_time(&self, expected: &mut Expected) -> Result<(), Failure> {
        let (response, _) = self.start(self.flood.clone(), &expected.request(), true).await?;
        let mut replies = accept(response).await?;
        let mut unread = Unread::default();
        while let Some(piece) = data(&mut replies).await? {
            unread.push(piece);
            while let Some(message) = unread.pop() {
                let payload = Payload::decode(message).map_err(|_| Failure::Reply("no Payload"))?;
                expected.take(&payload.body)?;
            }
        }
        check_trailers(replies).await
    }

    async fn start(
        &self,
        uri: Uri,
        message: &impl Message,
        end: bool,
    ) -> Result<(ResponseFuture, SendStream<Bytes>), Failure> {
        let mut request = Request::new(());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri;
        *request.version_mut() = Version::HTTP_2;
        *request.headers_mut() = self.head.clone();
        let mut requests = self.requests.clone().ready().await?;
        let (response, mut body) = requests.send_request(request, false)?;
        body.send_data(framed(message), end)?;
        Ok((response, body))
    }
}

fn framed(message: &impl Message) -> Bytes {
    let length = message.encoded_len();
    let mut framed = BytesMut::with_capacity(PREFIX + length);
    framed.put_u8(0);
    framed.put_u32(length as u32);
    message.encode_raw(&mut framed);
    framed.freeze()
}

async fn accept(response: ResponseFuture) -> Result<RecvStream, Failure> {
    let response = response.await?;
    let kind = response.headers().get(header::CONTENT_TYPE);
    if response.status() != StatusCode::OK
        || !kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"))
    {
        return Err(Failure::Reply("its head is not gRPC's"));
    }
    Ok(response.into_body())
}

async fn data(replies: &mut RecvStream) -> Result<Option<Bytes>, Failure> {
    let Some(piece) = replies.data().await.transpose()? else { return Ok(None) };
    // It has ended if this fails, and then there is nothing to give back.
    let _ended = replies.flow_control().release_capacity(piece.len());
    Ok(Some(piece))
}

async fn check_trailers(mut replies: RecvStream) -> Result<(), Failure> {
    let trailers = replies.trailers().await?;
    let status = trailers.as_ref().and_then(|trailers| trailers.get("grpc-status"));
    let ok = status.is_some_and(|status| status == "0");
    ok.then_some(()).ok_or(Failure::Reply("its status is not OK"))
}

/// What has come and makes no message yet. A message in one piece is not copied.
#[derive(Default)]
struct Unread {
    piece: Bytes,
    gathered: BytesMut,
}

impl Unread {
    fn push(&mut self, piece: Bytes) {
        if self.piece.is_empty() && self.gathered.is_empty() {
            self.piece = piece;
            return;
        }
        if self.gathered.is_empty() {
            let length = wanted(&self.piece).unwrap_or(0);
            self.gathered.reserve(length.max(self.piece.len() + piece.len()));
            self.gathered.extend_from_slice(&std::mem::take(&mut self.piece));
        }
        self.gathered.extend_from_slice(&piece);
    }

    fn pop(&mut self) -> Option<Bytes> {
        if !self.gathered.is_empty() {
            let length = wanted(&self.gathered).filter(|length| self.gathered.len() >= *length)?;
            let mut message = self.gathered.split_to(length).freeze();
            // From here on without copies.
            self.piece = self.gathered.split().freeze();
            message.advance(PREFIX);
            return Some(message);
        }
        let length = wanted(&self.piece).filter(|length| self.piece.len() >= *length)?;
        let mut message = self.piece.split_to(length);
        message.advance(PREFIX);
        Some(message)
    }

    fn is_empty(&self) -> bool {
        self.piece.is_empty() && self.gathered.is_empty()
    }
}

/// The length of the first message, with its prefix.
fn wanted(bytes: &[u8]) -> Option<usize> {
    let (&[_, length @ ..], _) = bytes.split_first_chunk::<PREFIX>()?;
    Some(PREFIX + u32::from_be_bytes(length) as usize)
}
