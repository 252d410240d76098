//! How a connection ends, and what becomes of the streams on it.

use tokio::time::Instant;
use trunkline_proto::ConnectError;

use super::{Life, TrunklineDriver};
use crate::transport::{DriverNews, StreamError};

impl TrunklineDriver {
    /// Notes why the connection ends or takes no more streams, unless a reason is known. Returns the first.
    pub(super) fn set_cause(&mut self, cause: ConnectError) -> ConnectError {
        self.cause.get_or_insert_with(|| cause.at(&self.address)).clone()
    }

    /// No more streams are started, because of `cause`. Those that run go on.
    pub(super) fn refuse(&mut self, cause: &ConnectError) {
        let now = Instant::now().into_std();
        self.shared.refuse(cause, now);
        for request in self.waiting.drain(..) {
            request.cell.fail(StreamError::NeverSent(cause.clone()), now);
        }
    }

    /// Nothing can be written any more. What comes is read to its end, and says why; nobody else is to begin here.
    pub(super) fn leave_what_is_broken(&mut self) {
        if self.life == Life::Ready
            && let Some(failure) = self.wire.write_failure()
        {
            let failure = failure.at(&self.address);
            self.refuse(&failure);
            self.life = Life::Draining;
            self.news.push_back(DriverNews::Draining(failure));
        }
    }

    /// The connection is gone. What is known of each stream decides whether it may be sent again.
    pub(super) fn end(&mut self, cause: ConnectError) {
        if self.life == Life::Ended {
            return;
        }
        self.life = Life::Ended;
        let cause = self.set_cause(cause);
        self.deliver();
        self.refuse(&cause);
        self.shared.commands.end();
        let now = Instant::now().into_std();
        for stream in self.streams.drain() {
            let error = match self.engine.is_sent(stream.key) {
                true => StreamError::Lost(cause.clone()),
                false => StreamError::NeverSent(cause.clone()),
            };
            if let Some(cell) = stream.cell {
                cell.fail(error, now);
            }
        }
        self.wakes.wake_all();
        self.news.push_back(DriverNews::Lost(cause));
    }
}
