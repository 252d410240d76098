//! Which streams got headers of a size that the engine refuses. The engine has one error for malformed
//! headers and for large ones, and gRPC tells them apart (INTERNAL and RESOURCE_EXHAUSTED), so the frames'
//! own headers are watched as they pass.

use http::HeaderMap;

/// Finds the streams with large header blocks among the bytes of a connection.
///
/// It knows blocks as they travel, compressed; so it looks for those that are at least half as large as the
/// limit. Text is not compressed further than that by HPACK unless it repeats.
#[derive(Debug)]
pub(super) struct LargeHeaders {
    threshold: usize,
    /// A frame's header, as far as it has come.
    header: [u8; FRAME_HEADER],
    filled: usize,
    /// What is left of the frame's payload.
    payload: usize,
    /// The present header block.
    block: HeaderBlock,
}

/// A header block as it travelled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct HeaderBlock {
    pub(super) stream: u32,
    /// Its size in bytes, with what frames add to it.
    pub(super) size: usize,
    /// Whether it ended its stream, as trailers do.
    pub(super) end: bool,
}

impl HeaderBlock {
    /// Whether headers must have been left out of the block if `delivered` is all that came of it.
    pub(super) fn is_cut(&self, delivered: &HeaderMap) -> bool {
        // RFC 9113 6.5.2. It counts more for each header than a literal takes, so a block that travelled is
        // shorter, apart from its padding and priority.
        let counted: usize =
            delivered.iter().map(|(name, value)| name.as_str().len() + value.len() + 32).sum();
        self.size > counted + MAX_FRAME_EXTRAS
    }
}

/// Padding with its length, and priority (RFC 9113 6.2).
const MAX_FRAME_EXTRAS: usize = 256 + 5;

/// RFC 9113 4.1: 24 bits of length, 8 of type, 8 of flags, 32 of stream.
const FRAME_HEADER: usize = 9;

const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

impl LargeHeaders {
    /// Watches for blocks that may be larger than `limit` when they are decompressed.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            threshold: limit / 2,
            header: [0; FRAME_HEADER],
            filled: 0,
            payload: 0,
            block: HeaderBlock::default(),
        }
    }

    /// Takes the next bytes, and reports the blocks that have just ended and were large.
    pub(super) fn pass(&mut self, mut bytes: &[u8], mut large: impl FnMut(HeaderBlock)) {
        while !bytes.is_empty() {
            let skipped = self.payload.min(bytes.len());
            self.payload -= skipped;
            bytes = &bytes[skipped..];
            let taken = (FRAME_HEADER - self.filled).min(bytes.len());
            self.header[self.filled..self.filled + taken].copy_from_slice(&bytes[..taken]);
            self.filled += taken;
            bytes = &bytes[taken..];
            if self.filled == FRAME_HEADER {
                self.filled = 0;
                if let Some(block) = self.frame() {
                    large(block);
                }
            }
        }
    }

    /// A frame begins.
    fn frame(&mut self) -> Option<HeaderBlock> {
        let [a, b, c, kind, flags, stream @ ..] = self.header;
        self.payload = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
        match kind {
            HEADERS => {
                let (stream, end) = (u32::from_be_bytes(stream), flags & END_STREAM != 0);
                self.block = HeaderBlock { stream, size: self.payload, end };
            }
            CONTINUATION => self.block.size += self.payload,
            _ => return None,
        }
        let is_large = flags & END_HEADERS != 0 && self.block.size >= self.threshold;
        is_large.then_some(self.block)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, stream: u8, length: u8) -> Vec<u8> {
        let mut frame = vec![0, 0, length, kind, flags, 0, 0, 0, stream];
        frame.resize(FRAME_HEADER + usize::from(length), HEADERS);
        frame
    }

    fn large(bytes: &[u8], at_a_time: usize) -> Vec<u32> {
        let (mut watch, mut found) = (LargeHeaders::new(200), Vec::new());
        bytes.chunks(at_a_time).for_each(|bytes| watch.pass(bytes, |block| found.push(block.stream)));
        found
    }

    #[test]
    fn large_blocks_are_found_however_the_bytes_come() {
        let bytes = [
            frame(HEADERS, END_HEADERS, 1, 99),
            frame(0, 0, 1, 255),
            frame(HEADERS, END_HEADERS, 3, 100),
            frame(HEADERS, 0, 5, 60),
            frame(CONTINUATION, 0, 5, 30),
            frame(CONTINUATION, END_HEADERS, 5, 30),
            frame(HEADERS, END_HEADERS, 7, 0),
        ]
        .concat();
        for at_a_time in [1, 2, 8, 9, 10, 64, bytes.len()] {
            assert_eq!(large(&bytes, at_a_time), [3, 5]);
        }
    }

    #[test]
    fn a_block_is_cut_if_less_came_of_it_than_travelled() {
        let mut watch = LargeHeaders::new(200);
        let mut found = Vec::new();
        watch.pass(&frame(HEADERS, END_HEADERS | END_STREAM, 1, 255), |block| found.push(block));
        watch.pass(&frame(HEADERS, END_HEADERS, 3, 255), |block| found.push(block));
        let [trailers, head] = found[..] else { panic!("{found:?}") };
        assert!(trailers.end && !head.end);
        let whole = HeaderBlock { size: 150_000, ..trailers };
        let mut delivered = HeaderMap::new();
        delivered.insert("grpc-status", http::HeaderValue::from_static("5"));
        assert!(whole.is_cut(&delivered));
        delivered.insert("grpc-message", "x".repeat(149_900).parse().unwrap());
        assert!(!whole.is_cut(&delivered));
    }
}
