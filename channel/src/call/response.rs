//! What the head of a response means. Proxies answer with what is no gRPC at all, and gRPC itself may answer
//! with a status alone.

use http::{HeaderValue, StatusCode, header};
use trunkline_proto::wire::{Code, Status, metadata, names};

use crate::transport::{Headers, ResponseHead};

/// Most bytes of a body that is not gRPC's which are read to say in the status what it was.
const FOREIGN_BODY: usize = 1024;

/// What a head began.
#[derive(Debug)]
pub(crate) enum Response {
    /// Messages follow, then trailers.
    Messages(Headers),
    /// There is nothing but this status (gRPC's Trailers-Only), and these headers.
    Status(Status, Headers),
    /// Not gRPC: its body is gathered for the text of the status.
    Foreign(Box<ForeignResponse>),
}

impl Response {
    /// Reads a head.
    pub(crate) fn read(head: ResponseHead) -> Self {
        let ResponseHead { status: http_status, headers, end } = head;
        // A status counts wherever it comes from: the mapping of HTTP's is for responses without one (gRPC
        // http-grpc-status-mapping.md). And an error in a head is one although the server has yet to end its stream:
        // some write their end in a frame of its own.
        if let Some(status) = status_in(&headers)
            && (end || status.code != Code::Ok)
        {
            return Self::Status(status, headers);
        }
        let content_type = headers.get(&header::CONTENT_TYPE);
        if http_status == StatusCode::OK && content_type.is_some_and(metadata::is_grpc_content_type) {
            return match end {
                true => Self::Status(missing_status(), headers),
                false => Self::Messages(headers),
            };
        }
        let content_type = content_type.and_then(|value| HeaderValue::from_bytes(value).ok());
        let body = Vec::new();
        Self::Foreign(Box::new(ForeignResponse { status: http_status, content_type, body, ended: end }))
    }
}

/// The status in trailers, or in a head that has no trailers.
pub(crate) fn status_in(headers: &Headers) -> Option<Status> {
    let number = headers.get(&names::GRPC_STATUS)?;
    // The usual status, which says no more than OK, is read without making a map.
    if number == b"0" && headers.get(&names::GRPC_STATUS_DETAILS).is_none() {
        return Some(Status::new(Code::Ok, ""));
    }
    Status::from_trailers(&headers.map())
}

/// A response that is not gRPC's, such as a proxy's error page.
#[derive(Debug)]
pub(crate) struct ForeignResponse {
    status: StatusCode,
    content_type: Option<HeaderValue>,
    body: Vec<u8>,
    ended: bool,
}

impl ForeignResponse {
    /// Takes a piece of the body.
    pub(crate) fn push(&mut self, data: &[u8]) {
        let room = FOREIGN_BODY - self.body.len();
        self.body.extend_from_slice(&data[..data.len().min(room)]);
        self.ended |= self.body.len() == FOREIGN_BODY;
    }

    /// The status, if enough has been read.
    pub(crate) fn status(&self) -> Option<Status> {
        self.ended.then(|| self.status_now())
    }

    /// The status by what has been read.
    pub(crate) fn status_now(&self) -> Status {
        Status::from_foreign_response(self.status, self.content_type.as_ref(), &self.body)
    }
}

/// The status of a response that ended without one.
pub(crate) fn missing_status() -> Status {
    Status::new(Code::Unknown, format!("the response ended without {}", names::GRPC_STATUS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderMap;

    fn head(status: u16, headers: &[(&'static str, &'static str)], end: bool) -> ResponseHead {
        let headers = headers
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), HeaderValue::from_static(value)));
        ResponseHead {
            status: StatusCode::from_u16(status).unwrap(),
            headers: headers.collect::<HeaderMap>().into(),
            end,
        }
    }

    #[test]
    fn a_grpc_head_begins_messages() {
        let response = Response::read(head(200, &[("content-type", "application/grpc+proto")], false));
        assert!(matches!(response, Response::Messages(_)));
    }

    #[test]
    fn trailers_only_is_a_status_even_where_a_proxy_changed_the_http_status() {
        for http in [200, 503] {
            let response = Response::read(head(http, &[("grpc-status", "5")], true));
            assert!(matches!(response, Response::Status(status, _) if status.code == Code::NotFound));
        }
    }

    // behaviour 92
    #[test]
    fn a_proxys_error_page_is_a_status_by_its_http_status_with_the_beginning_of_the_page() {
        let Response::Foreign(mut foreign) =
            Response::read(head(502, &[("content-type", "text/html")], false))
        else {
            panic!("an error page is no gRPC");
        };
        foreign.push(b"<h1>Bad Gateway</h1>");
        assert!(foreign.status().is_none(), "more of the page may follow");
        let status = foreign.status_now();
        assert_eq!(status.code, Code::Unavailable);
        assert!(status.message.contains("502") && status.message.contains("Bad Gateway"), "{status}");
    }

    #[test]
    fn a_page_without_end_is_read_to_a_limit() {
        let Response::Foreign(mut foreign) = Response::read(head(404, &[], false)) else { panic!("foreign") };
        foreign.push(&[b'x'; 2 * FOREIGN_BODY]);
        assert_eq!(foreign.status().map(|status| status.code), Some(Code::Unimplemented));
    }

    #[test]
    fn an_http_200_that_is_not_grpc_is_unknown() {
        let Response::Foreign(foreign) = Response::read(head(200, &[("content-type", "text/html")], true))
        else {
            panic!("foreign")
        };
        assert_eq!(foreign.status().map(|status| status.code), Some(Code::Unknown));
    }
}
