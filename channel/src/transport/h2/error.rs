//! What the engine's errors mean. It has one type for everything that can happen to a stream, to a connection
//! and to a caller; which of them let a call be sent again was measured, and is written down here once.

use h2::Reason;
use trunkline_proto::{Address, ConnectError, Phase, wire};

use super::connection::Shared;
use crate::transport::options::MAX_HEADER_LIST_SIZE;
use crate::transport::{StreamError, StreamViolation};

/// What a server says in its GOAWAY if it is pinged too often (gRFC A8).
const TOO_MANY_PINGS: &str = "too_many_pings";

/// Most characters of a GOAWAY's debug data that errors repeat: it is the server's to fill, and every stream
/// of the connection tells it.
const DEBUG_DATA: usize = 256;

/// Why a connection ended, or takes no more streams.
pub(super) fn connection(error: &h2::Error, address: &Address) -> ConnectError {
    let message = match error.reason() {
        Some(reason) if error.is_go_away() && error.is_remote() => {
            let name = wire::reset_name(reason.into());
            match debug_data(error, reason) {
                Some(debug) => format!("the server said GOAWAY: {name}, {debug}"),
                None => format!("the server said GOAWAY: {name}"),
            }
        }
        Some(reason) if error.is_go_away() => {
            let name = wire::reset_name(reason.into());
            match debug_data(error, reason) {
                Some(debug) => format!("the server broke the rules of HTTP/2: {name}, {debug}"),
                None => format!("the server broke the rules of HTTP/2: {name}"),
            }
        }
        _ if is_out_of_streams(error) => "the stream ids of this connection are used up".to_owned(),
        _ => error.to_string(),
    };
    ConnectError::new(Phase::Http2, message).at(address)
}

/// Whether the server complained about our PINGs.
pub(super) fn is_too_many_pings(error: &h2::Error) -> bool {
    error.is_go_away()
        && error.is_remote()
        && error.reason() == Some(Reason::ENHANCE_YOUR_CALM)
        && debug_data(error, Reason::ENHANCE_YOUR_CALM).is_some_and(|debug| debug.contains(TOO_MANY_PINGS))
}

/// Whether the connection goes on with the streams that it has: GOAWAY, or no ids for more. Anything else has
/// ended it.
pub(super) fn is_draining(error: &h2::Error) -> bool {
    (error.is_go_away() && error.is_remote()) || is_out_of_streams(error)
}

/// How stream number `id` failed. `written_before` is what had been written on the connection when it was
/// started.
pub(super) fn stream(error: &h2::Error, shared: &Shared, id: u32, written_before: u64) -> StreamError {
    let reason = error.reason().unwrap_or(Reason::NO_ERROR);
    if error.is_reset() {
        return match reason {
            Reason::REFUSED_STREAM if error.is_remote() => StreamError::Refused,
            reason if error.is_remote() => StreamError::Reset(reason.into()),
            Reason::PROTOCOL_ERROR if error.is_library() && shared.had_large_headers(id) => {
                headers_too_large()
            }
            // The engine does not say which of its rules was broken, but few are possible here.
            Reason::PROTOCOL_ERROR if error.is_library() => StreamError::Violation(
                StreamViolation::Protocol("the server's headers are malformed".to_owned()),
            ),
            reason if error.is_library() => StreamError::Violation(StreamViolation::Protocol(format!(
                "the server caused {}",
                wire::reset_name(reason.into())
            ))),
            _ => StreamError::Violation(StreamViolation::Protocol(
                "this client has reset the stream".to_owned(),
            )),
        };
    }
    // The connection has ended, or said GOAWAY below this stream. Nothing written since the stream was
    // started means that no byte of it was.
    if shared.written() == written_before {
        return StreamError::NeverSent(shared.cause(error));
    }
    if error.is_go_away() && error.is_remote() {
        return StreamError::AboveGoAway(shared.cause(error));
    }
    StreamError::Lost(shared.cause(error))
}

/// The response has more headers than are accepted.
pub(super) fn headers_too_large() -> StreamError {
    StreamError::Violation(StreamViolation::HeadersTooLarge { limit: MAX_HEADER_LIST_SIZE as usize })
}

/// Not an error of the peer's nor of the bytes': we asked for what HTTP/2 forbids.
pub(super) fn is_ours(error: &h2::Error) -> bool {
    !error.is_io() && error.reason().is_none()
}

fn is_out_of_streams(error: &h2::Error) -> bool {
    // The engine has no other sign of it. The probe that meets this error never sends a request, so no other
    // misuse can be meant.
    is_ours(error)
}

/// What the server added to its GOAWAY. It is only to be had from the text of the error.
fn debug_data(error: &h2::Error, reason: Reason) -> Option<String> {
    let text = error.to_string();
    let (_, debug) = text.split_once(&format!("{reason} ("))?;
    let debug = debug.strip_suffix(')').unwrap_or(debug).trim_start_matches('b');
    Some(debug.chars().take(DEBUG_DATA).collect())
}
