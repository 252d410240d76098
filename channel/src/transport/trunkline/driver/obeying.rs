//! What the calls ask for.

use std::sync::Arc;
use std::task::Context;
use std::time::Instant;

use bytes::Bytes;
use trunkline_http2::{ErrorCode, OpenError, StreamKey};

use super::super::cell::{Cell, HeldBack};
use super::super::commands::Command;
use super::super::connection::TrunklineSlot;
use super::super::request::Request;
use super::super::told;
use super::{Cancelled, Life, TrunklineDriver};
use crate::transport::{StreamError, StreamViolation};

impl TrunklineDriver {
    /// Does what is in the queue.
    pub(super) fn obey(&mut self, now: Instant, cx: &Context<'_>) {
        self.open_waiting(now);
        let mut commands = std::mem::take(&mut self.commands);
        let is_short = self.engine.is_short_of_room();
        self.shared.commands.take(&mut commands, cx.waker(), is_short);
        for command in commands.drain(..) {
            match command {
                Command::Start(request) => self.start(request, now),
                Command::Send { cell, data, end } => self.send(&cell, data, end),
                Command::Withdraw { cell, slot } => self.withdraw(&cell, slot),
                Command::Abandon(cell) => self.abandon(&cell, now),
                Command::Release { key, bytes } => self.engine.release(key, bytes),
            }
        }
        self.commands = commands;
    }

    /// Resets those cancelled streams that need not wait any longer: the server has accepted them, or the
    /// connection drains and nobody else is left on it, so that there is nobody whom their number could harm.
    pub(super) fn reset_cancelled(&mut self, now: Instant) {
        if std::mem::take(&mut self.has_ended_cancelled) {
            self.resets.retain(|next| self.streams.is_open(next.key));
        }
        while let Some(next) = self.resets.next_if(|next| next.key.id() <= self.answered) {
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
            && let Some(request) = self.waiting.pop_front()
        {
            self.open(request, now);
        }
    }

    /// Whether a stream can be opened now. One whose head would wait behind a socket that takes nothing waits
    /// here, where it can be withdrawn.
    fn has_turn(&self) -> bool {
        self.engine.can_open() && !self.engine.is_behind()
    }

    fn start(&mut self, request: Request, now: Instant) {
        self.deadlines.add(request.head.deadline);
        // In the order of asking, also among those that have to wait.
        if self.engine.is_draining() || (self.has_turn() && self.waiting.is_empty()) {
            self.open(request, now);
            return;
        }
        self.waiting.push_back(request);
    }

    fn open(&mut self, mut request: Request, now: Instant) {
        if request.head.deadline.is_some_and(|at| at <= now) {
            // It is out of time before it was begun, and ends itself.
            request.cell.ring();
            return;
        }
        // The call may have been dropped, or its sender have failed it, before its turn.
        if request.cell.is_over() || !request.cell.claim() {
            return;
        }
        match self.heads.open(&mut self.engine, &mut request, now) {
            Ok(key) => {
                self.last_used = Some(now);
                let Request { cell, head, end, .. } = request;
                if end {
                    self.streams.insert(key, cell, head.reply, head.deadline);
                } else {
                    self.streams.insert(key, Arc::clone(&cell), head.reply, head.deadline);
                    self.go_on(&cell, key);
                }
            }
            Err(refused) => request.cell.fail(self.not_opened(refused), now),
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
            // Nobody has heard of it yet where the last one was opened just before.
            OpenError::IdsExhausted => StreamError::NeverSent(told::ids_exhausted()),
            OpenError::Invalid(what) => StreamError::Violation(StreamViolation::Request(what.to_string())),
            _ => StreamError::NeverSent(self.cause.clone().unwrap_or_else(told::let_go)),
        }
    }

    /// Sends what was sent while the stream had to wait for its turn, and says whether there is room for more.
    fn go_on(&mut self, cell: &Cell, key: StreamKey) {
        let HeldBack { pieces, ends } = cell.take_held_back();
        let (mut bytes, mut left) = (0, pieces.len());
        for data in pieces {
            bytes += data.len();
            left -= 1;
            // An error means that the stream is over, which its reader hears of.
            let _over = self.engine.send(key, data, ends && left == 0);
        }
        cell.set_room(bytes, self.engine.is_writable(key));
    }

    fn send(&mut self, cell: &Arc<Cell>, data: Bytes, end: bool) {
        match self.streams.key_of(cell) {
            Some(key) => {
                let bytes = data.len();
                // As above.
                let _over = self.engine.send(key, data, end);
                cell.set_room(bytes, self.engine.is_writable(key));
            }
            // Its turn has not come.
            None if cell.place().is_none() && !cell.is_over() => cell.hold_back(data, end),
            None => {}
        }
    }

    /// A call went away.
    fn withdraw(&mut self, cell: &Arc<Cell>, slot: Option<TrunklineSlot>) {
        let Some(key) = self.streams.key_of(cell) else {
            return self.let_go_of_withdrawn();
        };
        if key.id() <= self.answered {
            self.reset(key);
            return;
        }
        self.streams.abandon(key);
        match self.resets.cancel(Cancelled { key, _slot: slot }) {
            Some(now) => self.reset(now.key),
            // It must not go on, to its end perhaps, while its reset waits.
            None => self.engine.stop_sending(key),
        }
    }

    /// A stream was withdrawn, perhaps while it waited for its turn. What it would have sent is let go when as many of
    /// those that wait are withdrawn as are not, so that nobody is looked at for each.
    fn let_go_of_withdrawn(&mut self) {
        self.withdrawn += 1;
        if 2 * self.withdrawn >= self.waiting.len() {
            self.waiting.retain(|request| !request.cell.is_over());
            self.withdrawn = 0;
        }
    }

    fn reset(&mut self, key: StreamKey) {
        self.engine.reset(key, ErrorCode::CANCEL);
        self.streams.remove(key);
    }

    /// The sender gave up in the middle of the request.
    fn abandon(&mut self, cell: &Arc<Cell>, now: Instant) {
        match self.streams.key_of(cell) {
            Some(key) => self.reset(key),
            // Its response has ended, or its call went away; else its turn has not come, and never will.
            None if cell.place().is_some() => return,
            None => {}
        }
        let text = "this client has reset the stream".to_owned();
        cell.fail(StreamError::Violation(StreamViolation::Protocol(text)), now);
        if cell.place().is_none() {
            self.let_go_of_withdrawn();
        }
    }

    /// Wakes those whose deadline has passed.
    pub(super) fn ring(&mut self, now: Instant) {
        if !self.deadlines.is_due(now) {
            return;
        }
        self.waiting.retain(|request| {
            let is_out_of_time = request.head.deadline.is_some_and(|at| at <= now);
            if is_out_of_time {
                request.cell.ring();
            }
            !is_out_of_time
        });
        let looked_at = self.streams.places() + self.waiting.len();
        let waiting =
            self.waiting.iter_mut().map(|request| (&mut request.head.deadline, Some(&request.cell)));
        let calls = self.streams.deadlines().chain(waiting);
        self.deadlines.look(now, looked_at, calls, |cell| {
            if let Some(cell) = cell {
                cell.ring();
            }
        });
    }
}
