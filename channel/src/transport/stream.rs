//! The words of one stream: what goes down it, what comes up, and how it can end.

use std::fmt;
use std::time::Instant;

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, StatusCode,
    uri::{Authority, Scheme},
};
use trunkline_proto::ConnectError;

use super::{Headers, Path};

/// What all requests on one connection have in common.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    pub(crate) scheme: Scheme,
    pub(crate) authority: Authority,
    pub(crate) user_agent: HeaderValue,
}

/// The head of a request. `te` and `content-type` are the transport's to add, and what an [`Origin`] holds is
/// known to the connection; everything else is here.
pub(crate) struct RequestHead {
    pub(crate) path: Path,
    /// When the call ends at the latest. What is left of it when the head is written goes out as `grpc-timeout`,
    /// which differs from call to call, so it must not enter header tables.
    pub(crate) deadline: Option<Instant>,
    /// The application's metadata and whatever else the call carries. No reserved names. Most calls have
    /// none, and an empty map is as large as all the rest of a request.
    pub(crate) headers: Option<Box<HeaderMap>>,
    pub(crate) reply: Reply,
}

/// What the caller needs to be woken for. It changes when it is woken, not what it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// Nothing before the end makes sense to it: a call with one reply.
    Whole,
    /// Everything, as it comes.
    Stream,
}

/// The head of a response.
pub(crate) struct ResponseHead {
    pub(crate) status: StatusCode,
    pub(crate) headers: Headers,
    /// There is nothing after it (gRPC's Trailers-Only, if it carries a status).
    pub(crate) end: bool,
}

/// A whole response as nearly all of them are: a head of gRPC's, a body, and trailers that say OK and no more.
pub(crate) struct PlainReply {
    pub(crate) headers: Headers,
    pub(crate) body: Bytes,
    pub(crate) trailers: Headers,
    /// When the last of it came.
    pub(crate) arrived: Instant,
}

/// What comes up a stream, in order: at most one head, then data, then exactly one of the others, after which
/// there is nothing.
pub(crate) enum StreamEvent {
    Head(ResponseHead),
    /// Bytes of the body. Their flow-control window is given back by taking this event.
    Data(Bytes),
    Trailers(Headers),
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

/// What was wrong with one stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StreamViolation {
    /// Headers or trailers above our limit, in bytes.
    HeadersTooLarge { limit: usize },
    /// The request's headers are above the server's limit, in bytes: nothing was sent.
    RequestHeadersTooLarge { size: usize, limit: usize },
    /// HTTP/2 cannot carry the head of the request, and why: nothing was sent.
    Request(String),
    /// Anything else about the response, in words.
    Protocol(String),
}

// None of these shows a header's value: metadata may be secret.

impl fmt::Debug for RequestHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, headers, .. } = self;
        let names: Vec<_> = headers.iter().flat_map(|headers| headers.keys()).collect();
        f.debug_struct("RequestHead").field("path", path).field("headers", &names).finish_non_exhaustive()
    }
}

impl fmt::Debug for ResponseHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseHead")
            .field("status", &self.status)
            .field("headers", &self.headers)
            .field("end", &self.end)
            .finish()
    }
}

impl fmt::Debug for PlainReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { headers, body, trailers, .. } = self;
        write!(f, "PlainReply({headers:?}, {} bytes, {trailers:?})", body.len())
    }
}

impl fmt::Debug for StreamEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Head(head) => f.debug_tuple("Head").field(head).finish(),
            Self::Data(data) => write!(f, "Data({} bytes)", data.len()),
            Self::Trailers(trailers) => f.debug_tuple("Trailers").field(trailers).finish(),
            Self::End => f.write_str("End"),
            Self::Failed(error) => f.debug_tuple("Failed").field(error).finish(),
        }
    }
}
