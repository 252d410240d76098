//! One message becomes one buffer: prefix and body together, so that it leaves as one chunk of DATA.

use bytes::Bytes;
use prost::Message;

use super::{FramingError, PREFIX_LENGTH, SmallBytes};

/// The longest message that the four length bytes can announce.
const LONGEST: usize = u32::MAX as usize;
/// Frames `message`, uncompressed: its prefix and its encoding in one buffer. It is made to be kept as well, since
/// a request may have to be sent again.
///
/// # Errors
///
/// [`FramingError::SendLimit`] if the encoded message, without the prefix, is longer than `limit` bytes;
/// nothing is allocated then. No message may be longer than `u32::MAX` bytes, whatever the limit.
pub fn encode<M: Message>(message: &M, limit: usize) -> Result<SmallBytes, FramingError> {
    let size = message.encoded_len();
    let limit = limit.min(LONGEST);
    if size > limit {
        return Err(FramingError::SendLimit { size, limit });
    }
    let length = PREFIX_LENGTH + size;
    if length <= SmallBytes::FEW {
        return Ok(SmallBytes::written(length, |frame| {
            let (head, mut body) = frame.split_at_mut(PREFIX_LENGTH);
            head.copy_from_slice(&prefix(false, size as u32));
            message.encode_raw(&mut body);
            debug_assert!(body.is_empty(), "a message encodes to its encoded_len");
        }));
    }
    let mut buffer = Vec::with_capacity(length);
    buffer.extend_from_slice(&prefix(false, size as u32));
    message.encode_raw(&mut buffer);
    debug_assert_eq!(buffer.len(), length, "a message encodes to its encoded_len");
    // Length and capacity are equal, so the buffer changes hands without being copied.
    Ok(SmallBytes::from(Bytes::from(buffer)))
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
    fn the_buffer_is_exactly_as_long_as_the_frame() {
        let framed = encode(&"x".repeat(1000), usize::MAX).unwrap();
        let length = framed.len();
        let owned = framed.into_bytes().try_into_mut().expect("nobody shares it");
        assert_eq!(owned.capacity(), length);
    }

    #[test]
    fn messages_of_every_size_around_the_small_are_framed_alike() {
        for size in 0..2 * SmallBytes::FEW {
            let body = vec![7; size];
            let framed = encode(&body, usize::MAX).unwrap();
            let encoded = Message::encode_to_vec(&body);
            assert_eq!(framed[..PREFIX_LENGTH], prefix(false, encoded.len() as u32));
            assert_eq!(framed[PREFIX_LENGTH..], encoded);
            assert_eq!(framed.clone().into_bytes().slice(PREFIX_LENGTH..), encoded, "it can be shared");
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
