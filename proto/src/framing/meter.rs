//! A limit on messages that somebody else will take apart: it reads the prefixes as the bytes pass by, and
//! keeps none.

use super::{FramingError, PREFIX_LENGTH};

/// Watches a stream of framed messages for one that is longer than the limit. Pieces may be cut anywhere.
#[derive(Clone, Debug)]
pub struct MessageMeter {
    /// No prefix can announce more than the largest value.
    limit: u32,
    /// Bytes of the present message that are still to come.
    left: u32,
    prefix: [u8; PREFIX_LENGTH],
    filled: u8,
    /// The messages are ours; otherwise they are received.
    sends: bool,
}

impl MessageMeter {
    /// A meter of received messages. It refuses those of more than `limit` bytes, their prefix not counted.
    pub fn receiving(limit: usize) -> Self {
        Self::new(limit, false)
    }

    /// A meter of messages to send. It refuses those of more than `limit` bytes, their prefix not counted.
    pub fn sending(limit: usize) -> Self {
        Self::new(limit, true)
    }

    fn new(limit: usize, sends: bool) -> Self {
        let limit = u32::try_from(limit).unwrap_or(u32::MAX);
        Self { limit, left: 0, prefix: [0; PREFIX_LENGTH], filled: 0, sends }
    }

    /// Watches the next piece pass by.
    ///
    /// # Errors
    ///
    /// [`FramingError::ReceiveLimit`] or [`FramingError::SendLimit`] when a prefix in it announces too long a
    /// message.
    pub fn push(&mut self, mut piece: &[u8]) -> Result<(), FramingError> {
        loop {
            let body = piece.len().min(self.left as usize);
            self.left -= body as u32;
            piece = &piece[body..];
            if piece.is_empty() {
                return Ok(());
            }
            let filled = usize::from(self.filled);
            let count = piece.len().min(PREFIX_LENGTH - filled);
            self.prefix[filled..filled + count].copy_from_slice(&piece[..count]);
            self.filled += count as u8;
            piece = &piece[count..];
            if usize::from(self.filled) == PREFIX_LENGTH {
                self.filled = 0;
                let [_, a, b, c, d] = self.prefix;
                self.left = u32::from_be_bytes([a, b, c, d]);
                if self.left > self.limit {
                    return Err(self.refusal());
                }
            }
        }
    }

    fn refusal(&self) -> FramingError {
        let (size, limit) = (self.left as usize, self.limit as usize);
        match self.sends {
            true => FramingError::SendLimit { size, limit },
            false => FramingError::ReceiveLimit { size, limit },
        }
    }

    /// Says that no more bytes come.
    ///
    /// # Errors
    ///
    /// [`FramingError::Truncated`] inside of a prefix or a message.
    pub fn finish(&self) -> Result<(), FramingError> {
        match (self.filled, self.left) {
            (0, 0) => Ok(()),
            _ => Err(FramingError::Truncated),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::framing::prefix;

    fn framed(length: u32) -> Vec<u8> {
        let mut bytes = prefix(false, length).to_vec();
        bytes.resize(PREFIX_LENGTH + length as usize, 0);
        bytes
    }

    #[test]
    fn any_cut_of_the_bytes_gives_the_same_answer() {
        let good = [framed(10), framed(0), framed(7)].concat();
        let bad = [framed(3), framed(11)].concat();
        for size in 1..=good.len() {
            let mut meter = MessageMeter::receiving(10);
            assert!(good.chunks(size).all(|piece| meter.push(piece).is_ok()), "pieces of {size}");
            let mut meter = MessageMeter::receiving(10);
            let refused = bad.chunks(size).find_map(|piece| meter.push(piece).err());
            assert_eq!(refused, Some(FramingError::ReceiveLimit { size: 11, limit: 10 }), "pieces of {size}");
        }
    }

    #[test]
    fn an_end_inside_of_a_message_is_truncated() {
        let bytes = [framed(3), framed(0)].concat();
        for cut in 0..=bytes.len() {
            let mut meter = MessageMeter::receiving(10);
            meter.push(&bytes[..cut]).unwrap();
            let whole = [0, PREFIX_LENGTH + 3, bytes.len()].contains(&cut);
            assert_eq!(meter.finish(), if whole { Ok(()) } else { Err(FramingError::Truncated) }, "{cut}");
        }
    }

    #[test]
    fn what_is_too_long_to_be_sent_is_told_apart_from_what_is_too_long_to_be_received() {
        let refused = MessageMeter::sending(2).push(&framed(3));
        assert_eq!(refused, Err(FramingError::SendLimit { size: 3, limit: 2 }));
    }
}
