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
            let sent = self.wire.may_have_sent_more() || self.engine.is_sent(stream.key);
            let error = match sent {
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
