//! What a call and the driver share of one stream: what the driver has for the call. (What a call has for the
//! driver goes through the queue of commands.) Nobody but these two takes its lock, each for moments.

use std::mem;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use bytes::Bytes;
use trunkline_http2::StreamKey;

use super::inbox::Inbox;
use super::wakes::Wakes;
use crate::transport::options::SEND_BUFFER;
use crate::transport::{PlainReply, SendClosed, StreamError, StreamEvent};

/// One stream, between its call and the driver.
///
/// ```text
///   queued --claimed by the driver--> open --its last event came, or its call went away--> over
///      |                                                                                   ^
///      '--taken back by its call-----------------------------------------------------------'
/// ```
///
/// Which of the two happens to a queued one is decided once: what is taken back is never sent.
#[derive(Debug)]
pub(super) struct Cell {
    /// Where the driver keeps the stream, or one of the three below.
    place: AtomicU32,
    /// Changed under the lock alone; whoever finds it set without the lock finds what is true.
    over: AtomicBool,
    /// The response is over and plain, as it came. Changed as that is.
    plain: AtomicBool,
    state: Mutex<State>,
}

/// The place of a stream whose turn has not come.
const QUEUED: u32 = u32::MAX;
/// Of one whose turn is now.
const CLAIMED: u32 = u32::MAX - 1;
/// Of one whose turn will never come.
const TAKEN_BACK: u32 = u32::MAX - 2;

#[derive(Debug)]
struct State {
    /// What came and was not taken; in a box, since of a stream there is nothing most of the time. A call whose request
    /// is whole, as unary ones are, has one from the start: whoever made it has let go of the last call's just before,
    /// which makes that quick. Once something was taken out, an empty one goes.
    inbox: Option<Box<Inbox>>,
    reader: Option<Waker>,
    /// From the first delivery on.
    key: Option<StreamKey>,
    upload: Upload,
    /// What was sent while the stream had to wait for its turn; few ever have to.
    held_back: Option<Box<HeldBack>>,
}

/// The request side.
#[derive(Debug)]
enum Upload {
    Open {
        /// Bytes in the queue of commands; of more than 4 GiB only that it is full.
        queued: u32,
        /// The engine takes no more for now.
        full: bool,
        writer: Option<Waker>,
    },
    Closed,
}

/// Pieces of a request that wait for the stream to be opened. The last one is the end if `ends`.
#[derive(Debug, Default)]
pub(super) struct HeldBack {
    pub(super) pieces: Vec<Bytes>,
    pub(super) ends: bool,
}

/// An event that was taken.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) event: StreamEvent,
    pub(super) is_last: bool,
    /// Bytes whose window the reader is to give back now.
    pub(super) settled: u32,
    /// Whether there is more that is to be given back later.
    pub(super) owes_more: bool,
}

/// What is left of a stream whose call went away.
#[derive(Debug)]
pub(super) struct Withdrawn {
    /// It had ended, so there is nothing to withdraw.
    pub(super) had_ended: bool,
    /// What was not taken.
    pub(super) owed: Owed,
}

/// Bytes that are to be given back, and to which stream, if something came.
type Owed = Option<(StreamKey, usize)>;

impl Cell {
    /// A stream whose first event `reader` is woken for. `ends`: all of its request is in the queue.
    pub(super) fn new(ends: bool, reader: Waker) -> Self {
        let upload = match ends {
            true => Upload::Closed,
            // Nothing is known of the peer's window before the stream is open.
            false => Upload::Open { queued: 0, full: true, writer: None },
        };
        let inbox = ends.then(Box::default);
        let state = State { inbox, reader: Some(reader), key: None, upload, held_back: None };
        Self {
            place: AtomicU32::new(QUEUED),
            over: AtomicBool::new(false),
            plain: AtomicBool::new(false),
            state: Mutex::new(state),
        }
    }

    /// Whether its call went away, or it has ended.
    pub(super) fn is_over(&self) -> bool {
        self.over.load(Relaxed)
    }

