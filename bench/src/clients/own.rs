//! Trunkline's own stub, by the public builder with its defaults.

use std::time::Duration;

use bytes::Bytes;
use trunkline::stub::Streaming;
use trunkline::{Channel, Transport};

use super::echo::{Echo, Target};
use super::failure::Failure;
use super::flood::Expected;
use super::idle::OneThenIdle;
use crate::contender::Contender;
use crate::echo::Payload;
use crate::echo::echo_client::EchoClient;

/// The generated client.
#[derive(Clone)]
pub(super) struct Own {
    client: EchoClient,
    deadline: Duration,
}

impl Echo for Own {
    type Idle = Streaming<Payload>;

    async fn connect(target: &Target) -> Result<Self, Failure> {
        Ok(Self { client: EchoClient::new(channel(target)?), deadline: target.deadline })
    }

    async fn say(&mut self, body: Bytes) -> Result<Bytes, Failure> {
        Ok(self.client.say(Payload { body }).timeout(self.deadline).await?.body)
    }

    async fn flood(&mut self, expected: &mut Expected) -> Result<(), Failure> {
        let mut messages = self.client.flood(expected.request()).timeout(self.deadline).await?;
        while let Some(message) = messages.message().await? {
            expected.take(&message.body)?;
        }
        Ok(())
    }

    async fn chat(&mut self, first: Bytes) -> Result<(Bytes, Self::Idle), Failure> {
        let requests = OneThenIdle::new(first);
        let mut replies = self.client.chat(requests).timeout(self.deadline).await?;
        let reply = replies.message().await?.ok_or(Failure::Reply("the call has ended"))?;
        Ok((reply.body, replies))
    }
}

/// The channel that Trunkline's contenders share the settings of: the defaults, but for the engine.
pub(super) fn channel(target: &Target) -> Result<Channel, Failure> {
    let transport = match target.contender {
        Contender::Own | Contender::TonicStub => Transport::Trunkline,
        _ => Transport::H2,
    };
    Ok(Channel::builder(format!("http://{}", target.server)).transport(transport).connect_lazy()?)
}
