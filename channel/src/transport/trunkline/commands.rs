//! The way from the calls to the driver: a queue that the driver takes whole. A call takes its lock once to
//! start; the lock is held for a push or a swap and nothing else.
//!
//! The driver takes it whole at each turn, so it holds what calls say between two turns: for each place under the
//! limit of streams a `Start` and a `Withdraw` (and both of each call that gave its place up before the driver had
//! seen it, as long as there is not too much of that), one `Release` per delivery, and data up to the send buffer of
//! each stream and one message more.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use bytes::Bytes;
use trunkline_http2::StreamKey;
use trunkline_proto::ConnectError;

use super::cell::Cell;
use super::connection::TrunklineSlot;
use super::request::Request;

/// From so many bytes on that readers have taken and the driver has not heard of, it is woken to hear of
/// them: a small part of the connection's window, and many messages.
const OWED_WAKES: usize = 256 << 10;

/// While so many commands wait, a call that goes away keeps its place until the driver has heard of it: however long
/// the driver does not run, calls that come and go meanwhile fill the queue no further than their places allow.
const FAR_BEHIND: usize = 4096;

/// What calls ask of the driver.
#[derive(Debug)]
pub(super) enum Command {
    /// Open a stream.
    Start(Request),
    /// More of the request.
    Send { cell: Arc<Cell>, data: Bytes, end: bool },
    /// The call wants no more of this stream. One that was open holds its place until the reset is on its way, or the
    /// server has ended it; any holds it until the driver has heard of this, while that is far behind.
    Withdraw { cell: Arc<Cell>, slot: Option<TrunklineSlot> },
    /// The sender gave up in the middle: the stream is reset, and its reader is told.
    Abandon(Arc<Cell>),
    /// The reader has taken so many bytes.
    Release { key: StreamKey, bytes: usize },
}

#[derive(Debug, Default)]
pub(super) struct Commands(Mutex<Queue>);

#[derive(Debug, Default)]
struct Queue {
    waiting: Vec<Command>,
    driver: Option<Waker>,
    /// The driver knows that there is something.
    told: bool,
    /// Bytes that the `Release`s in `waiting` give back.
    owed: usize,
    /// The driver wants to hear of each.
    is_short: bool,
    /// Why no streams are started any more. The others go on.
    refused: Option<ConnectError>,
    /// Nobody takes commands any more.
    ended: bool,
}

impl Commands {
    /// Puts a `Start` in the queue. An error: the connection takes no more of them, because of this.
    pub(super) fn start(&self, request: Request) -> Result<(), ConnectError> {
        let queue = self.lock();
        match &queue.refused {
            Some(cause) => Err(cause.clone()),
            None => {
                Self::push_to(queue, Command::Start(request));
                Ok(())
            }
        }
    }

    /// Puts a command for a stream that was started in the queue. False if the connection has ended, and all
    /// its streams with it.
    pub(super) fn push(&self, command: Command) -> bool {
        let queue = self.lock();
        let takes = !queue.ended;
        if takes {
            Self::push_to(queue, command);
        }
        takes
    }

    /// The call of this cell went away. Its place stays taken until the driver has heard of that if its stream
    /// `is_open`; else it is free at once.
    pub(super) fn withdraw(&self, cell: Arc<Cell>, slot: TrunklineSlot, is_open: bool) {
        let queue = self.lock();
        let keeps = is_open || queue.waiting.len() >= FAR_BEHIND;
        let (slot, free) = if keeps { (Some(slot), None) } else { (None, Some(slot)) };
        if !queue.ended {
            Self::push_to(queue, Command::Withdraw { cell, slot });
        } else {
            drop(queue);
            drop(slot);
        }
        // Not under the lock: it may be somebody else's then, who is woken.
        drop(free);
    }

    /// Wakes the driver, unless it knows.
    fn push_to(mut queue: MutexGuard<'_, Queue>, command: Command) {
        let urgent = match &command {
            Command::Release { bytes, .. } => {
                queue.owed += bytes;
                queue.is_short || queue.owed >= OWED_WAKES
            }
            _ => true,
        };
        queue.waiting.push(command);
        let driver = if urgent && !mem::replace(&mut queue.told, true) { queue.driver.clone() } else { None };
        drop(queue);
        if let Some(driver) = driver {
            driver.wake();
        }
    }

    /// Takes all commands into `taken`, which is empty, and has `driver` woken for the next. `is_short`: each byte
    /// that readers have taken is worth waking it, for the window that they open.
    pub(super) fn take(&self, taken: &mut Vec<Command>, driver: &Waker, is_short: bool) {
        let mut queue = self.lock();
        mem::swap(&mut queue.waiting, taken);
        queue.told = false;
        queue.owed = 0;
        queue.is_short = is_short;
        let former = match &queue.driver {
            Some(known) if known.will_wake(driver) => None,
            _ => queue.driver.replace(driver.clone()),
        };
        drop(queue);
        drop(former);
    }

