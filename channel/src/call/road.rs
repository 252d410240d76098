//! A call with or without layers. Whoever makes calls and reads responses need not know which.

use std::fmt;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use trunkline_proto::wire;

use super::exchange::Exchange;
use super::layered::LayeredCall;
use super::machine::DirectCall;
use super::{Attached, CallReport};
use crate::channel::Core;
use crate::transport::{Headers, Reply};
use crate::vocabulary::Status;

/// One call, from its beginning to its end. In every state its deadline ends it; dropping it before its end
/// cancels it.
#[allow(clippy::large_enum_variant, reason = "a box would cost the usual call an allocation")]
pub(crate) enum Call {
    Direct(DirectCall),
    Layered(Box<LayeredCall>),
}

/// What is left of a call once its response has begun: much less, for responses that go on for long.
pub(crate) enum Begun {
    Direct(Exchange),
    Layered(Box<LayeredCall>),
}

impl Call {
    pub(crate) fn core(&self) -> &Core {
        match self {
            Self::Direct(call) => call.exchange.core(),
            Self::Layered(call) => call.core(),
        }
    }

    /// Whether the request has gone out, as far as that is known here.
    pub(crate) fn is_sent(&self) -> bool {
        match self {
            Self::Direct(call) => call.is_sent(),
            Self::Layered(_) => false,
        }
    }

    /// Ready when the response has begun, or has ended already. After an error the call has ended.
    pub(crate) fn poll_begun(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        match self {
            Self::Direct(call) => call.poll_begun(cx),
            Self::Layered(call) => call.poll_begun(cx),
        }
    }

    /// What is left of it once the response has begun.
    pub(crate) fn into_begun(self) -> Begun {
        match self {
            Self::Direct(call) => Begun::Direct(call.into_exchange()),
            Self::Layered(call) => Begun::Layered(call),
        }
    }

    /// The whole reply, if it is here and as nearly all are, as `read` reads it; the call has ended then. `None`:
    /// it is to be read piece by piece.
    pub(crate) fn take_plain<T>(
        &mut self,
        read: impl FnOnce(Bytes) -> Result<T, wire::Status>,
    ) -> Option<Result<T, Status>> {
        match self {
            Self::Direct(call) => call.take_plain(read),
            Self::Layered(_) => None,
        }
    }

    /// As [`Begun::poll_data`]; waits for the beginning of the response first.
    pub(crate) fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Status>>> {
        match self {
            Self::Direct(call) => call.poll_data(cx),
            Self::Layered(call) => call.poll_data(cx),
        }
    }

    /// As [`Begun::take_headers`]; there are none before the response has begun.
    pub(crate) fn take_headers(&mut self) -> Option<Headers> {
        match self {
            Self::Direct(call) => call.exchange.headers.take(),
            Self::Layered(call) => call.take_headers(),
        }
    }

    /// What was attached to the request and will not be needed again, if the response has begun.
    pub(crate) fn take_attached(&mut self) -> Option<Box<Attached>> {
        match self {
            Self::Direct(call) => call.request.attached.take(),
            Self::Layered(_) => None,
        }
    }

    /// As [`Begun::take_trailers`].
    pub(crate) fn take_trailers(&mut self) -> HeaderMap {
        match self {
            Self::Direct(call) => call.exchange.take_trailers(),
            Self::Layered(call) => call.take_trailers(),
        }
    }

    /// The trailers as they came, once, of a call that [`take_plain`](Self::take_plain) has ended.
    pub(crate) fn take_raw_trailers(&mut self) -> Option<Headers> {
        match self {
            Self::Direct(call) => call.exchange.take_raw_trailers(),
            Self::Layered(_) => None,
        }
    }

    /// As [`Begun::report`].
    pub(crate) fn report(&self) -> CallReport {
        match self {
            Self::Direct(call) => call.exchange.report(),
            Self::Layered(call) => call.report(),
        }
    }

    /// As [`Begun::refuse`].
    pub(crate) fn refuse(&mut self, status: wire::Status) -> Status {
        match self {
            Self::Direct(call) => call.fail(call.exchange.answered_with(status)),
            Self::Layered(call) => call.refuse(status),
        }
    }
}

impl Begun {
    pub(crate) fn core(&self) -> &Core {
        match self {
            Self::Direct(exchange) => exchange.core(),
            Self::Layered(call) => call.core(),
        }
    }

    /// Whoever has polled it does so no more: nothing is held for waking them.
    pub(crate) fn change_hands(&mut self) {
        match self {
            Self::Direct(exchange) => exchange.change_hands(),
            Self::Layered(call) => call.change_hands(),
        }
    }

    /// The next bytes of the response's body. `None`: the status is OK, and the trailers are there. After that and
    /// after an error there is nothing more.
    pub(crate) fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Status>>> {
        match self {
            Self::Direct(exchange) => exchange.poll_data(Reply::Stream, cx),
            Self::Layered(call) => call.poll_data(cx),
        }
    }

    /// The headers of the response; there are none once they are taken.
    pub(crate) fn headers(&self) -> Option<&Headers> {
        match self {
            Self::Direct(exchange) => exchange.headers.as_ref(),
            Self::Layered(call) => call.headers(),
        }
    }

    /// The headers of the response, once.
    pub(crate) fn take_headers(&mut self) -> Option<Headers> {
        match self {
            Self::Direct(exchange) => exchange.headers.take(),
            Self::Layered(call) => call.take_headers(),
        }
    }

    /// The trailers, without what was read as the status, once; there are none before the end.
    pub(crate) fn take_trailers(&mut self) -> HeaderMap {
        match self {
            Self::Direct(exchange) => exchange.take_trailers(),
            Self::Layered(call) => call.take_trailers(),
        }
    }

    /// What happened so far, for a call that succeeds.
    pub(crate) fn report(&self) -> CallReport {
        match self {
            Self::Direct(exchange) => exchange.report(),
            Self::Layered(call) => call.report(),
        }
    }

    /// The body makes no sense to whoever reads it: ends the call with `status`, and resets the stream.
    pub(crate) fn refuse(&mut self, status: wire::Status) -> Status {
        match self {
            Self::Direct(exchange) => exchange.refuse(status),
            Self::Layered(call) => call.refuse(status),
        }
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Headers are left out: their values may be secrets.
        match self {
            Self::Direct(call) => f.debug_tuple("Direct").field(&call.exchange.progress).finish(),
            Self::Layered(_) => f.debug_struct("Layered").finish_non_exhaustive(),
        }
    }
}
