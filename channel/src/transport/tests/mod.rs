//! What holds of a connection, whichever engine is below it: every test here runs on each. The servers are in
//! memory, `h2::server` where a well-behaved one will do, frames by hand where it will not. Time is tokio's,
//! paused.

mod batches;
mod crowds;
mod deadlines;
mod fixture;
mod hindsight;
mod keepalive;
mod leaving;
mod life;
mod limits;
mod pressure;
mod sending;
mod streams;
mod waking;
mod windows;
mod withdrawal;
