//! Bytes that arrive in pieces become messages. Nothing is copied where a message lies within one piece.

use std::collections::VecDeque;

use bytes::{Buf, Bytes};

use super::{FramingError, PREFIX_LENGTH};

/// Cuts a stream of bytes into messages.
///
/// Feed it what arrives with [`push`](Self::push), then call [`next_frame`](Self::next_frame) until it has no
/// more, and [`finish`](Self::finish) when the stream ends. Pieces may be cut anywhere, inside of a prefix
/// too.
///
/// ```text
///            five bytes read,               all bytes of the message
///            flag and length fine           are here: a Frame
///   Prefix ---------------------> Body -------------------------------.
///     ^ |                                                             |
///     | `-- flag or length refused --> Failed (stays, repeats itself) |
///     `---------------------------------------------------------------'
/// ```
///
/// A message that lies within one piece shares that piece's memory (and keeps it alive as long as it lives).
/// One that spans several is gathered in a buffer that never grows beyond 72 times what has arrived of it,
/// whatever its prefix claims, and never beyond the limit.
///
/// [`read_next`](Self::read_next) has a message read in that piece, without taking it out.
#[derive(Debug)]
pub struct Deframer {
    /// No message is longer than its prefix can say.
    limit: u32,
    accept_compressed: bool,
    /// The first of what was pushed and not yet read. It keeps no memory alive once it is empty.
    piece: Bytes,
    /// `None` wherever a message begins at the start of `piece` and nothing comes after that piece, which is
    /// nearly always: an open stream that nothing comes on is small.
    apart: Option<Box<Apart>>,
}

/// One message as it was framed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Frame {
    /// Whether the body is compressed, by the encoding that `grpc-encoding` names.
    pub compressed: bool,
    /// The body of the message, without its prefix.
    pub body: Bytes,
}

/// One message in the place where it was received.
#[derive(Debug)]
#[non_exhaustive]
pub struct FrameInPlace<'a> {
    /// Whether the body is compressed, by the encoding that `grpc-encoding` names.
    pub compressed: bool,
    /// The body of the message, without its prefix.
    pub body: Body<'a>,
}

/// The body of one message, to be read once. What is read as [`Bytes`] shares the memory of what was received;
/// what is not read is skipped.
#[derive(Debug)]
pub struct Body<'a> {
    piece: &'a mut Bytes,
    left: usize,
}

impl Buf for Body<'_> {
    #[inline]
    fn remaining(&self) -> usize {
        self.left
    }

    #[inline]
    fn chunk(&self) -> &[u8] {
        &self.piece[..self.left]
    }

    #[inline]
    fn advance(&mut self, count: usize) {
        assert!(count <= self.left, "advanced by {count} bytes where {} are left", self.left);
        self.piece.advance(count);
        self.left -= count;
    }

    #[inline]
    fn copy_to_bytes(&mut self, count: usize) -> Bytes {
        assert!(count <= self.left, "{count} bytes are asked for where {} are left", self.left);
        self.left -= count;
        self.piece.split_to(count)
    }
}

impl Drop for Body<'_> {
    #[inline]
    fn drop(&mut self) {
        self.piece.advance(self.left);
        if self.piece.is_empty() {
            *self.piece = Bytes::new();
        }
    }
}

/// The body of the only message in `piece`, if that is one whole message and nothing else, uncompressed and
/// within `limit`. It is the shortest way to the usual reply.
///
/// # Errors
///
/// The piece itself, if it is anything else: for that there is the [`Deframer`], which also says what is
/// wrong.
pub fn sole_body(mut piece: Bytes, limit: usize) -> Result<Bytes, Bytes> {
    let Some(&[0, a, b, c, d]) = piece.first_chunk() else { return Err(piece) };
    let size = u32::from_be_bytes([a, b, c, d]) as usize;
    if size > limit || piece.len() - PREFIX_LENGTH != size {
        return Err(piece);
    }
    piece.advance(PREFIX_LENGTH);
    Ok(piece)
}

