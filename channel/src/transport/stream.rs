//! The words of one stream: what goes down it, what comes up, and how it can end.

use std::fmt;

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, StatusCode,
    uri::{Authority, PathAndQuery, Scheme},
};
use trunkline_proto::ConnectError;

/// The head of a request. `te` and `content-type` are the transport's to add; everything else is here.
pub(crate) struct RequestHead {
    pub(crate) scheme: Scheme,
    pub(crate) authority: Authority,
    pub(crate) path: PathAndQuery,
    pub(crate) user_agent: HeaderValue,
    /// What is left until the deadline, as `grpc-timeout` has it. It differs from call to call, so it must
    /// not enter header tables.
    pub(crate) timeout: Option<HeaderValue>,
    /// The application's metadata and whatever else the call carries. No reserved names.
    pub(crate) headers: HeaderMap,
}

/// The head of a response.
pub(crate) struct ResponseHead {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// There is nothing after it (gRPC's Trailers-Only, if it carries a status).
    pub(crate) end: bool,
}

/// What comes up a stream, in order: at most one head, then data, then exactly one of the others, after which
/// there is nothing.
pub(crate) enum StreamEvent {
    Head(ResponseHead),
    /// Bytes of the body. Their flow-control window is given back by taking this event.
    Data(Bytes),
    Trailers(HeaderMap),
    /// The end, without trailers. (After a head with `end`, nothing follows, not even this.)
    End,
    Failed(StreamError),
}

/// How a stream failed. It decides whether the call may be sent again, so each variant is a fact, not a
/// guess.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub(crate) enum StreamError {
    /// Nothing of the stream left this client: it may be sent elsewhere without limit.
    NeverSent(ConnectError),
    /// Its id is above the last one of the server's GOAWAY: the application there never saw it.
    AboveGoAway(ConnectError),
    /// The server refused it (REFUSED_STREAM): the application there never saw it.
    Refused,
    /// The server reset it with this HTTP/2 error code.
    Reset(u32),
    /// The connection was lost with the stream on it: the server may have seen the request.
    Lost(ConnectError),
    /// The response broke HTTP/2's rules for this stream alone, or a limit of ours (such as the size of its
    /// headers). The text says which.
    Violation(StreamViolation),
}

/// What was wrong with one stream's response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StreamViolation {
    /// Headers or trailers above our limit, in bytes.
    HeadersTooLarge { limit: usize },
    /// Anything else, in words.
    Protocol(String),
}

// None of these shows a header's value: metadata may be secret.

impl fmt::Debug for RequestHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { authority, path, headers, .. } = self;
        let names: Vec<_> = headers.keys().collect();
        f.debug_struct("RequestHead")
            .field("authority", authority)
            .field("path", path)
            .field("headers", &names)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ResponseHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.headers.keys().collect();
        f.debug_struct("ResponseHead")
            .field("status", &self.status)
            .field("headers", &names)
            .field("end", &self.end)
            .finish()
    }
}

impl fmt::Debug for StreamEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Head(head) => f.debug_tuple("Head").field(head).finish(),
            Self::Data(data) => write!(f, "Data({} bytes)", data.len()),
            Self::Trailers(trailers) => {
                f.debug_tuple("Trailers").field(&trailers.keys().collect::<Vec<_>>()).finish()
            }
            Self::End => f.write_str("End"),
            Self::Failed(error) => f.debug_tuple("Failed").field(error).finish(),
        }
    }
}
