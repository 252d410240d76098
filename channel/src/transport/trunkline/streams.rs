//! What the driver knows of each open stream, beside what the engine knows. Kept at the engine's own indices,
//! so that an event finds its stream without a search.

use std::mem;
use std::sync::Arc;
use std::time::Instant;

use trunkline_http2::StreamKey;

use super::cell::Cell;
use super::wakes::Wakes;
use crate::transport::Reply;

/// How much of a reply that is wanted whole is gathered before its reader is woken all the same: it must take
/// it, for its window to be given back.
const GATHERED: usize = 256 << 10;

/// How much all readers together are not woken for.
const GATHERED_IN_ALL: usize = 16 << 20;

/// The open streams of one connection.
#[derive(Debug, Default)]
pub(super) struct Streams {
    by_index: Vec<Option<OpenStream>>,
    open: usize,
    /// How many of the open ones nobody waits for any more.
    abandoned: usize,
    /// Bytes that were delivered to readers who have not been woken since.
    gathered: usize,
}

/// One open stream.
#[derive(Debug)]
pub(super) struct OpenStream {
    pub(super) key: StreamKey,
    /// `None` once its call went away, and its reset waits for its turn.
    pub(super) cell: Option<Arc<Cell>>,
    /// Of its call, until it has rung.
    deadline: Option<Instant>,
    /// Bytes that were delivered since the reader was woken: less than its window.
    gathered: u32,
    pub(super) reply: Reply,
    /// Where the beginning of what is arriving for it is kept, if something came for others in between.
    pub(super) begun: Option<u32>,
}

/// What becomes of events of a stream that is open.
#[derive(Debug)]
pub(super) struct Delivery<'a> {
    /// Where to. `None`: nobody waits for them any more.
    pub(super) cell: Option<&'a Arc<Cell>>,
    /// They are worth waking the reader for.
    pub(super) due: bool,
}

impl Streams {
    pub(super) fn insert(
        &mut self,
        key: StreamKey,
        cell: Arc<Cell>,
        reply: Reply,
        deadline: Option<Instant>,
    ) {
        let index = key.index();
        if self.by_index.len() <= index {
            self.by_index.resize_with(index + 1, || None);
        }
        self.open += 1;
        cell.opened_at(index);
        self.by_index[index] =
            Some(OpenStream { key, cell: Some(cell), deadline, gathered: 0, reply, begun: None });
    }

    pub(super) fn get(&mut self, key: StreamKey) -> Option<&mut OpenStream> {
        self.by_index.get_mut(key.index())?.as_mut().filter(|stream| stream.key == key)
    }

    /// The key of the stream of this cell, if it is open and its call has not gone away.
    pub(super) fn key_of(&self, cell: &Arc<Cell>) -> Option<StreamKey> {
        let stream = self.by_index.get(cell.place()?)?.as_ref()?;
        stream.cell.as_ref().is_some_and(|kept| Arc::ptr_eq(kept, cell)).then_some(stream.key)
    }

    /// The stream is over. True if its call went away before.
    pub(super) fn remove(&mut self, key: StreamKey) -> bool {
        let Some(place) = self.by_index.get_mut(key.index()) else { return false };
        let Some(stream) = place.take_if(|stream| stream.key == key) else { return false };
        let is_abandoned = stream.cell.is_none();
        self.open -= 1;
        self.gathered -= stream.gathered as usize;
        self.abandoned -= usize::from(is_abandoned);
        is_abandoned
    }

    pub(super) fn is_open(&self, key: StreamKey) -> bool {
        self.by_index
            .get(key.index())
            .is_some_and(|place| place.as_ref().is_some_and(|stream| stream.key == key))
    }

    /// The call of this stream went away; the stream stays for now.
    pub(super) fn abandon(&mut self, key: StreamKey) {
        if let Some(stream) = self.get(key)
            && stream.cell.take().is_some()
        {
            self.abandoned += 1;
        }
    }

