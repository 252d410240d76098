//! What a stream begins with, and what its head may hold. Calls check that before they queue anything, since what
//! is wrong with it is their own error and not the connection's.

use std::sync::Arc;

use http::HeaderName;
use http::header::{CONNECTION, CONTENT_TYPE, TE, TRANSFER_ENCODING, UPGRADE, USER_AGENT};
use trunkline_proto::framing::SmallBytes;

use super::cell::Cell;
use crate::transport::{RequestHead, StreamError, StreamViolation};

/// A stream that is to be opened.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) cell: Arc<Cell>,
    pub(super) head: RequestHead,
    pub(super) body: SmallBytes,
    /// Nothing follows the body.
    pub(super) end: bool,
}

/// Fields that speak of one hop of HTTP/1 (RFC 9113 8.2.2).
const OF_THE_CONNECTION: [HeaderName; 5] = [
    CONNECTION,
    TRANSFER_ENCODING,
    UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// Refuses a head that HTTP/2 forbids.
pub(super) fn check(head: &RequestHead) -> Result<(), StreamError> {
    let Some(headers) = &head.headers else { return Ok(()) };
    match OF_THE_CONNECTION.iter().find(|name| headers.contains_key(*name)) {
        None => Ok(()),
        Some(name) => {
            Err(StreamError::Violation(StreamViolation::Request(format!("it forbids the header {name:?}"))))
        }
    }
}

/// Whether the transport writes this field itself, whatever the application says.
pub(super) fn is_ours(name: &HeaderName) -> bool {
    *name == TE || *name == CONTENT_TYPE || *name == USER_AGENT
}
