//! Bodies of requests, each different from all others, at next to no cost: what the bench itself spends on a
//! call is in every figure.

use bytes::{BufMut, Bytes, BytesMut};

/// Small bodies are cut from a chunk of this many. So they cost one allocation in 32 calls, and a thousand
/// callers do not fill the cache with chunks.
const CHUNK: usize = 32;

/// Larger bodies are used again when nobody else holds them any more.
const SMALL: usize = 1 << 10;

/// Makes bodies of one size, which begin with their number.
#[derive(Debug)]
pub(super) struct Payloads {
    size: usize,
    chunk: BytesMut,
    last: Bytes,
}

impl Payloads {
    pub(super) fn new(size: usize) -> Self {
        Self { size, chunk: BytesMut::new(), last: Bytes::new() }
    }

    pub(super) fn next(&mut self, number: u64) -> Bytes {
        if self.size <= SMALL {
            if self.chunk.capacity() < self.size {
                self.chunk = BytesMut::with_capacity(CHUNK * self.size);
            }
            self.chunk.put_u64(number);
            self.chunk.put_bytes(b'.', self.size.saturating_sub(8));
            return self.chunk.split().freeze();
        }
        let mut body = std::mem::take(&mut self.last).try_into_mut().unwrap_or_default();
        body.resize(self.size, b'.');
        body[..8].copy_from_slice(&number.to_be_bytes());
        self.last = body.freeze();
        self.last.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_of_any_size_begin_with_their_number() {
        for size in [32, 1 << 10, 1 << 20] {
            let mut payloads = Payloads::new(size);
            for number in 0..100 {
                let body = payloads.next(number);
                assert_eq!(body.len(), size);
                assert_eq!(body[..8], number.to_be_bytes());
                assert!(body[8..].iter().all(|byte| *byte == b'.'));
            }
        }
    }

    #[test]
    fn a_body_that_somebody_holds_does_not_change() {
        let mut payloads = Payloads::new(1 << 20);
        let first = payloads.next(1);
        let second = payloads.next(2);
        assert_eq!((first[7], second[7]), (1, 2));
    }
}
