//! The server under test as the cases see it: a stub on a channel, and how to make another channel.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use trunkline::metadata::MetadataMap;
use trunkline::{BuildError, Channel, ChannelBuilder, Request};

use super::progress::{ProgressWatch, Watched};
use super::{CaseError, Stub};

/// Gives the settings of one more channel to the server.
pub type Connect = Arc<dyn Fn() -> ChannelBuilder + Send + Sync>;

/// The server under test.
#[derive(Clone)]
pub struct Peer<S> {
    stub: S,
    watched: Watched,
    connect: Connect,
    metadata: MetadataMap,
    soak: Soak,
}

/// The settings of the soak cases. The defaults are gRPC's.
#[derive(Clone, Copy, Debug)]
pub struct Soak {
    /// How many calls.
    pub iterations: u32,
    /// By how many tasks at once, which share the calls.
    pub threads: u32,
    /// How many of them may fail or be too slow.
    pub max_failures: u32,
    /// How long a call may take.
    pub max_latency: Duration,
    /// The least time from the begin of one call to that of the next, of one task.
    pub min_interval: Duration,
    /// How long all of them may take.
    pub overall_timeout: Duration,
    /// The size of each request's payload, in bytes.
    pub request_size: usize,
    /// The size of each response's payload, in bytes.
    pub response_size: usize,
}

impl Default for Soak {
    fn default() -> Self {
        Self {
            iterations: 10,
            threads: 1,
            max_failures: 0,
            max_latency: Duration::from_secs(1),
            min_interval: Duration::ZERO,
            overall_timeout: Duration::from_secs(10),
            request_size: 271_828,
            response_size: 314_159,
        }
    }
}

impl<S: Stub> Peer<S> {
    /// A server to which `connect` makes channels. One is made now, for all cases but `channel_soak`.
    ///
    /// # Errors
    /// If its settings make no sense.
    pub fn new(connect: Connect, metadata: MetadataMap, soak: Soak) -> Result<Self, BuildError> {
        let watched = Watched::default();
        let stub = S::on(channel(&connect, &watched)?);
        Ok(Self { stub, watched, connect, metadata, soak })
    }

    pub(super) fn stub(&self) -> &S {
        &self.stub
    }

    /// A stub on a channel of its own.
    pub(super) fn another_stub(&self) -> Result<S, CaseError> {
        Ok(S::on(channel(&self.connect, &self.watched)?))
    }

    /// A request with that message and the metadata that every call must have.
    pub(super) fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        *request.metadata_mut() = self.metadata.clone();
        request
    }

    /// What becomes of calls from now on.
    pub(super) fn watch_progress(&self) -> ProgressWatch {
        self.watched.watch()
    }

    pub(super) fn soak(&self) -> Soak {
        self.soak
    }
}

fn channel(connect: &Connect, watched: &Watched) -> Result<Channel, BuildError> {
    connect().balancer(watched.pick_first()).timeout(CALL_LIMIT).connect_lazy()
}

impl<S> fmt::Debug for Peer<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer").field("soak", &self.soak).finish_non_exhaustive()
    }
}

/// How long any call may take: none of a server that works comes near it, and none of one that hangs should
/// hang the test.
const CALL_LIMIT: Duration = Duration::from_secs(30);
