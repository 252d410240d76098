//! What must hold in every session, however it goes: sessions are made by chance from a seed, which a failing
//! test prints. Each of them is also told again with its bytes cut elsewhere, as every story is.

#![allow(clippy::unwrap_used, reason = "a session that unwraps says where it failed")]

#[path = "../support/mod.rs"]
mod support;

mod fairness;
mod session;
mod sessions;
mod tables;
mod track;
mod windows;
