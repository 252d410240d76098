//! Frames by hand on a socket, one call at a time, and nothing around them: what two processes and a kernel take to
//! exchange these bytes, whoever asks. It stands for no client: it knows neither windows nor tables nor what a
//! reply's head says.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use prost::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Mutex;

use super::echo::{Echo, Target};
use super::failure::Failure;
use super::flood::Expected;
use crate::echo::Payload;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const WINDOW_UPDATE: u8 = 8;
const END_STREAM: u8 = 0x1;
const ACK: u8 = 0x1;
const END_HEADERS: u8 = 0x4;

/// The size of a frame's head.
const HEAD: usize = 9;
/// Of a message's prefix.
const PREFIX: usize = 5;

/// All of the window that a connection can have, at once: 50 million small calls.
const WINDOW: u32 = (1 << 31) - 1 - 65_535;

/// A handle on the one connection.
#[derive(Clone)]
pub(super) struct Bare(Arc<Mutex<Exchange>>);

/// Both ends of what is under way.
struct Exchange {
    socket: TcpStream,
    received: BytesMut,
    /// A header block that goes with every call, literals only.
    block: Vec<u8>,
    /// Of the next call.
    stream: u32,
    deadline: Duration,
}

impl Echo for Bare {
    type Idle = ();

    async fn connect(target: &Target) -> Result<Self, Failure> {
        let mut socket = TcpStream::connect(target.server).await?;
        socket.set_nodelay(true)?;
        let mut hello = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        frame(&mut hello, SETTINGS, 0, 0, &[]);
        frame(&mut hello, WINDOW_UPDATE, 0, 0, &WINDOW.to_be_bytes());
        socket.write_all(&hello).await?;
        let (block, received) = (block(target), BytesMut::with_capacity(16 << 10));
        let exchange = Exchange { socket, received, block, stream: 1, deadline: target.deadline };
        Ok(Self(Arc::new(Mutex::new(exchange))))
    }

    async fn say(&mut self, body: Bytes) -> Result<Bytes, Failure> {
        let mut exchange = self.0.lock().await;
        tokio::time::timeout(exchange.deadline, exchange.say(body)).await?
    }

    async fn flood(&mut self, _: &mut Expected) -> Result<(), Failure> {
        Err(Failure::Reply("bare frames are for one call at a time"))
    }

    async fn chat(&mut self, _: Bytes) -> Result<(Bytes, ()), Failure> {
        Err(Failure::Reply("bare frames are for one call at a time"))
    }
}

impl Exchange {
    async fn say(&mut self, body: Bytes) -> Result<Bytes, Failure> {
        let message = Payload { body };
        let mut data = Vec::with_capacity(PREFIX + message.encoded_len());
        data.put_u8(0);
        data.put_u32(message.encoded_len() as u32);
        message.encode_raw(&mut data);
        let mut request = Vec::with_capacity(2 * HEAD + self.block.len() + data.len());
        frame(&mut request, HEADERS, END_HEADERS, self.stream, &self.block);
        frame(&mut request, DATA, END_STREAM, self.stream, &data);
        let stream = self.stream;
        self.stream += 2;
        self.socket.write_all(&request).await?;
        let mut reply = BytesMut::new();
        loop {
            let (kind, flags, of, payload) = self.next().await?;
            match kind {
                // What comes late for a call that was given up is nobody's.
                DATA | HEADERS if of != stream => {}
                DATA => reply.unsplit(payload),
                HEADERS if flags & END_STREAM != 0 => break,
                SETTINGS if flags & ACK == 0 => {
                    let mut ack = Vec::new();
                    frame(&mut ack, SETTINGS, ACK, 0, &[]);
                    self.socket.write_all(&ack).await?;
                }
                _ => {}
            }
        }
        if reply.len() < PREFIX {
            return Err(Failure::Reply("not one message"));
        }
        reply.advance(PREFIX);
        Ok(Payload::decode(reply.freeze()).map_err(|_| Failure::Reply("no Payload"))?.body)
    }

    /// The next frame: its kind, its flags, its stream and its payload.
    async fn next(&mut self) -> Result<(u8, u8, u32, BytesMut), Failure> {
        loop {
            if let Some(&[a, b, c, kind, flags, d, e, f, g]) = self.received.first_chunk() {
                let length = u32::from_be_bytes([0, a, b, c]) as usize;
                if self.received.len() >= HEAD + length {
                    self.received.advance(HEAD);
                    let stream = u32::from_be_bytes([d, e, f, g]);
                    return Ok((kind, flags, stream, self.received.split_to(length)));
                }
            }
            if self.socket.read_buf(&mut self.received).await? == 0 {
                return Err(Failure::Reply("the connection has ended"));
            }
        }
    }
}

fn frame(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    out.extend_from_slice(&(payload.len() as u32).to_be_bytes()[1..]);
    out.extend_from_slice(&[kind, flags]);
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(payload);
}

/// The head of a call (RFC 7541): two fields by their number in the static table, and literals that are not indexed, with
/// names from that table or of their own.
fn block(target: &Target) -> Vec<u8> {
    let (method_post, scheme_http) = (0x83, 0x86);
    let mut block = vec![method_post, scheme_http];
    let mut field = |name: &[u8], value: &str| {
        block.extend_from_slice(name);
        block.push(value.len() as u8);
        block.extend_from_slice(value.as_bytes());
    };
    field(&[0x04], "/bench.v1.Echo/Say");
    field(&[0x01], &target.server.to_string());
    field(&[0x0f, 0x10], "application/grpc");
    field(&[0x0f, 0x2b], "bare");
    field(b"\0\x02te", "trailers");
    field(b"\0\x0cgrpc-timeout", &format!("{}m", target.deadline.as_millis()));
    block
}
