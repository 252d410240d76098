//! What the cases call. Two stubs implement it, ours and the one that tonic generates, so that every case is
//! written once and runs on both roads into a channel.

mod own;
mod tonic_generated;

use std::future::Future;

use tokio_stream::Stream;
use trunkline::metadata::MetadataMap;
use trunkline::{Channel, Request, Response, Status};
use trunkline_proto::testing::{
    Empty, SimpleRequest, SimpleResponse, StreamingInputCallRequest, StreamingInputCallResponse,
    StreamingOutputCallRequest, StreamingOutputCallResponse,
};

pub use self::own::OwnStub;
pub use self::tonic_generated::{TonicReplies, TonicStub};

/// A client of the interop services. Each method is the one of that name; dropping its future cancels the
/// call.
pub trait Stub: Clone + Send + Sync + 'static {
    /// The replies of a call that has many.
    type Replies: Replies;

    /// A client on that channel.
    fn on(channel: Channel) -> Self;

    /// `TestService/EmptyCall`.
    fn empty_call(
        &self,
        request: Request<Empty>,
    ) -> impl Future<Output = Result<Response<Empty>, Status>> + Send;

    /// `TestService/UnaryCall`.
    fn unary_call(
        &self,
        request: Request<SimpleRequest>,
    ) -> impl Future<Output = Result<Response<SimpleResponse>, Status>> + Send;

    /// `TestService/StreamingOutputCall`.
    fn streaming_output_call(
        &self,
        request: Request<StreamingOutputCallRequest>,
    ) -> impl Future<Output = Result<Self::Replies, Status>> + Send;

    /// `TestService/StreamingInputCall`.
    fn streaming_input_call(
        &self,
        requests: Request<impl Stream<Item = StreamingInputCallRequest> + Send + 'static>,
    ) -> impl Future<Output = Result<Response<StreamingInputCallResponse>, Status>> + Send;

    /// `TestService/FullDuplexCall`. It may wait for the response to begin.
    fn full_duplex_call(
        &self,
        requests: Request<impl Stream<Item = StreamingOutputCallRequest> + Send + 'static>,
    ) -> impl Future<Output = Result<Self::Replies, Status>> + Send;

    /// `TestService/UnimplementedCall`.
    fn unimplemented_method(
        &self,
        request: Request<Empty>,
    ) -> impl Future<Output = Result<Response<Empty>, Status>> + Send;

    /// `UnimplementedService/UnimplementedCall`.
    fn unimplemented_service(
        &self,
        request: Request<Empty>,
    ) -> impl Future<Output = Result<Response<Empty>, Status>> + Send;
}

/// The replies of a call that has many. Dropping it cancels the call.
pub trait Replies: Send {
    /// The next one; `None` at the end.
    fn message(&mut self)
    -> impl Future<Output = Result<Option<StreamingOutputCallResponse>, Status>> + Send;

    /// The metadata that the response began with.
    fn headers(&mut self) -> impl Future<Output = Result<MetadataMap, Status>> + Send;

    /// The metadata that it ended with, after the last message.
    fn trailers(&mut self) -> impl Future<Output = Result<MetadataMap, Status>> + Send;
}