    /// Whether its response is over, and [`take_plain`](Self::take_plain) is worth it.
    pub(super) fn is_plain(&self) -> bool {
        self.plain.load(Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code runs under this lock that could leave the state half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The call's side.
impl Cell {
    /// Takes what came first, or waits for it.
    pub(super) fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Taken> {
        let mut state = self.lock();
        if let Some(inbox) = &mut state.inbox
            && let Some((event, is_last)) = inbox.next()
        {
            let settled = match &event {
                StreamEvent::Data(data) => inbox.settle(data.len()),
                _ => 0,
            };
            let owes_more = inbox.owed() > 0;
            if inbox.is_empty() {
                state.inbox = None;
            }
            return Poll::Ready(Taken { event, is_last, settled, owes_more });
        }
        let former = register(&mut state.reader, cx.waker());
        drop(state);
        drop(former);
        Poll::Pending
    }

    /// Takes the whole response, if it [is plain](Self::is_plain) and nothing of it was taken, and what of it is to be
    /// given back now.
    ///
    /// The driver lets go of a stream that has ended before it wakes the reader, who then is alone with the cell and
    /// needs no lock.
    pub(super) fn take_plain(self: Arc<Self>) -> Result<(PlainReply, Owed), Arc<Self>> {
        match Arc::try_unwrap(self) {
            Ok(mut cell) => {
                let state = cell.state.get_mut().unwrap_or_else(PoisonError::into_inner);
                state.take_plain().ok_or_else(|| Arc::new(cell))
            }
            Err(cell) => {
                let taken = cell.lock().take_plain();
                taken.ok_or(cell)
            }
        }
    }

    /// Keeps the driver from opening the stream. False if it has.
    pub(super) fn take_back(&self) -> bool {
        matches!(self.place.compare_exchange(QUEUED, TAKEN_BACK, Relaxed, Relaxed), Ok(_) | Err(TAKEN_BACK))
    }

    /// The call wants no more.
    pub(super) fn withdraw(&self) -> Withdrawn {
        let mut state = self.lock();
        // What was not sent yet never will be: the driver finds it over.
        let had_ended = self.over.swap(true, Relaxed);
        let inbox = state.inbox.take();
        let (key, woken) = (state.key, state.close_upload());
        let of_no_use = (state.held_back.take(), state.reader.take());
        drop(state);
        drop(of_no_use);
        wake(woken);
        let owed = inbox.map_or(0, |inbox| inbox.owed());
        Withdrawn { had_ended, owed: key.map(|key| (key, owed)) }
    }

    /// The key of the stream, once something came.
    pub(super) fn key(&self) -> Option<StreamKey> {
        self.lock().key
    }

    /// Ready when the engine would take more.
    pub(super) fn poll_room(&self, cx: &mut Context<'_>) -> Poll<Result<(), SendClosed>> {
        let mut state = self.lock();
        let former = match &mut state.upload {
            Upload::Closed => return Poll::Ready(Err(SendClosed)),
            Upload::Open { queued, full, .. } if !*full && is_room_behind(*queued) => {
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
        *queued = queued.saturating_add(saturated(bytes));
        let woken = if end { state.close_upload() } else { None };
        drop(state);
        // It may be the last of a task, whose end may drop the stream.
        drop(woken);
        Ok(())
    }

    /// The sender gives up. True if the request had not ended.
    pub(super) fn abandon_upload(&self) -> bool {
        let former = mem::replace(&mut self.lock().upload, Upload::Closed);
        !matches!(former, Upload::Closed)
    }
}

/// The driver's side.
impl Cell {
    /// Takes the turn of a stream that is to be opened. False if it was taken back.
    pub(super) fn claim(&self) -> bool {
        self.place.compare_exchange(QUEUED, CLAIMED, Relaxed, Relaxed).is_ok()
    }

    /// Notes where the stream is kept.
    pub(super) fn opened_at(&self, place: usize) {
        self.place.store(u32::try_from(place).unwrap_or(CLAIMED), Relaxed);
    }

    /// Where the stream is kept, or was; `None` if it was never open.
    pub(super) fn place(&self) -> Option<usize> {
        Some(self.place.load(Relaxed)).filter(|place| *place < TAKEN_BACK).map(|place| place as usize)
    }

    /// Keeps a piece of the request until the stream is open. It still counts as queued.
    pub(super) fn hold_back(&self, data: Bytes, end: bool) {
        let mut state = self.lock();
        let held_back = state.held_back.get_or_insert_default();
        held_back.pieces.push(data);
        held_back.ends = end;
    }

    /// What was held back.
    pub(super) fn take_held_back(&self) -> HeldBack {
        self.lock().held_back.take().map_or_else(HeldBack::default, |held_back| *held_back)
    }

    /// Hands events of stream `key` on. What is left of them is an empty box, or none. A reader to whom they are `due` is put among those to be
    /// woken; another finds them when it asks for its own reasons. Returned is how many bytes the driver is to
    /// give back: those of a call that went away meanwhile.
    #[must_use]
    pub(super) fn deliver(
        &self,
        key: StreamKey,
        events: &mut Option<Box<Inbox>>,
        due: bool,
        now: Instant,
        wakes: &mut Wakes,
    ) -> usize {
        let mut state = self.lock();
        if self.is_over() {
            return events.take().map_or(0, |events| events.owed());
        }
        state.key = Some(key);
        let (reader, writer) = self.put(&mut state, events, due, now);
        drop(state);
        wakes.push(reader);
        wakes.push(writer);
        0
    }

    /// It failed before, or after, it was opened.
    pub(super) fn fail(&self, error: StreamError, now: Instant) {
        let mut events = Box::<Inbox>::default();
        events.fail(error);
        let mut events = Some(events);
        let mut state = self.lock();
        if self.is_over() {
            return;
        }
        let (reader, writer) = self.put(&mut state, &mut events, true, now);
        drop(state);
        wake(reader);
        wake(writer);
    }

    /// Has the reader woken in its turn, for what was delivered before.
    pub(super) fn wake_in_turn(&self, wakes: &mut Wakes) {
        wakes.push(self.lock().reader.take());
    }

    /// Wakes the reader, for whom nothing came: its deadline has passed.
    pub(super) fn ring(&self) {
        let reader = self.lock().reader.take();
        wake(reader);
    }

    /// The engine took `bytes` off the queue of commands, and takes more if there is `room`.
    pub(super) fn set_room(&self, bytes: usize, room: bool) {
        let mut state = self.lock();
        let Upload::Open { queued, full, writer } = &mut state.upload else { return };
        *queued = queued.saturating_sub(saturated(bytes));
        *full = !room;
        let woken = if room && is_room_behind(*queued) { writer.take() } else { None };
        drop(state);
        wake(woken);
    }

    /// Puts events where the call finds them; whom to wake for them.
    fn put(
        &self,
        state: &mut State,
        events: &mut Option<Box<Inbox>>,
        due: bool,
        now: Instant,
    ) -> (Option<Waker>, Option<Waker>) {
        let mut writer = None;
        if let Some(events) = events
            && events.has_ended()
        {
            self.over.store(true, Relaxed);
            events.ended_at(now);
            writer = state.close_upload();
        }
        if let Some(inbox) = &mut state.inbox {
            if let Some(events) = events {
                inbox.append(events);
            }
        } else {
            state.inbox = events.take();
        }
        if state.inbox.as_ref().is_some_and(|inbox| inbox.is_plain()) {
            self.plain.store(true, Relaxed);
        }
        (if due { state.reader.take() } else { None }, writer)
    }
}

impl State {
    fn take_plain(&mut self) -> Option<(PlainReply, Owed)> {
        let inbox = self.inbox.as_mut()?;
        let reply = inbox.take_plain()?;
        let owed = inbox.settle_all();
        self.inbox = None;
        Some((reply, self.key.map(|key| (key, owed))))
    }

    fn close_upload(&mut self) -> Option<Waker> {
        match mem::replace(&mut self.upload, Upload::Closed) {
            Upload::Open { writer, .. } => writer,
            Upload::Closed => None,
        }
    }
}

/// Whether more may be queued behind so much.
fn is_room_behind(queued: u32) -> bool {
    (queued as usize) < SEND_BUFFER
}

fn saturated(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
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
    use http::StatusCode;
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;
    use std::task::Wake;
    use trunkline_http2::{Connection, Headers};

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Relaxed);
        }
    }

    /// A waker, and how often it was woken.
    fn counting() -> (Waker, Arc<Count>) {
        let count = Arc::<Count>::default();
        (Waker::from(Arc::clone(&count)), count)
    }

    fn cell(ends: bool) -> Cell {
        Cell::new(ends, Waker::noop().clone())
    }

    /// Keys come from an engine alone.
    fn key() -> StreamKey {
        let mut engine = Connection::new(Default::default(), Instant::now());
        let template = engine.template([(":method", "POST"), (":scheme", "http"), (":path", "/")]).unwrap();
        engine.open(template, &[], Bytes::new(), true).unwrap()
    }

    fn data(bytes: &'static [u8], end: bool) -> Box<Inbox> {
        let mut inbox = Box::<Inbox>::default();
        inbox.put_data(Bytes::from_static(bytes), end);
        inbox
    }

    fn deliver(cell: &Cell, events: Box<Inbox>, due: bool) -> usize {
        let mut wakes = Wakes::default();
        let owed = cell.deliver(key(), &mut Some(events), due, Instant::now(), &mut wakes);
        wakes.wake_all();
        owed
    }

    fn next(cell: &Cell) -> Option<(StreamEvent, bool)> {
        match cell.poll_next(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(taken) => Some((taken.event, taken.is_last)),
            Poll::Pending => None,
        }
    }

    #[test]
    fn a_call_dropped_before_it_was_sent_never_is() {
        let cell = cell(true);
        let withdrawn = cell.withdraw();
        assert!(!withdrawn.had_ended && withdrawn.owed.is_none());
        assert!(cell.is_over(), "the driver does not open it");
    }

    #[test]
    fn whoever_waits_for_room_is_let_go_where_its_end_may_use_the_stream() {
        struct Task(Arc<Cell>);
        impl Wake for Task {
            fn wake(self: Arc<Self>) {}
        }
        impl Drop for Task {
            fn drop(&mut self) {
                self.0.withdraw();
            }
        }
        let close: [fn(&Cell) -> bool; 2] =
            [|cell| cell.sending(0, true).is_ok(), |cell| cell.abandon_upload()];
        for close in close {
            let cell = Arc::new(cell(false));
            let waker = Waker::from(Arc::new(Task(Arc::clone(&cell))));
            assert!(cell.poll_room(&mut Context::from_waker(&waker)).is_pending());
            // The cell has the last of it now.
            drop(waker);
            assert!(close(&cell));
            assert!(cell.is_over());
        }
    }

    #[test]
    fn a_stream_is_opened_or_taken_back_and_never_both() {
        let taken_back = cell(true);
        assert!(taken_back.take_back() && taken_back.take_back());
        assert!(!taken_back.claim());
        assert_eq!(taken_back.place(), None);
        let opened = cell(true);
        assert!(opened.claim());
        assert!(!opened.take_back());
        opened.opened_at(7);
        assert!(!opened.take_back());
        assert_eq!(opened.place(), Some(7));
    }

    #[test]
    fn a_call_dropped_in_the_middle_is_reset_and_what_it_left_unread_is_given_back() {
        let cell = cell(true);
        assert_eq!(deliver(&cell, data(b"unread", false), true), 0);
        let withdrawn = cell.withdraw();
        assert!(!withdrawn.had_ended);
        assert!(matches!(withdrawn.owed, Some((_, 6))));
    }

    #[test]
    fn what_comes_for_a_call_that_went_away_is_given_back_at_once() {
        let cell = cell(true);
        cell.withdraw();
        assert_eq!(deliver(&cell, data(b"late", false), true), 4);
        assert!(cell.withdraw().owed.is_none());
    }

    #[test]
    fn a_reader_is_woken_once_for_what_is_due_and_finds_all_of_it() {
        let (waker, count) = counting();
        let cell = Cell::new(true, waker);
        deliver(&cell, data(&[1; 3000], false), false);
        assert_eq!(count.0.load(Relaxed), 0);
        deliver(&cell, data(&[2; 2000], true), true);
        assert_eq!(count.0.load(Relaxed), 1);
        assert!(matches!(next(&cell), Some((StreamEvent::Data(_), false))));
        assert!(matches!(next(&cell), Some((StreamEvent::Data(_), false))));
        assert!(matches!(next(&cell), Some((StreamEvent::End, true))));
        assert!(cell.withdraw().had_ended, "a stream that has ended is not reset");
    }

    #[test]
    fn a_whole_reply_is_taken_if_it_is_plain_and_stays_where_it_is_once_it_was_begun() {
        let whole = |says_ok| {
            let mut inbox = data(b"reply", false);
            inbox.put_head(StatusCode::OK, Headers::default(), true, false);
            inbox.put_trailers(Headers::default(), says_ok);
            inbox
        };
        let refused = cell(true);
        deliver(&refused, whole(false), true);
        assert!(refused.is_over() && !refused.is_plain(), "so nobody takes it apart");
        for is_shared in [false, true] {
            let taken = Arc::new(cell(true));
            let drivers = is_shared.then(|| Arc::clone(&taken));
            deliver(&taken, whole(true), true);
            assert!(taken.is_plain());
            let (reply, owed) = taken.take_plain().unwrap();
            assert_eq!((reply.body, owed.map(|(_, bytes)| bytes)), (Bytes::from_static(b"reply"), Some(5)));
            assert!(drivers.is_none_or(|cell| next(&cell).is_none()), "nothing is left");

            let begun = Arc::new(cell(true));
            let drivers = is_shared.then(|| Arc::clone(&begun));
            deliver(&begun, whole(true), true);
            assert!(matches!(next(&begun), Some((StreamEvent::Head(_), false))));
            let begun = begun.take_plain().unwrap_err();
            assert!(matches!(next(&begun), Some((StreamEvent::Data(data), false)) if data == "reply"));
            assert!(matches!(next(&begun), Some((StreamEvent::Trailers(_), true))));
            drop(drivers);
        }
    }

    #[test]
    fn a_reader_is_told_what_to_give_back_of_what_it_took() {
        let cell = cell(true);
        deliver(&cell, data(&[1; 3000], false), true);
        deliver(&cell, data(&[2; 2000], false), true);
        let mut cx = Context::from_waker(Waker::noop());
        let Poll::Ready(first) = cell.poll_next(&mut cx) else { panic!("it is there") };
        assert_eq!((first.settled, first.owes_more), (3000, true));
        let Poll::Ready(second) = cell.poll_next(&mut cx) else { panic!("it is there") };
        assert_eq!((second.settled, second.owes_more), (2000, false));
    }

    #[test]
    fn whoever_is_rung_for_is_woken_and_finds_nothing() {
        let (waker, count) = counting();
        let cell = Cell::new(true, waker);
        cell.ring();
        assert_eq!(count.0.load(Relaxed), 1);
        assert!(next(&cell).is_none());
        assert!(!cell.is_over());
    }

    #[test]
    fn what_was_held_back_comes_out_in_its_order() {
        let cell = cell(false);
        cell.hold_back(Bytes::from_static(b"a"), false);
        cell.hold_back(Bytes::from_static(b"b"), true);
        let held_back = cell.take_held_back();
        assert_eq!(held_back.pieces, ["a", "b"]);
        assert!(held_back.ends);
        assert!(cell.take_held_back().pieces.is_empty());
    }

    #[test]
    fn a_sender_waits_for_the_engine_and_for_the_queue() {
        let cell = cell(false);
        let (waker, count) = counting();
        let mut cx = Context::from_waker(&waker);
        assert!(cell.poll_room(&mut cx).is_pending(), "nothing is known of the window yet");
        cell.set_room(0, true);
        assert_eq!(count.0.load(Relaxed), 1);
        assert_eq!(cell.poll_room(&mut cx), Poll::Ready(Ok(())));
        cell.sending(SEND_BUFFER, false).unwrap();
        assert!(cell.poll_room(&mut cx).is_pending(), "the queue holds enough");
        cell.set_room(SEND_BUFFER, false);
        assert_eq!(count.0.load(Relaxed), 1, "the engine holds enough");
        cell.set_room(0, true);
        assert_eq!(count.0.load(Relaxed), 2);
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
        assert_eq!(count.0.load(Relaxed), 1);
        assert_eq!(cell.poll_room(&mut cx), Poll::Ready(Err(SendClosed)));
        assert_eq!(cell.sending(1, false), Err(SendClosed));
    }
}
