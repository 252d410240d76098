//! The two roads into a channel, and one way to call on either: Trunkline's own stub, and the one that tonic
//! generates, on the `tower::Service`.

use tokio_stream::{Stream, once};
use trunkline::metadata::MetadataMap;
use trunkline::{Channel, Request, Status, Streaming};
use trunkline_tests::greeter::greeter_client::GreeterClient;
use trunkline_tests::greeter::{HelloReply, HelloRequest, WatchRequest};

/// The greeter's client as tonic generates it.
#[allow(
    missing_docs,
    unused_qualifications,
    unreachable_pub,
    clippy::allow_attributes_without_reason,
    reason = "tonic's generator wrote it"
)]
mod by_tonic {
    include!(concat!(env!("OUT_DIR"), "/tonic/greeter.v1.rs"));
}

/// One of the two roads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Road {
    Own,
    Tonic,
}

/// A shape of call. The fourth, client streaming, sends as `Bidi` does and receives as `Unary` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Unary,
    ServerStreaming,
    Bidi,
}

/// All that a call gave which ended well.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) messages: Vec<String>,
    /// The headers and the trailers together.
    pub(crate) metadata: MetadataMap,
}

impl Road {
    pub(crate) const BOTH: [Self; 2] = [Self::Own, Self::Tonic];

    /// Every shape of call on every road.
    pub(crate) fn every() -> impl Iterator<Item = (Self, Shape)> {
        const SHAPES: [Shape; 3] = [Shape::Unary, Shape::ServerStreaming, Shape::Bidi];
        Self::BOTH.into_iter().flat_map(|road| SHAPES.map(|shape| (road, shape)))
    }

    /// Calls a method of this shape with one name, and takes all that comes.
    pub(crate) async fn call(
        self,
        channel: Channel,
        shape: Shape,
        name: Request<String>,
    ) -> Result<Answered, Status> {
        let hello = |name| HelloRequest { name };
        let replies = match shape {
            Shape::Unary => return self.say_hello(channel, name.map(hello)).await,
            Shape::ServerStreaming => self.watch(channel, name).await?,
            Shape::Bidi => self.chat(channel, name.map(|name| once(hello(name)))).await?,
        };
        replies.all().await
    }

    async fn say_hello(self, channel: Channel, request: Request<HelloRequest>) -> Result<Answered, Status> {
        let response = match self {
            Self::Own => GreeterClient::new(channel).say_hello(request).response().await?,
            Self::Tonic => by_tonic::greeter_client::GreeterClient::new(channel).say_hello(request).await?,
        };
        let (metadata, reply, _extensions) = response.into_parts();
        Ok(Answered { messages: vec![reply.message], metadata })
    }

    /// Begins a call with a stream of replies.
    pub(crate) async fn watch(self, channel: Channel, name: Request<String>) -> Result<Replies, Status> {
        let request = name.map(|name| WatchRequest { name, ..WatchRequest::default() });
        Ok(match self {
            Self::Own => Replies::Own(GreeterClient::new(channel).watch(request).await?),
            Self::Tonic => {
                Replies::tonic(by_tonic::greeter_client::GreeterClient::new(channel).watch(request).await?)
            }
        })
    }

    /// Begins a call with a stream of requests and one of replies.
    pub(crate) async fn chat(
        self,
        channel: Channel,
        requests: Request<impl Stream<Item = HelloRequest> + Send + 'static>,
    ) -> Result<Replies, Status> {
        Ok(match self {
            Self::Own => Replies::Own(GreeterClient::new(channel).chat(requests).await?),
            Self::Tonic => {
                Replies::tonic(by_tonic::greeter_client::GreeterClient::new(channel).chat(requests).await?)
            }
        })
    }
}

/// The replies of a call that has many.
#[derive(Debug)]
pub(crate) enum Replies {
    Own(Streaming<HelloReply>),
    Tonic(MetadataMap, Box<tonic::Streaming<HelloReply>>),
}

impl Replies {
    fn tonic(response: tonic::Response<tonic::Streaming<HelloReply>>) -> Self {
        let (headers, replies, _extensions) = response.into_parts();
        Self::Tonic(headers, Box::new(replies))
    }

    /// The next reply; `None` at the end.
    pub(crate) async fn message(&mut self) -> Result<Option<String>, Status> {
        let reply = match self {
            Self::Own(replies) => replies.message().await?,
            Self::Tonic(_, replies) => replies.message().await?,
        };
        Ok(reply.map(|reply| reply.message))
    }

    /// Reads to the end.
    pub(crate) async fn all(mut self) -> Result<Answered, Status> {
        let mut messages = Vec::new();
        while let Some(message) = self.message().await? {
            messages.push(message);
        }
        let (headers, trailers) = match self {
            Self::Own(mut replies) => (replies.headers().await?, replies.trailers().cloned()),
            Self::Tonic(headers, mut replies) => (headers, replies.trailers().await?),
        };
        let mut both = headers.into_headers();
        both.extend(trailers.unwrap_or_default().into_headers());
        Ok(Answered { messages, metadata: MetadataMap::from_headers(both) })
    }
}
