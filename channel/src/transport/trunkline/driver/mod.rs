//! The owner of a connection: it moves bytes between the socket and the engine, and commands and events
//! between the engine and the calls. What any of them means is decided in the engine.

mod ending;
mod hearing;
mod obeying;

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::time::Instant;
use trunkline_http2::{Config, Connection as Engine, ErrorCode, StreamKey};
use trunkline_proto::{Address, ConnectError};

use super::commands::Command;
use super::connection::{Shared, TrunklineSlot};
use super::deadlines::Deadlines;
use super::familiar::Familiar;
use super::heads::Heads;
use super::idle::Idle;
use super::inbox::Inbox;
use super::request::Request;
use super::streams::Streams;
use super::timer::Timer;
use super::told;
use super::wakes::Wakes;
use super::wire::Wire;
use crate::connect::Connected;
use crate::control::Usage;
use crate::transport::early_resets::EarlyResets;
use crate::transport::keepalive::{Beat, KeepaliveClock};
use crate::transport::options::{FAREWELL, KeepalivePenalty};
use crate::transport::{DriverNews, Origin, TransportOptions};

/// Most reads of one poll. Then others get their turn.
const READS: usize = 8;

/// Bytes after which the readers of what came get their turn. What they have read is in the caches still, and once it is
/// theirs the same buffer is read into again.
const READ_BYTES: u64 = 256 << 10;

/// What our PINGs carry. One is under way at a time, so they need not be told apart.
const KEEPALIVE: u64 = u64::from_be_bytes(*b"trunklin");

/// The owner of the engine.
///
/// ```text
///   Connecting --SETTINGS--> Ready --GOAWAY, ids used up, drain()--> Draining --last stream--> Closing
///        |                     |                                        |                        |
///        '---------------------'----------------- lost, dead -----------'--> Ended <-- all said -'
/// ```
pub(crate) struct TrunklineDriver {
    life: Life,
    engine: Engine,
    wire: Wire,
    shared: Arc<Shared>,
    heads: Heads,
    streams: Streams,
    arriving: Arriving,
    familiar: Familiar,
    wakes: Wakes,
    deadlines: Deadlines,
    /// Commands as they were taken from the queue; kept for its memory.
    commands: Vec<Command>,
    /// Streams that wait for their turn: the peer has lowered its limit since they got their places, or does not
    /// read.
    waiting: VecDeque<Request>,
    /// How many of those that wait, at most, were withdrawn since anybody looked.
    withdrawn: usize,
    resets: EarlyResets<Cancelled>,
    /// The server has ended some whose reset may wait.
    has_ended_cancelled: bool,
    /// SETTINGS of ours are on their way to be acknowledged.
    asked: bool,
    keepalive: Option<KeepaliveClock>,
    penalty: KeepalivePenalty,
    /// The penalty when this connection began.
    doublings: u32,
    idle: Idle,
    timer: Timer,
    /// When the present turn began, or the last one.
    now: std::time::Instant,
    news: VecDeque<DriverNews>,
    address: Address,
    /// Why the connection ended or takes no more streams. The first reason is the true one.
    cause: Option<ConnectError>,
    /// The newest stream whose response has begun; zero if there was none.
    answered: u32,
    last_used: Option<std::time::Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Connecting,
    Ready,
    Draining,
    /// What is left to say goes out; a peer that reads by then is told all of it.
    Closing {
        until: std::time::Instant,
    },
    Ended,
}

/// What has come and is not handed on yet.
#[derive(Debug, Default)]
struct Arriving {
    /// Whom something came for last; nobody between two reads.
    newest: Option<StreamKey>,
    /// What came for it. Without it this is empty, or none.
    inbox: Option<Box<Inbox>>,
    /// What came for others before, whose responses have not ended. Of what has ended since only the place is left.
    begun: Vec<Option<(StreamKey, Box<Inbox>)>>,
}

/// A stream that was cancelled before its response began. It holds its place until it is reset, or the server ends it.
#[derive(Debug)]
struct Cancelled {
    key: StreamKey,
    _slot: Option<TrunklineSlot>,
}

impl TrunklineDriver {
    pub(super) fn new(
        connected: Connected,
        address: &Address,
        origin: Origin,
        config: Config,
        options: &TransportOptions,
    ) -> Self {
        let Connected { io, security, .. } = connected;
        let now = Instant::now().into_std();
        let doublings = options.keepalive_penalty.doublings();
        Self {
            life: Life::Connecting,
            engine: Engine::new(config, now),
            wire: Wire::new(io, security),
            shared: Shared::new(),
            heads: Heads::new(origin),
            streams: Streams::default(),
            arriving: Arriving::default(),
            familiar: Familiar::default(),
            wakes: Wakes::default(),
            deadlines: Deadlines::default(),
            commands: Vec::new(),
            waiting: VecDeque::new(),
            withdrawn: 0,
            resets: EarlyResets::new(),
            has_ended_cancelled: false,
            asked: true,
            keepalive: options.keepalive.map(|settings| KeepaliveClock::new(settings, doublings, now)),
            penalty: options.keepalive_penalty.clone(),
            doublings,
            idle: Idle::default(),
            timer: Timer::default(),
            now,
            news: VecDeque::new(),
            address: address.clone(),
            cause: None,
            answered: 0,
            last_used: None,
        }
    }

    /// See [`Driver::poll_news`](crate::transport::Driver::poll_news).
    pub(in crate::transport) fn poll_news(&mut self, cx: &mut Context<'_>) -> Poll<DriverNews> {
        loop {
            if let Some(news) = self.news.pop_front() {
                return Poll::Ready(news);
            }
            if self.life == Life::Ended {
                return Poll::Pending;
            }
            if let Err(lost) = self.turn(cx) {
                self.end(lost);
            } else if self.news.is_empty() {
                return Poll::Pending;
            }
        }
    }

