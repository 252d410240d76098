//! The one timer of a connection: it rings when the keepalive, the engine, a deadline or idleness wants to be looked
//! at.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::time::{Instant, Sleep};

/// Made when it is first needed.
#[derive(Debug, Default)]
pub(super) struct Timer(Option<Pin<Box<Sleep>>>);

impl Timer {
    /// Ready at `until`. It may ring too early after the time was put off: that is cheaper than to set it anew
    /// with each byte.
    pub(super) fn poll(&mut self, until: std::time::Instant, cx: &mut Context<'_>) -> Poll<()> {
        let until = Instant::from_std(until);
        let sleep = self.0.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
        if sleep.is_elapsed() || sleep.deadline() > until {
            sleep.as_mut().reset(until);
        }
        sleep.as_mut().poll(cx)
    }
}
