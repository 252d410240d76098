//! How a call begins: what both roads bring is brought together with what the channel says, once.

use http::uri::PathAndQuery;
use http::{Extensions, HeaderMap};
use tokio::time::Instant;
use trunkline_proto::wire::names;
use trunkline_proto::{timeout, wire};

use super::deadline::Deadline;
use super::machine::Request;
use super::{Call, CallOptions, FailFast, Upload};
use crate::channel::Channel;

/// A call as one of the roads made it.
#[derive(Debug)]
pub(crate) struct CallStart {
    /// When the method was called: the deadline counts from here.
    pub(crate) began: Instant,
    pub(crate) path: PathAndQuery,
    /// The application's metadata. A `grpc-timeout` in it becomes the deadline.
    pub(crate) headers: HeaderMap,
    pub(crate) extensions: Extensions,
    /// Of the call itself; what they leave open may be in the extensions.
    pub(crate) options: CallOptions,
    pub(crate) upload: Result<Upload, wire::Status>,
}

impl CallStart {
    /// Makes the call. What is wrong with it is the call's result.
    pub(crate) fn on(mut self, channel: &Channel) -> Call {
        let core = channel.core();
        let settings = core.settings();
        let in_extensions = self.extensions.remove::<CallOptions>().unwrap_or_default();
        let snapshot = core.snapshot();
        let method = snapshot.methods.lookup(self.path.as_str());

        let header = self.headers.remove(&names::GRPC_TIMEOUT);
        let (in_header, malformed) = match header.as_ref().map(timeout::parse) {
            Some(Ok(timeout)) => (Some(timeout), None),
            Some(Err(error)) => (None, Some(wire::Status::new(wire::Code::Internal, error.to_string()))),
            None => (None, None),
        };
        let own = self.options.timeout.or(in_extensions.timeout).or(in_header).or(settings.timeout);
        // gRPC's service config: of the application's timeout and the config's, the shorter one counts.
        let timeout = match (own, method.and_then(|method| method.timeout)) {
            (Some(own), Some(config)) => Some(own.min(config)),
            (own, config) => own.or(config),
        };
        let deadline = timeout.and_then(|timeout| Deadline::after(self.began, timeout));

        let by_method = method.and_then(|method| method.wait_for_ready).map(|wait| match wait {
            true => FailFast::Never,
            false => FailFast::Always,
        });
        let own = self.options.fail_fast.or(in_extensions.fail_fast);
        let fail_fast = own.or(by_method).unwrap_or(settings.fail_fast);

        let upload = match malformed {
            Some(refusal) => Err(refusal),
            None => self.upload,
        };
        let request = Request { path: self.path, headers: self.headers, extensions: self.extensions };
        Call::new(channel.clone(), request, upload, fail_fast, self.began, deadline)
    }
}
