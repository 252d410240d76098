//! The connection: its state, and what its owner asks of it. What happens to it lies in rooms of their own:
//!
//! ```text
//!   receive ── headers, data, control      frames of the peer            -> events, answers
//!   send                                   open and send                 -> frames, or data that waits
//!   write                                  data that waits, as scheduled -> bytes
//!   room                                   whether more may be sent      -> Writable
//!   ends                                   how streams and it all end
//! ```

mod control;
mod data;
mod ends;
mod headers;
mod receive;
mod room;
mod send;
mod write;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fmt;
use std::time::Instant;

use crate::budget::Budget;
use crate::config::LAST_STREAM_ID;
use crate::flow::{ConnectionCredit, SendWindow, Thrift};
use crate::frame::{write_settings, write_window_update};
use crate::hpack::{Decoder, Encoder, INITIAL_TABLE_SIZE};
use crate::outgoing::Outgoing;
use crate::packing::{Packing, ReadBuffer};
use crate::pseudo::PseudoFields;
use crate::resets::Resets;
use crate::schedule::Schedule;
use crate::settings::{OwnSettings, PeerSettings, announced};
use crate::staging::Staging;
use crate::streams::Streams;
use crate::turns::Turns;
use crate::{Config, ConnectionError, ErrorCode, Event, StreamKey, TemplateId};

use headers::OpenBlock;

/// One HTTP/2 connection, seen from the client (RFC 9113).
///
/// Its owner calls it in any order, and after every call asks [`poll_event`](Self::poll_event) until there is
/// nothing more, and [`wants_write`](Self::wants_write) whether there is something to write. How it passes:
///
/// ```text
///   Greeting ── the server's SETTINGS ──> Running ── a broken rule, a timeout ──> Over
///      `────────────── anything else ───────────────────────────────────────────────^
/// ```
///
/// Streams may be opened in `Greeting` too. GOAWAY from either side ends that, and nothing else: streams that are
/// open go on, and it is the owner that closes the socket after the last.
pub struct Connection {
    config: Config,
    phase: Phase,
    /// What the next stream is called; above [`LAST_STREAM_ID`] there is none.
    next_id: u32,
    /// The server may know of all streams below.
    known_below: u32,
    /// GOAWAY was sent.
    is_closed: bool,
    /// The last stream id of the peer's last GOAWAY.
    goaway: Option<u32>,

    streams: Streams,
    resets: Resets,
    events: VecDeque<Event>,

    // Receiving.
    decoder: Decoder,
    /// A header block that goes on in CONTINUATION, and its bytes so far.
    open_block: Option<OpenBlock>,
    block: Vec<u8>,
    read_buffer: ReadBuffer,
    packing: Packing,
    credit: ConnectionCredit,
    /// Streams whose window is to be given back.
    returns: Turns,
    budget: Budget,

    // Sending.
    peer: PeerSettings,
    own: OwnSettings,
    /// PINGs of ours that are not answered, and when they were queued.
    pings: VecDeque<(u64, Instant)>,
    encoder: Encoder,
    /// Templates of pseudo fields alone, which more pseudo fields may follow, and which those are that are there.
    pseudo_templates: Vec<(TemplateId, PseudoFields)>,
    window: SendWindow,
    /// Streams that have both data and window.
    schedule: Schedule,
    /// Streams that nothing but the connection's window, which is shut, keeps from having room for more.
    waiting: Turns,
    outgoing: Outgoing,
    /// Up to where bytes may have been written of which nobody knows.
    perhaps_written: u64,
    staging: Staging,
}

/// Bytes of heads that may lie behind what lies ready of bodies.
const HEADS: usize = 256 << 10;

enum Phase {
    /// The server's SETTINGS, which come before all else (RFC 9113 section 3.4), are awaited.
    Greeting,
    Running,
    Over(ConnectionError),
}

impl Connection {
    /// A new connection. The preface, SETTINGS and WINDOW_UPDATE are queued to be written.
    pub fn new(config: Config, now: Instant) -> Self {
        let config = config.allowed();
        let mut credit = ConnectionCredit::new(config.connection_window, config.unread_limit);
        let mut outgoing = Outgoing::default();
        outgoing.frames(|out| {
            out.extend_from_slice(PREFACE);
            write_settings(out, &announced(&config));
            let raise = credit.missing();
            if raise > 0 {
                write_window_update(out, 0, raise);
                credit.raise(raise);
            }
        });
        let peer = PeerSettings::default();
        Self {
            phase: Phase::Greeting,
            next_id: config.first_stream_id,
            known_below: 0,
            is_closed: false,
            goaway: None,
            streams: Streams::default(),
            resets: Resets::default(),
            events: VecDeque::new(),
            // What we announce is in force when it was acknowledged.
            decoder: Decoder::new(INITIAL_TABLE_SIZE, config.max_header_list_size),
            open_block: None,
            block: Vec::new(),
            read_buffer: ReadBuffer::default(),
            packing: Packing::default(),
            credit,
            returns: Turns::default(),
            budget: Budget::new(now),
            peer,
            own: OwnSettings::begun(now),
            pings: VecDeque::new(),
            encoder: Encoder::new(config.encoder_table_limit),
            pseudo_templates: Vec::new(),
            window: SendWindow::new(peer.initial_window),
            schedule: Schedule::default(),
            waiting: Turns::default(),
            outgoing,
            perhaps_written: 0,
            staging: Staging::default(),
            config,
        }
    }

