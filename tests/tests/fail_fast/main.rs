//! How calls fail: at once or late, with which status, saying what, and what it takes to recover. And
//! everything that keeps a call from failing in silence: TLS that checks whom it talks to, settings that are
//! refused when they make no sense, deadlines and cancellation.
//!
//! `table` is the table of what can be wrong with a server, `check` what is checked of each row; the others
//! are stories.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop where it is")]

// The table, and some of it over real sockets.
mod check;
#[cfg(unix)]
mod sockets;
mod table;

// Stories of failing and recovering.
mod modes;
mod recovery;
mod reports;

// Whom a channel talks to, and under which name.
mod identity;
mod names;
mod settings;

// How calls end that are not let to.
mod cancelling;
mod closing;
mod deadlines;

// Where all that takes place.
mod lab;
mod peers;
