//! The stub that tonic's generator writes, unchanged, on our channel, as the cases call it.

use tokio_stream::Stream;
use tonic::Streaming;
use trunkline::metadata::MetadataMap;
use trunkline::{Channel, Request, Response, Status};
use trunkline_proto::testing::{
    Empty, SimpleRequest, SimpleResponse, StreamingInputCallRequest, StreamingInputCallResponse,
    StreamingOutputCallRequest, StreamingOutputCallResponse,
};

use super::{Replies, Stub};
use crate::interop::generated_by_tonic::test_service_client::TestServiceClient;
use crate::interop::generated_by_tonic::unimplemented_service_client::UnimplementedServiceClient;

/// Tonic's stub. Its methods want `&mut self`, which cloning it gives.
#[derive(Clone, Debug)]
pub struct TonicStub {
    test: TestServiceClient<Channel>,
    unimplemented: UnimplementedServiceClient<Channel>,
}

impl Stub for TonicStub {
    type Replies = TonicReplies;

    fn on(channel: Channel) -> Self {
        let test = TestServiceClient::new(channel.clone());
        Self { test, unimplemented: UnimplementedServiceClient::new(channel) }
    }

    async fn empty_call(&self, request: Request<Empty>) -> Result<Response<Empty>, Status> {
        self.test.clone().empty_call(request).await
    }

    async fn unary_call(&self, request: Request<SimpleRequest>) -> Result<Response<SimpleResponse>, Status> {
        self.test.clone().unary_call(request).await
    }

    async fn streaming_output_call(
        &self,
        request: Request<StreamingOutputCallRequest>,
    ) -> Result<TonicReplies, Status> {
        self.test.clone().streaming_output_call(request).await.map(TonicReplies::from)
    }

    async fn streaming_input_call(
        &self,
        requests: Request<impl Stream<Item = StreamingInputCallRequest> + Send + 'static>,
    ) -> Result<Response<StreamingInputCallResponse>, Status> {
        self.test.clone().streaming_input_call(requests).await
    }

    async fn full_duplex_call(
        &self,
        requests: Request<impl Stream<Item = StreamingOutputCallRequest> + Send + 'static>,
    ) -> Result<TonicReplies, Status> {
        self.test.clone().full_duplex_call(requests).await.map(TonicReplies::from)
    }

    async fn unimplemented_method(&self, request: Request<Empty>) -> Result<Response<Empty>, Status> {
        self.test.clone().unimplemented_call(request).await
    }

    async fn unimplemented_service(&self, request: Request<Empty>) -> Result<Response<Empty>, Status> {
        self.unimplemented.clone().unimplemented_call(request).await
    }
}

/// What tonic's stub returns for a call with many replies.
#[derive(Debug)]
pub struct TonicReplies {
    headers: MetadataMap,
    messages: Streaming<StreamingOutputCallResponse>,
}

impl From<Response<Streaming<StreamingOutputCallResponse>>> for TonicReplies {
    fn from(response: Response<Streaming<StreamingOutputCallResponse>>) -> Self {
        let (headers, messages, _) = response.into_parts();
        Self { headers, messages }
    }
}

impl Replies for TonicReplies {
    async fn message(&mut self) -> Result<Option<StreamingOutputCallResponse>, Status> {
        self.messages.message().await
    }

    async fn headers(&mut self) -> Result<MetadataMap, Status> {
        Ok(self.headers.clone())
    }

    async fn trailers(&mut self) -> Result<MetadataMap, Status> {
        Ok(self.messages.trailers().await?.unwrap_or_default())
    }
}
