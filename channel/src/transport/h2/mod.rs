//! HTTP/2 by the `h2` crate. Each room keeps one of its traps: `start` its limits, `io` the bytes (what kind
//! of peer this is, how the stream broke, whether anything was written), `large_headers` what they say of
//! sizes, `empty_frames` what in them says nothing and `batched_io` how few times they are moved, `driver`
//! what it tells of a connection only to those who ask at the right moment, `connection` and `stream` the
//! calls' side, `error` what its errors mean.

mod batched_io;
mod connection;
mod driver;
mod empty_frames;
mod error;
mod io;
mod large_headers;
mod start;
mod stream;

pub(crate) use connection::{H2Connection, H2Reserve, H2Slot};
pub(crate) use driver::H2Driver;
pub(super) use start::start;
pub(crate) use stream::{H2SendHalf, H2Stream};
