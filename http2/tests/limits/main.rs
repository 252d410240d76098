//! What a hostile server can cost: every named limit of the engine, at the limit and beyond it; and that a
//! connection that is merely busy, or old, never meets one of them.

#![allow(clippy::unwrap_used, reason = "a story that unwraps says where it failed")]

#[path = "../support/mod.rs"]
mod support;

mod floods;
mod header_lists;
mod health;
mod queues;
