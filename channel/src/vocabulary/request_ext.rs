//! Our per-call options on requests of stubs that know nothing of them, and the report on statuses that they
//! return. Both ride in places that every stub hands on untouched.

use std::time::Duration;

use super::{Request, Status};
use crate::call::{CallOptions, CallReport, FailFast};

/// Per-call options on a request, for stubs that have no setters of their own. They travel in the request's
/// extensions, through interceptors and layers.
///
/// ```
/// use trunkline::{FailFast, Request, RequestExt};
/// let request = Request::new("hello").with_fail_fast(FailFast::Never);
/// ```
pub trait RequestExt: Sized {
    /// The options of this call, to be changed.
    fn call_options(&mut self) -> &mut CallOptions;

    /// The same request, to end at the latest when `timeout` has passed since the call was made, whatever the
    /// channel's default. `Request::set_timeout` does the same; of both, this counts.
    #[must_use]
    fn with_timeout(mut self, timeout: Duration) -> Self {
        self.call_options().set_timeout(timeout);
        self
    }

    /// The same request with its own `fail_fast`, whatever the channel's.
    #[must_use]
    fn with_fail_fast(mut self, fail_fast: FailFast) -> Self {
        self.call_options().set_fail_fast(fail_fast);
        self
    }
}

impl<T> RequestExt for Request<T> {
    fn call_options(&mut self) -> &mut CallOptions {
        let extensions = self.extensions_mut();
        if extensions.get::<CallOptions>().is_none() {
            extensions.insert(CallOptions::default());
        }
        extensions.get_mut().expect("it was inserted just above")
    }
}

/// What became of the call that a status is the end of.
pub trait StatusExt {
    /// The report, if the call went through a Trunkline channel.
    fn call_report(&self) -> Option<&CallReport>;
}

impl StatusExt for Status {
    fn call_report(&self) -> Option<&CallReport> {
        super::report_of(self)
    }
}
