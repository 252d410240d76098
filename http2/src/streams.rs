//! The streams that are open: where each of them lives, and what is known of it.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::StreamKey;
use crate::flow::{SendWindow, StreamCredit, Thrift};
use crate::ids::Ids;

/// A stream from HEADERS to its end. One that is idle or closed has no record (RFC 9113 section 5.1):
///
/// ```text
///   open()                       receiving                         sending
///                                Head ──── 1xx ──┐                 Open ── send(.., false) ──┐
///                                 │ ^────────────┘                  │ ^──────────────────────┘
///                                 │ final head                      │ send(.., end)
///                                 v                                 v
///                                Body                              Ending    END_STREAM waits behind data
///                                 │                                 │ the last DATA is cut
///                 END_STREAM      v                                 v
///                 (in Head too)  Ended                             Ended
///                                 `────────── both: closed ─────────┘
///
///   stop_sending(): a request that has not ended is Stopped, whatever it was.
///
///   RST_STREAM from either side, a violation, or GOAWAY below its id: closed, whatever the halves.
/// ```
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) id: u32,
    pub(crate) receiving: Receiving,
    pub(crate) sending: Sending,
    /// Whether the owner was told that there is no room, and waits for `Writable`.
    pub(crate) awaits_room: bool,
    pub(crate) lines: Lines,
    /// What the peer accepts.
    pub(crate) window: SendWindow,
    /// What we accept.
    pub(crate) credit: StreamCredit,
    /// What content-length leaves to come, if the response said one (RFC 9113 section 8.1.1). In a box, since servers of
    /// gRPC say none.
    pub(crate) content: Option<Box<u64>>,
    /// Data that waits for windows and for its turn. Most requests are written as they are opened, and need none.
    queue: Option<Box<Queue>>,
    /// Where in all that was ever written its HEADERS begin.
    pub(crate) begins_at: u64,
}

#[derive(Debug, Default)]
struct Queue {
    /// None of them is empty.
    pieces: VecDeque<Bytes>,
    /// Bytes in `pieces`.
    queued: usize,
    /// Bytes that were taken since it was empty.
    sent: usize,
}

/// How far the response has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Receiving {
    /// No final head yet.
    Head,
    /// Data or trailers may come.
    Body,
    /// END_STREAM came.
    Ended,
}

/// How far the request has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Sending {
    /// More may be queued.
    Open,
    /// All is queued; the last DATA will carry END_STREAM.
    Ending,
    /// END_STREAM was queued to be written.
    Ended,
    /// Cut off in the middle: nothing is written any more until RST_STREAM.
    Stopped,
}

/// In which lines a stream stands, each of which it enters once.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Lines {
    /// Of those that have data and window.
    pub(crate) turn: bool,
    /// It is the line of those that have much data.
    pub(crate) long: bool,
    /// Of those whose window is to be given back.
    pub(crate) returns: bool,
    /// Of those that wait for the connection's window alone.
    pub(crate) waiting: bool,
}

impl Stream {
    /// A place for streams: none is in it.
    fn vacant() -> Self {
        Self {
            id: 0,
            receiving: Receiving::Ended,
            sending: Sending::Ended,
            awaits_room: false,
            lines: Lines::default(),
            window: SendWindow::new(0),
            credit: StreamCredit::new(0),
            content: None,
            queue: None,
            begins_at: 0,
        }
    }

    /// Takes the place: nothing was sent or received. Its HEADERS will be at `begins_at`.
    ///
    /// Field by field, since an assignment of the whole would drop what was there, and most often is empty.
    #[inline]
    fn begin(&mut self, id: u32, window: SendWindow, credit: StreamCredit, begins_at: u64) {
        self.id = id;
        self.receiving = Receiving::Head;
        self.sending = Sending::Open;
        self.awaits_room = false;
        self.lines = Lines::default();
        self.window = window;
        self.credit = credit;
        self.begins_at = begins_at;
    }

