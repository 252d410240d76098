//! The engine below a connection, behind one narrow seam. Nothing outside this folder names an HTTP/2
//! implementation; two stand side by side in it, [`h2`] and [`trunkline`], each one variant of [`Driver`],
//! [`Connection`], [`Reserve`], [`Slot`], [`Stream`] and [`SendHalf`].
//!
//! A connection has two sides. The dial owns the [`Driver`]: a poll of it moves bytes and tells how the
//! connection lives. Calls share the [`Connection`]: [`reserve`](Connection::reserve) waits for a place among
//! the peer's MAX_CONCURRENT_STREAMS, first come first served, and [`start`](Slot::start) opens a stream in it.

mod early_resets;
mod greeting;
mod headers;
mod last_words;
mod options;
mod path;
mod places;
mod quota;
mod stream;

mod connection;
mod driver;
mod h2;
mod keepalive;
#[cfg(test)]
mod memory;
#[cfg(test)]
mod tests;
mod trunkline;

pub(crate) use self::connection::{Connection, Reserve, SendClosed, SendHalf, Slot, Stream};
pub(crate) use self::driver::{Driver, DriverNews, start};
pub(crate) use self::headers::Headers;
#[cfg(test)]
pub(crate) use self::memory::MemoryRequest;
pub use self::options::Transport;
pub(crate) use self::options::{Keepalive, TransportOptions};
pub(crate) use self::path::Path;
pub(crate) use self::stream::{
    Origin, PlainReply, Reply, RequestHead, ResponseHead, StreamError, StreamEvent, StreamViolation,
};
