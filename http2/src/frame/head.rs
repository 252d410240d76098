//! The nine bytes before every payload (RFC 9113 section 4.1).

/// What a frame says before its payload.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Head {
    /// Bytes of payload, at most 2^24 - 1.
    pub(crate) length: u32,
    /// One of [`kind`], or one that nobody here knows.
    pub(crate) kind: u8,
    /// See [`flag`]; which of them means something depends on the kind.
    pub(crate) flags: u8,
    /// 31 bits; 0 is the connection.
    pub(crate) stream: u32,
}

impl Head {
    /// Bytes of a head on the wire.
    pub(crate) const LENGTH: usize = 9;

    /// The head at the front of `bytes`, if all of it is there.
    #[inline]
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; Self::LENGTH] = bytes.first_chunk()?;
        // Words rather than bytes: heads are read more often than anything else.
        let [first @ .., _, _, _, _, _] = bytes;
        let [_, _, _, _, flags, last @ ..] = bytes;
        let (length_and_kind, stream) = (u32::from_be_bytes(*first), u32::from_be_bytes(*last));
        Some(Self {
            length: length_and_kind >> 8,
            kind: length_and_kind as u8,
            flags: *flags,
            // The reserved bit is ignored (RFC 9113 section 4.1).
            stream: stream & (u32::MAX >> 1),
        })
    }

    #[inline]
    pub(crate) fn to_bytes(self) -> [u8; Self::LENGTH] {
        let [a, b, c, kind] = (self.length << 8 | u32::from(self.kind)).to_be_bytes();
        let [d, e, f, g] = self.stream.to_be_bytes();
        [a, b, c, kind, self.flags, d, e, f, g]
    }

    #[inline]
    pub(crate) fn has(self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// Bytes of the frame, head and payload.
    #[inline]
    pub(crate) fn frame_length(self) -> usize {
        Self::LENGTH + self.length as usize
    }
}

/// Frame types (RFC 9113 section 6).
pub(crate) mod kind {
    pub(crate) const DATA: u8 = 0x0;
    pub(crate) const HEADERS: u8 = 0x1;
    pub(crate) const PRIORITY: u8 = 0x2;
    pub(crate) const RST_STREAM: u8 = 0x3;
    pub(crate) const SETTINGS: u8 = 0x4;
    pub(crate) const PUSH_PROMISE: u8 = 0x5;
    pub(crate) const PING: u8 = 0x6;
    pub(crate) const GOAWAY: u8 = 0x7;
    pub(crate) const WINDOW_UPDATE: u8 = 0x8;
    pub(crate) const CONTINUATION: u8 = 0x9;
}

/// Flags of frames. One bit means different things in different frames.
pub(crate) mod flag {
    /// SETTINGS and PING.
    pub(crate) const ACK: u8 = 0x1;
    /// DATA and HEADERS.
    pub(crate) const END_STREAM: u8 = 0x1;
    /// HEADERS and CONTINUATION.
    pub(crate) const END_HEADERS: u8 = 0x4;
    /// DATA and HEADERS.
    pub(crate) const PADDED: u8 = 0x8;
    /// HEADERS.
    pub(crate) const PRIORITY: u8 = 0x20;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_as_it_was_written() {
        let head = Head { length: 0x01_02_03, kind: kind::PING, flags: flag::ACK, stream: 0x7fff_fffe };
        let bytes = head.to_bytes();
        assert_eq!(bytes, [1, 2, 3, 6, 1, 0x7f, 0xff, 0xff, 0xfe]);
        assert_eq!(Head::parse(&bytes), Some(head));
    }

    #[test]
    fn the_reserved_bit_is_ignored() {
        let head = Head::parse(&[0, 0, 0, 0, 0, 0x80, 0, 0, 5]);
        assert_eq!(head.map(|head| head.stream), Some(5));
    }

    #[test]
    fn eight_bytes_are_no_head() {
        assert_eq!(Head::parse(&[0; 8]), None);
    }
}