    /// Leaves the place.
    #[inline]
    fn end(&mut self) {
        self.id = 0;
        if self.queue.is_some() || self.content.is_some() {
            (self.queue, self.content) = (None, None);
        }
    }

    /// Puts data, which is not empty, behind what waits.
    pub(crate) fn push(&mut self, data: Bytes) {
        let queue = self.queue.get_or_insert_default();
        queue.queued += data.len();
        queue.pieces.push_back(data);
    }

    /// Drops what waits, and takes no more. Nothing happens to a request that has ended.
    pub(crate) fn stop_sending(&mut self) {
        if self.sending != Sending::Ended {
            (self.sending, self.awaits_room, self.queue) = (Sending::Stopped, false, None);
        }
    }

    /// Takes at most `bytes` of what waits, of which there is some: the front of one piece.
    pub(crate) fn pop(&mut self, bytes: usize) -> Bytes {
        let Queue { pieces, queued, sent } =
            &mut **self.queue.as_mut().expect("what is queued is in the queue");
        let front = pieces.front_mut().expect("what is queued is in the queue");
        let piece = front.split_to(bytes.min(front.len()));
        if front.is_empty() {
            pieces.pop_front();
        }
        *queued -= piece.len();
        *sent += piece.len();
        if *queued == 0 {
            self.queue = None;
        }
        piece
    }

    /// Bytes that wait.
    #[inline]
    pub(crate) fn queued(&self) -> usize {
        self.queue.as_ref().map_or(0, |queue| queue.queued)
    }

    /// How much of what waits was sent, since nothing waited.
    pub(crate) fn sent(&self) -> usize {
        self.queue.as_ref().map_or(0, |queue| queue.sent)
    }

    /// In how many pieces data waits.
    pub(crate) fn pieces(&self) -> usize {
        self.queue.as_ref().map_or(0, |queue| queue.pieces.len())
    }

    /// Whether it ought to stand in the line of those that have data and window, and does not.
    #[inline]
    pub(crate) fn is_ready(&self) -> bool {
        self.queued() > 0 && self.window.available() > 0 && !self.lines.turn
    }

    /// Whether it ought to stand in the line of those whose window is to be given back, and does not. `window` is the
    /// one that is in force.
    #[inline]
    pub(crate) fn owes_credit(&self, window: u32, thrift: Thrift) -> bool {
        self.receiving != Receiving::Ended && !self.lines.returns && self.credit.is_due(window, thrift)
    }

    /// Bytes that the peer may have under way.
    pub(crate) fn under_way(&self) -> u32 {
        if self.receiving == Receiving::Ended { 0 } else { self.credit.available() }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.receiving == Receiving::Ended && self.sending == Sending::Ended
    }
}

/// All open streams, by slot and by id. Slots are used again, so that whoever keeps a table beside this one keeps it
/// as small as the number of streams at a time.
#[derive(Debug)]
pub(crate) struct Streams {
    /// A stream of id 0, which is the connection's, is none: records change where they are.
    slots: Vec<Stream>,
    free: Vec<u32>,
    ids: Ids,
    /// The stream that was found last, or [`NONE`]: the frames of a response usually follow one another.
    found: StreamKey,
}

impl Default for Streams {
    fn default() -> Self {
        Self { slots: Vec::new(), free: Vec::new(), ids: Ids::default(), found: NONE }
    }
}

/// No stream is called so.
const NONE: StreamKey = StreamKey::new(0, 0);

impl Streams {
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    /// How many places [`iter_mut`](Self::iter_mut) passes.
    pub(crate) fn places(&self) -> usize {
        self.slots.len()
    }

