//! Closing a channel on purpose.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::Core;

/// How a close went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CloseReport {
    /// Calls that were in flight when the close began.
    pub in_flight: u64,
}

/// Says so to the control plane, and waits until its last connection is gone.
pub(super) async fn close(core: &Arc<Core>, grace: Duration) -> CloseReport {
    let report = CloseReport { in_flight: core.calls().sample().in_flight };
    // A grace beyond what the clock can hold is one without end.
    let deadline = Instant::now().checked_add(grace).map(Instant::into_std);
    core.begin_close(deadline);
    loop {
        let published = core.published();
        if core.seat().is_finished() || core.ensure_driver().is_err() {
            return report;
        }
        published.await;
    }
}
