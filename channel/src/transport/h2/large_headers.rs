//! Which streams got headers of a size that the engine refuses. The engine has one error for malformed headers and for large ones, and gRPC tells
//! them apart (INTERNAL and RESOURCE_EXHAUSTED), so the frames' own headers are watched as they pass.

/// Finds the streams with large header blocks among the bytes of a connection.
///
/// It knows blocks as they travel, compressed; so it looks for those that are at least half as large as the limit. Text is not compressed further
/// than that by HPACK unless it repeats.
#[derive(Debug)]
pub(super) struct LargeHeaders {
    threshold: usize,
    /// A frame's header, as far as it has come.
    header: [u8; FRAME_HEADER],
    filled: usize,
    /// What is left of the frame's payload.
    payload: usize,
    /// The size of the present header block.
    block: usize,
}

/// RFC 9113 4.1: 24 bits of length, 8 of type, 8 of flags, 32 of stream.
const FRAME_HEADER: usize = 9;

const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
const END_HEADERS: u8 = 4;

impl LargeHeaders {
    /// Watches for blocks that may be larger than `limit` when they are decompressed.
    pub(super) fn new(limit: usize) -> Self {
        Self { threshold: limit / 2, header: [0; FRAME_HEADER], filled: 0, payload: 0, block: 0 }
    }

    /// Takes the next bytes, and reports the streams whose block has just ended and was large.
    pub(super) fn pass(&mut self, mut bytes: &[u8], mut large: impl FnMut(u32)) {
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
                if let Some(stream) = self.frame() {
                    large(stream);
                }
            }
        }
    }

    /// A frame begins.
    fn frame(&mut self) -> Option<u32> {
        let [a, b, c, kind, flags, stream @ ..] = self.header;
        self.payload = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
        match kind {
            HEADERS => self.block = self.payload,
            CONTINUATION => self.block += self.payload,
            _ => return None,
        }
        let is_large = flags & END_HEADERS != 0 && self.block >= self.threshold;
        is_large.then(|| u32::from_be_bytes(stream))
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
        bytes.chunks(at_a_time).for_each(|bytes| watch.pass(bytes, |stream| found.push(stream)));
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
}