    /// A new stream, of which nothing was sent or received; its HEADERS will be at `begins_at`.
    #[inline]
    pub(crate) fn insert(
        &mut self,
        id: u32,
        window: SendWindow,
        credit: StreamCredit,
        begins_at: u64,
    ) -> (StreamKey, &mut Stream) {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Stream::vacant());
            u32::try_from(self.slots.len() - 1).expect("there are fewer streams than ids, which have 31 bits")
        });
        self.ids.insert(id, index);
        let stream = &mut self.slots[index as usize];
        stream.begin(id, window, credit, begins_at);
        (StreamKey::new(index, id), stream)
    }

    /// Takes a stream out, and tells how far its response had come and where it stands.
    #[inline]
    pub(crate) fn remove(&mut self, key: StreamKey) -> Option<(Receiving, Lines)> {
        let stream = self.get_mut(key)?;
        let was = (stream.receiving, stream.lines);
        stream.end();
        self.free.push(u32::try_from(key.index()).expect("slots are numbered in 32 bits"));
        self.ids.remove(key.id());
        self.found = NONE;
        Some(was)
    }

    #[inline]
    pub(crate) fn get(&self, key: StreamKey) -> Option<&Stream> {
        self.slots.get(key.index()).filter(|stream| stream.id == key.id())
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, key: StreamKey) -> Option<&mut Stream> {
        self.slots.get_mut(key.index()).filter(|stream| stream.id == key.id())
    }

    /// The open stream of this id, which is not 0.
    #[inline]
    pub(crate) fn find(&mut self, id: u32) -> Option<StreamKey> {
        if self.found.id() != id {
            self.found = StreamKey::new(self.ids.get(id)?, id);
        }
        Some(self.found)
    }

    /// All of them, in the order of their slots.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (StreamKey, &mut Stream)> {
        let streams = self.slots.iter_mut().zip(0..).filter(|(stream, _)| stream.id != 0);
        streams.map(|(stream, index)| (StreamKey::new(index, stream.id), stream))
    }

    /// Keys of the streams whose ids are greater, in the order of their ids.
    pub(crate) fn above(&self, last_id: u32) -> Vec<StreamKey> {
        let above = self.ids.iter().filter(|(id, _)| *id > last_id);
        let mut keys: Vec<_> = above.map(|(id, index)| StreamKey::new(index, id)).collect();
        keys.sort_unstable_by_key(|key| key.id());
        keys
    }

    /// Gives memory back: the places behind the last stream, and all of it if no stream is open.
    pub(crate) fn rest(&mut self) {
        let Some(last) = self.slots.iter().rposition(|stream| stream.id != 0) else {
            *self = Self::default();
            return;
        };
        self.slots.truncate(last + 1);
        self.slots.shrink_to(SPARED_PLACES);
        self.free.retain(|index| *index as usize <= last);
        // The lowest are taken first, so that the last stream will be no further behind than it has to.
        self.free.sort_unstable_by_key(|index| std::cmp::Reverse(*index));
        self.free.shrink_to(SPARED_PLACES);
        self.ids.rest();
    }
}

