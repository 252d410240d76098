//! A call with or without layers. Whoever makes calls and reads responses need not know which.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use pin_project_lite::pin_project;
use trunkline_proto::wire;

use super::CallReport;
use super::layered::{LayeredCall, LayeredReading};
use super::machine::DirectCall;
use super::reading::DirectReading;
use crate::vocabulary::Status;

pin_project! {
    /// One call until its response begins. In every state its deadline ends it; dropping it cancels it.
    #[project = CallProjection]
    pub(crate) enum Call {
        Direct {
            #[pin]
            call: DirectCall,
        },
        Layered {
            #[pin]
            call: LayeredCall,
        },
    }
}

impl Call {
    /// Whether the request has gone out, as far as that is known here.
    pub(crate) fn is_sent(&self) -> bool {
        match self {
            Self::Direct { call } => call.is_sent(),
            Self::Layered { .. } => false,
        }
    }
}

impl Future for Call {
    type Output = Result<Reading, Status>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project() {
            CallProjection::Direct { call } => call.poll(cx).map_ok(|reading| Reading::Direct { reading }),
            CallProjection::Layered { call } => call.poll(cx).map_ok(|reading| Reading::Layered { reading }),
        }
    }
}

pin_project! {
    /// A response that has begun. It yields the bytes of the body until the status, which is the end or an
    /// error; after either there is nothing more. Dropping it before its end cancels the call.
    #[project = ReadingProjection]
    pub(crate) enum Reading {
        Direct {
            #[pin]
            reading: DirectReading,
        },
        Layered {
            #[pin]
            reading: LayeredReading,
        },
    }
}

impl Reading {
    /// The headers of the response, once. To be taken before it is pinned.
    pub(crate) fn take_headers(&mut self) -> HeaderMap {
        match self {
            Self::Direct { reading } => reading.take_headers(),
            Self::Layered { reading } => reading.take_headers(),
        }
    }

    /// The trailers, without what was read as the status, once; there are none before the end.
    pub(crate) fn take_trailers(self: Pin<&mut Self>) -> HeaderMap {
        match self.project() {
            ReadingProjection::Direct { reading } => reading.take_trailers(),
            ReadingProjection::Layered { reading } => reading.take_trailers(),
        }
    }

    /// What happened so far, for a call that succeeds.
    pub(crate) fn report(&self) -> CallReport {
        match self {
            Self::Direct { reading } => reading.report(),
            Self::Layered { reading } => reading.report(),
        }
    }

    /// The next bytes of the body. `None`: the status is OK, and the trailers are there.
    pub(crate) fn poll_data(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Status>>> {
        match self.project() {
            ReadingProjection::Direct { reading } => reading.poll_data(cx),
            ReadingProjection::Layered { reading } => reading.poll_data(cx),
        }
    }

    /// The body makes no sense to whoever reads it: ends the call with `status`, and resets the stream.
    pub(crate) fn refuse(self: Pin<&mut Self>, status: wire::Status) -> Status {
        match self.project() {
            ReadingProjection::Direct { reading } => reading.refuse(status),
            ReadingProjection::Layered { reading } => reading.refuse(status),
        }
    }
}

impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Direct { reading } => reading.fmt(f),
            Self::Layered { .. } => f.debug_struct("LayeredReading").finish_non_exhaustive(),
        }
    }
}
