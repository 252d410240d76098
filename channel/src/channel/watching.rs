//! Following the state of a channel.

use std::sync::{Arc, Weak};

use trunkline_proto::ConnectivityState;

use super::Core;

/// Follows how a channel stands. It keeps the channel neither open nor busy.
#[derive(Debug)]
pub struct StateWatch {
    core: Weak<Core>,
    seen: ConnectivityState,
}

impl StateWatch {
    pub(super) fn new(core: &Arc<Core>) -> Self {
        Self { core: Arc::downgrade(core), seen: core.connectivity() }
    }

    /// The state that was last seen.
    pub fn state(&self) -> ConnectivityState {
        self.seen
    }

    /// Waits until the state differs from the one last seen, and returns it. Changes that follow each other
    /// quickly may be seen as one. After [`Shutdown`](ConnectivityState::Shutdown), and when all handles of
    /// the channel are gone, it returns `Shutdown` at once.
    ///
    /// Cancel-safe: a change is missed by no later call.
    pub async fn changed(&mut self) -> ConnectivityState {
        loop {
            let published = {
                let Some(core) = self.core.upgrade() else {
                    self.seen = ConnectivityState::Shutdown;
                    return self.seen;
                };
                let published = core.published();
                let now = core.connectivity();
                if now != self.seen || now == ConnectivityState::Shutdown {
                    self.seen = now;
                    return now;
                }
                published
            };
            published.await;
        }
    }
}
