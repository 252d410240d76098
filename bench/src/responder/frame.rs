//! Frames on the wire (RFC 9113, section 4.1).

use super::MAX_FRAME;
use super::violation::Violation;

pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const PUSH_PROMISE: u8 = 5;
pub(super) const PING: u8 = 6;
pub(super) const WINDOW_UPDATE: u8 = 8;
pub(super) const CONTINUATION: u8 = 9;

/// Of DATA and HEADERS.
pub(super) const END_STREAM: u8 = 0x1;
/// Of SETTINGS and PING.
pub(super) const ACK: u8 = 0x1;
/// Of HEADERS and CONTINUATION.
pub(super) const END_HEADERS: u8 = 0x4;
const PADDED: u8 = 0x8;
const PRIORITY: u8 = 0x20;

/// The size of a frame's head.
pub(super) const HEAD: usize = 9;

/// A frame as it was received.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame<'a> {
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) stream: u32,
    pub(super) payload: &'a [u8],
}

impl<'a> Frame<'a> {
    /// The first frame of `input` and what follows it; `None` if it is not all there.
    pub(super) fn split(input: &'a [u8]) -> Result<Option<(Self, &'a [u8])>, Violation> {
        let Some((head, rest)) = input.split_first_chunk::<HEAD>() else { return Ok(None) };
        let [a, b, c, kind, flags, stream @ ..] = *head;
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        if length > MAX_FRAME {
            return Err(Violation::FrameSize(length));
        }
        let Some((payload, rest)) = rest.split_at_checked(length) else { return Ok(None) };
        // The highest bit is reserved.
        let stream = u32::from_be_bytes(stream) & 0x7fff_ffff;
        Ok(Some((Self { kind, flags, stream, payload }, rest)))
    }

    pub(super) fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// What DATA or HEADERS carry, without padding and priority.
    pub(super) fn content(&self) -> Result<&'a [u8], Violation> {
        let mut content = self.payload;
        let mut padding = 0;
        if self.has(PADDED) {
            let (length, rest) = content.split_first().ok_or_else(|| self.malformed())?;
            (padding, content) = (usize::from(*length), rest);
        }
        if self.kind == HEADERS && self.has(PRIORITY) {
            content = content.get(5..).ok_or_else(|| self.malformed())?;
        }
        let length = content.len().checked_sub(padding).ok_or_else(|| self.malformed())?;
        Ok(&content[..length])
    }

    /// The payload, which is a number of 32 bits in RST_STREAM and WINDOW_UPDATE.
    pub(super) fn number(&self) -> Result<u32, Violation> {
        let bytes = self.payload.try_into().map_err(|_| self.malformed())?;
        Ok(u32::from_be_bytes(bytes))
    }

    pub(super) fn malformed(&self) -> Violation {
        Violation::Malformed { kind: self.kind }
    }
}

/// Writes the head of a frame.
pub(super) fn write_head(out: &mut Vec<u8>, length: usize, kind: u8, flags: u8, stream: u32) {
    let mut head = [0; HEAD];
    head[..3].copy_from_slice(&(length as u32).to_be_bytes()[1..]);
    (head[3], head[4]) = (kind, flags);
    head[5..].copy_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(&head);
}

/// Writes a whole frame.
pub(super) fn write(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    write_head(out, payload.len(), kind, flags, stream);
    out.extend_from_slice(payload);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_read_as_it_was_written() {
        let mut out = Vec::new();
        write(&mut out, DATA, END_STREAM, 7, b"hello");
        out.extend_from_slice(b"rest");
        let (frame, rest) = Frame::split(&out).unwrap().unwrap();
        assert_eq!((frame.kind, frame.stream, frame.payload), (DATA, 7, &b"hello"[..]));
        assert!(frame.has(END_STREAM));
        assert_eq!(rest, b"rest");
    }

    #[test]
    fn a_frame_that_is_not_all_there_is_waited_for() {
        let mut out = Vec::new();
        write(&mut out, PING, 0, 0, &[1; 8]);
        assert!((0..out.len()).all(|length| Frame::split(&out[..length]).unwrap().is_none()));
    }

    #[test]
    fn padding_and_priority_are_no_content() {
        let payload = [2, 0, 0, 0, 0, 9, b'x', b'y', 0, 0];
        let frame = Frame { kind: HEADERS, flags: PADDED | PRIORITY, stream: 1, payload: &payload };
        assert_eq!(frame.content().unwrap(), b"xy");
    }

    #[test]
    fn more_padding_than_payload_is_refused() {
        let frame = Frame { kind: DATA, flags: PADDED, stream: 1, payload: &[3, 0, 0] };
        assert_eq!(frame.content(), Err(Violation::Malformed { kind: DATA }));
    }
}
