//! The cheap responder: a blocking HTTP/2 server, made for this service alone, that costs a small part of a
//! real one, so that a client beside it is what is measured. Cheap, but no dummy: it parses every frame,
//! request head, gRPC prefix and message, obeys the client's windows and settings, grants its own, answers
//! PING and SETTINGS, and hangs up with a reason where a rule is broken.
//!
//! [`Session`] is the whole protocol, without I/O; [`serve()`] moves its bytes.

mod frame;
mod message;
mod outgoing;
mod pattern;
mod request_heads;
mod response_heads;
mod serve;
mod session;
mod settings;
mod streams;
#[cfg(test)]
mod tests;
mod timeout;
mod violation;

pub(crate) use self::request_heads::HeadSize;
pub(crate) use self::serve::{serve, serve_one};

/// How much of one stream may be under way to the responder: a message of the largest workload, with its framing.
const STREAM_WINDOW: u32 = (1 << 20) + (16 << 10);

/// How much of one connection may be under way to the responder: 16 such messages.
const CONNECTION_WINDOW: u32 = 16 * STREAM_WINDOW;

/// The streams that a connection may have. Above all workloads, so that no client queues.
const MAX_STREAMS: u32 = 10_000;

/// The largest frame that the responder takes: HTTP/2's default.
const MAX_FRAME: usize = 16 << 10;
