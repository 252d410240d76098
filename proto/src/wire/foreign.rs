//! Failures that are not gRPC's own, in gRPC's words: HTTP statuses without a `grpc-status`, HTTP/2 stream
//! errors, and whole responses that no gRPC server wrote. Proxies and load balancers send these.

use http::{HeaderValue, StatusCode};

use super::{Code, Status};

/// How much of a foreign body goes into the text of a status: enough for the headline of an error page.
const BODY_EXCERPT: usize = 256;

impl Code {
    /// The code for an HTTP status that came without `grpc-status` (gRPC http-grpc-status-mapping). 200 is
    /// [`Code::Unknown`] too: without a `grpc-status` it says nothing about the call.
    pub fn from_http_status(status: StatusCode) -> Self {
        match status.as_u16() {
            400 => Self::Internal,
            401 => Self::Unauthenticated,
            403 => Self::PermissionDenied,
            404 => Self::Unimplemented,
            429 | 502 | 503 | 504 => Self::Unavailable,
            _ => Self::Unknown,
        }
    }

    /// The code for the error code of an HTTP/2 RST_STREAM (gRPC PROTOCOL-HTTP2, "Errors").
    pub fn from_reset(error_code: u32) -> Self {
        match error_code {
            // NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR, SETTINGS_TIMEOUT
            0..=4 => Self::Internal,
            // FRAME_SIZE_ERROR
            6 => Self::Internal,
            // REFUSED_STREAM: the server has not looked at the call.
            7 => Self::Unavailable,
            // CANCEL
            8 => Self::Cancelled,
            // COMPRESSION_ERROR, CONNECT_ERROR
            9 | 10 => Self::Internal,
            // ENHANCE_YOUR_CALM
            11 => Self::ResourceExhausted,
            // INADEQUATE_SECURITY
            12 => Self::PermissionDenied,
            // STREAM_CLOSED (5) has no mapping; HTTP_1_1_REQUIRED (13) and later ones are not in the table.
            _ => Self::Unknown,
        }
    }
}

impl Status {
    /// The status of a response that is not gRPC's: by its HTTP status, with its content type and the
    /// beginning of its body in the text, since there the proxy that wrote it says who it is.
    pub fn from_foreign_response(
        status: StatusCode,
        content_type: Option<&HeaderValue>,
        body: &[u8],
    ) -> Self {
        let mut message = format!("response is not gRPC: HTTP {status}");
        match content_type {
            Some(value) => {
                message.push_str(", content-type ");
                message.push_str(&excerpt(value.as_bytes()));
            }
            None => message.push_str(", no content-type"),
        }
        if !body.is_empty() {
            message.push_str(", body: ");
            message.push_str(&excerpt(body));
        }
        Self::new(Code::from_http_status(status), message)
    }
}

/// The name of an HTTP/2 error code (RFC 9113, section 7), for people.
pub fn reset_name(error_code: u32) -> &'static str {
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
    usize::try_from(error_code).ok().and_then(|code| NAMES.get(code)).copied().unwrap_or("unknown error code")
}

/// The beginning of `bytes` as one line of text.
fn excerpt(bytes: &[u8]) -> String {
    let cut = bytes.len() > BODY_EXCERPT;
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(BODY_EXCERPT)]);
    let mut line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.retain(|c| !c.is_control());
    if cut {
        line.push_str(" ...");
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    // behaviour 92
    #[test]
    fn http_statuses_map_as_the_document_says() {
        let table = [
            (400, Code::Internal),
            (401, Code::Unauthenticated),
            (403, Code::PermissionDenied),
            (404, Code::Unimplemented),
            (429, Code::Unavailable),
            (502, Code::Unavailable),
            (503, Code::Unavailable),
            (504, Code::Unavailable),
            (200, Code::Unknown),
            (302, Code::Unknown),
            (418, Code::Unknown),
            (500, Code::Unknown),
        ];
        for (status, code) in table {
            assert_eq!(Code::from_http_status(StatusCode::from_u16(status).unwrap()), code, "{status}");
        }
    }

    // behaviour 93
    #[test]
    fn stream_errors_map_as_the_document_says() {
        let internal = [0, 1, 2, 3, 4, 6, 9, 10].map(|error_code| (error_code, Code::Internal));
        let others = [
            (5, Code::Unknown),
            (7, Code::Unavailable),
            (8, Code::Cancelled),
            (11, Code::ResourceExhausted),
            (12, Code::PermissionDenied),
            (13, Code::Unknown),
            (u32::MAX, Code::Unknown),
        ];
        for (error_code, code) in internal.into_iter().chain(others) {
            assert_eq!(Code::from_reset(error_code), code, "{error_code}");
        }
    }

    // behaviour 92
    #[test]
    fn a_proxys_error_page_is_in_the_text() {
        let html = HeaderValue::from_static("text/html");
        let body = b"<html>\r\n<h1>502 Bad Gateway</h1>\x1b[0m\n<hr>nginx</html>";
        let status = Status::from_foreign_response(StatusCode::BAD_GATEWAY, Some(&html), body);
        assert_eq!(status.code, Code::Unavailable);
        assert_eq!(
            status.message,
            "response is not gRPC: HTTP 502 Bad Gateway, content-type text/html, \
             body: <html> <h1>502 Bad Gateway</h1>[0m <hr>nginx</html>"
        );
    }

    // behaviour 92
    #[test]
    fn a_wrong_content_type_alone_is_unknown_and_a_long_body_is_cut() {
        let status = Status::from_foreign_response(StatusCode::OK, None, &[b'x'; 10_000]);
        assert_eq!(status.code, Code::Unknown);
        assert!(status.message.len() < 400 && status.message.ends_with("xx ..."), "{status}");
        let status = Status::from_foreign_response(StatusCode::OK, None, &[0xff; 10_000]);
        assert!(status.message.len() < 1000);
    }
}
