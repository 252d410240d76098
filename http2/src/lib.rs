//! An HTTP/2 client engine for gRPC (RFC 9113, RFC 7541): bytes in, events out; commands in, bytes out.
//!
//! It does no I/O, reads no clock and needs no runtime: whoever owns the socket owns a [`Connection`], hands it
//! what was read, writes what it has to write, and tells it the time. One owner, no lock, no handles.
//!
//! ```
//! use std::time::Instant;
//! use bytes::{Bytes, BytesMut};
//! use trunkline_http2::{Config, Connection, Event, Field, Indexing};
//!
//! # #[allow(clippy::disallowed_methods, reason = "an example is an owner, and owners read clocks")]
//! let now = Instant::now();
//! let mut connection = Connection::new(Config::default(), now);
//! let head = [(":method", "POST"), (":scheme", "http"), (":path", "/greeter/Hello"), ("te", "trailers")];
//! let template = connection.template(head).expect("it is the first template");
//! let timeout = Field { name: b"grpc-timeout", value: b"1S", indexing: Indexing::Transient };
//! let stream = connection.open(template, &[timeout], Bytes::from_static(b"\0\0\0\0\0"), true)?;
//!
//! let mut slices = [std::io::IoSlice::new(&[]); 16];
//! let filled = connection.outgoing(&mut slices); // write these pieces, then tell how many bytes went
//! let bytes = slices[..filled].iter().map(|slice| slice.len()).sum();
//! connection.written(bytes);
//!
//! let mut input = BytesMut::from(&b"\0\0\0\x04\0\0\0\0\0"[..]); // what was read: SETTINGS of the server
//! connection.receive(now, &mut input)?;
//! assert!(matches!(connection.poll_event(), Some(Event::SettingsReceived)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod config;
mod connection;
mod error;
mod event;
mod headers;

mod budget;
mod flow;
mod frame;
mod hpack;
mod ids;
mod outgoing;
mod packing;
mod payload;
mod pseudo;
mod resets;
mod schedule;
mod settings;
mod staging;
mod streams;
mod turns;

pub use config::Config;
pub use connection::Connection;
pub use error::{ConnectionError, ErrorCode, OpenError, StreamGone, StreamViolation};
pub use event::{Event, StreamKey};
pub use headers::{Headers, HeadersIter};
pub use hpack::{Field, Indexing, TemplateId};
pub use payload::Payload;

/// What fuzzers run; no part of the product.
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub use hpack::fuzzing;
