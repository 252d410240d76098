//! The dial's side of a connection: it moves the bytes, and tells how the connection lives. The engine is
//! silent about what matters most here (SETTINGS, GOAWAY, a changed stream limit), so after each poll of it
//! the driver asks.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use h2::{Ping, PingPong};
use tokio::time::{Instant, Sleep};
use trunkline_proto::{ConnectError, Phase};

use super::batched_io::{BatchedIo, Flusher};
use super::connection::{H2Connection, Shared};
use super::error;
use super::start::NO_SETTINGS_YET;
use crate::connect::classify;
use crate::control::Usage;
use crate::transport::keepalive::{Beat, KeepaliveClock};
use crate::transport::options::{CONNECTION_WINDOW, FAREWELL, KeepalivePenalty, STREAM_WINDOW};
use crate::transport::{Connection, DriverNews, TransportOptions};

/// The owner of the engine.
///
/// ```text
///   Connecting --SETTINGS--> Ready --GOAWAY, ids used up, drain()--> Draining --last stream--> Ended
///        |                     |                                        |                        ^
///        '---------------------'----------- lost, dead, drained --------'------------------------'
/// ```
pub(crate) struct H2Driver {
    /// `None` once ended.
    engine: Option<Engine>,
    shared: Arc<Shared>,
    life: Life,
    keepalive: Option<Keepalive>,
    penalty: KeepalivePenalty,
    /// The penalty when this connection began.
    doublings: u32,
    /// The peer's limit of concurrent streams, as last seen.
    limit: usize,
    /// Rings when a peer that does not read has been waited for long enough. While no stream is left on a connection
    /// that drains.
    farewell: Option<Pin<Box<Sleep>>>,
    /// Until then the connection's window is given back late, since the server has said that it leaves.
    thrift: Option<Pin<Box<Sleep>>>,
}

/// The engine, and what writes its bytes when it is done with them.
struct Engine {
    connection: h2::client::Connection<BatchedIo, Bytes>,
    flusher: Flusher,
}

/// How often the engine is polled again in one turn since it has stopped before it had read everything.
const AGAIN: usize = 8;

impl Engine {
    /// Polls the engine. `Some` is its end.
    fn poll(&mut self, cx: &mut Context<'_>) -> Option<Option<h2::Error>> {
        for _ in 0..AGAIN {
            self.flusher.begin_turn();
            if let Poll::Ready(result) = Pin::new(&mut self.connection).poll(cx) {
                return Some(result.err());
            }
            // It reads no further while the answer to what it has read finds no room. It finds some before it reads.
            if self.flusher.all_is_read() {
                return None;
            }
        }
        // Others get their turn, and then there is more to read.
        if self.flusher.is_reading() {
            cx.waker().wake_by_ref();
        }
        None
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Connecting,
    Ready,
    Draining,
    Ended,
}

impl H2Driver {
    pub(super) fn new(
        mut connection: h2::client::Connection<BatchedIo, Bytes>,
        flusher: Flusher,
        shared: Arc<Shared>,
        options: &TransportOptions,
    ) -> Self {
        let doublings = options.keepalive_penalty.doublings();
        let keepalive = options.keepalive.and_then(|settings| {
            let pings = connection.ping_pong()?;
            let clock = KeepaliveClock::new(settings, doublings, Instant::now().into_std());
            Some(Keepalive { clock, pings, sleep: Box::pin(tokio::time::sleep_until(Instant::now())) })
        });
        Self {
            engine: Some(Engine { connection, flusher }),
            shared,
            life: Life::Connecting,
            keepalive,
            penalty: options.keepalive_penalty.clone(),
            doublings,
            limit: NO_SETTINGS_YET,
            farewell: None,
            thrift: None,
        }
    }

