//! What a stream still has to send, cut into pieces as windows and frames allow.

use super::message::{self, PREFIX};
use super::violation::Violation;
use crate::echo::FloodRequest;

/// The largest body that a flood is asked for.
const MAX_FLOOD_SIZE: u32 = 64 << 10;

/// What waits to be sent.
#[derive(Debug)]
pub(super) enum Outgoing {
    /// Framed messages, and how much of them has been sent.
    Bytes(Vec<u8>, usize),
    Flood(Flood),
}

impl Outgoing {
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Bytes(bytes, sent) => bytes.len() == *sent,
            Self::Flood(flood) => flood.next == flood.count,
        }
    }

    /// Appends the next piece, of `room` bytes at most, to `out`.
    pub(super) fn take(&mut self, room: usize, out: &mut Vec<u8>) {
        match self {
            Self::Bytes(bytes, sent) => {
                let end = bytes.len().min(*sent + room);
                out.extend_from_slice(&bytes[*sent..end]);
                *sent = end;
                if *sent == bytes.len() {
                    bytes.clear();
                    *sent = 0;
                }
            }
            Self::Flood(flood) => flood.take(room, out),
        }
    }

    /// Adds messages behind those that wait. A flood takes none.
    pub(super) fn push(&mut self, framed: &[u8]) {
        if let Self::Bytes(bytes, _) = self {
            bytes.extend_from_slice(framed);
        }
    }
}

/// Numbered messages, made as they are sent.
#[derive(Debug)]
pub(super) struct Flood {
    next: u64,
    count: u64,
    packed: bool,
    /// The message with its prefix; its number is put in before each use.
    framed: Vec<u8>,
    number_at: usize,
    /// How much of the message `next` has been sent.
    sent: usize,
}

impl Flood {
    pub(super) fn new(request: &FloodRequest) -> Result<Self, Violation> {
        if !(8..=MAX_FLOOD_SIZE).contains(&request.size) {
            return Err(Violation::Message("a flood of that size is not served"));
        }
        let size = request.size as usize;
        let mut framed = Vec::with_capacity(PREFIX + 6 + size);
        message::write_payload(&mut framed, &vec![b'.'; size]);
        let number_at = framed.len() - size;
        Ok(Self { next: 0, count: request.count, packed: request.packed, framed, number_at, sent: 0 })
    }

    fn take(&mut self, mut room: usize, out: &mut Vec<u8>) {
        while self.next < self.count && room > 0 {
            self.framed[self.number_at..self.number_at + 8].copy_from_slice(&self.next.to_be_bytes());
            let rest = &self.framed[self.sent..];
            let piece = rest.len().min(room);
            out.extend_from_slice(&rest[..piece]);
            room -= piece;
            self.sent += piece;
            if self.sent == self.framed.len() {
                (self.next, self.sent) = (self.next + 1, 0);
                if !self.packed {
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flood(packed: bool) -> Outgoing {
        Outgoing::Flood(Flood::new(&FloodRequest { count: 3, size: 8, packed }).unwrap())
    }

    #[test]
    fn however_a_flood_is_cut_the_messages_are_the_same() {
        let mut whole = Vec::new();
        flood(true).take(usize::MAX, &mut whole);
        for room in 1..whole.len() {
            let (mut flood, mut out) = (flood(true), Vec::new());
            while !flood.is_empty() {
                flood.take(room, &mut out);
            }
            assert_eq!(out, whole);
        }
        let numbers: Vec<u8> = whole.chunks(15).map(|framed| framed[14]).collect();
        assert_eq!(numbers, [0, 1, 2]);
    }

    #[test]
    fn messages_that_are_not_packed_are_pieces_of_their_own() {
        let mut flood = flood(false);
        for _ in 0..3 {
            let mut out = Vec::new();
            flood.take(usize::MAX, &mut out);
            assert_eq!(out.len(), 15);
        }
        assert!(flood.is_empty());
    }
}
