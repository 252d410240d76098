//! What users of gRPC channels suffer from, re-enacted: each scenario in memory under a paused clock, where
//! times are exact, and again over real sockets, where outcomes count.

#![allow(clippy::unwrap_used, reason = "in a test, what must not fail may panic")]

// How the scenarios ask and measure.
mod asking;

// What a call waits for.
mod connecting;
mod deadlines;
mod streams;

// Servers that come, go and stay.
mod death;
mod lists;
mod rotation;
mod turnover;

// What one call does to the others.
mod collateral;

// The channel itself: its connections, its end, its runtimes, its words.
mod backoff;
mod closing;
mod log;
mod runtimes;
mod secrets;
mod settings;