    pub(in crate::transport) fn poll_news(&mut self, cx: &mut Context<'_>) -> Poll<DriverNews> {
        let Some(engine) = &mut self.engine else { return Poll::Pending };
        let ended_before = self.shared.ended();
        let ended = engine.poll(cx);
        let flushed = engine.flusher.poll_flush(cx);
        if self.shared.ended() - ended_before > 1 {
            // Another turn, after those callers who were woken for their answers. On some runtimes the first of them that
            // asks again would else wake this task at once, ahead of the others, and their requests would go out one
            // by one.
            cx.waker().wake_by_ref();
        }
        let limit = engine.connection.max_concurrent_send_streams();
        if let Poll::Ready(Err(broken)) = flushed {
            return self.lost(classify::broken(&broken));
        }
        if limit != self.limit {
            self.limit = limit;
            self.shared.quota.set_limit(limit);
        }
        if ended.is_none() && self.life == Life::Connecting && limit != NO_SETTINGS_YET {
            self.life = Life::Ready;
            return Poll::Ready(DriverNews::Ready(Connection::H2(H2Connection::new(self.shared.clone()))));
        }
        if let Err(closed) = self.shared.probe() {
            return self.closed(&closed);
        }
        // After the end of the bytes the engine may still wait for its last ones to be flushed; nobody else
        // has to.
        let broken = self.shared.io_failure();
        match (ended, broken) {
            (Some(error), broken) => {
                let cause = error.map(|error| error::connection(&error, self.shared.address()));
                let closed = || ConnectError::new(Phase::Http2, "the connection is closed");
                self.lost(broken.or(self.shared.write_failure()).or(cause).unwrap_or_else(closed))
            }
            (None, Some(broken)) => self.lost(broken),
            (None, None) => {
                // What comes is read to its end, and says why; nobody else is to begin here.
                if self.life == Life::Ready
                    && let Some(failure) = self.shared.write_failure()
                {
                    self.life = Life::Draining;
                    self.shared.close(&failure);
                    return Poll::Ready(DriverNews::Draining(failure));
                }
                if self.shared.quota.taken() == 0 {
                    engine.flusher.rest();
                }
                self.reset_cancelled(cx);
                self.end_thrift(cx);
                match self.poll_farewell(cx) {
                    Poll::Ready(()) => self.lost(let_go()),
                    Poll::Pending => self.keep_alive(cx),
                }
            }
        }
    }

    /// Ready when a peer has not read what was left to say.
    fn poll_farewell(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.life != Life::Draining || self.shared.quota.watch(cx.waker()) {
            self.farewell = None;
            return Poll::Pending;
        }
        let farewell = self.farewell.get_or_insert_with(|| Box::pin(tokio::time::sleep(FAREWELL)));
        farewell.as_mut().poll(cx)
    }

    pub(in crate::transport) fn drain(&mut self) {
        self.shared.close(&let_go().at(self.shared.address()));
        if self.life != Life::Ended {
            self.life = Life::Draining;
        }
    }

    pub(in crate::transport) fn abort(&mut self, cause: ConnectError) {
        self.shared.close(&self.shared.set_cause(cause));
    }

    pub(in crate::transport) fn usage(&self) -> Usage {
        self.shared.usage()
    }

    /// The engine starts no more streams.
    fn closed(&mut self, closed: &h2::Error) -> Poll<DriverNews> {
        if error::is_too_many_pings(closed) {
            self.penalty.double(self.doublings);
        }
        if !error::is_draining(closed) {
            return self.lost(self.shared.cause(closed));
        }
        // The first reason, also if the bytes have ended since.
        let cause = self.shared.set_cause(error::connection(closed, self.shared.address()));
        if self.life != Life::Ready {
            return self.lost(cause);
        }
        self.life = Life::Draining;
        self.shared.close(&cause);
        if closed.is_go_away() {
            self.be_thrifty();
        }
        Poll::Ready(DriverNews::Draining(cause))
    }

    /// The server leaves. It may have answered all, and be gone before it reads what it is told. Then its socket resets
    /// the connection, and what it sent and we have not read is lost. With half the window to aim at, the engine gives
    /// none of it back before two thirds are used up. Half as many who do not read could starve the others then, so it
    /// ends after a while: whoever is there still goes on.
    fn be_thrifty(&mut self) {
        if let Some(Engine { connection, .. }) = &mut self.engine {
            connection.set_target_window_size(CONNECTION_WINDOW / 2);
            self.thrift = Some(Box::pin(tokio::time::sleep(FAREWELL)));
        }
    }

