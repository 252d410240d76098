//! The calls' side of a connection: how a stream is begun.

use std::sync::Arc;
use std::task::Waker;
use std::time::Instant;

use tokio::runtime::{self, Handle};
use trunkline_proto::{ConnectError, framing::SmallBytes};

use super::cell::Cell;
use super::commands::Commands;
use super::request::{self, Request};
use super::stream::TrunklineStream;
use crate::transport::quota::{HasQuota, ReserveOn, SlotOn, StreamQuota};
use crate::transport::{RequestHead, StreamError};

/// A connection, as calls hold it.
#[derive(Clone, Debug)]
pub(crate) struct TrunklineConnection(Arc<Shared>);

/// What the driver and the calls of one connection share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(super) quota: StreamQuota,
    pub(super) commands: Commands,
    /// Where the driver runs.
    pub(super) runtime: Option<runtime::Id>,
}

impl TrunklineConnection {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self(shared)
    }

    pub(in crate::transport) fn shared(&self) -> &Arc<Shared> {
        &self.0
    }
}

/// A place on it.
pub(crate) type TrunklineSlot = SlotOn<Shared>;

/// One that is waited for.
pub(crate) type TrunklineReserve = ReserveOn<Shared>;

impl HasQuota for Shared {
    fn quota(&self) -> &StreamQuota {
        &self.quota
    }
}

impl TrunklineSlot {
    pub(in crate::transport) fn start(
        self,
        head: RequestHead,
        first: SmallBytes,
        end: bool,
        reader: &Waker,
    ) -> Result<TrunklineStream, StreamError> {
        request::check(&head)?;
        let cell = Arc::new(Cell::new(end, reader.clone()));
        let request = Request { cell: Arc::clone(&cell), head, body: first, end };
        self.connection().commands.start(request).map_err(StreamError::NeverSent)?;
        Ok(TrunklineStream::new(self, cell, end))
    }
}

impl Shared {
    pub(super) fn new() -> Arc<Self> {
        // Nobody has the connection before the SETTINGS are in, and they say the limit.
        let runtime = Handle::try_current().ok().map(|handle| handle.id());
        Arc::new(Self { quota: StreamQuota::new(0), commands: Commands::default(), runtime })
    }

    /// No more streams are started, because of `cause`. What waits for that in the queue is told so.
    pub(super) fn refuse(&self, cause: &ConnectError, now: Instant) {
        self.quota.close(cause);
        for cell in self.commands.refuse(cause) {
            cell.fail(StreamError::NeverSent(cause.clone()), now);
        }
    }
}
