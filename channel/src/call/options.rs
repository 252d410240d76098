//! What an application may say of one call.

use std::time::Duration;

use tokio::time::Instant;

/// When a call fails for want of a connection. Per channel, per method (`waitForReady` of a service config:
/// `true` is `Never`, `false` is `Always`), and per call; the most specific counts.
///
/// While anything is still connecting for the first time, calls wait in every mode. A call that waits ends at
/// its deadline, with the last cause in its status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FailFast {
    /// Fail at once, with the last cause, when no address can serve. This is gRPC's `wait_for_ready = false`,
    /// and the default.
    #[default]
    Always,
    /// Fail at once if *every* address failed permanently (a bad certificate, a peer that speaks no HTTP/2),
    /// since waiting cannot help; else wait until the deadline.
    Permanent,
    /// Wait until the deadline. This is gRPC's `wait_for_ready = true`.
    Never,
}

/// The options of one call. What is not set is the channel's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallOptions {
    pub(crate) timeout: Option<Duration>,
    pub(crate) fail_fast: Option<FailFast>,
    /// When the method was called, where layers lie between that and the call path.
    pub(crate) began: Option<Instant>,
}

impl CallOptions {
    /// Ends the call, with DEADLINE_EXCEEDED, when `timeout` has passed since it was made. It covers
    /// everything: resolving, connecting, waiting for a place on a connection, sending, and the whole
    /// response.
    pub fn set_timeout(&mut self, timeout: Duration) -> &mut Self {
        self.timeout = Some(timeout);
        self
    }

    /// When the call fails for want of a connection.
    pub fn set_fail_fast(&mut self, fail_fast: FailFast) -> &mut Self {
        self.fail_fast = Some(fail_fast);
        self
    }
}
