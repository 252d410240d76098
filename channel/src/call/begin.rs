//! How a call begins: what both roads bring is brought together with what the channel says, once.

use std::fmt;
use std::time::Duration;

use http::header::{CONTENT_TYPE, TE};
use http::{Extensions, HeaderMap, HeaderValue, Method, Uri, Version};
use tokio::time::Instant;
use trunkline_proto::{timeout, wire};

use super::deadline::Deadline;
use super::exchange::Exchange;
use super::layered::{LayeredCall, RequestMark, UploadBody};
use super::machine::{DirectCall, Request};
use super::{Call, CallOptions, FailFast, Upload};
use crate::channel::Channel;
use crate::transport::{Path, Reply};
use crate::vocabulary::Body;

/// A call as one of the roads made it.
pub(crate) struct CallStart {
    /// When the method was called: the deadline counts from here.
    began: Instant,
    path: Path,
    attached: Option<Box<Attached>>,
    /// As the request says it, unless the application said it of the call itself.
    options: CallOptions,
    reply: Reply,
    /// Or what is wrong with the request. In a box, which only calls that fail pay for.
    upload: Result<Upload, Box<wire::Status>>,
}

/// What an application attached to a call. In a box, since most calls carry neither.
#[derive(Default)]
pub(crate) struct Attached {
    pub(crate) headers: HeaderMap,
    pub(crate) extensions: Extensions,
}

/// What is taken out of a request's headers: the transport writes these itself, the last as what is then left
/// of the deadline. As text, which is compared in fewer steps than names of headers are.
const WRITTEN_BELOW: [&str; 4] = ["te", "content-type", "user-agent", GRPC_TIMEOUT];
const GRPC_TIMEOUT: &str = "grpc-timeout";

/// The largest map that is used again, in headers: the usual request has a handful, and a response should not
/// keep the memory of one that was far larger.
const MOST_REUSED: usize = 64;

impl Attached {
    /// These, if they are anything.
    pub(crate) fn some(headers: HeaderMap, extensions: Extensions) -> Option<Box<Self>> {
        if !headers.is_empty() || !extensions.is_empty() {
            return Some(Box::new(Self { headers, extensions }));
        }
        // A map that never had room owns nothing, and to drop its parts one by one is a percent of a quick call.
        if headers.capacity() == 0 {
            std::mem::forget(headers);
        }
        None
    }

    /// Takes out what the request says of its call, and what the transport writes.
    fn take_options(&mut self) -> Result<CallOptions, timeout::InvalidTimeout> {
        let mut options = self.extensions.remove::<CallOptions>().unwrap_or_default();
        let (mut header, mut written_below) = (None, 0);
        for (name, value) in &self.headers {
            let name = name.as_str();
            written_below += usize::from(WRITTEN_BELOW.contains(&name));
            if name == GRPC_TIMEOUT {
                header.get_or_insert_with(|| timeout::parse(value));
            }
        }
        // The usual stub writes nothing else, and to let go of all costs less than to look one up.
        if written_below == self.headers.len() {
            self.headers.clear();
        } else if written_below > 0 {
            for name in WRITTEN_BELOW {
                self.headers.remove(name);
            }
        }
        options.timeout = options.timeout.or(header.transpose()?);
        Ok(options)
    }

    fn is_empty(&self) -> bool {
        self.headers.is_empty() && self.extensions.is_empty()
    }

    /// Empties both, for a response to be put into them: stubs that bring maps want maps back, and to make
    /// and to grow them is a good part of the price of such a call.
    pub(crate) fn emptied(mut self) -> Self {
        match self.headers.capacity() {
            0..=MOST_REUSED => self.headers.clear(),
            _ => self.headers = HeaderMap::new(),
        }
        self.extensions.clear();
        self
    }
}

impl CallStart {
    /// A call that is made now. A `grpc-timeout` in the headers and [`CallOptions`] in the extensions are
    /// what the request says of the call.
    pub(crate) fn new(
        path: Path,
        mut attached: Option<Box<Attached>>,
        reply: Reply,
        mut upload: Result<Upload, Box<wire::Status>>,
    ) -> Self {
        let mut options = CallOptions::default();
        if let Some(attached) = &mut attached {
            match attached.take_options() {
                Ok(requested) => options = requested,
                Err(error) => {
                    upload = Err(Box::new(wire::Status::new(wire::Code::Internal, error.to_string())));
                }
            }
        }
        let attached = attached.filter(|attached| !attached.is_empty());
        let began = options.began.unwrap_or_else(Instant::now);
        Self { began, path, attached, options, reply, upload }
    }

    /// To be set to what the application says of the call itself, which counts more than what its request
    /// says.
    pub(crate) fn options(&mut self) -> &mut CallOptions {
        &mut self.options
    }

