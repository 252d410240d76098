//! How the stories about the engine are told: a server made of bytes, one-line verbs for what it does, and
//! one-line verbs for what the engine must make of it. Nothing here is shared with the engine, so that a
//! mistake in one does not hide in the other.

#![allow(dead_code, reason = "each test binary tells its stories with a part of these words")]

pub(crate) mod expect;
pub(crate) mod hpack;
pub(crate) mod machine;
pub(crate) mod random;
pub(crate) mod replay;
pub(crate) mod server;
pub(crate) mod story;
pub(crate) mod table_size;
pub(crate) mod told;
pub(crate) mod watch;
pub(crate) mod wire;

pub(crate) use self::story::Story;
pub(crate) use self::told::Told;
pub(crate) use self::wire::{flag, kind, setting};
