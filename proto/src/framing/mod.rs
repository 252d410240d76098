//! The length-prefixed messages of gRPC: how one message becomes bytes, and how bytes that arrive in pieces
//! become messages again. Apart from `wire`, which is about headers: this is what fills DATA frames.
//!
//! A message is one flag byte (0: plain, 1: compressed), its length as four bytes in network order, and its
//! bytes (gRPC PROTOCOL-HTTP2, "Length-Prefixed-Message").

mod deframer;
mod encode;
mod error;
mod meter;
mod small_bytes;

pub use deframer::{Body, Deframer, Frame, FrameInPlace, sole_body};
pub use encode::{encode, prefix};
pub use error::FramingError;
pub use meter::MessageMeter;
pub use small_bytes::SmallBytes;

/// The length of a message's prefix, in bytes: one flag, four of length.
pub const PREFIX_LENGTH: usize = 5;