    fn end_thrift(&mut self, cx: &mut Context<'_>) {
        if let (Some(until), Some(Engine { connection, .. })) = (&mut self.thrift, &mut self.engine)
            && until.as_mut().poll(cx).is_ready()
        {
            self.thrift = None;
            connection.set_target_window_size(CONNECTION_WINDOW);
            // It tells the server when it is polled next.
            cx.waker().wake_by_ref();
        }
    }

    /// Lets those resets go out that the server can bear now.
    fn reset_cancelled(&mut self, cx: &mut Context<'_>) {
        self.shared.free_cancelled(self.life == Life::Draining);
        let Some(Engine { connection, .. }) = &mut self.engine else { return };
        // The engine takes new SETTINGS only when the last ones were acknowledged; it has no other sign of
        // that.
        if self.shared.wants_to_ask(cx.waker()) && connection.set_initial_window_size(STREAM_WINDOW).is_ok() {
            self.shared.asked();
            // It sends them when it is polled next.
            cx.waker().wake_by_ref();
        }
    }

    fn keep_alive(&mut self, cx: &mut Context<'_>) -> Poll<DriverNews> {
        let Some(keepalive) = &mut self.keepalive else { return Poll::Pending };
        match keepalive.poll_dead(cx, &self.shared) {
            Poll::Ready(dead) => self.lost(dead),
            Poll::Pending => Poll::Pending,
        }
    }

    fn lost(&mut self, cause: ConnectError) -> Poll<DriverNews> {
        self.end(cause.clone());
        // A cause that was known before is the true one.
        Poll::Ready(DriverNews::Lost(self.shared.set_cause(cause)))
    }

    fn end(&mut self, cause: ConnectError) {
        self.life = Life::Ended;
        // The cause first: dropping the connection wakes the streams, and they ask for it.
        self.shared.close(&self.shared.set_cause(cause));
        self.engine = None;
        self.shared.end();
    }
}

impl Drop for H2Driver {
    fn drop(&mut self) {
        self.end(ConnectError::new(Phase::Http2, "the channel dropped this connection"));
    }
}

impl fmt::Debug for H2Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("H2Driver")
            .field("life", &self.life)
            .field("shared", &self.shared)
            .finish_non_exhaustive()
    }
}

fn let_go() -> ConnectError {
    ConnectError::new(Phase::Http2, "the channel let this connection go")
}

/// The keepalive clock with its hands: the timer, and the engine's one handle for PINGs.
struct Keepalive {
    clock: KeepaliveClock,
    pings: PingPong,
    sleep: Pin<Box<Sleep>>,
}

impl Keepalive {
    fn poll_dead(&mut self, cx: &mut Context<'_>, shared: &Shared) -> Poll<ConnectError> {
        loop {
            let now = Instant::now().into_std();
            match self.clock.beat(now, shared.read(), shared.quota.taken() > 0) {
                Beat::Ping => {
                    // The engine has one PING under way at a time, and wants to see the answer taken. It
                    // fails only if the connection has ended, which shows elsewhere.
                    let _answer = self.pings.poll_pong(cx);
                    let _sent = self.pings.send_ping(Ping::opaque());
                }
                Beat::Dead => {
                    let timeout = self.clock.timeout();
                    let message = format!("keepalive: the server did not answer a PING within {timeout:?}");
                    return Poll::Ready(ConnectError::new(Phase::Http2, message));
                }
                Beat::Sleep(None) => return Poll::Pending,
                Beat::Sleep(Some(until)) => {
                    let until = Instant::from_std(until);
                    // Each byte puts `until` off. A timer that rings too early is cheaper than one that is
                    // set anew with each byte.
                    if self.sleep.is_elapsed() || self.sleep.deadline() > until {
                        self.sleep.as_mut().reset(until);
                    }
                    if self.sleep.as_mut().poll(cx).is_pending() {
                        return Poll::Pending;
                    }
                }
            }
        }
    }
}
