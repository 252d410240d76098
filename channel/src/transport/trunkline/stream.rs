//! One stream, as its call holds it: the response side, and the request side if it goes on.

use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;

use super::cell::{Cell, Withdrawn};
use super::commands::Command;
use super::connection::Shared;
use super::inbox::Inbox;
use crate::transport::{SendClosed, Slot, StreamEvent};

/// How much is handed on before the driver is told, while there is more in the inbox.
const RELEASE_FROM: usize = 64 << 10;

/// The response side. It owns the stream's life: dropped before its last event, it resets the stream, or
/// withdraws it if it was not sent yet.
#[derive(Debug)]
pub(crate) struct TrunklineStream {
    shared: Arc<Shared>,
    cell: Arc<Cell>,
    /// What was taken from the cell and has not been asked for.
    inbox: Inbox,
    /// Bytes that were handed on, and whose window the driver has not been given back.
    unreleased: usize,
    may_take_sender: bool,
    /// `None` once the last event was taken.
    slot: Option<Slot>,
}

impl TrunklineStream {
    pub(super) fn new(shared: Arc<Shared>, cell: Arc<Cell>, slot: Slot, end: bool) -> Self {
        Self { shared, cell, inbox: Inbox::default(), unreleased: 0, may_take_sender: !end, slot: Some(slot) }
    }

    pub(in crate::transport) fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<StreamEvent> {
        if self.slot.is_none() {
            return Poll::Pending;
        }
        loop {
            if let Some((event, last)) = self.inbox.next() {
                if let StreamEvent::Data(data) = &event {
                    self.unreleased += self.inbox.settle(data.len());
                    if self.unreleased >= RELEASE_FROM || self.inbox.owed() == 0 {
                        self.release();
                    }
                }
                if last {
                    self.slot = None;
                }
                return Poll::Ready(event);
            }
            ready!(self.cell.poll_take(&mut self.inbox, cx));
        }
    }

    pub(in crate::transport) fn take_sender(&mut self) -> Option<TrunklineSendHalf> {
        let sender = || TrunklineSendHalf { shared: Arc::clone(&self.shared), cell: Arc::clone(&self.cell) };
        std::mem::take(&mut self.may_take_sender).then(sender)
    }

    /// Gives back the window of what was taken.
    fn release(&mut self) {
        let bytes = std::mem::take(&mut self.unreleased);
        if bytes > 0
            && let Some(key) = self.cell.key()
        {
            self.shared.commands.push(Command::Release { key, bytes });
        }
    }
}

impl Drop for TrunklineStream {
    fn drop(&mut self) {
        let Some(slot) = self.slot.take() else { return };
        let Withdrawn { key, is_open, owed } = self.cell.withdraw();
        let Some(key) = key else { return };
        let bytes = owed + self.inbox.owed() + self.unreleased;
        if bytes > 0 {
            self.shared.commands.push(Command::Release { key, bytes });
        }
        if is_open {
            self.shared.commands.push(Command::Reset { key, slot });
        }
    }
}

/// The request side, once taken. Dropped before the request has ended, it resets the stream.
#[derive(Debug)]
pub(crate) struct TrunklineSendHalf {
    shared: Arc<Shared>,
    cell: Arc<Cell>,
}

impl TrunklineSendHalf {
    pub(in crate::transport) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendClosed>> {
        self.cell.poll_room(cx)
    }

    pub(in crate::transport) fn send(&mut self, data: Bytes, end: bool) -> Result<(), SendClosed> {
        self.cell.sending(data.len(), end)?;
        let command = Command::Send { cell: Arc::clone(&self.cell), data, end };
        if self.shared.commands.push(command) { Ok(()) } else { Err(SendClosed) }
    }

    pub(in crate::transport) fn reset(&mut self) {
        if self.cell.abandon_upload() {
            self.shared.commands.push(Command::Abandon(Arc::clone(&self.cell)));
        }
    }
}

impl Drop for TrunklineSendHalf {
    fn drop(&mut self) {
        self.reset();
    }
}
