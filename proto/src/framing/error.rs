//! What can be wrong with a message as a frame, and the status that gRPC has for it.

use crate::wire::{Code, Status};

/// A message that could not be framed, or bytes that are no frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FramingError {
    /// The message is longer than may be sent; nothing of it was.
    #[error("message to send is {size} bytes long, the limit is {limit} bytes")]
    SendLimit {
        /// Length of the encoded message in bytes, without its prefix.
        size: usize,
        /// The most that may be sent, in bytes.
        limit: usize,
    },
    /// The peer announces a message longer than is accepted; its bytes were not waited for.
    #[error("received message is {size} bytes long, the limit is {limit} bytes")]
    ReceiveLimit {
        /// The length that the prefix announces, in bytes.
        size: usize,
        /// The most that is accepted, in bytes.
        limit: usize,
    },
    /// The first byte of the prefix is neither 0 nor 1. What follows is most likely not gRPC.
    #[error("received message has the invalid compression flag {0}")]
    InvalidFlag(u8),
    /// The message claims to be compressed although no encoding was agreed upon.
    #[error("received message is flagged as compressed, but no encoding was agreed upon")]
    UnexpectedCompression,
    /// The stream ended inside of a prefix or a message.
    #[error("stream ended inside of a message")]
    Truncated,
}

impl FramingError {
    /// The code of gRPC's status code document for this error.
    pub fn code(self) -> Code {
        match self {
            Self::SendLimit { .. } | Self::ReceiveLimit { .. } => Code::ResourceExhausted,
            Self::InvalidFlag(_) | Self::UnexpectedCompression | Self::Truncated => Code::Internal,
        }
    }
}

impl From<FramingError> for Status {
    fn from(error: FramingError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}
