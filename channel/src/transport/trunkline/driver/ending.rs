//! How a connection ends, and what becomes of the streams on it.

use trunkline_proto::ConnectError;

use super::{Life, TrunklineDriver};
use crate::transport::{DriverNews, StreamError};

impl TrunklineDriver {
    /// No more streams, because of `cause`, unless there was a reason before. Returns the first reason.
    pub(super) fn stop_starting(&mut self, cause: ConnectError) -> ConnectError {
        let cause = self.cause.get_or_insert_with(|| cause.at(&self.address)).clone();
        self.shared.close(&cause);
        for cell in self.waiting.drain(..) {
            cell.fail(StreamError::NeverSent(cause.clone()));
        }
        cause
    }

    /// The connection is gone. What is known of each stream decides whether it may be sent again.
    pub(super) fn end(&mut self, cause: ConnectError) {
        if self.life == Life::Ended {
            return;
        }
        self.life = Life::Ended;
        let cause = self.stop_starting(cause);
        for mut stream in self.streams.drain() {
            let sent = self.wire.may_have_sent_more() || self.engine.is_sent(stream.key);
            let error = match sent {
                true => StreamError::Lost(cause.clone()),
                false => StreamError::NeverSent(cause.clone()),
            };
            stream.inbox.fail(error);
            if let Some(cell) = stream.cell {
                cell.deliver(stream.inbox);
            }
        }
        self.news.push_back(DriverNews::Lost(cause));
    }
}
