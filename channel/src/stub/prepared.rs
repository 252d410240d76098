//! What the four shapes of call share: a request with its options, not yet sent.

use std::time::Duration;

use http::HeaderMap;
use prost::Message;
use trunkline_proto::wire::metadata::is_reserved;
use trunkline_proto::wire::names::GRPC_TIMEOUT;
use trunkline_proto::{framing, wire};

use super::MethodDescriptor;
use super::encode::Encoded;
use crate::call::{Attached, Call, CallStart, FailFast, Source, Upload};
use crate::channel::Channel;
use crate::transport::{Path, Reply};
use crate::vocabulary::{IntoRequest, IntoStreamingRequest};

/// One call that was made and not yet awaited.
#[derive(Debug)]
pub(super) struct Prepared {
    channel: Channel,
    start: CallStart,
}

impl Prepared {
    /// A call with one message.
    pub(super) fn single<M: Message>(
        channel: &Channel,
        method: &'static MethodDescriptor,
        request: impl IntoRequest<M>,
        reply: Reply,
    ) -> Self {
        let (metadata, extensions, message) = request.into_request().into_parts();
        let attached = Attached::some(metadata.into_headers(), extensions);
        let limit = channel.core().settings().max_send_message_size;
        let upload = match framing::encode(&message, limit) {
            Ok(message) => Ok(Upload::whole(message)),
            Err(error) => Err(Box::new(wire::Status::from(error))),
        };
        Self::new(channel, method, attached, reply, upload)
    }

    /// A call with a stream of messages.
    pub(super) fn streaming<R>(
        channel: &Channel,
        method: &'static MethodDescriptor,
        requests: R,
        reply: Reply,
    ) -> Self
    where
        R: IntoStreamingRequest,
        R::Message: Message,
    {
        let (metadata, extensions, messages) = requests.into_streaming_request().into_parts();
        let attached = Attached::some(metadata.into_headers(), extensions);
        let core = channel.core();
        let frames = Encoded::new(messages, core.settings().max_send_message_size);
        let upload = Upload::streaming(Source::Stream(Box::pin(frames)));
        Self::new(channel, method, attached, reply, Ok(upload))
    }

    fn new(
        channel: &Channel,
        method: &'static MethodDescriptor,
        attached: Option<Box<Attached>>,
        reply: Reply,
        mut upload: Result<Upload, Box<wire::Status>>,
    ) -> Self {
        if upload.is_ok()
            && let Some(attached) = &attached
            && let Some(name) = reserved_name(&attached.headers)
        {
            let text = format!("the metadata name {name:?} is reserved: gRPC or HTTP/2 uses it");
            upload = Err(Box::new(wire::Status::new(wire::Code::Internal, text)));
        }
        let path = Path::Method(method.path_and_query());
        let start = CallStart::new(path, attached, reply, upload);
        Self { channel: channel.clone(), start }
    }

    pub(super) fn set_timeout(&mut self, timeout: Duration) {
        self.start.options().set_timeout(timeout);
    }

    pub(super) fn set_fail_fast(&mut self, fail_fast: FailFast) {
        self.start.options().set_fail_fast(fail_fast);
    }

    /// Makes the call; nothing is sent until it is polled.
    pub(super) fn call(self) -> Call {
        self.start.on(self.channel)
    }
}

/// A name that an application may not send, if there is one; `grpc-timeout` is what `Request::set_timeout`
/// writes.
fn reserved_name(headers: &HeaderMap) -> Option<&str> {
    let name = headers.keys().find(|name| is_reserved(name) && **name != GRPC_TIMEOUT)?;
    Some(name.as_str())
}

/// The setters that every shape of call has.
macro_rules! call_setters {
    () => {
        /// Ends the call with DEADLINE_EXCEEDED when `timeout` has passed since the method was called,
        /// whatever the channel's default. It covers everything: resolving, connecting, waiting for a place
        /// on a connection, sending, and the whole response.
        pub fn timeout(mut self, timeout: std::time::Duration) -> Self {
            self.prepared.set_timeout(timeout);
            self
        }

        /// When the call fails for want of a connection, whatever the channel's mode.
        pub fn fail_fast(mut self, fail_fast: crate::call::FailFast) -> Self {
            self.prepared.set_fail_fast(fail_fast);
            self
        }
    };
}

pub(super) use call_setters;
