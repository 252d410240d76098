//! What calls read of a channel's settings, and the errors of the handle.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::uri::Authority;
use trunkline_proto::{ConnectError, wire::Code};

use super::{Core, trouble};
use crate::FailFast;
use crate::call::{Problem, Sent};

/// The settings that calls need. Checked by the builder.
#[derive(Debug)]
pub(crate) struct CallSettings {
    pub(crate) target: Arc<str>,
    /// What pickers are told.
    pub(crate) authority: Authority,
    pub(crate) timeout: Option<Duration>,
    pub(crate) fail_fast: FailFast,
    pub(crate) max_receive_message_size: usize,
    pub(crate) max_send_message_size: usize,
}

/// The channel did not become Ready in time.
#[derive(Clone, Debug)]
pub struct NotReady {
    target: Arc<str>,
    waited: Duration,
    /// What is in the way, where that is no connection error.
    why: Option<Arc<str>>,
    causes: Arc<[ConnectError]>,
}

impl NotReady {
    pub(super) fn new(core: &Core, waited: Duration, why: Option<String>) -> Self {
        let target = core.settings().target.clone();
        Self { target, waited, why: why.map(Arc::from), causes: trouble(core) }
    }

    /// The newest connection errors, the last one last; empty if nothing has failed yet.
    pub fn causes(&self) -> &[ConnectError] {
        &self.causes
    }
}

impl fmt::Display for NotReady {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not ready after {:?}", self.target, self.waited)?;
        match (&self.why, self.causes.last()) {
            (Some(why), _) => write!(f, ": {why}"),
            (None, Some(cause)) => write!(f, "; last cause: {cause}"),
            (None, None) => f.write_str("; nothing has failed yet"),
        }
    }
}

impl Error for NotReady {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.causes.last().map(|cause| cause as _)
    }
}

/// There is nothing to run the channel on.
#[derive(Clone, Copy, Debug)]
pub(crate) enum NoRuntime {
    /// A call was polled where no runtime is, on a channel that was given none.
    Absent,
    /// The runtime, the channel's own or the one that is here, has shut down.
    Gone,
    /// The runtime has no timers.
    NoTimers,
}

impl NoRuntime {
    /// The end of a call that cannot go on. `sent`: what is known of its request.
    pub(crate) fn problem(self, sent: Sent) -> Problem {
        Problem::new(Code::Internal, sent, self.text())
    }

    /// What it says, and what to do.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Absent => {
                "no tokio runtime here: poll the call within one, or give the channel one by ChannelBuilder::runtime"
            }
            Self::Gone => "the tokio runtime of this channel has shut down",
            Self::NoTimers => {
                "the tokio runtime here has no timers, which deadlines need: build it with enable_time"
            }
        }
    }
}
