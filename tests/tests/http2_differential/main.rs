//! Our engine beside the h2 crate, in memory: h2 as its server, and h2 as another client of the same server.
//! Where the two clients differ, `http2/DIFFERENCES.md` says why; a difference that it does not name fails, and so
//! does one that is no more.

#![allow(clippy::unwrap_used, reason = "a test that unwraps says where it failed")]

#[path = "../../../http2/tests/support/hpack.rs"]
#[allow(dead_code, reason = "the stories of the engine need more of it")]
mod hpack;
#[path = "../../../http2/tests/support/wire.rs"]
#[allow(dead_code, reason = "the stories of the engine need more of it")]
mod wire;

/// h2 as the server.
mod echo;
mod pipe;
mod with_h2_as_server;

/// h2 as another client.
mod our_view;
mod outcome;
mod scripts;
mod their_view;
mod with_h2_as_client;