    /// Gives memory back.
    pub(super) fn rest(&self) {
        self.lock().waiting.shrink_to_fit();
    }

    /// No more streams are started, because of `cause`. The cells of those that wait in the queue are returned.
    pub(super) fn refuse(&self, cause: &ConnectError) -> Vec<Arc<Cell>> {
        let mut queue = self.lock();
        queue.refused.get_or_insert_with(|| cause.clone());
        let (mut refused, mut kept) = (Vec::new(), Vec::new());
        for command in queue.waiting.drain(..) {
            match command {
                Command::Start(request) => refused.push(request),
                other => kept.push(other),
            }
        }
        queue.waiting = kept;
        drop(queue);
        // Not under the lock: what a request holds is the application's, and so may be what becomes of it.
        refused.into_iter().map(|request| request.cell).collect()
    }

    /// Nobody takes commands any more.
    pub(super) fn end(&self) {
        let mut queue = self.lock();
        queue.ended = true;
        queue.driver = None;
        let dropped = mem::take(&mut queue.waiting);
        drop(queue);
        // Not under the lock: places are given back.
        drop(dropped);
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // No code runs under this lock that could leave the queue half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::{Reply, RequestHead};
    use http::uri::PathAndQuery;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;
    use std::time::Instant;
    use trunkline_proto::Phase;
    use trunkline_proto::framing::SmallBytes;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn cell() -> Arc<Cell> {
        Arc::new(Cell::new(true, Waker::noop().clone()))
    }

    fn request() -> Request {
        let head = RequestHead {
            path: PathAndQuery::from_static("/a.B/C").into(),
            deadline: None,
            headers: None,
            reply: Reply::Whole,
        };
        Request { cell: cell(), head, body: SmallBytes::default(), end: true }
    }

    #[test]
    fn a_batch_of_commands_wakes_the_driver_once() {
        let (commands, count) = (Commands::default(), Arc::<Count>::default());
        let driver = Waker::from(Arc::clone(&count));
        let mut taken = Vec::new();
        commands.take(&mut taken, &driver, false);
        for _ in 0..100 {
            commands.start(request()).unwrap();
        }
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        commands.take(&mut taken, &driver, false);
        assert_eq!(taken.len(), 100);
        taken.clear();
        commands.start(request()).unwrap();
        assert_eq!(count.0.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn where_room_is_short_each_byte_that_was_taken_wakes_the_driver() {
        let (commands, count) = (Commands::default(), Arc::<Count>::default());
        let driver = Waker::from(Arc::clone(&count));
        let mut engine = trunkline_http2::Connection::new(Default::default(), Instant::now());
        let template = engine.template([(":method", "POST"), (":scheme", "http"), (":path", "/")]).unwrap();
        let key = engine.open(template, &[], &b""[..], true).unwrap();
        let wakes = |is_short| {
            commands.take(&mut Vec::new(), &driver, is_short);
            let before = count.0.load(Ordering::Relaxed);
            assert!(commands.push(Command::Release { key, bytes: 1 }));
            count.0.load(Ordering::Relaxed) - before
        };
        assert_eq!([wakes(false), wakes(true), wakes(false)], [0, 1, 0]);
    }

    /// Bytes whose owner has a say when they are let go.
    struct Owner(Arc<Commands>);

    impl AsRef<[u8]> for Owner {
        fn as_ref(&self) -> &[u8] {
            &[7; 100]
        }
    }

    impl Drop for Owner {
        fn drop(&mut self) {
            self.0.push(Command::Abandon(cell()));
        }
    }

    #[test]
    fn what_a_refused_request_holds_is_not_let_go_under_the_lock() {
        let commands = Arc::new(Commands::default());
        let body = Bytes::from_owner(Owner(Arc::clone(&commands))).into();
        commands.start(Request { body, ..request() }).unwrap();
        assert_eq!(commands.refuse(&ConnectError::new(Phase::Http2, "gone")).len(), 1);
        let mut taken = Vec::new();
        commands.take(&mut taken, Waker::noop(), false);
        assert_eq!(taken.len(), 1);
    }

    #[test]
    fn where_no_streams_are_started_those_that_run_go_on() {
        let commands = Commands::default();
        commands.start(request()).unwrap();
        assert!(commands.push(Command::Abandon(cell())));
        assert_eq!(commands.refuse(&ConnectError::new(Phase::Http2, "gone")).len(), 1);
        commands.refuse(&ConnectError::new(Phase::Http2, "later"));
        assert_eq!(commands.start(request()).unwrap_err().message(), "gone");
        assert!(commands.push(Command::Abandon(cell())));
        let mut taken = Vec::new();
        commands.take(&mut taken, Waker::noop(), false);
        assert_eq!(taken.len(), 2);
    }

    #[test]
    fn an_ended_connection_takes_nothing() {
        let commands = Commands::default();
        commands.end();
        assert!(!commands.push(Command::Abandon(cell())));
    }
}
