//! The streams that are open: where each of them lives, and what is known of it.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::StreamKey;
use crate::flow::{SendWindow, StreamCredit};
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
///   RST_STREAM from either side, a violation, or GOAWAY below its id: closed, whatever the halves.
/// ```
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) id: u32,
    pub(crate) receiving: Receiving,
    pub(crate) sending: Sending,
    /// What the peer accepts.
    pub(crate) window: SendWindow,
    /// What we accept.
    pub(crate) credit: StreamCredit,
    /// What content-length leaves to come, if the response said one (RFC 9113 section 8.1.1).
    pub(crate) content: Option<u64>,
    /// Data that waits for windows and for its turn.
    pub(crate) queue: VecDeque<Bytes>,
    /// Bytes in `queue`.
    pub(crate) queued: usize,
    /// Whether the owner was told that there is no room, and waits for `Writable`.
    pub(crate) awaits_room: bool,
    pub(crate) lines: Lines,
    /// Where in all that was ever written its HEADERS begin.
    pub(crate) begins_at: u64,
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
}

/// In which lines a stream stands, each of which it enters once.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Lines {
    /// Of those that have data and window.
    pub(crate) turn: bool,
    /// Of those whose window is to be given back.
    pub(crate) returns: bool,
    /// Of those that may wait for room.
    pub(crate) waiting: bool,
}

impl Stream {
    pub(crate) fn new(id: u32, window: SendWindow, credit: StreamCredit, begins_at: u64) -> Self {
        Self {
            id,
            receiving: Receiving::Head,
            sending: Sending::Open,
            window,
            credit,
            content: None,
            queue: VecDeque::new(),
            queued: 0,
            awaits_room: false,
            lines: Lines::default(),
            begins_at,
        }
    }

    /// Whether it ought to stand in the line of those that have data and window, and does not.
    #[inline]
    pub(crate) fn is_ready(&self) -> bool {
        self.queued > 0 && self.window.available() > 0 && !self.lines.turn
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.receiving == Receiving::Ended && self.sending == Sending::Ended
    }
}

/// All open streams, by slot and by id. Slots are used again, so that whoever keeps a table beside this one keeps it
/// as small as the number of streams at a time.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    /// A stream of id 0, which is the connection's, is none: records change where they are.
    slots: Vec<Stream>,
    free: Vec<u32>,
    ids: Ids,
    /// The stream that was found last: the frames of a response usually follow one another.
    found: Option<StreamKey>,
}

impl Streams {
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    #[inline]
    pub(crate) fn insert(&mut self, stream: Stream) -> StreamKey {
        let id = stream.id;
        let index = match self.free.pop() {
            Some(index) => {
                self.slots[index as usize] = stream;
                index
            }
            None => {
                self.slots.push(stream);
                u32::try_from(self.slots.len() - 1)
                    .expect("there are fewer streams than ids, which have 31 bits")
            }
        };
        self.ids.insert(id, index);
        StreamKey::new(index, id)
    }

    /// Takes a stream out, and tells how far its response had come and where it stands.
    #[inline]
    pub(crate) fn remove(&mut self, key: StreamKey) -> Option<(Receiving, Lines)> {
        let stream = self.get_mut(key)?;
        stream.id = 0;
        let was = (stream.receiving, stream.lines);
        if stream.queue.capacity() > 0 {
            stream.queue = VecDeque::new();
        }
        self.free.push(u32::try_from(key.index()).expect("slots are numbered in 32 bits"));
        self.ids.remove(key.id());
        self.found = None;
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

    /// The open stream of this id.
    #[inline]
    pub(crate) fn find(&mut self, id: u32) -> Option<StreamKey> {
        if let Some(key) = self.found.filter(|key| key.id() == id) {
            return Some(key);
        }
        let key = StreamKey::new(self.ids.get(id)?, id);
        self.found = Some(key);
        Some(key)
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

    /// Gives memory back, if no stream is open.
    pub(crate) fn rest(&mut self) {
        if self.len() == 0 {
            *self = Self::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::INITIAL_WINDOW;

    fn stream(id: u32) -> Stream {
        Stream::new(id, SendWindow::new(INITIAL_WINDOW), StreamCredit::new(INITIAL_WINDOW), 0)
    }

    #[test]
    fn a_slot_is_used_again_under_another_id() {
        let mut streams = Streams::default();
        let first = streams.insert(stream(1));
        assert!(streams.remove(first).is_some());
        let second = streams.insert(stream(3));
        assert_eq!(first.index(), second.index());
        assert!(streams.get(first).is_none());
        assert!(streams.remove(first).is_none());
        assert_eq!(streams.get(second).map(|stream| stream.id), Some(3));
    }

    #[test]
    fn a_stream_is_found_by_id_until_it_is_removed() {
        let mut streams = Streams::default();
        let keys: Vec<_> = (0..100).map(|n| streams.insert(stream(2 * n + 1))).collect();
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
