//! What a client can do wrong. The responder says it on stderr and hangs up, since a bench whose requests
//! are wrong measures nothing.

/// A rule that the client broke, with its place in RFC 9113 or gRPC's HTTP/2 mapping.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum Violation {
    #[error("the connection does not begin with the preface (RFC 9113 3.4)")]
    Preface,
    #[error("a frame of {0} bytes (RFC 9113 4.2)")]
    FrameSize(usize),
    #[error("a frame of kind {kind} that is malformed (RFC 9113 6)")]
    Malformed { kind: u8 },
    #[error("a header block that is interrupted, or continues nothing (RFC 9113 6.10)")]
    Continuation,
    #[error("a header block that cannot be decoded (RFC 7541)")]
    HeaderBlock,
    #[error("a header block longer than {0} bytes")]
    HeaderBlockSize(usize),
    #[error("a request head without a proper `{0}`")]
    RequestHead(&'static str),
    #[error("a new stream whose number is not odd and growing (RFC 9113 5.1.1)")]
    StreamId,
    #[error("more than {0} streams")]
    TooManyStreams(u32),
    #[error("more than its window (RFC 9113 6.9)")]
    Window,
    #[error("a body that is not what gRPC sends: {0}")]
    Message(&'static str),
    #[error("a client that does not read: {0} bytes wait for it")]
    NotReading(usize),
}
