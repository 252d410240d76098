//! What is in the payloads of frames, with the errors that need no more than the frame to be seen.

use super::{Head, flag};
use crate::{ConnectionError, ErrorCode};

/// The data of a DATA payload without its padding (RFC 9113 section 6.1).
#[inline]
pub(crate) fn split_padding(head: Head, payload: &[u8]) -> Result<(usize, usize), ConnectionError> {
    if !head.has(flag::PADDED) {
        return Ok((0, payload.len()));
    }
    let Some((&padding, rest)) = payload.split_first() else {
        return Err(ConnectionError::frame_size("padded frame without a pad length (RFC 9113 4.2)"));
    };
    match rest.len().checked_sub(usize::from(padding)) {
        Some(data) => Ok((1, 1 + data)),
        None => Err(ConnectionError::protocol("padding as long as the payload or longer (RFC 9113 6.1)")),
    }
}

/// The fragment in a HEADERS payload, and the stream that it says to depend on, if it says one
/// (RFC 9113 section 6.2).
#[inline]
pub(crate) fn split_headers(head: Head, payload: &[u8]) -> Result<(&[u8], Option<u32>), ConnectionError> {
    if !head.has(flag::PRIORITY) {
        let (from, to) = split_padding(head, payload)?;
        return Ok((&payload[from..to], None));
    }
    // The fields that the flags announce must be there, whatever the padding; what is left is for the fragment, and
    // padding beyond that is another error.
    let before = usize::from(head.has(flag::PADDED));
    let Some(priority) = payload.get(before..).and_then(|rest| rest.first_chunk()) else {
        return Err(ConnectionError::frame_size("HEADERS too short for its priority (RFC 9113 4.2)"));
    };
    let (from, to) = split_padding(head, payload)?;
    match payload.get(from + PRIORITY_LENGTH..to) {
        Some(fragment) => Ok((fragment, Some(dependency(priority)))),
        None => Err(ConnectionError::protocol("padding that leaves HEADERS no priority (RFC 9113 6.2)")),
    }
}

/// The stream that a PRIORITY payload depends on; `None` if its length is wrong (RFC 9113 section 6.3).
pub(crate) fn read_priority(payload: &[u8]) -> Option<u32> {
    <&[u8; PRIORITY_LENGTH]>::try_from(payload).ok().map(dependency)
}

/// The 32 bits that are all of the payload of RST_STREAM and WINDOW_UPDATE.
#[inline]
pub(crate) fn read_word(payload: &[u8]) -> Option<u32> {
    <[u8; 4]>::try_from(payload).ok().map(u32::from_be_bytes)
}

/// The parameters of a SETTINGS payload, in the order in which they are to be applied (RFC 9113 section 6.5.3).
#[derive(Clone, Debug)]
pub(crate) struct Settings<'a>(&'a [[u8; SETTING_LENGTH]]);

impl<'a> Settings<'a> {
    pub(crate) fn read(payload: &'a [u8]) -> Result<Self, ConnectionError> {
        match payload.as_chunks() {
            (parameters, []) => Ok(Self(parameters)),
            _ => Err(ConnectionError::frame_size(
                "SETTINGS of a length that is no multiple of 6 (RFC 9113 6.5)",
            )),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u16, u32)> + use<'a> {
        self.0
            .iter()
            .map(|&[a, b, c, d, e, f]| (u16::from_be_bytes([a, b]), u32::from_be_bytes([c, d, e, f])))
    }
}

/// A GOAWAY payload (RFC 9113 section 6.8).
#[derive(Debug)]
pub(crate) struct GoAway<'a> {
    pub(crate) last_stream_id: u32,
    pub(crate) code: ErrorCode,
    pub(crate) debug_data: &'a [u8],
}

pub(crate) fn read_goaway(payload: &[u8]) -> Option<GoAway<'_>> {
    let (&[a, b, c, d, e, f, g, h], debug_data) = payload.split_first_chunk::<8>()?;
    Some(GoAway {
        last_stream_id: u32::from_be_bytes([a, b, c, d]) & (u32::MAX >> 1),
        code: ErrorCode(u32::from_be_bytes([e, f, g, h])),
        debug_data,
    })
}

fn dependency(&[a, b, c, d, _weight]: &[u8; PRIORITY_LENGTH]) -> u32 {
    u32::from_be_bytes([a, b, c, d]) & (u32::MAX >> 1)
}

/// Stream dependency and weight (RFC 9113 section 6.3).
const PRIORITY_LENGTH: usize = 5;
/// Identifier and value (RFC 9113 section 6.5.1).
const SETTING_LENGTH: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::kind;

    fn padded(payload: &[u8]) -> Result<(usize, usize), ConnectionError> {
        let length = u32::try_from(payload.len()).unwrap();
        split_padding(Head { length, kind: kind::DATA, flags: flag::PADDED, stream: 1 }, payload)
    }

    #[test]
    fn padding_may_fill_the_payload_but_not_exceed_it() {
        assert_eq!(padded(&[0]), Ok((1, 1)));
        assert_eq!(padded(&[2, b'a', 0, 0]), Ok((1, 2)));
        assert_eq!(padded(&[3, 0, 0, 0]), Ok((1, 1)));
        assert_eq!(padded(&[4, 0, 0, 0]).unwrap_err().code(), ErrorCode::PROTOCOL_ERROR);
        assert_eq!(padded(&[]).unwrap_err().code(), ErrorCode::FRAME_SIZE_ERROR);
    }

    #[test]
    fn a_fragment_lies_between_priority_and_padding() {
        let payload = [1, 0x80, 0, 0, 7, 16, b'h', b'p', 0];
        let flags = flag::PADDED | flag::PRIORITY;
        let head = Head { length: 9, kind: kind::HEADERS, flags, stream: 1 };
        assert_eq!(split_headers(head, &payload), Ok((&b"hp"[..], Some(7))));
        assert_eq!(split_headers(head, &[0, 1, 2]).unwrap_err().code(), ErrorCode::FRAME_SIZE_ERROR);
        assert_eq!(split_headers(head, &[9, 0, 0, 0, 0]).unwrap_err().code(), ErrorCode::FRAME_SIZE_ERROR);
        assert_eq!(split_headers(head, &[0; 6]), Ok((&[][..], Some(0))));
        assert_eq!(split_headers(head, &[1; 6]).unwrap_err().code(), ErrorCode::PROTOCOL_ERROR);
    }

    #[test]
    fn settings_come_in_sixes() {
        let settings = Settings::read(&[0, 3, 0, 0, 0, 100, 0, 4, 0, 1, 0, 0]).unwrap();
        assert_eq!(settings.iter().collect::<Vec<_>>(), [(3, 100), (4, 65_536)]);
        assert_eq!(Settings::read(&[0; 7]).unwrap_err().code(), ErrorCode::FRAME_SIZE_ERROR);
    }
}
