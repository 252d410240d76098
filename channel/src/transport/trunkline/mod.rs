//! HTTP/2 by our own engine, `trunkline-http2`. The engine is pure; this folder gives it bytes, time and
//! callers.
//!
//! ```text
//!   calls                                    the dial's task
//!   TrunklineConnection --Start, Send, ..--> Commands --> Driver { engine, wire, streams }
//!   TrunklineStream  <----- events ---------- Cell <-------'   ^
//!   TrunklineSendHalf <---- room ------------ Cell             '--> socket
//! ```
//!
//! One task owns the connection. Callers put commands in a queue and are woken through the [`cell`] that they
//! share with the driver for each stream; everything else is the driver's alone, so nothing of it is locked.

mod cell;
mod commands;
mod connection;
mod deadlines;
mod driver;
mod familiar;
mod heads;
mod idle;
mod inbox;
mod request;
mod start;
mod stream;
mod streams;
mod timer;
mod told;
mod wakes;
mod wire;

pub(crate) use connection::{TrunklineConnection, TrunklineReserve, TrunklineSlot};
pub(crate) use driver::TrunklineDriver;
pub(super) use start::start;
pub(crate) use stream::{TrunklineSendHalf, TrunklineStream};