    /// `bytes` of a stream are to be delivered: where to, and whether they are worth waking their reader, who is then
    /// woken; they are if they are `wanted` now, as the last ones are. `None` if the stream is not open any more.
    pub(super) fn delivery(&mut self, key: StreamKey, bytes: usize, wanted: bool) -> Option<Delivery<'_>> {
        let stream = self.by_index.get_mut(key.index())?.as_mut().filter(|stream| stream.key == key)?;
        stream.begun = None;
        let gathered = stream.gathered as usize + bytes;
        self.gathered += bytes;
        let due = wanted
            || stream.reply == Reply::Stream
            || gathered >= GATHERED
            || self.gathered >= GATHERED_IN_ALL;
        if due {
            stream.gathered = 0;
            self.gathered -= gathered;
        } else {
            stream.gathered = u32::try_from(gathered).expect("a reader is due at less than 4 GiB");
        }
        Some(Delivery { cell: stream.cell.as_ref(), due })
    }

    /// Has everybody woken for whom something is gathered.
    pub(super) fn wake_gathering(&mut self, wakes: &mut Wakes) {
        if self.gathered == 0 {
            return;
        }
        self.gathered = 0;
        for stream in self.by_index.iter_mut().flatten() {
            if mem::take(&mut stream.gathered) > 0
                && let Some(cell) = &stream.cell
            {
                cell.wake_in_turn(wakes);
            }
        }
    }

    /// The deadlines of all streams, with their cells.
    pub(super) fn deadlines(&mut self) -> impl Iterator<Item = (&mut Option<Instant>, Option<&Arc<Cell>>)> {
        self.by_index.iter_mut().flatten().map(|stream| (&mut stream.deadline, stream.cell.as_ref()))
    }

    /// How many places there are, with streams in them or not.
    pub(super) fn places(&self) -> usize {
        self.by_index.len()
    }

    /// Takes all of them out.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = OpenStream> {
        (self.open, self.abandoned, self.gathered) = (0, 0, 0);
        mem::take(&mut self.by_index).into_iter().flatten()
    }

    /// Whether there is no stream that somebody waits for.
    pub(super) fn is_idle(&self) -> bool {
        self.open == self.abandoned
    }

    /// Gives back the memory of streams that are gone, behind the last one that is not. The engine does the same, and
    /// gives new streams the first places that are free.
    pub(super) fn rest(&mut self) {
        while self.by_index.pop_if(|place| place.is_none()).is_some() {}
        self.by_index.shrink_to_fit();
    }

    pub(super) fn open(&self) -> usize {
        self.open
    }
}

#[cfg(all(test, target_pointer_width = "64"))]
mod tests {
    use std::task::Waker;

    use trunkline_http2::{Config, Connection, ErrorCode};

    use super::*;
    use crate::transport::trunkline::inbox::Inbox;

    #[test]
    fn one_stream_that_stays_does_not_keep_the_places_of_a_crowd() {
        let mut engine = Connection::new(Config::default(), Instant::now());
        let fields = [(":method", "POST"), (":scheme", "http"), (":path", "/a.B/C"), (":authority", "a")];
        let template = engine.template(fields).unwrap();
        let mut streams = Streams::default();
        let open = |streams: &mut Streams, engine: &mut Connection| {
            let key = engine.open(template, &[], &b""[..], true).unwrap();
            let cell = Arc::new(Cell::new(true, Waker::noop().clone()));
            streams.insert(key, cell, Reply::Whole, None);
            key
        };
        let crowd: Vec<_> = (0..1000).map(|_| open(&mut streams, &mut engine)).collect();
        for key in &crowd[10..] {
            engine.reset(*key, ErrorCode::CANCEL);
            streams.remove(*key);
        }
        engine.rest();
        streams.rest();
        assert_eq!((streams.places(), streams.by_index.capacity()), (10, 10));
        let key = open(&mut streams, &mut engine);
        assert_eq!((key.index(), streams.places()), (10, 11));
        assert!(streams.get(key).is_some() && streams.get(crowd[9]).is_some());
    }

    #[test]
    fn what_is_kept_of_each_open_stream_is_small() {
        // There may be a hundred thousand. Who makes these larger should know why.
        assert!(size_of::<Option<OpenStream>>() <= 48, "{}", size_of::<Option<OpenStream>>());
        assert!(size_of::<Cell>() <= 168, "{}", size_of::<Cell>());
        assert!(size_of::<Inbox>() <= 88, "{}", size_of::<Inbox>());
    }
}
