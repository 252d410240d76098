//! A response of exactly one message, for the shapes of call that have one.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use pin_project_lite::pin_project;
use prost::Message;
use trunkline_proto::framing::Deframer;
use trunkline_proto::wire::{self, Code};

use super::prepared::Prepared;
use crate::call::{Call, Reading};
use crate::vocabulary::{self, Response, Status, metadata::MetadataMap};

pin_project! {
    /// A call, then its one reply.
    pub(super) struct SingleReply<R> {
        #[pin]
        stage: Stage,
        deframer: Deframer,
        headers: HeaderMap,
        message: Option<Bytes>,
        reply: PhantomData<fn() -> R>,
    }
}

pin_project! {
    #[project = StageProjection]
    enum Stage {
        Call { #[pin] call: Call },
        Read { #[pin] reading: Reading },
    }
}

impl<R: Message + Default> SingleReply<R> {
    pub(super) fn new(prepared: Prepared) -> Self {
        let limit = prepared.channel().core().settings().max_receive_message_size;
        Self {
            stage: Stage::Call { call: prepared.call() },
            deframer: Deframer::new(limit),
            headers: HeaderMap::new(),
            message: None,
            reply: PhantomData,
        }
    }

    /// The reply's message.
    pub(super) fn poll_message(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<R, Status>> {
        let message = ready!(self.as_mut().poll_end(cx))?;
        Poll::Ready(self.decode(message))
    }

    /// The reply with all that came with it.
    pub(super) fn poll_response(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Response<R>, Status>> {
        let message = ready!(self.as_mut().poll_end(cx))?;
        let message = self.as_mut().decode(message)?;
        let this = self.project();
        let StageProjection::Read { mut reading } = this.stage.project() else {
            unreachable!("a call that has ended is being read");
        };
        // As in tonic, trailers join the headers of a reply that is one message.
        let mut headers = std::mem::take(this.headers);
        headers.extend(reading.as_mut().take_trailers());
        vocabulary::make_metadata(&mut headers);
        let mut extensions = vocabulary::Extensions::default();
        extensions.insert(reading.report());
        Poll::Ready(Ok(Response::from_parts(MetadataMap::from_headers(headers), message, extensions)))
    }

    /// Reads to the end of the call.
    fn poll_end(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Bytes, Status>> {
        let mut this = self.project();
        loop {
            let mut reading = match this.stage.as_mut().project() {
                StageProjection::Call { call } => {
                    let mut reading = ready!(call.poll(cx))?;
                    *this.headers = reading.take_headers();
                    this.stage.set(Stage::Read { reading });
                    continue;
                }
                StageProjection::Read { reading } => reading,
            };
            match ready!(reading.as_mut().poll_data(cx)) {
                Some(Ok(data)) => {
                    this.deframer.push(data);
                    loop {
                        let frame = match this.deframer.next_frame() {
                            Ok(Some(frame)) => frame,
                            Ok(None) => break,
                            Err(error) => return Poll::Ready(Err(reading.refuse(error.into()))),
                        };
                        if this.message.replace(frame.body).is_some() {
                            return Poll::Ready(Err(reading.refuse(cardinality("more than one message"))));
                        }
                    }
                }
                Some(Err(status)) => return Poll::Ready(Err(status)),
                None => {
                    if let Err(error) = this.deframer.finish() {
                        return Poll::Ready(Err(reading.refuse(error.into())));
                    }
                    return Poll::Ready(match this.message.take() {
                        Some(message) => Ok(message),
                        None => Err(reading.refuse(cardinality("no message"))),
                    });
                }
            }
        }
    }

    fn decode(self: Pin<&mut Self>, message: Bytes) -> Result<R, Status> {
        R::decode(message).map_err(|error| {
            let status = wire::Status::new(Code::Internal, format!("the reply cannot be decoded: {error}"));
            match self.project().stage.project() {
                StageProjection::Read { reading } => reading.refuse(status),
                StageProjection::Call { .. } => unreachable!("a call that has ended is being read"),
            }
        })
    }
}

/// Neither none nor two: INTERNAL, as Go and Java have it since gRPC's document left UNIMPLEMENTED behind.
fn cardinality(found: &str) -> wire::Status {
    wire::Status::new(Code::Internal, format!("the server answered a call of one reply with {found}"))
}
