//! What the engine's errors mean. It has one type for everything that can happen to a stream, to a connection and to a caller; which of them
//! let a call be sent again was measured, and is written down here once.

use h2::Reason;
use trunkline_proto::{Address, ConnectError, Phase};

use super::connection::Shared;
use crate::transport::options::MAX_HEADER_LIST_SIZE;
use crate::transport::{StreamError, StreamViolation};

/// What a server says in its GOAWAY if it is pinged too often (gRFC A8).
const TOO_MANY_PINGS: &str = "too_many_pings";

/// Why a connection ended, or takes no more streams.
pub(super) fn connection(error: &h2::Error, address: &Address) -> ConnectError {
    let message = match error.reason() {
        Some(reason) if error.is_go_away() && error.is_remote() => {
            let name = reason_name(reason);
            match debug_data(error, reason) {
                Some(debug) => format!("the server said GOAWAY: {name}, {debug}"),
                None => format!("the server said GOAWAY: {name}"),
            }
        }
        Some(reason) if error.is_go_away() => {
            let name = reason_name(reason);
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

/// Whether the connection goes on with the streams that it has: GOAWAY, or no ids for more. Anything else has ended it.
pub(super) fn is_draining(error: &h2::Error) -> bool {
    (error.is_go_away() && error.is_remote()) || is_out_of_streams(error)
}

/// How stream number `id` failed. `written_before` is what had been written on the connection when it was started.
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
                reason_name(reason)
            ))),
            _ => StreamError::Violation(StreamViolation::Protocol(
                "this client has reset the stream".to_owned(),
            )),
        };
    }
    // The connection has ended, or said GOAWAY below this stream. Nothing written since the stream was started means that no byte of it was.
    if shared.written() == written_before {
        return StreamError::NeverSent(shared.cause(error));
    }
    if error.is_go_away() && error.is_remote() {
        return StreamError::AboveGoAway(connection(error, shared.address()));
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
    // The engine has no other sign of it. The probe that meets this error never sends a request, so no other misuse can be meant.
    is_ours(error)
}

/// What the server added to its GOAWAY. It is only to be had from the text of the error.
fn debug_data(error: &h2::Error, reason: Reason) -> Option<String> {
    let text = error.to_string();
    let (_, debug) = text.split_once(&format!("{reason} ("))?;
    Some(debug.strip_suffix(')').unwrap_or(debug).trim_start_matches('b').to_owned())
}

/// The name of an error code, as RFC 9113 section 7 has it.
fn reason_name(reason: Reason) -> String {
    const NAMES: [&str; 14] = [
        "NO_ERROR",
        "PROTOCOL_ERROR",
        "INTERNAL_ERROR",
        "FLOW_CONTROL_ERROR",
        "SETTINGS_TIMEOUT",
        "STREAM_CLOSED",
        "FRAME_SIZE_ERROR",
        "REFUSED_STREAM",
        "CANCEL",
        "COMPRESSION_ERROR",
        "CONNECT_ERROR",
        "ENHANCE_YOUR_CALM",
        "INADEQUATE_SECURITY",
        "HTTP_1_1_REQUIRED",
    ];
    let code = u32::from(reason);
    let name = usize::try_from(code).ok().and_then(|index| NAMES.get(index));
    name.map_or_else(|| format!("error {code:#x}"), |name| (*name).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_codes_have_the_names_of_the_rfc() {
        assert_eq!(reason_name(Reason::NO_ERROR), "NO_ERROR");
        assert_eq!(reason_name(Reason::ENHANCE_YOUR_CALM), "ENHANCE_YOUR_CALM");
        assert_eq!(reason_name(Reason::HTTP_1_1_REQUIRED), "HTTP_1_1_REQUIRED");
        assert_eq!(reason_name(Reason::from(0xff)), "error 0xff");
    }
}
