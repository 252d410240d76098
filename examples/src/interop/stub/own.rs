//! The stub that `trunkline-codegen` generates, as the cases call it.

use tokio_stream::Stream;
use trunkline::metadata::MetadataMap;
use trunkline::{Channel, Request, Response, Status, Streaming};
use trunkline_proto::testing::{
    Empty, SimpleRequest, SimpleResponse, StreamingInputCallRequest, StreamingInputCallResponse,
    StreamingOutputCallRequest, StreamingOutputCallResponse,
};

use super::{Replies, Stub};
use crate::interop::generated::test_service_client::TestServiceClient;
use crate::interop::generated::unimplemented_service_client::UnimplementedServiceClient;

/// Trunkline's own stub.
#[derive(Clone, Debug)]
pub struct OwnStub {
    test: TestServiceClient,
    unimplemented: UnimplementedServiceClient,
}

impl Stub for OwnStub {
    type Replies = Streaming<StreamingOutputCallResponse>;

    fn on(channel: Channel) -> Self {
        let test = TestServiceClient::new(channel.clone());
        Self { test, unimplemented: UnimplementedServiceClient::new(channel) }
    }

    async fn empty_call(&self, request: Request<Empty>) -> Result<Response<Empty>, Status> {
        self.test.empty_call(request).response().await
    }

    async fn unary_call(&self, request: Request<SimpleRequest>) -> Result<Response<SimpleResponse>, Status> {
        self.test.unary_call(request).response().await
    }

    async fn streaming_output_call(
        &self,
        request: Request<StreamingOutputCallRequest>,
    ) -> Result<Self::Replies, Status> {
        self.test.streaming_output_call(request).await
    }

    async fn streaming_input_call(
        &self,
        requests: Request<impl Stream<Item = StreamingInputCallRequest> + Send + 'static>,
    ) -> Result<Response<StreamingInputCallResponse>, Status> {
        self.test.streaming_input_call(requests).response().await
    }

    async fn full_duplex_call(
        &self,
        requests: Request<impl Stream<Item = StreamingOutputCallRequest> + Send + 'static>,
    ) -> Result<Self::Replies, Status> {
        self.test.full_duplex_call(requests).await
    }

    async fn unimplemented_method(&self, request: Request<Empty>) -> Result<Response<Empty>, Status> {
        self.test.unimplemented_call(request).response().await
    }

    async fn unimplemented_service(&self, request: Request<Empty>) -> Result<Response<Empty>, Status> {
        self.unimplemented.unimplemented_call(request).response().await
    }
}

impl Replies for Streaming<StreamingOutputCallResponse> {
    async fn message(&mut self) -> Result<Option<StreamingOutputCallResponse>, Status> {
        Streaming::message(self).await
    }

    async fn headers(&mut self) -> Result<MetadataMap, Status> {
        Streaming::headers(self).await
    }

    async fn trailers(&mut self) -> Result<MetadataMap, Status> {
        Ok(Streaming::trailers(self).cloned().unwrap_or_default())
    }
}
