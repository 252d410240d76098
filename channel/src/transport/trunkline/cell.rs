//! What a call and the driver share of one stream. Nobody but these two takes its lock: the call for moments,
//! the driver for moments too, and once to open the stream, when its call has nothing else to do.

use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use trunkline_http2::StreamKey;

use super::inbox::Inbox;
use super::wakes::Wakes;
use crate::transport::options::SEND_BUFFER;
use crate::transport::{Reply, RequestHead, SendClosed, StreamError};

/// One stream, between its call and the driver.
///
/// ```text
///   Queued(request) --opened--> Open --its last event, or dropped--> Over
///          '--------------- dropped, or never sent ------------------^
/// ```
#[derive(Debug)]
pub(super) struct Cell(Mutex<State>);

#[derive(Debug)]
struct State {
    place: Place,
    /// From its opening on.
    key: Option<StreamKey>,
    inbox: Inbox,
    reader: Option<Waker>,
    upload: Upload,
}

#[derive(Debug)]
enum Place {
    /// In the queue of commands.
    Queued(Request),
    Open,
    Over,
}

/// What a stream begins with.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) head: RequestHead,
    pub(super) body: Bytes,
    pub(super) end: bool,
    /// What was sent while the stream had to wait for its turn. The last piece is the end if `ends`.
    later: Vec<Bytes>,
    ends: bool,
}

impl Request {
    pub(super) fn new(head: RequestHead, body: Bytes, end: bool) -> Self {
        Self { head, body, end, later: Vec::new(), ends: end }
    }
}

/// A stream that was opened just now.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) key: StreamKey,
    pub(super) reply: Reply,
    /// The request goes on.
    pub(super) uploads: bool,
    /// What is to be sent at once, and whether the last of it is the end.
    pub(super) later: Vec<Bytes>,
    pub(super) ends: bool,
}

/// Where more of a request goes.
#[derive(Debug)]
pub(super) enum Whereto {
    /// To the open stream.
    Stream(StreamKey),
    /// It was kept for when the stream's turn comes.
    Kept,
    /// Nowhere: the stream is over.
    Nowhere,
}

/// What is left of a stream whose call went away.
#[derive(Debug)]
pub(super) struct Withdrawn {
    pub(super) key: Option<StreamKey>,
    /// It is to be reset.
    pub(super) is_open: bool,
    /// Bytes that were not taken and are to be given back.
    pub(super) owed: usize,
}

/// The request side.
#[derive(Debug)]
enum Upload {
    Open {
        /// Bytes in the queue of commands.
        queued: usize,
        /// The engine takes no more for now.
        full: bool,
        writer: Option<Waker>,
    },
    Closed,
}

