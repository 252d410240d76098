//! What is told of a connection's end, in words.

use std::time::Duration;

use bytes::Bytes;
use trunkline_http2::{ConnectionError, ErrorCode};
use trunkline_proto::{ConnectError, Phase, wire};

/// What a server says in its GOAWAY if it is pinged too often (gRFC A8).
const TOO_MANY_PINGS: &[u8] = b"too_many_pings";

/// Most bytes of a GOAWAY's debug data that errors repeat: it is the server's to fill, and every stream of
/// the connection tells it.
const DEBUG_DATA: usize = 256;

/// The server said GOAWAY.
pub(super) fn goaway(code: ErrorCode, debug_data: &Bytes) -> ConnectError {
    let name = wire::reset_name(code.0);
    let debug = &debug_data[..debug_data.len().min(DEBUG_DATA)];
    http2(match debug.is_empty() {
        true => format!("the server said GOAWAY: {name}"),
        false => {
            let debug: String = String::from_utf8_lossy(debug).escape_debug().take(DEBUG_DATA).collect();
            format!("the server said GOAWAY: {name}, \"{debug}\"")
        }
    })
}

/// Whether the server complained about our PINGs.
pub(super) fn is_too_many_pings(code: ErrorCode, debug_data: &Bytes) -> bool {
    code == ErrorCode::ENHANCE_YOUR_CALM
        && debug_data.windows(TOO_MANY_PINGS.len()).any(|window| window == TOO_MANY_PINGS)
}

/// The server did what HTTP/2 forbids.
pub(super) fn violation(error: &ConnectionError) -> ConnectError {
    http2(format!("the server broke the rules of HTTP/2: {error}"))
}

pub(super) fn ids_exhausted() -> ConnectError {
    http2("the stream ids of this connection are used up")
}

pub(super) fn let_go() -> ConnectError {
    http2("the channel let this connection go")
}

pub(super) fn dropped() -> ConnectError {
    http2("the channel dropped this connection")
}

/// Nothing came after a PING.
pub(super) fn silent(timeout: Option<Duration>) -> ConnectError {
    http2(format!("keepalive: the server did not answer a PING within {:?}", timeout.unwrap_or_default()))
}

/// The byte stream has ended. `greeted`: after the server's SETTINGS.
pub(super) fn closed(greeted: bool) -> ConnectError {
    http2(match greeted {
        true => "the server closed the connection",
        false => "the server closed the connection before its SETTINGS came",
    })
}

fn http2(message: impl Into<String>) -> ConnectError {
    ConnectError::new(Phase::Http2, message.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_data_is_repeated_as_text_and_briefly() {
        let error = goaway(ErrorCode::NO_ERROR, &Bytes::from_static(b"max age\n"));
        assert_eq!(error.message(), "the server said GOAWAY: NO_ERROR, \"max age\\n\"");
        let long = goaway(ErrorCode(0x2a), &Bytes::from(vec![0; 16_000]));
        assert!(long.message().len() < 400);
        assert_eq!(goaway(ErrorCode::NO_ERROR, &Bytes::new()).message(), "the server said GOAWAY: NO_ERROR");
    }
}
