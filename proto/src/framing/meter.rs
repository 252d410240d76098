//! A limit on messages that somebody else will take apart: it reads the prefixes as the bytes pass by, and keeps none.

use super::{FramingError, PREFIX_LENGTH};

/// Watches a stream of framed messages for one that is longer than the limit. Pieces may be cut anywhere.
#[derive(Clone, Debug)]
pub struct MessageMeter {
    limit: usize,
    prefix: [u8; PREFIX_LENGTH],
    filled: usize,
    /// Bytes of the present message that are still to come.
    left: usize,
}

impl MessageMeter {
    /// A meter that refuses messages of more than `limit` bytes, their prefix not counted.
    pub fn new(limit: usize) -> Self {
        Self { limit, prefix: [0; PREFIX_LENGTH], filled: 0, left: 0 }
    }

    /// Watches the next piece pass by.
    ///
    /// # Errors
    ///
    /// [`FramingError::ReceiveLimit`] when a prefix in it announces too long a message.
    pub fn push(&mut self, mut piece: &[u8]) -> Result<(), FramingError> {
        loop {
            let body = self.left.min(piece.len());
            self.left -= body;
            piece = &piece[body..];
            if piece.is_empty() {
                return Ok(());
            }
            let count = piece.len().min(PREFIX_LENGTH - self.filled);
            self.prefix[self.filled..self.filled + count].copy_from_slice(&piece[..count]);
            self.filled += count;
            piece = &piece[count..];
            if self.filled == PREFIX_LENGTH {
                self.filled = 0;
                let [_, a, b, c, d] = self.prefix;
                self.left = u32::from_be_bytes([a, b, c, d]) as usize;
                if self.left > self.limit {
                    return Err(FramingError::ReceiveLimit { size: self.left, limit: self.limit });
                }
            }
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
            let mut meter = MessageMeter::new(10);
            assert!(good.chunks(size).all(|piece| meter.push(piece).is_ok()), "pieces of {size}");
            let mut meter = MessageMeter::new(10);
            let refused = bad.chunks(size).find_map(|piece| meter.push(piece).err());
            assert_eq!(refused, Some(FramingError::ReceiveLimit { size: 11, limit: 10 }), "pieces of {size}");
        }
    }
}
