//! The stub that tonic generates, over tonic's channel and over Trunkline's.

use std::time::Duration;

use bytes::Bytes;
use tonic::body::Body;
use tonic::client::GrpcService;
use tonic::codegen::{Body as HttpBody, StdError};
use tonic::{Request, Streaming, transport};

use super::echo::{Echo, Target};
use super::failure::Failure;
use super::flood::Expected;
use super::idle::OneThenIdle;
use super::own;
use crate::echo::Payload;
use crate::tonic_echo::echo_client::EchoClient;

pub(super) type TonicOverTonic = TonicStub<transport::Channel>;
pub(super) type TonicOverTrunkline = TonicStub<trunkline::Channel>;

/// The generated client.
#[derive(Clone)]
pub(super) struct TonicStub<C> {
    client: EchoClient<C>,
    deadline: Duration,
}

/// A channel under tonic's stubs.
pub(super) trait Road: Clone + Send + 'static {
    fn lay(target: &Target) -> Result<Self, Failure>;
}

impl Road for transport::Channel {
    fn lay(target: &Target) -> Result<Self, Failure> {
        Ok(transport::Endpoint::from_shared(format!("http://{}", target.server))?.connect_lazy())
    }
}

impl Road for trunkline::Channel {
    fn lay(target: &Target) -> Result<Self, Failure> {
        own::channel(target)
    }
}

impl<C> TonicStub<C> {
    /// As tonic's users give a call its deadline.
    fn request<R>(&self, message: R) -> Request<R> {
        let mut request = Request::new(message);
        request.set_timeout(self.deadline);
        request
    }
}

impl<C> Echo for TonicStub<C>
where
    C: Road + GrpcService<Body, Future: Send, Error: Into<StdError>> + Sync,
    C::ResponseBody: HttpBody<Data = Bytes, Error: Into<StdError> + Send> + Send + 'static,
{
    type Idle = Streaming<Payload>;

    async fn connect(target: &Target) -> Result<Self, Failure> {
        Ok(Self { client: EchoClient::new(C::lay(target)?), deadline: target.deadline })
    }

    async fn say(&mut self, body: Bytes) -> Result<Bytes, Failure> {
        let request = self.request(Payload { body });
        Ok(self.client.say(request).await?.into_inner().body)
    }

    async fn flood(&mut self, expected: &mut Expected) -> Result<(), Failure> {
        let request = self.request(expected.request());
        let mut messages = self.client.flood(request).await?.into_inner();
        while let Some(message) = messages.message().await? {
            expected.take(&message.body)?;
        }
        Ok(())
    }

    async fn chat(&mut self, first: Bytes) -> Result<(Bytes, Self::Idle), Failure> {
        let request = self.request(OneThenIdle::new(first));
        let mut replies = self.client.chat(request).await?.into_inner();
        let reply = replies.message().await?.ok_or(Failure::Reply("the call has ended"))?;
        Ok((reply.body, replies))
    }
}