    pub(in crate::transport) fn drain(&mut self) {
        // This is no reason for any stream to end.
        self.refuse(&told::let_go().at(&self.address));
        if matches!(self.life, Life::Connecting | Life::Ready) {
            self.life = Life::Draining;
        }
    }

    pub(in crate::transport) fn abort(&mut self, cause: ConnectError) {
        let cause = self.set_cause(cause);
        self.refuse(&cause);
    }

    pub(in crate::transport) fn usage(&self) -> Usage {
        Usage { answered: self.answered > 0, last_used: self.last_used }
    }

    /// One turn: what came in, what is asked for, who is woken, what is due, what goes out. An error is the end.
    fn turn(&mut self, cx: &mut Context<'_>) -> Result<(), ConnectError> {
        let now = Instant::now().into_std();
        self.now = now;
        // While enough are to be woken for what came, what comes next can wait.
        let has_share = self.wakes.has_share(self.streams.open());
        let read = if has_share { Ok(false) } else { self.read(now, cx) };
        let all_read = match read {
            Ok(all_read) => all_read,
            Err(lost) => {
                // A GOAWAY of ours may tell the peer what was wrong.
                self.wire.close(&mut self.engine, cx);
                return Err(lost);
            }
        };
        self.leave_what_is_broken();
        self.obey(now, cx);
        if self.wakes.wake_share(self.streams.open()) || !all_read {
            // Another turn, after those who were woken now.
            cx.waker().wake_by_ref();
        }
        self.reset_cancelled(now);
        if self.life == Life::Draining
            && self.streams.is_idle()
            && self.waiting.is_empty()
            && !self.wire.is_broken()
        {
            self.engine.close(ErrorCode::NO_ERROR);
            self.life = Life::Closing { until: now + FAREWELL };
        }
        self.keep_time(now, cx)?;
        self.open_waiting(now);
        // What was written may have made room for more, and what is heard of that may want to be written.
        loop {
            let written = self.wire.poll_write(&mut self.engine, cx);
            // Room was made by what was staged, whether the socket takes it yet or not.
            self.hear()?;
            if written.is_pending() {
                return Ok(());
            }
            self.open_waiting(now);
            if self.engine.wants_write() && !self.wire.is_broken() {
                continue;
            }
            if let Life::Closing { .. } = self.life {
                self.wire.close(&mut self.engine, cx);
                return Err(told::let_go());
            }
            return Ok(());
        }
    }

    /// Reads what there is, or enough for now. True if all was read: the socket wakes for more.
    fn read(&mut self, now: std::time::Instant, cx: &mut Context<'_>) -> Result<bool, ConnectError> {
        let enough = self.wire.read() + READ_BYTES;
        for _ in 0..READS {
            match self.wire.poll_read(cx) {
                Poll::Pending => return Ok(true),
                Poll::Ready(result) => result?,
            }
            let received = self.engine.receive(now, &mut self.wire.input);
            self.hear()?;
            if self.streams.open() == 0 {
                self.wire.quiet();
            }
            received.map_err(|error| told::violation(&error))?;
            if self.wakes.has_share(self.streams.open()) || self.wire.read() >= enough {
                break;
            }
        }
        Ok(false)
    }

    /// Gives memory back. What is open, waits or is under way stays.
    fn rest(&mut self) {
        self.wire.rest();
        self.engine.rest();
        self.streams.rest();
        self.arriving = Arriving::default();
        self.wakes.rest();
        self.familiar.rest();
        self.commands = Vec::new();
        self.shared.commands.rest();
    }

    /// When the keepalive, the engine, a deadline or idleness wants to be looked at, does what it says.
    fn keep_time(&mut self, now: std::time::Instant, cx: &mut Context<'_>) -> Result<(), ConnectError> {
        let mut now = now;
        loop {
            if self.engine.poll_timeout().is_some_and(|due| due <= now) {
                self.engine.handle_timeout(now).map_err(|error| told::violation(&error))?;
            }
            let farewell = match self.life {
                Life::Closing { until } if until <= now => return Err(told::let_go()),
                Life::Closing { until } => Some(until),
                _ => None,
            };
            self.ring(now);
            if self.idle.is_due(now, self.wire.moved()) {
                self.rest();
            }
            let has_streams = self.streams.open() > 0;
            let beat = match &mut self.keepalive {
                Some(clock) => clock.beat(now, self.wire.read(), has_streams),
                None => Beat::Sleep(None),
            };
            let due = match beat {
                Beat::Ping => {
                    // A peer that has left eight of them unanswered gets no more. Should it fall silent, it is dead all
                    // the same when the clock says so.
                    let _is_queued = self.engine.ping(now, KEEPALIVE);
                    continue;
                }
                Beat::Dead => return Err(told::silent(self.keepalive.as_ref().map(KeepaliveClock::timeout))),
                Beat::Sleep(due) => {
                    let others = [self.engine.poll_timeout(), self.idle.due(), self.deadlines.due()];
                    others.into_iter().chain([due, farewell]).flatten().min()
                }
            };
            match due.map(|due| self.timer.poll(due, cx)) {
                Some(Poll::Ready(())) => now = Instant::now().into_std(),
                Some(Poll::Pending) | None => return Ok(()),
            }
        }
    }
}

impl Drop for TrunklineDriver {
    fn drop(&mut self) {
        self.end(told::dropped());
    }
}

impl fmt::Debug for TrunklineDriver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrunklineDriver")
            .field("life", &self.life)
            .field("address", &self.address)
            .field("streams", &self.streams.open())
            .field("cause", &self.cause)
            .finish_non_exhaustive()
    }
}
