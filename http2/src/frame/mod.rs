//! Frames (RFC 9113 sections 4 and 6): how they begin, what is in them, how ours are written. Nothing here
//! knows of streams or connections; what is wrong with a frame by itself is found here.

mod head;
mod read;
mod write;

pub(crate) use head::{Head, flag, kind};
pub(crate) use read::{Settings, read_goaway, read_priority, read_word, split_headers, split_padding};
pub(crate) use write::{
    write_goaway, write_ping, write_ping_answer, write_reset, write_settings, write_settings_answer,
    write_window_update,
};

/// SETTINGS parameters that a client has to do with (RFC 9113 section 6.5.2).
pub(crate) mod setting {
    pub(crate) const HEADER_TABLE_SIZE: u16 = 0x1;
    pub(crate) const ENABLE_PUSH: u16 = 0x2;
    pub(crate) const MAX_CONCURRENT_STREAMS: u16 = 0x3;
    pub(crate) const INITIAL_WINDOW_SIZE: u16 = 0x4;
    pub(crate) const MAX_FRAME_SIZE: u16 = 0x5;
    pub(crate) const MAX_HEADER_LIST_SIZE: u16 = 0x6;
}
