//! What the calls ask for.

use std::sync::Arc;
use std::task::Context;
use std::time::Instant;

use bytes::Bytes;
use trunkline_http2::{ErrorCode, OpenError, StreamKey};

use super::super::cell::{Cell, Opened, Whereto};
use super::super::commands::Command;
use super::super::told;
use super::{Cancelled, Life, TrunklineDriver};
use crate::transport::{Slot, StreamError, StreamViolation};

/// From so many unwritten bytes on no more streams are opened: as much as the engine itself stages of bodies.
const MOST_UNWRITTEN: usize = 256 << 10;

/// From so many waiting streams on, those are let go whose calls went away meanwhile.
pub(super) const PRUNE_FROM: usize = 1024;

impl TrunklineDriver {
    /// Does what is in the queue.
    pub(super) fn obey(&mut self, now: Instant, cx: &Context<'_>) {
        self.open_waiting(now);
        let mut commands = std::mem::take(&mut self.commands);
        self.shared.commands.take(&mut commands, cx.waker());
        for command in commands.drain(..) {
            match command {
                Command::Start(cell) => self.start(cell, now),
                Command::Send { cell, data, end } => self.send(&cell, data, end),
                Command::Reset { key, slot } => self.cancel(key, slot),
                Command::Abandon(cell) => self.abandon(&cell),
                Command::Release { key, bytes } => self.engine.release(key, bytes),
            }
        }
        self.commands = commands;
    }

    /// Resets those cancelled streams that need not wait any longer: the server has accepted them, or the
    /// connection drains and nobody else is left on it, so that there is nobody whom their number could harm.
    pub(super) fn reset_cancelled(&mut self, now: Instant) {
        while let Some(next) = self.resets.next_if(|next| next.key.id() < self.answered) {
            self.reset(next.key);
        }
        if self.life == Life::Draining && self.streams.is_idle() {
            for abandoned in self.streams.drain() {
                self.engine.reset(abandoned.key, ErrorCode::CANCEL);
            }
        }
        if self.resets.wants_to_ask() && !self.asked && self.engine.probe(now) {
            self.asked = true;
            for next in self.resets.ask() {
                self.reset(next.key);
            }
        }
    }

    /// Opens the streams whose turn has come.
    pub(super) fn open_waiting(&mut self, now: Instant) {
        while self.has_turn()
            && let Some(cell) = self.waiting.pop_front()
        {
            self.open(cell, now);
        }
    }

    /// Whether a stream can be opened now. One whose head would wait behind a socket that takes nothing waits
    /// here, where it can be withdrawn.
    fn has_turn(&self) -> bool {
        self.engine.can_open() && self.engine.unwritten() < MOST_UNWRITTEN
    }

    fn start(&mut self, cell: Arc<Cell>, now: Instant) {
        // In the order of asking, also among those that have to wait.
        if self.engine.is_draining() || (self.has_turn() && self.waiting.is_empty()) {
            self.open(cell, now);
            return;
        }
        if self.waiting.len() >= self.prune_at {
            self.waiting.retain(|cell| !cell.is_over());
            self.prune_at = PRUNE_FROM.max(2 * self.waiting.len());
        }
        self.waiting.push_back(cell);
    }

    fn open(&mut self, cell: Arc<Cell>, now: Instant) {
        match cell.open(|request| self.heads.open(&mut self.engine, request)) {
            // The call was dropped before its turn.
            None => {}
            Some(Ok(opened)) => {
                self.last_used = Some(now);
                self.streams.insert(&opened, Arc::clone(&cell));
                if opened.uploads {
                    self.go_on(&cell, opened);
                }
            }
            Some(Err(refused)) => cell.fail(self.not_opened(refused)),
        }
    }

    fn not_opened(&self, refused: OpenError) -> StreamError {
        match refused {
            OpenError::HeadersTooLarge { size, limit } => {
                StreamError::Violation(StreamViolation::RequestHeadersTooLarge {
                    size,
                    limit: usize::try_from(limit).unwrap_or(usize::MAX),
                })
            }
            OpenError::Invalid(what) => StreamError::Violation(StreamViolation::Protocol(what.to_string())),
            _ => StreamError::NeverSent(self.cause.clone().unwrap_or_else(told::let_go)),
        }
    }

    /// Sends what was sent while the stream had to wait for its turn, and says whether there is room for more.
    fn go_on(&mut self, cell: &Cell, opened: Opened) {
        let Opened { key, later, ends, .. } = opened;
        let (mut bytes, mut left) = (0, later.len());
        for data in later {
            bytes += data.len();
            left -= 1;
            // An error means that the stream is over, which its reader hears of.
            let _over = self.engine.send(key, data, ends && left == 0);
        }
        cell.set_room(bytes, self.engine.is_writable(key));
    }

    fn send(&mut self, cell: &Cell, data: Bytes, end: bool) {
        let Whereto::Stream(key) = cell.whereto(&data, end) else { return };
        let bytes = data.len();
        // As above.
        let _over = self.engine.send(key, data, end);
        cell.set_room(bytes, self.engine.is_writable(key));
    }

    /// A call went away.
    fn cancel(&mut self, key: StreamKey, slot: Slot) {
        let Some(stream) = self.streams.get(key) else { return };
        if stream.answered || key.id() < self.answered {
            self.reset(key);
            return;
        }
        self.streams.abandon(key);
        if let Some(now) = self.resets.cancel(Cancelled { key, _slot: slot }) {
            self.reset(now.key);
        }
    }

    fn reset(&mut self, key: StreamKey) {
        self.engine.reset(key, ErrorCode::CANCEL);
        if let Some(stream) = self.streams.remove(key) {
            self.engine.release(key, stream.inbox.owed());
        }
    }

    /// The sender gave up in the middle of the request.
    fn abandon(&mut self, cell: &Cell) {
        match cell.key() {
            Some(key) if self.streams.get(key).is_some() => self.reset(key),
            // Its response has ended, or its call went away.
            Some(_) => return,
            // Its turn has not come, and never will.
            None => {}
        }
        let text = "this client has reset the stream".to_owned();
        cell.fail(StreamError::Violation(StreamViolation::Protocol(text)));
    }
}
