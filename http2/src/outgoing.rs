//! The bytes that wait to be written, in their order.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::Bytes;

use crate::Payload;
use crate::frame::{Head, flag, kind};

/// Frame heads, control frames, header blocks and small payloads lie behind one another in one buffer; larger
/// payloads stay where they are and are written from there.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    buffer: Vec<u8>,
    /// How much of the buffer was written.
    done: usize,
    /// Payloads outside of the buffer, each with the bytes of the buffer that go before it.
    pieces: VecDeque<Piece>,
    /// Bytes of the buffer behind the last piece.
    tail: usize,
    /// Bytes in `pieces`' payloads.
    shared: usize,
    /// All bytes that were ever written.
    written: u64,
    /// Where answers to the peer's frames end that are not yet written.
    answers: VecDeque<u64>,
}

#[derive(Debug)]
struct Piece {
    before: usize,
    payload: Bytes,
}

/// The peer makes us answer, and does not read the answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct TooManyAnswers;

impl Outgoing {
    /// Payloads below this are copied next to their frame heads: one more slice costs more than the copy.
    const SMALL: usize = 512;

    /// Bytes that wait.
    #[inline]
    pub(crate) fn pending(&self) -> usize {
        self.buffer.len() - self.done + self.shared
    }

    /// Where the next byte will be among all that were ever queued.
    #[inline]
    pub(crate) fn position(&self) -> u64 {
        self.written + self.pending() as u64
    }

    /// All bytes that were ever written.
    #[inline]
    pub(crate) fn written_total(&self) -> u64 {
        self.written
    }

    /// Appends whole frames.
    #[inline]
    pub(crate) fn frames(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let before = self.buffer.len();
        write(&mut self.buffer);
        self.tail += self.buffer.len() - before;
    }

    /// Appends a frame that answers one of the peer's; how many may wait is limited.
    pub(crate) fn answer(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), TooManyAnswers> {
        while self.answers.front().is_some_and(|end| *end <= self.written) {
            self.answers.pop_front();
        }
        if self.answers.len() >= MAX_UNWRITTEN_ANSWERS {
            return Err(TooManyAnswers);
        }
        self.frames(write);
        self.answers.push_back(self.position());
        Ok(())
    }

    /// Appends HEADERS, and CONTINUATION if the block that `encode` writes is longer than a frame may be
    /// (RFC 9113 section 4.3: nothing comes between them).
    #[inline]
    pub(crate) fn headers(
        &mut self,
        stream: u32,
        end: bool,
        frame: usize,
        encode: impl FnOnce(&mut Vec<u8>),
    ) {
        let at = self.buffer.len();
        self.buffer.extend_from_slice(&[0; Head::LENGTH]);
        encode(&mut self.buffer);
        let length = self.buffer.len() - at - Head::LENGTH;
        let flags = if end { flag::END_STREAM } else { 0 };
        if length <= frame {
            let head = frame_head(length, kind::HEADERS, flags | flag::END_HEADERS, stream);
            self.buffer[at..at + Head::LENGTH].copy_from_slice(&head);
        } else {
            let block = self.buffer.split_off(at + Head::LENGTH);
            self.buffer.truncate(at);
            let mut fragments = block.chunks(frame).peekable();
            let (mut kind, mut flags) = (kind::HEADERS, flags);
            while let Some(fragment) = fragments.next() {
                if fragments.peek().is_none() {
                    flags |= flag::END_HEADERS;
                }
                self.buffer.extend_from_slice(&frame_head(fragment.len(), kind, flags, stream));
                self.buffer.extend_from_slice(fragment);
                (kind, flags) = (kind::CONTINUATION, 0);
            }
        }
        self.tail += self.buffer.len() - at;
    }

    /// Appends the head of a DATA frame, whose payload follows by [`payload`](Self::payload).
    #[inline]
    pub(crate) fn data_head(&mut self, stream: u32, length: usize, end: bool) {
        let flags = if end { flag::END_STREAM } else { 0 };
        self.buffer.extend_from_slice(&frame_head(length, kind::DATA, flags, stream));
        self.tail += Head::LENGTH;
    }

    /// Appends payload of the DATA frame that was begun.
    #[inline]
    pub(crate) fn payload<'a>(&mut self, payload: impl Into<Payload<'a>>) {
        match payload.into() {
            Payload::Shared(payload) if payload.len() >= Self::SMALL => {
                self.shared += payload.len();
                self.pieces.push_back(Piece { before: std::mem::take(&mut self.tail), payload });
            }
            copied => {
                self.buffer.extend_from_slice(copied.as_slice());
                self.tail += copied.len();
            }
        }
    }

    /// Shows what is to be written, as far as `slices` reach; returns how many were filled.
    pub(crate) fn fill<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut free = slices.iter_mut();
        let room = free.len();
        let mut at = self.done;
        for piece in &self.pieces {
            if piece.before > 0 {
                let Some(slice) = free.next() else { return room };
                *slice = IoSlice::new(&self.buffer[at..at + piece.before]);
                at += piece.before;
            }
            let Some(slice) = free.next() else { return room };
            *slice = IoSlice::new(&piece.payload);
        }
        if self.tail > 0
            && let Some(slice) = free.next()
        {
            *slice = IoSlice::new(&self.buffer[at..]);
        }
        room - free.len()
    }

    /// The first `bytes` of what waits were written.
    pub(crate) fn written(&mut self, bytes: usize) {
        let bytes = bytes.min(self.pending());
        self.written += bytes as u64;
        let mut left = bytes;
        while let Some(piece) = self.pieces.front_mut() {
            let before = left.min(piece.before);
            piece.before -= before;
            self.done += before;
            left -= before;
            let payload = left.min(piece.payload.len());
            self.shared -= payload;
            left -= payload;
            if payload < piece.payload.len() {
                bytes::Buf::advance(&mut piece.payload, payload);
                break;
            }
            self.pieces.pop_front();
        }
        self.done += left;
        if self.pieces.is_empty() {
            self.tail -= left;
        }
        self.close_gap();
    }

    /// The buffer begins with what was written. It is emptied when all was; else what waits moves to the front, but
    /// only when it is the smaller part, so that every byte moves at most once on average.
    fn close_gap(&mut self) {
        if self.done == self.buffer.len() {
            self.buffer.clear();
            self.done = 0;
        } else if self.done > SPARED_GAP && self.done > self.buffer.len() / 2 {
            self.buffer.drain(..self.done);
            self.done = 0;
        }
    }

    /// Gives memory back, if nothing waits.
    pub(crate) fn rest(&mut self) {
        if self.pending() == 0 {
            *self = Self { written: self.written, ..Self::default() };
        }
    }
}