/// What a deframer remembers of a message that lies in several pieces, or in none of them yet.
#[derive(Debug, Default)]
struct Apart {
    state: State,
    /// What was pushed after the first piece; no piece is empty. The owner bounds it, by flow control.
    later: VecDeque<Bytes>,
}

#[derive(Debug)]
enum State {
    Prefix { bytes: [u8; PREFIX_LENGTH], filled: usize },
    Body { compressed: bool, length: usize, gathered: Vec<u8> },
    Failed(FramingError),
}

impl Deframer {
    /// A deframer that accepts messages of at most `limit` bytes, and no compressed ones.
    pub fn new(limit: usize) -> Self {
        let limit = u32::try_from(limit).unwrap_or(u32::MAX);
        Self { limit, accept_compressed: false, piece: Bytes::new(), apart: None }
    }

    /// Whether compressed messages are accepted: the response's `grpc-encoding` names an encoding other than
    /// `identity`. The limit then holds for the compressed length; whoever decompresses checks the other.
    pub fn accept_compressed(&mut self, accept: bool) {
        self.accept_compressed = accept;
    }

    /// Takes the next piece of the stream. Never fails; what is wrong with it shows in
    /// [`next_frame`](Self::next_frame).
    pub fn push(&mut self, piece: Bytes) {
        if piece.is_empty() {
            return;
        }
        match &mut self.apart {
            // Nothing is readable any more, so nothing is kept.
            Some(apart) if matches!(apart.state, State::Failed(_)) => {}
            _ if self.piece.is_empty() => self.piece = piece,
            apart => apart.get_or_insert_default().later.push_back(piece),
        }
    }

    /// The next whole message, or `None` until more is pushed.
    ///
    /// # Errors
    ///
    /// [`FramingError::ReceiveLimit`] (as soon as the prefix is here), [`FramingError::InvalidFlag`] and
    /// [`FramingError::UnexpectedCompression`]. Where the next message begins is then unknown: the error
    /// repeats itself, and the stream should be reset.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, FramingError> {
        self.read_next(|FrameInPlace { compressed, mut body }| Frame {
            compressed,
            body: body.copy_to_bytes(body.remaining()),
        })
    }

    /// Has the next whole message read by `read`, and says what that made of it; `None` until more is pushed.
    /// What is read as [`Bytes`] is not copied; what is not costs no count of references either.
    ///
    /// # Errors
    ///
    /// Those of [`next_frame`](Self::next_frame). What `read` says is its own affair: the message has passed.
    #[inline]
    pub fn read_next<T>(
        &mut self,
        read: impl FnOnce(FrameInPlace<'_>) -> T,
    ) -> Result<Option<T>, FramingError> {
        // The usual case: all of it is in the piece at hand.
        if self.apart.is_none()
            && let Some(&[0, a, b, c, d]) = self.piece.first_chunk()
        {
            let size = u32::from_be_bytes([a, b, c, d]) as usize;
            if size <= self.limit as usize && size <= self.piece.len() - PREFIX_LENGTH {
                self.piece.advance(PREFIX_LENGTH);
                let body = Body { piece: &mut self.piece, left: size };
                return Ok(Some(read(FrameInPlace { compressed: false, body })));
            }
        }
        let Some(Frame { compressed, mut body }) = self.next_apart()? else { return Ok(None) };
        let body = Body { left: body.len(), piece: &mut body };
        Ok(Some(read(FrameInPlace { compressed, body })))
    }

    /// The stream has ended. Call it after [`next_frame`](Self::next_frame) has said `None`.
    ///
    /// # Errors
    ///
    /// [`FramingError::Truncated`] if that was inside of a message. Where the peer also gave a status that is
    /// not OK, that one says more.
    pub fn finish(&self) -> Result<(), FramingError> {
        match self.apart.as_ref().map_or(&State::START, |apart| &apart.state) {
            State::Failed(error) => Err(*error),
            State::Prefix { filled: 0, .. } if self.piece.is_empty() => Ok(()),
            State::Prefix { .. } | State::Body { .. } => Err(FramingError::Truncated),
        }
    }

    /// The next message, wherever it lies.
    #[cold]
    fn next_apart(&mut self) -> Result<Option<Frame>, FramingError> {
        if self.apart.is_none() && self.piece.is_empty() {
            return Ok(None);
        }
        let Self { limit, accept_compressed, piece, apart } = self;
        let Apart { state, later } = &mut **apart.get_or_insert_default();
        let frame = loop {
            match state {
                State::Failed(error) => return Err(*error),
                State::Prefix { bytes, filled } => {
                    if piece.is_empty() {
                        return Ok(None);
                    }
                    let count = piece.len().min(PREFIX_LENGTH - *filled);
                    piece.copy_to_slice(&mut bytes[*filled..*filled + count]);
                    *filled += count;
                    let prefix = (*filled == PREFIX_LENGTH).then_some(*bytes);
                    next_if_empty(piece, later);
                    match prefix.map(|prefix| read_prefix(prefix, *limit as usize, *accept_compressed)) {
                        None => {}
                        Some(Ok(body)) => *state = body,
                        Some(Err(error)) => {
                            *state = State::Failed(error);
                            (*piece, *later) = (Bytes::new(), VecDeque::new());
                        }
                    }
                }
                State::Body { compressed, length, gathered } => {
                    let compressed = *compressed;
                    let Some(body) = take_body(piece, later, *length, gathered) else { return Ok(None) };
                    *state = State::START;
                    break Frame { compressed, body };
                }
            }
        };
        if later.is_empty() {
            *apart = None;
        }
        Ok(Some(frame))
    }
}

