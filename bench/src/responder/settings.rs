//! SETTINGS: what the responder says of itself, and what it heeds of a client's.

use super::frame::{self, Frame, SETTINGS, WINDOW_UPDATE};
use super::violation::Violation;
use super::{CONNECTION_WINDOW, MAX_FRAME, MAX_STREAMS, STREAM_WINDOW};

const HEADER_TABLE_SIZE: u16 = 1;
const MAX_CONCURRENT_STREAMS: u16 = 3;
const INITIAL_WINDOW_SIZE: u16 = 4;
const MAX_FRAME_SIZE: u16 = 5;

/// The window of everything until somebody says another (RFC 9113, 6.9.2).
pub(super) const DEFAULT_WINDOW: u32 = 65_535;

/// What a client has said.
#[derive(Clone, Copy, Debug)]
pub(super) struct ClientSettings {
    pub(super) header_table: u32,
    pub(super) initial_window: u32,
    /// At most the responder's own, so that a client that takes more gets what it gets from others.
    pub(super) max_frame: usize,
}

impl Default for ClientSettings {
    fn default() -> Self {
        Self { header_table: 4096, initial_window: DEFAULT_WINDOW, max_frame: MAX_FRAME }
    }
}

impl ClientSettings {
    /// Takes over what `frame` says.
    pub(super) fn update(&mut self, frame: &Frame<'_>) -> Result<(), Violation> {
        let (settings, []) = frame.payload.as_chunks::<6>() else { return Err(frame.malformed()) };
        for &[a, b, value @ ..] in settings {
            let value = u32::from_be_bytes(value);
            match u16::from_be_bytes([a, b]) {
                HEADER_TABLE_SIZE => self.header_table = value,
                INITIAL_WINDOW_SIZE if value > i32::MAX as u32 => return Err(Violation::Window),
                INITIAL_WINDOW_SIZE => self.initial_window = value,
                MAX_FRAME_SIZE => self.max_frame = (value as usize).min(MAX_FRAME),
                _ => {}
            }
        }
        Ok(())
    }
}

/// What a server says first.
pub(super) fn write_own(out: &mut Vec<u8>) {
    let mut payload = Vec::new();
    for (id, value) in [(MAX_CONCURRENT_STREAMS, MAX_STREAMS), (INITIAL_WINDOW_SIZE, STREAM_WINDOW)] {
        payload.extend_from_slice(&id.to_be_bytes());
        payload.extend_from_slice(&value.to_be_bytes());
    }
    frame::write(out, SETTINGS, 0, 0, &payload);
    frame::write(out, WINDOW_UPDATE, 0, 0, &(CONNECTION_WINDOW - DEFAULT_WINDOW).to_be_bytes());
}