    /// The next of what happened. To be asked until `None` after every other call.
    #[inline]
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), if nothing happens before.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.phase {
            Phase::Over(_) => None,
            // A time that cannot be told does not come.
            _ => self.own.oldest()?.checked_add(self.config.settings_timeout?),
        }
    }

    /// The time that was asked for has come. Calls that are too early are harmless.
    ///
    /// # Errors
    /// The peer did not acknowledge SETTINGS in time (RFC 9113 section 6.5.3); as in [`receive`](Self::receive).
    pub fn handle_timeout(&mut self, now: Instant) -> Result<(), ConnectionError> {
        if let Phase::Over(error) = &self.phase {
            return Err(error.clone());
        }
        if self.poll_timeout().is_some_and(|at| at <= now) {
            let reason = "SETTINGS were not acknowledged in time (RFC 9113 6.5.3)";
            return Err(self.fail(ConnectionError::new(ErrorCode::SETTINGS_TIMEOUT, reason)));
        }
        Ok(())
    }

    /// How many streams the peer allows at a time. `None`: as many as there are ids, as before its SETTINGS.
    pub fn stream_limit(&self) -> Option<u32> {
        self.peer.max_concurrent_streams
    }

    /// Whether so much lies ready to be written that streams had better not be opened: their heads would lie behind it,
    /// and could not be taken back.
    #[inline]
    pub fn is_behind(&self) -> bool {
        self.outgoing.pending() >= self.staging.limit() + HEADS
    }

    /// How many streams are open.
    #[inline]
    pub fn active_streams(&self) -> usize {
        self.streams.len()
    }

    /// Whether [`open`](Self::open) finds a place: stream limit, ids and GOAWAY. The server's SETTINGS need not be
    /// in.
    #[inline]
    pub fn can_open(&self) -> bool {
        !self.is_draining() && self.has_place()
    }

    /// Whether there are no new streams for good: GOAWAY came or was sent, the ids are used up, or the connection is
    /// over.
    #[inline]
    pub fn is_draining(&self) -> bool {
        self.refuses_streams() || self.next_id > LAST_STREAM_ID
    }

    /// Since when the oldest SETTINGS or PING of ours that is not acknowledged was queued.
    pub fn unanswered_since(&self) -> Option<Instant> {
        let ping = self.pings.front().map(|(_, since)| *since);
        self.own.oldest().into_iter().chain(ping).min()
    }

    /// Whether a byte of the stream's HEADERS was given to [`written`](Self::written), or
    /// [may be](Self::written_perhaps) written. `true` for a stream that is over, of which nothing is known any more.
    pub fn is_sent(&self, stream: StreamKey) -> bool {
        let written = self.outgoing.written_total().max(self.perhaps_written);
        self.streams.get(stream).is_none_or(|stream| stream.begins_at < written)
    }

    /// Whether data of the stream waits for a window, its own or the connection's.
    pub fn is_window_exhausted(&self, stream: StreamKey) -> bool {
        self.streams.get(stream).is_some_and(|stream| {
            stream.queued() > 0 && (stream.window.available() == 0 || self.window.available() == 0)
        })
    }

    /// Whether so much was received and not released, near [`Config::unread_limit`], that the window of the connection
    /// is not given back in full. What an owner keeps unread without need had better be read now.
    pub fn is_short_of_room(&self) -> bool {
        self.credit.is_short()
    }

    /// How many bytes the peer accepts on the connection, over all streams. Never negative.
    pub fn connection_send_window(&self) -> i64 {
        i64::try_from(self.window.available()).unwrap_or(i64::MAX)
    }

    /// Gives back the spare capacity of buffers: nothing is under way, and nothing is expected soon. What is in use
    /// stays.
    pub fn rest(&mut self) {
        self.streams.rest();
        self.schedule.rest();
        self.waiting.rest();
        self.returns.rest();
        self.packing.rest();
        self.decoder.rest();
        self.outgoing.rest();
        self.events.shrink_to_fit();
        self.block.shrink_to_fit();
    }

    fn refuses_streams(&self) -> bool {
        self.is_closed || self.goaway.is_some() || matches!(self.phase, Phase::Over(_))
    }

    /// How windows are given back to this peer.
    #[inline]
    fn thrift(&self) -> Thrift {
        if self.goaway.is_some() { Thrift::Greatest } else { Thrift::Usual }
    }

    fn has_place(&self) -> bool {
        self.peer.max_concurrent_streams.is_none_or(|limit| self.streams.len() < limit as usize)
    }

    /// Queues an event behind the data that came before it.
    #[inline]
    fn tell(&mut self, event: Event) {
        if self.packing.stream().is_some() {
            self.unpack(false);
        }
        self.events.push_back(event);
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Connection");
        match &self.phase {
            Phase::Greeting => shown.field("phase", &"greeting"),
            Phase::Running => shown.field("phase", &"running"),
            Phase::Over(error) => shown.field("over", error),
        };
        shown
            .field("next_id", &self.next_id)
            .field("is_draining", &self.is_draining())
            .field("streams", &self.streams.len())
            .field("peer", &self.peer)
            .field("window", &self.window)
            .field("credit", &self.credit)
            .field("unwritten", &self.outgoing.pending())
            .finish_non_exhaustive()
    }
}

/// What a client says first (RFC 9113 section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
