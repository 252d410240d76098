//! A response of exactly one message, for the shapes of call that have one.

use std::marker::PhantomData;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use prost::Message;
use trunkline_proto::framing::{Deframer, sole_body};
use trunkline_proto::wire::{self, Code};

use super::prepared::Prepared;
use crate::call::Call;
use crate::vocabulary::{self, Response, Status, metadata::MetadataMap};

/// A call with one reply.
pub(super) struct SingleReply<R> {
    call: Call,
    max_message: usize,
    body: Body,
    reply: PhantomData<fn() -> R>,
}

/// The body so far.
enum Body {
    Nothing,
    /// One message, whole.
    Message(Bytes),
    /// Pieces that are no whole message each.
    Pieces {
        deframer: Box<Deframer>,
        message: Option<Bytes>,
    },
}

impl<R: Message + Default> SingleReply<R> {
    pub(super) fn new(prepared: Prepared) -> Self {
        let max_message = prepared.channel().core().settings().max_receive_message_size;
        Self { call: prepared.call(), max_message, body: Body::Nothing, reply: PhantomData }
    }

    /// The reply's message.
    pub(super) fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Result<R, Status>> {
        // Nearly all replies are one message in one piece, and then OK.
        let max_message = self.max_message;
        let plain = self.call.take_plain(|data| {
            let mut body = Body::Nothing;
            body.push(data, max_message).map(|()| body)
        });
        let body = match plain {
            Some(body) => body?,
            None => ready!(self.poll_body(cx))?,
        };
        let reply = body.finish().and_then(|message| {
            R::decode(message).map_err(|error| {
                wire::Status::new(Code::Internal, format!("the reply cannot be decoded: {error}"))
            })
        });
        Poll::Ready(reply.map_err(|refusal| self.call.refuse(refusal)))
    }

    /// The whole body, read piece by piece.
    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Result<Body, Status>> {
        let failed = loop {
            match ready!(self.call.poll_data(cx)) {
                Some(Ok(data)) => match self.body.push(data, self.max_message) {
                    Ok(()) => {}
                    Err(refusal) => break self.call.refuse(refusal),
                },
                Some(Err(status)) => break status,
                None => return Poll::Ready(Ok(std::mem::replace(&mut self.body, Body::Nothing))),
            }
        };
        self.body = Body::Nothing;
        Poll::Ready(Err(failed))
    }

    /// The reply with all that came with it.
    pub(super) fn poll_response(&mut self, cx: &mut Context<'_>) -> Poll<Result<Response<R>, Status>> {
        let message = ready!(self.poll_message(cx))?;
        // As in tonic, trailers join the headers of a reply that is one message.
        let mut headers = self.call.take_headers().map(vocabulary::metadata_of).unwrap_or_default();
        headers.extend(self.call.take_trailers());
        let mut extensions = vocabulary::Extensions::default();
        extensions.insert(self.call.report());
        Poll::Ready(Ok(Response::from_parts(MetadataMap::from_headers(headers), message, extensions)))
    }
}

impl Body {
    fn push(&mut self, data: Bytes, max_message: usize) -> Result<(), wire::Status> {
        // The usual reply is one message in one piece.
        let data = match self {
            Self::Nothing => match sole_body(data, max_message) {
                Ok(message) => {
                    *self = Self::Message(message);
                    return Ok(());
                }
                Err(data) => data,
            },
            _ => data,
        };
        if !matches!(self, Self::Pieces { .. }) {
            let message = match std::mem::replace(self, Self::Nothing) {
                Self::Message(message) => Some(message),
                _ => None,
            };
            *self = Self::Pieces { deframer: Box::new(Deframer::new(max_message)), message };
        }
        let Self::Pieces { deframer, message } = self else { unreachable!("it was made just above") };
        deframer.push(data);
        while let Some(frame) = deframer.next_frame()? {
            if message.replace(frame.body).is_some() {
                return Err(cardinality("more than one message"));
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<Bytes, wire::Status> {
        let message = match self {
            Self::Nothing => None,
            Self::Message(message) => Some(message),
            Self::Pieces { deframer, message } => {
                deframer.finish()?;
                message
            }
        };
        message.ok_or_else(|| cardinality("no message"))
    }
}

/// Neither none nor two: INTERNAL, as Go and Java have it since gRPC's document left UNIMPLEMENTED behind.
fn cardinality(found: &str) -> wire::Status {
    wire::Status::new(Code::Internal, format!("the server answered a call of one reply with {found}"))
}
