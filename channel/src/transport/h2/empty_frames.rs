//! Takes the frames out of a connection's bytes that say nothing. RFC 9113 6.1 lets a server send empty DATA
//! frames, and some do whenever they flush; the engine takes the hundred and first in the whole life of a
//! connection for an attack, and gives it up with all its calls. Since they are told apart from others by following the
//! frames, the beginnings and ends of responses are noted on the way.

/// Watches for empty DATA frames among the bytes of a connection, and takes them out.
///
/// Nothing is held back: a frame whose header is cut by the end of a read stays. So does one that is padded,
/// since its padding counts for flow control. Those are few, and the engine counts them.
#[derive(Debug, Default)]
pub(super) struct EmptyFrames {
    /// A frame's header, as far as it has come.
    header: [u8; FRAME_HEADER],
    filled: usize,
    /// What is left of the frame's payload.
    payload: usize,
    /// Whether a response has begun.
    answered: bool,
    /// How many streams the frames that passed have ended.
    ended: u64,
}

/// RFC 9113 4.1: 24 bits of length, 8 of type, 8 of flags, 32 of stream.
const FRAME_HEADER: usize = 9;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const END_STREAM: u8 = 1;
const PADDED: u8 = 8;

impl EmptyFrames {
    /// Takes them out of the next bytes, in place. Returns how many bytes are left.
    pub(super) fn take_out(&mut self, bytes: &mut [u8]) -> usize {
        let (mut at, mut kept) = (0, 0);
        while at < bytes.len() {
            let rest = &bytes[at..];
            if self.is_between_frames() && rest.first_chunk().is_some_and(says_nothing) {
                at += FRAME_HEADER;
                continue;
            }
            let length = self.pass(rest);
            bytes.copy_within(at..at + length, kept);
            at += length;
            kept += length;
        }
        kept
    }

    /// Whether a response has begun, be it an informational one: they look the same from here.
    pub(super) fn answered(&self) -> bool {
        self.answered
    }

    /// How many streams have ended so far.
    pub(super) fn ended(&self) -> u64 {
        self.ended
    }

    /// Follows the bytes to the end of the present header or payload, and returns how many they are.
    fn pass(&mut self, rest: &[u8]) -> usize {
        if self.payload > 0 {
            let length = self.payload.min(rest.len());
            self.payload -= length;
            return length;
        }
        let length = (FRAME_HEADER - self.filled).min(rest.len());
        self.header[self.filled..self.filled + length].copy_from_slice(&rest[..length]);
        self.filled += length;
        if self.filled == FRAME_HEADER {
            let [a, b, c, kind, flags, ..] = self.header;
            self.answered |= kind == HEADERS;
            self.ended += u64::from((kind == DATA || kind == HEADERS) && flags & END_STREAM != 0);
            self.filled = 0;
            self.payload = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
        }
        length
    }

    fn is_between_frames(&self) -> bool {
        self.filled == 0 && self.payload == 0
    }
}

/// An empty DATA frame that neither ends its stream nor breaks a rule.
fn says_nothing(header: &[u8; FRAME_HEADER]) -> bool {
    let [a, b, c, kind, flags, stream @ ..] = *header;
    [a, b, c, kind] == [0, 0, 0, DATA] && flags & (END_STREAM | PADDED) == 0 && stream != [0; 4]
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: [u8; FRAME_HEADER] = [0, 0, 0, DATA, 0, 0, 0, 0, 1];

    fn frame(kind: u8, flags: u8, stream: u8, length: u8) -> Vec<u8> {
        let mut frame = vec![0, 0, length, kind, flags, 0, 0, 0, stream];
        // Zeros in a payload look like empty frames to who loses count.
        frame.resize(FRAME_HEADER + usize::from(length), 0);
        frame
    }

    /// What is left of bytes that are read so many at a time.
    fn left(bytes: &[u8], at_a_time: usize) -> Vec<u8> {
        let mut watch = EmptyFrames::default();
        let mut left = Vec::new();
        for read in bytes.chunks(at_a_time) {
            let mut read = read.to_vec();
            let kept = watch.take_out(&mut read);
            left.extend_from_slice(&read[..kept]);
        }
        left
    }

    #[test]
    fn what_ends_a_stream_is_counted_however_it_is_cut() {
        let (settings, ack) = (4, 1);
        let bytes = [
            frame(HEADERS, 4, 1, 3),
            frame(DATA, END_STREAM, 1, 20),
            frame(settings, ack, 0, 0),
            frame(HEADERS, 4 | END_STREAM, 3, 5),
        ]
        .concat();
        for at_a_time in 1..=bytes.len() {
            let mut watch = EmptyFrames::default();
            for read in bytes.chunks(at_a_time) {
                watch.take_out(&mut read.to_vec());
            }
            assert_eq!((watch.answered(), watch.ended()), (true, 2));
        }
    }

    #[test]
    fn settings_are_no_answer() {
        let (settings, mut watch) = (4, EmptyFrames::default());
        watch.take_out(&mut [frame(settings, 0, 0, 6), frame(settings, 1, 0, 0)].concat());
        assert!(!watch.answered());
    }

    #[test]
    fn frames_that_say_nothing_are_taken_out_and_no_others() {
        let others = [
            frame(HEADERS, 4, 1, 30),
            frame(HEADERS, 4, 1, 0),
            frame(DATA, 0, 1, 200),
            frame(DATA, END_STREAM, 1, 0),
            frame(DATA, PADDED, 1, 1),
            frame(DATA, 0, 0, 0),
        ];
        let mixed = others.iter().flat_map(|other| [&EMPTY[..], other, &EMPTY]).collect::<Vec<_>>().concat();
        assert_eq!(left(&mixed, mixed.len()), others.concat());
        assert!(left(&EMPTY.repeat(100), 900).is_empty());
    }

    #[test]
    fn whatever_is_cut_by_the_end_of_a_read_stays_as_it_is() {
        let bytes = [frame(DATA, 0, 1, 40), EMPTY.to_vec(), frame(HEADERS, 5, 1, 20)].concat();
        let without = [frame(DATA, 0, 1, 40), frame(HEADERS, 5, 1, 20)].concat();
        for at_a_time in 1..bytes.len() {
            let left = left(&bytes, at_a_time);
            assert!(left == bytes || left == without, "{at_a_time} at a time");
        }
        assert_eq!(left(&bytes, FRAME_HEADER - 1), bytes);
    }
}