#[inline]
fn frame_head(length: usize, kind: u8, flags: u8, stream: u32) -> [u8; Head::LENGTH] {
    let length = u32::try_from(length).expect("frames are cut to the peer's limit, which has 24 bits");
    Head { length, kind, flags, stream }.to_bytes()
}

/// Answers to PING and SETTINGS that may wait: a peer that goes on asking without reading is after our memory. A
/// thousand cost 17 KB.
const MAX_UNWRITTEN_ANSWERS: usize = 1000;
/// So little is not worth the move.
const SPARED_GAP: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(outgoing: &Outgoing, room: usize) -> Vec<Vec<u8>> {
        let mut slices = vec![IoSlice::new(&[]); room];
        let filled = outgoing.fill(&mut slices);
        slices[..filled].iter().map(|slice| slice.to_vec()).collect()
    }

    fn mixed() -> Outgoing {
        let mut outgoing = Outgoing::default();
        outgoing.data_head(1, 600, false);
        outgoing.payload(Bytes::from(vec![1; 600]));
        outgoing.data_head(1, 700, false);
        outgoing.payload(Bytes::from(vec![2; 700]));
        outgoing.data_head(3, 2, true);
        outgoing.payload(Bytes::from_static(b"ab"));
        outgoing
    }

    #[test]
    fn large_payloads_are_shown_where_they_are_and_small_ones_beside_their_heads() {
        let outgoing = mixed();
        let lengths: Vec<_> = shown(&outgoing, 8).iter().map(Vec::len).collect();
        assert_eq!(lengths, [9, 600, 9, 700, 11]);
        assert_eq!(shown(&outgoing, 3).len(), 3);
        assert_eq!(outgoing.pending(), 1329);
    }

    #[test]
    fn however_the_writes_are_cut_the_bytes_are_the_same() {
        let whole = shown(&mixed(), 8).concat();
        for step in 1..whole.len() {
            let mut outgoing = mixed();
            let mut bytes = Vec::new();
            while outgoing.pending() > 0 {
                let next = shown(&outgoing, 2).concat();
                let taken = step.min(next.len());
                bytes.extend_from_slice(&next[..taken]);
                outgoing.written(taken);
                assert_eq!(outgoing.written_total(), bytes.len() as u64);
            }
            assert_eq!(bytes, whole, "cut after every {step}");
        }
    }

    #[test]
    fn what_is_appended_after_a_partial_write_comes_last() {
        let mut outgoing = mixed();
        outgoing.written(5);
        outgoing.frames(|out| out.extend_from_slice(b"end"));
        let bytes = shown(&outgoing, 8).concat();
        assert_eq!(bytes.len(), 1327);
        assert!(bytes.ends_with(b"abend"));
        assert_eq!(outgoing.position(), 1332);
    }

    #[test]
    fn a_long_block_goes_on_in_continuations() {
        let mut outgoing = Outgoing::default();
        outgoing.headers(5, true, 4, |out| out.extend_from_slice(b"abcdefghi"));
        let bytes = shown(&outgoing, 1).concat();
        let expected: [&[u8]; 6] = [
            &[0, 0, 4, 1, 1, 0, 0, 0, 5],
            b"abcd",
            &[0, 0, 4, 9, 0, 0, 0, 0, 5],
            b"efgh",
            &[0, 0, 1, 9, 4, 0, 0, 0, 5],
            b"i",
        ];
        assert_eq!(bytes, expected.concat());
    }

    #[test]
    fn answers_are_limited_while_they_are_not_written() {
        let mut outgoing = Outgoing::default();
        for _ in 0..MAX_UNWRITTEN_ANSWERS {
            assert_eq!(outgoing.answer(|out| out.extend_from_slice(b"12345")), Ok(()));
        }
        assert_eq!(outgoing.answer(|out| out.extend_from_slice(b"12345")), Err(TooManyAnswers));
        outgoing.written(9);
        assert_eq!(outgoing.answer(|out| out.extend_from_slice(b"12345")), Ok(()));
        assert_eq!(outgoing.answer(|out| out.extend_from_slice(b"12345")), Err(TooManyAnswers));
    }
}
