//! The words of a call that applications speak. They are tonic's, which Rust services speak already and which are frozen; this is the
//! only module that names that crate, so that another vocabulary can be added beside it.
//!
//! `proto` has words of its own for what is on the wire (`wire::Code`, `wire::Status`), which plugins meet; the conversions are here.

mod body;
mod layers;
mod request_ext;
mod service;

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use trunkline_proto::wire::{self, names};

pub use body::ResponseBody;
pub use layers::LayeredService;
pub use request_ext::{RequestExt, StatusExt};
pub use service::CallFuture;
pub use tonic::metadata;
pub use tonic::{Code, Extensions, IntoRequest, IntoStreamingRequest, Request, Response, Status};

pub use tonic::body::Body;

use crate::call::CallReport;

/// The same code in the application's vocabulary.
pub(crate) fn code(code: wire::Code) -> Code {
    Code::from_i32(i32::from(code.number()))
}

/// The same code in the wire's vocabulary.
pub(crate) fn wire_code(code: Code) -> wire::Code {
    wire::Code::from_number(u32::try_from(i32::from(code)).unwrap_or(u32::MAX))
}

/// A status that was made here, with the report of its call as its source.
pub(crate) fn local_status(code: wire::Code, report: CallReport) -> Status {
    let mut status = Status::new(self::code(code), report.to_string());
    status.set_source(Arc::new(report));
    status
}

/// A status that the server sent, with the metadata it came with.
pub(crate) fn server_status(status: wire::Status, mut trailers: HeaderMap, report: CallReport) -> Status {
    remove_status_headers(&mut trailers);
    let metadata = metadata::MetadataMap::from_headers(trailers);
    let code = code(status.code);
    let mut status =
        Status::with_details_and_metadata(code, status.message, Bytes::clone(&status.details), metadata);
    status.set_source(Arc::new(report));
    status
}

/// A status that ended the request from its own side, with the report of the call as its source, unless it has a source already.
pub(crate) fn request_status(mut status: Status, report: CallReport) -> Status {
    if std::error::Error::source(&status).is_none() {
        status.set_source(Arc::new(report));
    }
    status
}

/// Takes out what was read as the status, so that nobody parses it again: a malformed `grpc-status-details-bin` makes tonic panic.
pub(crate) fn remove_status_headers(headers: &mut HeaderMap) {
    for name in [&names::GRPC_STATUS, &names::GRPC_MESSAGE, &names::GRPC_STATUS_DETAILS] {
        headers.remove(name);
    }
}

/// The report of its call in a status, if it went through a Trunkline channel.
pub(crate) fn report_of(status: &Status) -> Option<&CallReport> {
    let mut source = std::error::Error::source(status);
    while let Some(error) = source {
        if let Some(report) = error.downcast_ref() {
            return Some(report);
        }
        source = error.source();
    }
    None
}