    /// Makes the call, through the channel's layers if it has any. What is wrong with it is the call's
    /// result.
    pub(crate) fn on(self, channel: Channel) -> Call {
        let terms = self.settle(&channel);
        match (channel.core().layers(), self.upload) {
            (Some(layers), Ok(mut upload)) => {
                // What must be kept for sending again is kept below the layers.
                upload.commit();
                let Attached { headers, extensions } = *self.attached.unwrap_or_default();
                let mark = RequestMark::default();
                let mut request = http::Request::new(Body::new(UploadBody::new(upload, mark.clone())));
                // What it will be on the wire, for layers that log, sign or choose by it. The transport writes its own.
                *request.method_mut() = Method::POST;
                *request.version_mut() = Version::HTTP_2;
                *request.uri_mut() = Uri::from(self.path);
                *request.headers_mut() = headers;
                request.headers_mut().insert(TE, HeaderValue::from_static("trailers"));
                request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
                *request.extensions_mut() = extensions;
                let options = CallOptions {
                    timeout: terms.timeout,
                    fail_fast: Some(terms.fail_fast),
                    began: Some(self.began),
                };
                request.extensions_mut().insert(options);
                request.extensions_mut().insert(mark.clone());
                let answer = layers.send(request);
                let call = LayeredCall::new(channel, answer, mark, self.began, terms.deadline);
                Call::Layered(Box::new(call))
            }
            (_, upload) => {
                let Self { began, path, attached, reply, .. } = self;
                let fail_fast = terms.fail_fast;
                let request = Request { path, attached, reply, fail_fast };
                Call::Direct(terms.direct(channel, request, upload, began))
            }
        }
    }

    /// Makes the call below the layers.
    pub(crate) fn directly_on(self, channel: Channel) -> Call {
        let terms = self.settle(&channel);
        let Self { began, path, attached, reply, upload, .. } = self;
        let request = Request { path, attached, reply, fail_fast: terms.fail_fast };
        Call::Direct(terms.direct(channel, request, upload, began))
    }

    /// Brings together what the call, its request, its method and its channel say.
    fn settle(&self, channel: &Channel) -> Terms {
        let core = channel.core();
        let settings = core.settings();
        let method = core.method(self.path.as_str());
        let own = self.options.timeout.or(settings.timeout);
        // gRPC's service config: of the application's timeout and the config's, the shorter one counts.
        let timeout = match (own, method.as_ref().and_then(|method| method.timeout)) {
            (Some(own), Some(config)) => Some(own.min(config)),
            (own, config) => own.or(config),
        };
        let deadline = timeout.and_then(|timeout| Deadline::after(self.began, timeout));

        let by_method = method.and_then(|method| method.wait_for_ready).map(|wait| match wait {
            true => FailFast::Never,
            false => FailFast::Always,
        });
        let fail_fast = self.options.fail_fast.or(by_method).unwrap_or(settings.fail_fast);
        Terms { timeout, deadline, fail_fast }
    }
}

/// What holds for a call once everybody has been heard.
struct Terms {
    timeout: Option<Duration>,
    deadline: Option<Deadline>,
    fail_fast: FailFast,
}

impl Terms {
    fn direct(
        self,
        channel: Channel,
        request: Request,
        upload: Result<Upload, Box<wire::Status>>,
        began: Instant,
    ) -> DirectCall {
        let exchange = Exchange::new(channel, began, self.deadline);
        DirectCall::new(exchange, request, upload)
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

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderName;
    use trunkline_proto::wire::names;

    fn attached(headers: usize) -> Attached {
        let name = |index| HeaderName::try_from(format!("x-{index}")).unwrap();
        let headers = (0..headers).map(|index| (name(index), HeaderValue::from_static("canary"))).collect();
        let mut extensions = Extensions::new();
        extensions.insert(7_u32);
        Attached { headers, extensions }
    }

    #[test]
    fn emptied_maps_hold_nothing_and_no_more_room_than_the_usual_response_needs() {
        for (headers, keeps_room) in [(3, true), (300, false)] {
            let Attached { headers, extensions } = attached(headers).emptied();
            assert!(headers.is_empty() && extensions.is_empty());
            assert_eq!(headers.capacity() > 0, keeps_room);
        }
    }

    #[test]
    fn what_the_transport_writes_is_taken_out_and_what_the_request_says_counts_once() {
        let mut attached = attached(1);
        attached.headers.insert(TE, HeaderValue::from_static("trailers"));
        attached.headers.append(names::GRPC_TIMEOUT, HeaderValue::from_static("1S"));
        attached.headers.append(names::GRPC_TIMEOUT, HeaderValue::from_static("2S"));
        let options = attached.take_options().unwrap();
        assert_eq!(options.timeout, Some(Duration::from_secs(1)));
        assert_eq!(attached.headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["x-0"]);
    }
}
