//! How a call begins: what both roads bring is brought together with what the channel says, once.

use std::fmt;
use std::time::Duration;

use http::uri::PathAndQuery;
use http::{Extensions, HeaderMap, Uri};
use tokio::time::Instant;
use trunkline_proto::wire::names;
use trunkline_proto::{timeout, wire};

use super::deadline::Deadline;
use super::layered::{LayeredCall, UploadBody};
use super::machine::{DirectCall, Request};
use super::{Call, CallOptions, FailFast, Upload};
use crate::channel::Channel;
use crate::transport::Reply;
use crate::vocabulary::Body;

/// A call as one of the roads made it.
pub(crate) struct CallStart {
    /// When the method was called: the deadline counts from here.
    pub(crate) began: Instant,
    pub(crate) path: PathAndQuery,
    pub(crate) attached: Option<Box<Attached>>,
    /// Of the call itself; what they leave open may be in the extensions.
    pub(crate) options: CallOptions,
    pub(crate) reply: Reply,
    /// Or what is wrong with the request. In a box, which only calls that fail pay for.
    pub(crate) upload: Result<Upload, Box<wire::Status>>,
}

/// What an application attached to a call. In a box, since most calls carry neither.
#[derive(Default)]
pub(crate) struct Attached {
    /// The application's metadata. A `grpc-timeout` in it becomes the deadline.
    pub(crate) headers: HeaderMap,
    pub(crate) extensions: Extensions,
}

impl Attached {
    /// These, if they are anything.
    pub(crate) fn some(headers: HeaderMap, extensions: Extensions) -> Option<Box<Self>> {
        let any = !headers.is_empty() || !extensions.is_empty();
        any.then(|| Box::new(Self { headers, extensions }))
    }
}

impl CallStart {
    /// Makes the call, through the channel's layers if it has any. What is wrong with it is the call's
    /// result.
    pub(crate) fn on(mut self, channel: &Channel) -> Call {
        let terms = self.settle(channel);
        match (channel.core().layers(), self.upload) {
            (Some(layers), Ok(mut upload)) if terms.malformed.is_none() => {
                // What must be kept for sending again is kept below the layers.
                upload.commit();
                let Attached { headers, extensions } = *self.attached.unwrap_or_default();
                let mut request = http::Request::new(Body::new(UploadBody(upload)));
                *request.uri_mut() = Uri::from(self.path);
                *request.headers_mut() = headers;
                *request.extensions_mut() = extensions;
                let options = CallOptions {
                    timeout: terms.timeout,
                    fail_fast: Some(terms.fail_fast),
                    began: Some(self.began),
                };
                request.extensions_mut().insert(options);
                let answer = layers.send(request);
                let call = LayeredCall::new(channel.clone(), answer, self.began, terms.deadline);
                Call::Layered(Box::new(call))
            }
            (_, upload) => {
                let request = Request { path: self.path, attached: self.attached, reply: self.reply };
                Call::Direct(terms.direct(channel, request, upload, self.began))
            }
        }
    }

    /// Makes the call below the layers.
    pub(crate) fn directly_on(mut self, channel: &Channel) -> Call {
        let terms = self.settle(channel);
        let request = Request { path: self.path, attached: self.attached, reply: self.reply };
        Call::Direct(terms.direct(channel, request, self.upload, self.began))
    }

    /// Brings together what the call, its extensions, its headers, its method and its channel say.
    fn settle(&mut self, channel: &Channel) -> Terms {
        let core = channel.core();
        let settings = core.settings();
        let (in_extensions, header) = match &mut self.attached {
            Some(attached) => {
                let options = attached.extensions.remove::<CallOptions>();
                (options.unwrap_or_default(), attached.headers.remove(&names::GRPC_TIMEOUT))
            }
            None => (CallOptions::default(), None),
        };
        let snapshot = core.snapshot();
        let method = snapshot.methods.lookup(self.path.as_str());
        self.began = in_extensions.began.unwrap_or(self.began);

        let (in_header, malformed) = match header.as_ref().map(timeout::parse) {
            Some(Ok(timeout)) => (Some(timeout), None),
            Some(Err(error)) => {
                (None, Some(Box::new(wire::Status::new(wire::Code::Internal, error.to_string()))))
            }
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
        Terms { timeout, deadline, fail_fast, malformed }
    }
}

/// What holds for a call once everybody has been heard.
struct Terms {
    timeout: Option<Duration>,
    deadline: Option<Deadline>,
    fail_fast: FailFast,
    /// The request's own `grpc-timeout` makes no sense.
    malformed: Option<Box<wire::Status>>,
}

impl Terms {
    fn direct(
        self,
        channel: &Channel,
        request: Request,
        upload: Result<Upload, Box<wire::Status>>,
        began: Instant,
    ) -> DirectCall {
        let upload = match self.malformed {
            Some(refusal) => Err(refusal),
            None => upload,
        };
        DirectCall::new(channel.clone(), request, upload, self.fail_fast, began, self.deadline)
    }
}

impl fmt::Debug for CallStart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Metadata is left out: its values may be secrets.
        f.debug_struct("CallStart")
            .field("path", &self.path)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
