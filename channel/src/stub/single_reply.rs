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
    body: Body,
    reply: PhantomData<fn() -> R>,
}

/// The body so far.
#[derive(Default)]
struct Body {
    message: Option<Bytes>,
    /// Of what is no whole message in one piece.
    pieces: Option<Box<Deframer>>,
}

impl<R: Message + Default> SingleReply<R> {
    pub(super) fn new(prepared: Prepared) -> Self {
        Self { call: prepared.call(), body: Body::default(), reply: PhantomData }
    }

    fn max_message(&self) -> usize {
        self.call.core().settings().max_receive_message_size
    }

    /// The reply's message.
    pub(super) fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Result<R, Status>> {
        // Nearly all replies are one message in one piece, and then OK.
        let max_message = self.max_message();
        let plain = self.call.take_plain(|data| {
            let mut body = Body::default();
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
        let max_message = self.max_message();
        let failed = loop {
            match ready!(self.call.poll_data(cx)) {
                Some(Ok(data)) => match self.body.push(data, max_message) {
                    Ok(()) => {}
                    Err(refusal) => break self.call.refuse(refusal),
                },
                Some(Err(status)) => break status,
                None => return Poll::Ready(Ok(std::mem::take(&mut self.body))),
            }
        };
        self.body = Body::default();
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
        let is_first = self.message.is_none() && self.pieces.is_none();
        let data = match is_first {
            true => match sole_body(data, max_message) {
                Ok(message) => {
                    self.message = Some(message);
                    return Ok(());
                }
                Err(data) => data,
            },
            false => data,
        };
        let deframer = self.pieces.get_or_insert_with(|| Box::new(Deframer::new(max_message)));
        deframer.push(data);
        while let Some(frame) = deframer.next_frame()? {
            if self.message.replace(frame.body).is_some() {
                return Err(cardinality("more than one message"));
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<Bytes, wire::Status> {
        if let Some(deframer) = self.pieces {
            deframer.finish()?;
        }
        self.message.ok_or_else(|| cardinality("no message"))
    }
}

/// Neither none nor two: INTERNAL, as Go and Java have it since gRPC's document left UNIMPLEMENTED behind.
fn cardinality(found: &str) -> wire::Status {
    wire::Status::new(Code::Internal, format!("the server answered a call of one reply with {found}"))
}