impl State {
    const START: Self = Self::Prefix { bytes: [0; PREFIX_LENGTH], filled: 0 };
}

impl Default for State {
    fn default() -> Self {
        Self::START
    }
}

/// What comes after a prefix.
fn read_prefix(
    [flag, a, b, c, d]: [u8; PREFIX_LENGTH],
    limit: usize,
    accept_compressed: bool,
) -> Result<State, FramingError> {
    let size = u32::from_be_bytes([a, b, c, d]) as usize;
    match flag {
        0 | 1 if size > limit => Err(FramingError::ReceiveLimit { size, limit }),
        1 if !accept_compressed => Err(FramingError::UnexpectedCompression),
        0 | 1 => Ok(State::Body { compressed: flag == 1, length: size, gathered: Vec::new() }),
        flag => Err(FramingError::InvalidFlag(flag)),
    }
}

/// The body, once all of it is here; until then, what is here moves into `gathered`.
fn take_body(
    piece: &mut Bytes,
    later: &mut VecDeque<Bytes>,
    length: usize,
    gathered: &mut Vec<u8>,
) -> Option<Bytes> {
    if gathered.is_empty() {
        if length == 0 {
            return Some(Bytes::new());
        }
        // All of it in one piece, so a slice of that piece is the message.
        if piece.len() >= length {
            let body = piece.split_to(length);
            next_if_empty(piece, later);
            return Some(body);
        }
    }
    while gathered.len() < length {
        if piece.is_empty() {
            return None;
        }
        let count = piece.len().min(length - gathered.len());
        grow(gathered, count, length);
        gathered.extend_from_slice(&piece[..count]);
        piece.advance(count);
        next_if_empty(piece, later);
    }
    Some(Bytes::from(std::mem::take(gathered)))
}

/// Lets go of a piece that was read, memory and all, and goes on to the next.
fn next_if_empty(piece: &mut Bytes, later: &mut VecDeque<Bytes>) {
    if piece.is_empty() {
        *piece = later.pop_front().unwrap_or_default();
    }
}

/// How much larger than what has arrived of a message its buffer may be. A message of a mebibyte that comes in DATA frames
/// of the usual 16 KiB, the first of which holds a prefix, then never moves; and what is not written yet of a buffer is
/// mostly no memory.
const GROWTH: usize = 72;

