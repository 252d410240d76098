//! One message becomes one buffer: prefix and body together, so that it leaves as one chunk of DATA.

use bytes::Bytes;
use prost::Message;

use super::{FramingError, PREFIX_LENGTH};

/// The longest message that the four length bytes can announce.
const LONGEST: usize = u32::MAX as usize;
/// The longest frame that is encoded in the cell that counts who shares it. Most requests are shorter; a
/// longer cell would cost short ones more to clear than the second allocation costs long ones.
const SMALL: usize = 128;
/// The same for what has a cell half as large: a thousand calls in flight have a thousand of them.
const SMALLEST: usize = 64;

/// Frames `message`, uncompressed: its prefix and its encoding in one buffer. It is made to be shared, since
/// a request is kept for sending it again: for a small message that is one allocation in all.
///
/// # Errors
///
/// [`FramingError::SendLimit`] if the encoded message, without the prefix, is longer than `limit` bytes;
/// nothing is allocated then. No message may be longer than `u32::MAX` bytes, whatever the limit.
pub fn encode<M: Message>(message: &M, limit: usize) -> Result<Bytes, FramingError> {
    let size = message.encoded_len();
    let limit = limit.min(LONGEST);
    if size > limit {
        return Err(FramingError::SendLimit { size, limit });
    }
    let length = PREFIX_LENGTH + size;
    let write = |frame: &mut [u8]| {
        let (head, mut body) = frame.split_at_mut(PREFIX_LENGTH);
        head.copy_from_slice(&prefix(false, size as u32));
        message.encode_raw(&mut body);
        debug_assert!(body.is_empty(), "a message encodes to its encoded_len");
    };
    if length <= SMALL {
        return Ok(small(length, write));
    }
    let mut buffer = Vec::with_capacity(length);
    buffer.extend_from_slice(&prefix(false, size as u32));
    message.encode_raw(&mut buffer);
    debug_assert_eq!(buffer.len(), length, "a message encodes to its encoded_len");
    // Length and capacity are equal, so the buffer changes hands without being copied.
    Ok(Bytes::from(buffer))
}

/// The longest slice that is worth a copy: a stub's buffer has 8 KiB, whatever is in it.
const WORTH_A_COPY: usize = 1 << 10;

/// The same bytes in memory of their own, if they are few. Whoever keeps a slice keeps the whole buffer that it was cut
/// from, and a request is kept until its response begins.
pub fn detached(slice: Bytes) -> Bytes {
    let length = slice.len();
    if length == 0 {
        return Bytes::new();
    }
    if length > SMALL {
        return if length <= WORTH_A_COPY { Bytes::copy_from_slice(&slice) } else { slice };
    }
    small(length, |copy| copy.copy_from_slice(&slice))
}

/// Bytes that are `length` long, at most [`SMALL`], and owned in place, as `write` writes them.
fn small(length: usize, write: impl FnOnce(&mut [u8])) -> Bytes {
    match length <= SMALLEST {
        true => Small::<SMALLEST>::written(length, write),
        false => Small::<SMALL>::written(length, write),
    }
}

/// A small frame where it is owned.
struct Small<const N: usize> {
    bytes: [u8; N],
    length: usize,
}

impl<const N: usize> Small<N> {
    #[inline]
    fn written(length: usize, write: impl FnOnce(&mut [u8])) -> Bytes {
        let mut small = Self { bytes: [0; N], length };
        write(&mut small.bytes[..length]);
        Bytes::from_owner(small)
    }
}

impl<const N: usize> AsRef<[u8]> for Small<N> {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// The prefix of a message of `length` bytes.
pub const fn prefix(compressed: bool, length: u32) -> [u8; PREFIX_LENGTH] {
    let [a, b, c, d] = length.to_be_bytes();
    [compressed as u8, a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Code, Status};

    #[test]
    fn a_message_is_its_prefix_and_its_bytes() {
        let framed = encode(&"hi".to_owned(), usize::MAX).unwrap();
        assert_eq!(framed[..], [0, 0, 0, 0, 4, 10, 2, b'h', b'i']);
        assert_eq!(encode(&(), 0).unwrap()[..], [0; 5]);
    }

    #[test]
    fn what_is_small_lets_go_of_the_buffer_that_it_was_cut_from() {
        for (length, is_copied) in
            [(0, true), (1, true), (128, true), (129, true), (1024, true), (1025, false)]
        {
            let buffer = Bytes::from(vec![7; 8 << 10]);
            let slice = buffer.slice(..length);
            let kept = detached(slice.clone());
            assert_eq!(kept, slice);
            assert_eq!(kept.as_ptr() != slice.as_ptr(), is_copied, "{length} bytes");
        }
    }

    #[test]
    fn the_buffer_is_exactly_as_long_as_the_frame() {
        let framed = encode(&"x".repeat(1000), usize::MAX).unwrap();
        let length = framed.len();
        let owned = framed.try_into_mut().expect("nobody shares it");
        assert_eq!(owned.capacity(), length);
    }

    #[test]
    fn messages_of_every_size_around_the_small_are_framed_alike() {
        for size in 0..2 * SMALL {
            let body = vec![7; size];
            let framed = encode(&body, usize::MAX).unwrap();
            let encoded = Message::encode_to_vec(&body);
            assert_eq!(framed[..PREFIX_LENGTH], prefix(false, encoded.len() as u32));
            assert_eq!(framed[PREFIX_LENGTH..], encoded);
            assert_eq!(framed.clone().slice(PREFIX_LENGTH..), encoded, "it can be shared");
        }
    }

    // behaviour 90
    #[test]
    fn a_message_over_the_send_limit_is_an_error_that_names_both_sizes() {
        let message = "x".repeat(98); // two more for tag and length
        assert!(encode(&message, 100).is_ok());
        let error = encode(&message, 99).unwrap_err();
        assert_eq!(error, FramingError::SendLimit { size: 100, limit: 99 });
        let status = Status::from(error);
        assert_eq!(status.code, Code::ResourceExhausted);
        assert!(status.message.contains("100 bytes") && status.message.contains("99 bytes"), "{status}");
    }

    #[test]
    fn the_prefix_is_in_network_order() {
        assert_eq!(prefix(true, 0x0102_0304), [1, 1, 2, 3, 4]);
    }
}