impl Cell {
    pub(super) fn new(request: Request) -> Self {
        let upload = match request.end {
            true => Upload::Closed,
            // Nothing is known of the peer's window before the stream is open.
            false => Upload::Open { queued: 0, full: true, writer: None },
        };
        let place = Place::Queued(request);
        Self(Mutex::new(State { place, key: None, inbox: Inbox::default(), reader: None, upload }))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code runs under this lock that could leave the state half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The call's side.
impl Cell {
    /// Takes all that is there into `inbox`, which is empty, or waits for it.
    pub(super) fn poll_take(&self, inbox: &mut Inbox, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        if !state.inbox.is_empty() {
            mem::swap(&mut state.inbox, inbox);
            return Poll::Ready(());
        }
        let former = register(&mut state.reader, cx.waker());
        drop(state);
        drop(former);
        Poll::Pending
    }

    /// The call wants no more.
    pub(super) fn withdraw(&self) -> Withdrawn {
        let mut state = self.lock();
        // What was not sent yet never will be: the driver finds it over.
        let is_open = matches!(mem::replace(&mut state.place, Place::Over), Place::Open);
        let inbox = mem::take(&mut state.inbox);
        let (key, woken) = (state.key, state.close_upload());
        drop(state);
        wake(woken);
        Withdrawn { key, is_open, owed: inbox.owed() }
    }

    /// The key of the stream, once it was opened.
    pub(super) fn key(&self) -> Option<StreamKey> {
        self.lock().key
    }

    /// Ready when the engine would take more.
    pub(super) fn poll_room(&self, cx: &mut Context<'_>) -> Poll<Result<(), SendClosed>> {
        let mut state = self.lock();
        let former = match &mut state.upload {
            Upload::Closed => return Poll::Ready(Err(SendClosed)),
            Upload::Open { queued, full, .. } if !*full && *queued < SEND_BUFFER => {
                return Poll::Ready(Ok(()));
            }
            Upload::Open { writer, .. } => register(writer, cx.waker()),
        };
        drop(state);
        drop(former);
        Poll::Pending
    }

    /// So many bytes go into the queue of commands, perhaps the last ones.
    pub(super) fn sending(&self, bytes: usize, end: bool) -> Result<(), SendClosed> {
        let mut state = self.lock();
        let Upload::Open { queued, .. } = &mut state.upload else { return Err(SendClosed) };
        *queued += bytes;
        if end {
            state.upload = Upload::Closed;
        }
        Ok(())
    }

    /// The sender gives up. True if the request had not ended.
    pub(super) fn abandon_upload(&self) -> bool {
        !matches!(mem::replace(&mut self.lock().upload, Upload::Closed), Upload::Closed)
    }
}

/// The driver's side.
impl Cell {
    /// Opens the stream by `open`, which takes the request's body. `None` if the call was dropped before.
    pub(super) fn open<E>(
        &self,
        open: impl FnOnce(&mut Request) -> Result<StreamKey, E>,
    ) -> Option<Result<Opened, E>> {
        let mut state = self.lock();
        let Place::Queued(request) = &mut state.place else { return None };
        let key = match open(request) {
            Ok(key) => key,
            Err(error) => return Some(Err(error)),
        };
        let later = mem::take(&mut request.later);
        let opened =
            Opened { key, reply: request.head.reply, uploads: !request.end, later, ends: request.ends };
        (state.place, state.key) = (Place::Open, Some(key));
        Some(Ok(opened))
    }

    /// Where more of the request goes. What the stream is not open for yet is kept, and counted as queued.
    pub(super) fn whereto(&self, data: &Bytes, end: bool) -> Whereto {
        let mut state = self.lock();
        match &mut state.place {
            Place::Queued(request) => {
                request.later.push(data.clone());
                request.ends = end;
                Whereto::Kept
            }
            Place::Open => state.key.map_or(Whereto::Nowhere, Whereto::Stream),
            Place::Over => Whereto::Nowhere,
        }
    }

    /// Hands events on, which it takes. A reader to whom they are `due` is put among those to be woken; another
    /// finds them when it asks for its own reasons. Returned is how many bytes the driver is to give back: those
    /// of a call that went away meanwhile.
    #[must_use]
    pub(super) fn deliver(&self, events: &mut Inbox, due: bool, wakes: &mut Wakes) -> usize {
        let mut state = self.lock();
        if matches!(state.place, Place::Over) {
            return mem::take(events).owed();
        }
        let mut writer = None;
        if events.has_ended() {
            state.place = Place::Over;
            writer = state.close_upload();
        }
        state.inbox.append(events);
        let reader = if due { state.reader.take() } else { None };
        drop(state);
        wakes.push(reader);
        wakes.push(writer);
        0
    }

    /// Whether its call went away, or it has ended.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.lock().place, Place::Over)
    }

    /// It failed before, or after, it was opened.
    pub(super) fn fail(&self, error: StreamError) {
        let mut events = Inbox::default();
        events.fail(error);
        let mut wakes = Wakes::default();
        // There are no bytes in it.
        let _nothing = self.deliver(&mut events, true, &mut wakes);
        wakes.wake_all();
    }

    /// The engine took `bytes` off the queue of commands, and takes more if there is `room`.
    pub(super) fn set_room(&self, bytes: usize, room: bool) {
        let mut state = self.lock();
        let Upload::Open { queued, full, writer } = &mut state.upload else { return };
        *queued -= bytes.min(*queued);
        *full = !room;
        let woken = if room && *queued < SEND_BUFFER { writer.take() } else { None };
        drop(state);
        wake(woken);
    }
}

impl State {
    fn close_upload(&mut self) -> Option<Waker> {
        match mem::replace(&mut self.upload, Upload::Closed) {
            Upload::Open { writer, .. } => writer,
            Upload::Closed => None,
        }
    }
}

/// Puts `waker` in its place. The former one is to be dropped after the lock: it may be the last of a task, whose
/// end may drop the stream itself.
fn register(place: &mut Option<Waker>, waker: &Waker) -> Option<Waker> {
    match place {
        Some(known) if known.will_wake(waker) => None,
        place => place.replace(waker.clone()),
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::StreamEvent;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A waker, and how often it was woken.
    fn counting() -> (Waker, Arc<Count>) {
        let count = Arc::<Count>::default();
        (Waker::from(Arc::clone(&count)), count)
    }

    fn cell(end: bool) -> Cell {
        let head = RequestHead {
            path: "/a.B/C".parse().unwrap(),
            timeout: None,
            headers: None,
            reply: Reply::Stream,
        };
        Cell::new(Request::new(head, Bytes::new(), end))
    }

    /// Keys come from an engine alone.
    fn key() -> StreamKey {
        let mut engine = trunkline_http2::Connection::new(Default::default(), std::time::Instant::now());
        let template = engine.template([(":method", "POST"), (":path", "/")]).unwrap();
        engine.open(template, &[], Bytes::new(), true).unwrap()
    }

    fn data(bytes: &'static [u8], end: bool) -> Inbox {
        let mut inbox = Inbox::default();
        inbox.put_data(Bytes::from_static(bytes), end);
        inbox
    }

    fn deliver(cell: &Cell, mut events: Inbox, due: bool) -> usize {
        let mut wakes = Wakes::default();
        let owed = cell.deliver(&mut events, due, &mut wakes);
        wakes.wake_all();
        owed
    }

    fn open(cell: &Cell) -> Option<StreamKey> {
        let opened = cell.open(|_| Ok::<_, std::convert::Infallible>(key()))?;
        opened.ok().map(|opened| opened.key)
    }

    #[test]
    fn a_call_dropped_before_it_was_sent_never_is() {
        let cell = cell(true);
        let withdrawn = cell.withdraw();
        assert!(!withdrawn.is_open && withdrawn.key.is_none());
        assert!(open(&cell).is_none());
    }

    #[test]
    fn a_call_dropped_in_the_middle_is_reset_and_what_it_left_unread_is_given_back() {
        let cell = cell(true);
        assert!(open(&cell).is_some());
        deliver(&cell, data(b"unread", false), true);
        let withdrawn = cell.withdraw();
        assert!(withdrawn.is_open && withdrawn.key.is_some());
        assert_eq!(withdrawn.owed, 6);
    }

    #[test]
    fn what_comes_for_a_call_that_went_away_is_given_back_at_once() {
        let cell = cell(true);
        assert!(open(&cell).is_some());
        cell.withdraw();
        assert_eq!(deliver(&cell, data(b"late", false), true), 4);
        assert_eq!(cell.withdraw().owed, 0);
    }

    #[test]
    fn a_reader_is_woken_once_for_what_is_due_and_takes_all_at_once() {
        let cell = cell(true);
        let (waker, count) = counting();
        let mut cx = Context::from_waker(&waker);
        let mut inbox = Inbox::default();
        assert!(cell.poll_take(&mut inbox, &mut cx).is_pending());
        deliver(&cell, data(b"a", false), false);
        deliver(&cell, data(b"b", true), true);
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        assert!(cell.poll_take(&mut inbox, &mut cx).is_ready());
        assert!(matches!(inbox.next(), Some((StreamEvent::Data(_), false))));
        assert!(matches!(inbox.next(), Some((StreamEvent::Data(_), false))));
        assert!(matches!(inbox.next(), Some((StreamEvent::End, true))));
        assert!(!cell.withdraw().is_open, "a stream that has ended is not reset");
    }

    #[test]
    fn a_sender_waits_for_the_engine_and_for_the_queue() {
        let cell = cell(false);
        let (waker, count) = counting();
        let mut cx = Context::from_waker(&waker);
        assert!(cell.poll_room(&mut cx).is_pending(), "nothing is known of the window yet");
        cell.set_room(0, true);
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        assert_eq!(cell.poll_room(&mut cx), Poll::Ready(Ok(())));
        cell.sending(SEND_BUFFER, false).unwrap();
        assert!(cell.poll_room(&mut cx).is_pending(), "the queue holds enough");
        cell.set_room(SEND_BUFFER, false);
        assert_eq!(count.0.load(Ordering::Relaxed), 1, "the engine holds enough");
        cell.set_room(0, true);
        assert_eq!(count.0.load(Ordering::Relaxed), 2);
        cell.sending(0, true).unwrap();
        assert_eq!(cell.poll_room(&mut cx), Poll::Ready(Err(SendClosed)));
        assert!(!cell.abandon_upload(), "a request that has ended is not given up");
    }

    #[test]
    fn the_end_of_the_response_ends_the_request() {
        let cell = cell(false);
        let (waker, count) = counting();
        let mut cx = Context::from_waker(&waker);
        assert!(cell.poll_room(&mut cx).is_pending());
        deliver(&cell, data(b"early", true), true);
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        assert_eq!(cell.poll_room(&mut cx), Poll::Ready(Err(SendClosed)));
        assert_eq!(cell.sending(1, false), Err(SendClosed));
    }
}
