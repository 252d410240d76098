//! The words of a call that applications speak. They are tonic's, which Rust services speak already and which
//! are frozen; this is the only module that names that crate, so that another vocabulary can be added beside
//! it.
//!
//! `proto` has words of its own for what is on the wire (`wire::Code`, `wire::Status`), which plugins meet;
//! the conversions are here.

mod body;
mod layers;
mod request_ext;
mod service;

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, Entry, HeaderMap, HeaderName, HeaderValue};
use trunkline_proto::framing::FramingError;
use trunkline_proto::wire::{self, names};

pub use body::ResponseBody;
pub use layers::LayeredService;
pub use request_ext::{RequestExt, StatusExt};
pub use service::CallFuture;
pub use tonic::metadata;
pub use tonic::{Code, Extensions, IntoRequest, IntoStreamingRequest, Request, Response, Status};

pub use tonic::body::Body;

use crate::call::CallReport;
use crate::transport::Headers;

/// The same code in the application's vocabulary.
pub(crate) fn code(code: wire::Code) -> Code {
    Code::from_i32(i32::from(code.number()))
}

/// The same code in the wire's vocabulary.
pub(crate) fn wire_code(code: Code) -> wire::Code {
    wire::Code::from_number(u32::try_from(i32::from(code)).unwrap_or(u32::MAX))
}

/// What is wrong with a message of the application's own, before the call's report is added.
pub(crate) fn framing_status(error: FramingError) -> Status {
    let status = wire::Status::from(error);
    Status::new(code(status.code), status.message)
}

/// A status that was made here, with the report of its call as its source.
pub(crate) fn local_status(code: wire::Code, report: CallReport) -> Status {
    let mut status = Status::new(self::code(code), report.to_string());
    status.set_source(Arc::new(report));
    status
}

/// A status that the server sent, with the metadata it came with.
pub(crate) fn server_status(status: wire::Status, mut trailers: HeaderMap, report: CallReport) -> Status {
    make_metadata(&mut trailers);
    let metadata = metadata::MetadataMap::from_headers(trailers);
    let code = code(status.code);
    let mut status =
        Status::with_details_and_metadata(code, status.message, Bytes::clone(&status.details), metadata);
    status.set_source(Arc::new(report));
    status
}

/// A status that ended the request from its own side, with the report of the call as its source, unless it
/// has a source already.
pub(crate) fn request_status(mut status: Status, report: CallReport) -> Status {
    if std::error::Error::source(&status).is_none() {
        status.set_source(Arc::new(report));
    }
    status
}

/// Makes metadata for the application of the headers or trailers of a response.
///
/// What was read as the status is taken out, so that nobody parses it again: a malformed
/// `grpc-status-details-bin` makes tonic panic. Binary values that somebody on the way joined by commas are
/// told apart (gRPC PROTOCOL-HTTP2 asks for it): this vocabulary takes a header for one value.
pub(crate) fn make_metadata(headers: &mut HeaderMap) {
    // Most responses hold neither; looking at a few names costs less than looking three of them up.
    let (mut has_status, mut joined) = (false, Vec::new());
    for (name, value) in &*headers {
        has_status |= STATUS.contains(name);
        if wire::metadata::is_binary(name) && value.as_bytes().contains(&b',') {
            joined.push(name.clone());
        }
    }
    if has_status {
        for name in &STATUS {
            headers.remove(name);
        }
    }
    for name in joined {
        let Entry::Occupied(entry) = headers.entry(name) else { continue };
        let (name, values) = entry.remove_entry_mult();
        let values: Vec<_> = values.collect();
        for part in values.iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b',')) {
            let part = HeaderValue::from_bytes(part.trim_ascii()).expect("a part of a header value is one");
            headers.append(&name, part);
        }
    }
}

/// The metadata in the headers or trailers of a response. Most trailers hold a status and nothing else.
pub(crate) fn metadata_of(headers: Headers) -> HeaderMap {
    metadata_in(HeaderMap::new(), headers)
}

/// The same, in `empty` if a map must be made: it may have room already.
fn metadata_in(mut empty: HeaderMap, headers: Headers) -> HeaderMap {
    // What the head of nearly every response is.
    const GRPC: &str = "application/grpc";
    if headers.are_only(&CONTENT_TYPE, GRPC.as_bytes()) {
        empty.insert(CONTENT_TYPE, HeaderValue::from_static(GRPC));
        return empty;
    }
    let is_status = |name: &[u8]| STATUS.iter().any(|one| one.as_str().as_bytes() == name);
    if headers.all(|name, _| is_status(name)) {
        return empty;
    }
    let needs_making =
        |name: &[u8], value: &[u8]| is_status(name) || (name.ends_with(b"-bin") && value.contains(&b','));
    let is_made = headers.all(|name, value| !needs_making(name, value));
    let mut headers = headers.into_map_in(empty);
    if !is_made {
        make_metadata(&mut headers);
    }
    headers
}

/// What a status is read from.
static STATUS: [HeaderName; 3] = [names::GRPC_STATUS, names::GRPC_MESSAGE, names::GRPC_STATUS_DETAILS];

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
