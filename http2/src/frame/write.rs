//! How our frames are written: each function appends one frame. DATA and HEADERS are written where their parts
//! are, by [`Outgoing`](crate::outgoing::Outgoing).

use super::{Head, flag, kind};
use crate::ErrorCode;

pub(crate) fn write_settings(out: &mut Vec<u8>, parameters: &[(u16, u32)]) {
    let length = 6 * u32::try_from(parameters.len()).expect("a client has few settings");
    head(out, length, kind::SETTINGS, 0, 0);
    for (identifier, value) in parameters {
        out.extend_from_slice(&identifier.to_be_bytes());
        out.extend_from_slice(&value.to_be_bytes());
    }
}

pub(crate) fn write_settings_answer(out: &mut Vec<u8>) {
    head(out, 0, kind::SETTINGS, flag::ACK, 0);
}

pub(crate) fn write_ping(out: &mut Vec<u8>, opaque: u64) {
    head(out, 8, kind::PING, 0, 0);
    out.extend_from_slice(&opaque.to_be_bytes());
}

pub(crate) fn write_ping_answer(out: &mut Vec<u8>, opaque: [u8; 8]) {
    head(out, 8, kind::PING, flag::ACK, 0);
    out.extend_from_slice(&opaque);
}

/// GOAWAY with last stream id 0: a client that refuses push processes no stream of the server's.
pub(crate) fn write_goaway(out: &mut Vec<u8>, code: ErrorCode, debug_data: &str) {
    // The smallest limit of a peer is far above what anybody reads.
    let debug_data = &debug_data.as_bytes()[..debug_data.len().min(MAX_DEBUG_DATA as usize)];
    head(out, 8 + debug_data.len() as u32, kind::GOAWAY, 0, 0);
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&code.0.to_be_bytes());
    out.extend_from_slice(debug_data);
}

pub(crate) fn write_reset(out: &mut Vec<u8>, stream: u32, code: ErrorCode) {
    head(out, 4, kind::RST_STREAM, 0, stream);
    out.extend_from_slice(&code.0.to_be_bytes());
}

pub(crate) fn write_window_update(out: &mut Vec<u8>, stream: u32, increment: u32) {
    head(out, 4, kind::WINDOW_UPDATE, 0, stream);
    out.extend_from_slice(&increment.to_be_bytes());
}

fn head(out: &mut Vec<u8>, length: u32, kind: u8, flags: u8, stream: u32) {
    out.extend_from_slice(&Head { length, kind, flags, stream }.to_bytes());
}

/// What we say in GOAWAY for people, in bytes.
const MAX_DEBUG_DATA: u32 = 1 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_written_as_the_rfc_draws_them() {
        let mut out = Vec::new();
        write_settings(&mut out, &[(2, 0), (4, 0x10_0000)]);
        assert_eq!(out, [0, 0, 12, 4, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 4, 0, 0x10, 0, 0]);
        out.clear();
        write_ping(&mut out, 0x0102_0304_0506_0708);
        assert_eq!(out, [0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]);
        out.clear();
        write_goaway(&mut out, ErrorCode::ENHANCE_YOUR_CALM, "hi");
        assert_eq!(out, [0, 0, 10, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 11, b'h', b'i']);
        out.clear();
        write_reset(&mut out, 3, ErrorCode::CANCEL);
        write_window_update(&mut out, 0, 65_536);
        assert_eq!(out, [0, 0, 4, 3, 0, 0, 0, 0, 3, 0, 0, 0, 8, 0, 0, 4, 8, 0, 0, 0, 0, 0, 0, 1, 0, 0]);
    }
}
