//! What kind of peer answered: HTTP/2, or something that it would be kind to name. It is judged by the first
//! bytes, before an engine takes them for frames.

/// The first bytes of a peer.
#[derive(Debug, Default)]
pub(super) struct Greeting {
    bytes: Vec<u8>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Peer {
    Http2,
    Other(String),
}

impl Greeting {
    /// A frame's header (RFC 9113 4.1): 24 bits of length, 8 of type, 8 of flags, 32 of stream.
    const FRAME_HEADER: usize = 9;
    /// What peers may send before they have our SETTINGS (RFC 9113 4.2).
    const MAX_FRAME_SIZE: u32 = 16 << 10;
    /// The largest frame type in use (ORIGIN); PRIORITY_UPDATE is not for clients. The server's first frame
    /// must be SETTINGS (RFC 9113 3.4), but it is the engine's to insist on that.
    const LAST_FRAME_TYPE: u8 = 0x0c;
    /// Alert and handshake records of SSL 3 to TLS 1.3.
    const TLS_RECORDS: [[u8; 2]; 2] = [[0x15, 0x03], [0x16, 0x03]];

    /// Takes the next bytes. `None` while they are too few.
    pub(super) fn hear(&mut self, bytes: &[u8]) -> Option<Peer> {
        let missing = Self::FRAME_HEADER - self.bytes.len();
        self.bytes.extend_from_slice(&bytes[..bytes.len().min(missing)]);
        self.verdict()
    }

    fn verdict(&self) -> Option<Peer> {
        let bytes = &self.bytes[..];
        if Self::TLS_RECORDS.iter().any(|record| bytes.starts_with(record)) {
            return Some(Peer::Other("the peer speaks TLS, and this channel is plaintext".to_owned()));
        }
        let &[a, b, c, kind, _flags, ..] = bytes else { return None };
        if u32::from_be_bytes([0, a, b, c]) <= Self::MAX_FRAME_SIZE && kind <= Self::LAST_FRAME_TYPE {
            return Some(Peer::Http2);
        }
        if bytes.starts_with(b"HTTP/") {
            // "HTTP/1.1" is 8 bytes.
            let version = bytes.get(5..8)?.escape_ascii();
            return Some(Peer::Other(format!("the peer speaks HTTP/{version}, not HTTP/2")));
        }
        if bytes.len() < Self::FRAME_HEADER {
            return None;
        }
        Some(Peer::Other(format!(
            "the peer does not speak HTTP/2: its first bytes are \"{}\"",
            bytes.escape_ascii()
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(bytes: &[u8]) -> Option<Peer> {
        Greeting::default().hear(bytes)
    }

    fn other(bytes: &[u8]) -> String {
        match heard(bytes) {
            Some(Peer::Other(what)) => what,
            peer => panic!("{peer:?}"),
        }
    }

    #[test]
    fn settings_are_http2_and_need_not_come_at_once() {
        let settings = [0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 3];
        assert_eq!(heard(&settings), Some(Peer::Http2));
        let mut greeting = Greeting::default();
        assert_eq!(greeting.hear(&settings[..3]), None);
        assert_eq!(greeting.hear(&settings[3..]), Some(Peer::Http2));
    }

    #[test]
    fn other_protocols_are_told_by_name_where_they_have_one() {
        assert_eq!(other(b"HTTP/1.1 400 Bad Request\r\n"), "the peer speaks HTTP/1.1, not HTTP/2");
        assert_eq!(other(b"HTTP/1.0 400\r\n"), "the peer speaks HTTP/1.0, not HTTP/2");
        assert_eq!(other(&[0x15, 3, 1, 0, 2, 2, 70]), "the peer speaks TLS, and this channel is plaintext");
        assert_eq!(
            other(b"SSH-2.0-OpenSSH_9.6\r\n"),
            "the peer does not speak HTTP/2: its first bytes are \"SSH-2.0-O\""
        );
    }
}
