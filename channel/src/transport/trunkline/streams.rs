//! What the driver knows of each open stream, beside what the engine knows. Kept at the engine's own indices,
//! so that an event finds its stream without a search.

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;

use trunkline_http2::StreamKey;

use super::cell::{Cell, Opened};
use super::inbox::Inbox;
use crate::transport::Reply;

/// How much of a reply that is wanted whole is gathered before its reader is woken all the same: it must take
/// it, for its window to be given back.
const GATHERED: usize = 256 << 10;

/// How much all readers together are not woken for. The connection's window stays open until four times as much
/// is unread, so what is gathered can never be what holds it shut.
const GATHERED_IN_ALL: usize = 16 << 20;

/// The open streams of one connection.
#[derive(Debug, Default)]
pub(super) struct Streams {
    by_index: Vec<Option<OpenStream>>,
    /// Those that have news to be delivered, in the order in which it came.
    touched: VecDeque<StreamKey>,
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
    pub(super) reply: Reply,
    /// Came, and is not delivered.
    pub(super) inbox: Inbox,
    /// The response has begun.
    pub(super) answered: bool,
    /// Bytes that were delivered since the reader was woken.
    gathered: usize,
    touched: bool,
}

impl Streams {
    pub(super) fn insert(&mut self, opened: &Opened, cell: Arc<Cell>) {
        let Opened { key, reply, .. } = *opened;
        let index = key.index();
        if self.by_index.len() <= index {
            self.by_index.resize_with(index + 1, || None);
        }
        self.open += 1;
        self.by_index[index] = Some(OpenStream {
            key,
            cell: Some(cell),
            reply,
            inbox: Inbox::default(),
            answered: false,
            gathered: 0,
            touched: false,
        });
    }

    pub(super) fn get(&mut self, key: StreamKey) -> Option<&mut OpenStream> {
        self.by_index.get_mut(key.index())?.as_mut().filter(|stream| stream.key == key)
    }

    /// The stream, which has news.
    pub(super) fn touch(&mut self, key: StreamKey) -> Option<&mut OpenStream> {
        let stream = self.by_index.get_mut(key.index())?.as_mut().filter(|stream| stream.key == key)?;
        if !stream.touched {
            stream.touched = true;
            self.touched.push_back(key);
        }
        Some(stream)
    }

    pub(super) fn remove(&mut self, key: StreamKey) -> Option<OpenStream> {
        let place = self.by_index.get_mut(key.index())?;
        let stream = place.take_if(|stream| stream.key == key)?;
        self.open -= 1;
        self.gathered -= stream.gathered;
        self.abandoned -= usize::from(stream.cell.is_none());
        Some(stream)
    }

    /// The call of this stream went away; the stream stays for now.
    pub(super) fn abandon(&mut self, key: StreamKey) {
        if let Some(stream) = self.by_index.get_mut(key.index()).and_then(Option::as_mut)
            && stream.key == key
            && stream.cell.take().is_some()
        {
            self.abandoned += 1;
        }
    }

    /// The streams that have news, once each.
    pub(super) fn take_touched(&mut self) -> Option<StreamKey> {
        let key = self.touched.pop_front()?;
        if let Some(stream) = self.get(key) {
            stream.touched = false;
        }
        Some(key)
    }

    /// Whether what has come for a stream is worth waking its reader, who is then woken.
    pub(super) fn is_due(&mut self, key: StreamKey) -> bool {
        let Some(stream) = self.by_index.get_mut(key.index()).and_then(Option::as_mut) else { return false };
        let owed = stream.inbox.owed();
        stream.gathered += owed;
        self.gathered += owed;
        let due = stream.inbox.has_ended()
            || stream.reply == Reply::Stream
            || stream.gathered >= GATHERED
            || self.gathered >= GATHERED_IN_ALL;
        if due {
            self.gathered -= mem::take(&mut stream.gathered);
        }
        due
    }

    /// Takes all of them out.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = OpenStream> {
        (self.open, self.abandoned, self.gathered) = (0, 0, 0);
        self.touched.clear();
        mem::take(&mut self.by_index).into_iter().flatten()
    }

    /// Whether there is no stream that somebody waits for.
    pub(super) fn is_idle(&self) -> bool {
        self.open == self.abandoned
    }

    /// Gives back the memory of streams that are gone.
    pub(super) fn rest(&mut self) {
        if self.open == 0 {
            (self.by_index, self.touched) = (Vec::new(), VecDeque::new());
        }
    }

    pub(super) fn open(&self) -> usize {
        self.open
    }
}