/// So few are not worth being made again.
const SPARED_PLACES: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::INITIAL_WINDOW;

    fn insert(streams: &mut Streams, id: u32) -> StreamKey {
        let (window, credit) = (SendWindow::new(INITIAL_WINDOW), StreamCredit::new(INITIAL_WINDOW));
        streams.insert(id, window, credit, 0).0
    }

    #[test]
    #[cfg(target_pointer_width = "64")]
    fn what_is_known_of_each_open_stream_is_small() {
        // There may be a hundred thousand. Who makes it larger should know why.
        assert!(size_of::<Stream>() <= 56, "{}", size_of::<Stream>());
    }

    #[test]
    fn a_slot_is_used_again_under_another_id() {
        let mut streams = Streams::default();
        let first = insert(&mut streams, 1);
        assert!(streams.remove(first).is_some());
        let second = insert(&mut streams, 3);
        assert_eq!(first.index(), second.index());
        assert!(streams.get(first).is_none());
        assert!(streams.remove(first).is_none());
        assert_eq!(streams.get(second).map(|stream| stream.id), Some(3));
    }

    #[test]
    fn a_queue_is_let_go_once_nothing_waits() {
        let mut streams = Streams::default();
        let key = insert(&mut streams, 1);
        let stream = streams.get_mut(key).unwrap();
        stream.push(Bytes::from_static(b"waits"));
        assert_eq!((stream.pop(3), stream.queued(), stream.sent()), (Bytes::from_static(b"wai"), 2, 3));
        assert_eq!((stream.pop(3), stream.queued(), stream.sent()), (Bytes::from_static(b"ts"), 0, 0));
        assert!(stream.queue.is_none());
    }

    #[test]
    fn a_burst_leaves_no_memory_behind_a_stream_that_stays() {
        let mut streams = Streams::default();
        let mut keys: Vec<_> = (0..100_000).map(|n| insert(&mut streams, 2 * n + 1)).collect();
        let stays = keys.swap_remove(5);
        assert_eq!(streams.find(stays.id()), Some(stays));
        for key in &keys {
            streams.remove(*key);
        }
        streams.rest();
        let capacities = (streams.slots.capacity(), streams.free.capacity(), streams.ids.places());
        assert_eq!((streams.places(), capacities), (6, (16, 16, 16)));
        assert_eq!(streams.find(stays.id()), Some(stays));
        assert!(keys.iter().all(|key| streams.get(*key).is_none()));
        // What is free before it is taken from the front.
        let next: Vec<_> = (0..7).map(|n| insert(&mut streams, 200_001 + 2 * n).index()).collect();
        assert_eq!(next, [0, 1, 2, 3, 4, 6, 7]);
        assert_eq!(streams.len(), 8);
    }

    #[test]
    fn a_stream_that_stays_far_behind_lets_those_to_come_be_before_it() {
        let mut streams = Streams::default();
        let mut keys: Vec<_> = (0..1_000).map(|n| insert(&mut streams, 2 * n + 1)).collect();
        let far = keys.pop().unwrap();
        for key in keys {
            streams.remove(key);
        }
        streams.rest();
        assert_eq!(streams.places(), 1_000);
        let stays = insert(&mut streams, 3_001);
        assert_eq!(stays.index(), 0);
        streams.remove(far);
        streams.rest();
        assert_eq!((streams.places(), streams.slots.capacity()), (1, 16));
        assert_eq!(streams.find(stays.id()), Some(stays));
        streams.remove(stays);
        streams.rest();
        let capacities = (streams.slots.capacity(), streams.free.capacity(), streams.ids.places());
        assert_eq!(capacities, (0, 0, 0));
    }

    #[test]
    fn nothing_of_a_stream_is_left_to_the_next_in_its_slot() {
        let mut streams = Streams::default();
        let first = insert(&mut streams, 1);
        let stream = streams.get_mut(first).unwrap();
        let new = format!("{stream:?}");
        stream.receiving = Receiving::Ended;
        stream.sending = Sending::Ending;
        stream.awaits_room = true;
        stream.lines = Lines { turn: true, long: true, returns: true, waiting: true };
        stream.window.consume(1);
        stream.credit.receive(2, 1).unwrap();
        stream.content = Some(Box::new(3));
        stream.push(Bytes::from_static(b"waits"));
        stream.begins_at = 4;
        streams.remove(first);
        let second = insert(&mut streams, 1);
        assert_eq!(format!("{:?}", streams.get(second).unwrap()), new);
    }

    #[test]
    fn a_stream_is_found_by_id_until_it_is_removed() {
        let mut streams = Streams::default();
        let keys: Vec<_> = (0..100).map(|n| insert(&mut streams, 2 * n + 1)).collect();
        for key in &keys {
            assert_eq!(streams.find(key.id()), Some(*key));
            assert_eq!(streams.find(key.id()), Some(*key));
        }
        streams.remove(keys[50]);
        assert_eq!(streams.find(101), None);
        assert_eq!(streams.len(), 99);
        assert_eq!(streams.above(195).iter().map(|key| key.id()).collect::<Vec<_>>(), [197, 199]);
    }
}
