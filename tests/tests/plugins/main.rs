//! Plugins as strangers write them, good and bad: each kind takes few lines and no change of ours, and one
//! that panics or hangs harms its own channel and nobody else's.

// The good ones.
pub mod stranger;
mod together;

// The bad ones.
mod bad_balancer;
mod bad_connector;
mod bad_resolver;

// What the bad ones are tried on.
mod neighbourhood;
