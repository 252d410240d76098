//! What the methods of `TestService` do.

use std::pin::Pin;
use std::time::Duration;

use tokio_stream::{Stream, StreamExt};
use tonic::{Code, Request, Response, Status, Streaming};
use trunkline_proto::testing::{
    EchoStatus, Empty, Payload, PayloadType, ResponseParameters, SimpleRequest, SimpleResponse,
    StreamingInputCallRequest, StreamingInputCallResponse, StreamingOutputCallRequest,
    StreamingOutputCallResponse,
};

use crate::interop::generated::test_service_server;

/// The largest payload that is made, in bytes: more than any case asks for, and no way to use up the memory.
const MAX_PAYLOAD: i32 = 16 << 20;

/// The service.
#[derive(Debug)]
pub(super) struct TestService {
    server_id: String,
}

impl TestService {
    pub(super) fn new(server_id: &str) -> Self {
        Self { server_id: server_id.to_owned() }
    }

    fn answer(&self, request: &SimpleRequest) -> Result<SimpleResponse, Status> {
        end_with(request.response_status.as_ref())?;
        let server_id = if request.fill_server_id { self.server_id.clone() } else { String::new() };
        let payload = Some(payload(request.response_size)?);
        Ok(SimpleResponse { payload, server_id, ..SimpleResponse::default() })
    }
}

/// Replies, as they are made.
type Replies = Pin<Box<dyn Stream<Item = Result<StreamingOutputCallResponse, Status>> + Send>>;

#[tonic::async_trait]
impl test_service_server::TestService for TestService {
    type StreamingOutputCallStream = Replies;
    type FullDuplexCallStream = Replies;
    type HalfDuplexCallStream = Replies;

    async fn empty_call(&self, _: Request<Empty>) -> Result<Response<Empty>, Status> {
        Ok(Response::new(Empty {}))
    }

    async fn unary_call(&self, request: Request<SimpleRequest>) -> Result<Response<SimpleResponse>, Status> {
        self.answer(request.get_ref()).map(Response::new)
    }

    async fn cacheable_unary_call(
        &self,
        request: Request<SimpleRequest>,
    ) -> Result<Response<SimpleResponse>, Status> {
        self.answer(request.get_ref()).map(Response::new)
    }

    async fn streaming_output_call(
        &self,
        request: Request<StreamingOutputCallRequest>,
    ) -> Result<Response<Replies>, Status> {
        let request = request.into_inner();
        end_with(request.response_status.as_ref())?;
        Ok(Response::new(Box::pin(replies(request.response_parameters))))
    }

    async fn streaming_input_call(
        &self,
        request: Request<Streaming<StreamingInputCallRequest>>,
    ) -> Result<Response<StreamingInputCallResponse>, Status> {
        let mut messages = request.into_inner();
        let mut sum = 0_i32;
        while let Some(message) = messages.message().await? {
            let size = message.payload.map_or(0, |payload| payload.body.len());
            sum = sum.saturating_add(i32::try_from(size).unwrap_or(i32::MAX));
        }
        Ok(Response::new(StreamingInputCallResponse { aggregated_payload_size: sum }))
    }

    async fn full_duplex_call(
        &self,
        request: Request<Streaming<StreamingOutputCallRequest>>,
    ) -> Result<Response<Replies>, Status> {
        Ok(Response::new(answers(request.into_inner())))
    }

    async fn half_duplex_call(
        &self,
        request: Request<Streaming<StreamingOutputCallRequest>>,
    ) -> Result<Response<Replies>, Status> {
        let mut messages = request.into_inner();
        let mut parameters = Vec::new();
        while let Some(message) = messages.message().await? {
            end_with(message.response_status.as_ref())?;
            parameters.extend(message.response_parameters);
        }
        Ok(Response::new(Box::pin(replies(parameters))))
    }

    async fn unimplemented_call(&self, _: Request<Empty>) -> Result<Response<Empty>, Status> {
        Err(Status::unimplemented("this method is for clients to find out that it is not there"))
    }
}

/// Each request's replies, before the next request is read. An error is the last.
fn answers(requests: Streaming<StreamingOutputCallRequest>) -> Replies {
    let (send, received) = tokio::sync::mpsc::channel(1);
    tokio::spawn(async move {
        let ended = tokio::select! {
            ended = answer_all(requests, &send) => ended,
            // The call was cancelled.
            () = send.closed() => return,
        };
        if let Err(status) = ended {
            let _ = send.send(Err(status)).await;
        }
    });
    Box::pin(tokio_stream::wrappers::ReceiverStream::new(received))
}

async fn answer_all(
    mut requests: Streaming<StreamingOutputCallRequest>,
    send: &tokio::sync::mpsc::Sender<Result<StreamingOutputCallResponse, Status>>,
) -> Result<(), Status> {
    while let Some(request) = requests.message().await? {
        end_with(request.response_status.as_ref())?;
        let mut replies = std::pin::pin!(replies(request.response_parameters));
        while let Some(reply) = replies.next().await {
            // Whoever listened is gone if this fails, and so will be this task.
            let _ = send.send(Ok(reply?)).await;
        }
    }
    Ok(())
}

fn replies(
    parameters: Vec<ResponseParameters>,
) -> impl Stream<Item = Result<StreamingOutputCallResponse, Status>> + Send {
    tokio_stream::iter(parameters).then(async |parameters| {
        let interval = Duration::from_micros(u64::try_from(parameters.interval_us).unwrap_or(0));
        if !interval.is_zero() {
            tokio::time::sleep(interval).await;
        }
        let payload = Some(payload(parameters.size)?);
        Ok(StreamingOutputCallResponse { payload, ..StreamingOutputCallResponse::default() })
    })
}

fn payload(size: i32) -> Result<Payload, Status> {
    match usize::try_from(size) {
        Ok(length) if size <= MAX_PAYLOAD => {
            Ok(Payload { r#type: PayloadType::Compressable.into(), body: vec![0; length] })
        }
        _ => Err(Status::invalid_argument(format!("a payload has 0 to {MAX_PAYLOAD} bytes, not {size}"))),
    }
}

/// The status that the request asks for, if it does.
fn end_with(status: Option<&EchoStatus>) -> Result<(), Status> {
    match status {
        Some(status) if status.code != 0 => Err(Status::new(Code::from_i32(status.code), &status.message)),
        _ => Ok(()),
    }
}