/// Makes room for `count` more bytes of a message of `length`. Growth by steps keeps the copies few; memory follows
/// what has arrived, not what the peer promised; and in the end the buffer is exactly as long as the message.
fn grow(gathered: &mut Vec<u8>, count: usize, length: usize) {
    let needed = gathered.len() + count;
    if needed > gathered.capacity() {
        let target = needed.saturating_mul(GROWTH).min(length);
        gathered.reserve_exact(target - gathered.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::framing::{encode, prefix};
    use crate::wire::{Code, Status};

    const LIMIT: usize = 1000;

    fn frame(body: &[u8]) -> Vec<u8> {
        [&prefix(false, body.len() as u32), body].concat()
    }

    fn drain(deframer: &mut Deframer) -> Vec<Vec<u8>> {
        let mut bodies = Vec::new();
        while let Some(frame) = deframer.next_frame().unwrap() {
            bodies.push(frame.body.to_vec());
        }
        bodies
    }

    /// What comes out when the stream is cut after each of `cuts`.
    fn bodies_of(stream: &[u8], cuts: impl IntoIterator<Item = usize>) -> Vec<Vec<u8>> {
        let mut deframer = Deframer::new(LIMIT);
        let mut bodies = Vec::new();
        let mut start = 0;
        for cut in cuts.into_iter().chain([stream.len()]) {
            deframer.push(Bytes::copy_from_slice(&stream[start..cut]));
            bodies.extend(drain(&mut deframer));
            start = cut;
        }
        deframer.finish().unwrap();
        bodies
    }

    fn story() -> (Vec<Vec<u8>>, Vec<u8>) {
        let bodies: Vec<Vec<u8>> = vec![vec![], b"a".to_vec(), vec![], vec![7; 40], b"end".to_vec()];
        let stream = bodies.iter().flat_map(|body| frame(body)).collect();
        (bodies, stream)
    }

    #[test]
    fn any_two_cuts_give_the_same_messages() {
        let (bodies, stream) = story();
        for first in 0..=stream.len() {
            for second in first..=stream.len() {
                assert_eq!(bodies_of(&stream, [first, second]), bodies, "cut at {first} and {second}");
            }
        }
    }

    #[test]
    fn pieces_of_any_size_give_the_same_messages() {
        let (bodies, stream) = story();
        for size in 1..=stream.len() {
            assert_eq!(bodies_of(&stream, (size..stream.len()).step_by(size)), bodies, "pieces of {size}");
        }
    }

    #[test]
    fn random_messages_in_random_pieces_come_out_as_they_went_in() {
        // A fixed xorshift: the same stories in every run.
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state % below as u64) as usize
        };
        for _ in 0..300 {
            let bodies: Vec<Vec<u8>> =
                (0..random(8)).map(|index| vec![index as u8; random(LIMIT + 1)]).collect();
            let stream: Vec<u8> = bodies.iter().flat_map(|body| frame(body)).collect();
            let mut cuts: Vec<usize> = (0..random(20)).map(|_| random(stream.len() + 1)).collect();
            cuts.sort_unstable();
            assert_eq!(bodies_of(&stream, cuts), bodies);
        }
    }

    #[test]
    fn a_piece_that_is_one_whole_message_needs_no_deframer_and_anything_else_does() {
        let sole = |piece: &[u8]| sole_body(Bytes::copy_from_slice(piece), 5).ok();
        assert_eq!(sole(&frame(b"hello")).as_deref(), Some(&b"hello"[..]));
        assert_eq!(sole(&frame(b"")).as_deref(), Some(&b""[..]));
        assert_eq!(sole(&frame(b"longer")), None, "the deframer says that it is too long");
        let whole = frame(b"hello");
        for cut in 0..whole.len() {
            assert_eq!(sole(&whole[..cut]), None, "cut at {cut}");
        }
        assert_eq!(sole(&[frame(b"a"), frame(b"b")].concat()), None);
        assert_eq!(sole(&[&prefix(true, 1)[..], b"z"].concat()), None);
    }

    #[test]
    fn several_pieces_may_be_pushed_before_reading() {
        let (bodies, stream) = story();
        let mut deframer = Deframer::new(LIMIT);
        for byte in &stream {
            deframer.push(Bytes::copy_from_slice(&[*byte]));
        }
        assert_eq!(drain(&mut deframer), bodies);
    }

    #[test]
    fn messages_within_one_piece_share_its_memory() {
        let piece = Bytes::from([frame(b"one"), frame(b"two")].concat());
        let memory = piece.as_ptr_range();
        let mut deframer = Deframer::new(LIMIT);
        deframer.push(piece);
        while let Some(frame) = deframer.next_frame().unwrap() {
            let body = frame.body.as_ptr_range();
            assert!(memory.start <= body.start && body.end <= memory.end);
        }
    }

    #[test]
    fn a_body_that_arrives_whole_after_its_prefix_is_not_copied_either() {
        let mut deframer = Deframer::new(LIMIT);
        deframer.push(Bytes::copy_from_slice(&prefix(false, 4)));
        assert_eq!(deframer.next_frame(), Ok(None));
        let body = Bytes::from(b"body".to_vec());
        deframer.push(body.clone());
        assert_eq!(deframer.next_frame().unwrap().unwrap().body.as_ptr(), body.as_ptr());
    }

    #[test]
    fn a_message_may_be_read_in_its_place_and_what_is_not_read_of_it_is_skipped() {
        let piece = Bytes::from([frame(b"one"), frame(b"two"), frame(b""), frame(b"four")].concat());
        let memory = piece.as_ptr_range();
        let mut deframer = Deframer::new(LIMIT);
        deframer.push(piece);
        let first = |frame: FrameInPlace<'_>| frame.body.chunk().first().copied();
        assert_eq!(deframer.read_next(first), Ok(Some(Some(b'o'))));
        let two = deframer.read_next(|mut frame| frame.body.copy_to_bytes(3)).unwrap().unwrap();
        assert!(memory.contains(&two.as_ptr()) && two == "two");
        assert_eq!(deframer.read_next(first), Ok(Some(None)));
        assert_eq!(drain_one(&mut deframer), b"four");
        assert_eq!(deframer.read_next(first), Ok(None));
        assert_eq!(deframer.finish(), Ok(()));
    }

    #[test]
    fn a_piece_that_was_read_is_let_go_of_and_nothing_else_is_kept_between_messages() {
        for cut in 0..=11 {
            let memory = Bytes::from([frame(b"one"), frame(b"2")].concat());
            let mut deframer = Deframer::new(LIMIT);
            deframer.push(memory.slice(..cut));
            let mut bodies = drain(&mut deframer);
            deframer.push(memory.slice(cut..));
            bodies.extend(drain(&mut deframer));
            assert_eq!(bodies, [&b"one"[..], b"2"]);
            assert!(memory.is_unique() && deframer.apart.is_none(), "cut at {cut}");
        }
    }

    // behaviour 90
    #[test]
    fn a_message_over_the_limit_is_refused_at_its_prefix() {
        let mut deframer = Deframer::new(LIMIT);
        deframer.push(Bytes::from(frame(b"fits")));
        deframer.push(Bytes::copy_from_slice(&prefix(false, LIMIT as u32 + 1)));
        assert_eq!(drain_one(&mut deframer), b"fits");
        let error = deframer.next_frame().unwrap_err();
        assert_eq!(error, FramingError::ReceiveLimit { size: 1001, limit: 1000 });
        let status = Status::from(error);
        assert_eq!(status.code, Code::ResourceExhausted);
        assert!(status.message.contains("1001 bytes") && status.message.contains("1000 bytes"), "{status}");
        assert_eq!(bodies_of(&frame(&[1; LIMIT]), []), [[1; LIMIT]]);
    }

    #[test]
    fn memory_follows_what_has_arrived_and_not_what_was_promised() {
        let length = 1 << 20;
        let mut deframer = Deframer::new(usize::MAX);
        deframer.push(Bytes::copy_from_slice(&prefix(false, length)));
        for arrived in 1..=2000_usize {
            deframer.push(Bytes::from_static(b"x"));
            assert_eq!(deframer.next_frame(), Ok(None));
            let State::Body { gathered, .. } = &deframer.apart.as_ref().unwrap().state else {
                panic!("inside of a body")
            };
            assert!(gathered.capacity() <= GROWTH * arrived, "{} for {arrived}", gathered.capacity());
        }
        assert!(deframer.piece.is_empty());
        deframer.push(Bytes::from(vec![b'x'; length as usize - 2000]));
        let body = deframer.next_frame().unwrap().unwrap().body;
        assert_eq!(body.len(), length as usize);
        assert_eq!(body.try_into_mut().unwrap().capacity(), length as usize);
    }

    #[test]
    fn a_mebibyte_in_the_usual_frames_is_gathered_in_one_buffer() {
        let message = frame(&vec![7; 1 << 20]);
        let (mut deframer, mut places) = (Deframer::new(usize::MAX), Vec::new());
        for piece in message.chunks(16 << 10) {
            deframer.push(Bytes::copy_from_slice(piece));
            match deframer.next_frame().unwrap() {
                Some(frame) => places.push(frame.body.as_ptr()),
                None => match &deframer.apart.as_ref().unwrap().state {
                    State::Body { gathered, .. } => places.push(gathered.as_ptr()),
                    state => panic!("{state:?}"),
                },
            }
        }
        assert_eq!(places.len(), 65);
        assert!(places.iter().all(|place| *place == places[0]));
    }

    #[test]
    fn a_flag_that_grpc_does_not_know_is_an_error_that_stays() {
        let mut deframer = Deframer::new(LIMIT);
        deframer.push(Bytes::from_static(b"<html>"));
        for _ in 0..2 {
            assert_eq!(deframer.next_frame(), Err(FramingError::InvalidFlag(b'<')));
            deframer.push(Bytes::from(frame(b"later")));
        }
        assert!(deframer.piece.is_empty(), "nothing is kept of what cannot be read");
        assert_eq!(deframer.finish(), Err(FramingError::InvalidFlag(b'<')));
        assert_eq!(FramingError::InvalidFlag(2).code(), Code::Internal);
        assert_eq!(
            FramingError::InvalidFlag(2).to_string(),
            "received message has the invalid compression flag 2"
        );
    }

    #[test]
    fn a_compressed_message_needs_an_agreed_encoding() {
        let stream = Bytes::from([&prefix(true, 2)[..], b"zz"].concat());
        let mut deframer = Deframer::new(LIMIT);
        deframer.push(stream.clone());
        let error = deframer.next_frame().unwrap_err();
        assert_eq!((error, error.code()), (FramingError::UnexpectedCompression, Code::Internal));

        let mut deframer = Deframer::new(LIMIT);
        deframer.accept_compressed(true);
        deframer.push(stream);
        let frame = deframer.next_frame().unwrap().unwrap();
        assert_eq!((frame.compressed, &frame.body[..]), (true, &b"zz"[..]));
    }

    #[test]
    fn a_stream_that_ends_inside_of_a_message_is_truncated() {
        let stream = frame(b"whole");
        for cut in 1..stream.len() {
            let mut deframer = Deframer::new(LIMIT);
            deframer.push(Bytes::copy_from_slice(&stream[..cut]));
            assert_eq!(deframer.next_frame(), Ok(None));
            assert_eq!(deframer.finish(), Err(FramingError::Truncated), "cut at {cut}");
        }
        assert_eq!(FramingError::Truncated.code(), Code::Internal);
        assert_eq!(Deframer::new(LIMIT).finish(), Ok(()));
    }

    #[test]
    fn what_encode_makes_is_what_the_deframer_reads() {
        let framed = encode(&"hello".to_owned(), LIMIT).unwrap().into_bytes();
        let mut deframer = Deframer::new(LIMIT);
        deframer.push(framed.clone());
        assert_eq!(deframer.next_frame().unwrap().unwrap().body, framed.slice(PREFIX_LENGTH..));
    }

    fn drain_one(deframer: &mut Deframer) -> Vec<u8> {
        deframer.next_frame().unwrap().unwrap().body.to_vec()
    }
}
