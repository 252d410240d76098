//! The service, as the loops ask any contender for it.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;

use super::failure::Failure;
use super::flood::Expected;
use crate::contender::Contender;

/// Where a contender calls, and how.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) server: SocketAddr,
    pub(super) contender: Contender,
    /// Of each call, from start to end.
    pub(super) deadline: Duration,
}

/// A client of the echo service. Clones share its connection.
pub(super) trait Echo: Clone + Send + Sized + 'static {
    /// A call that is open and waits.
    type Idle: Send;

    /// A client with a connection of its own, which may come with the first call.
    async fn connect(target: &Target) -> Result<Self, Failure>;

    /// One unary call: the body that came back for this one.
    fn say(&mut self, body: Bytes) -> impl Future<Output = Result<Bytes, Failure>> + Send;

    /// One server stream, all of which is held against what is expected.
    fn flood(&mut self, expected: &mut Expected) -> impl Future<Output = Result<(), Failure>> + Send;

    /// One bidirectional call that stays open after its first message each way.
    fn chat(&mut self, first: Bytes) -> impl Future<Output = Result<(Bytes, Self::Idle), Failure>> + Send;
}
