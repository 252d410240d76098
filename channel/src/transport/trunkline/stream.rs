//! One stream, as its call holds it: the response side, and the request side if it goes on.

use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::runtime::Handle;

use super::cell::{Cell, Taken, Withdrawn};
use super::commands::Command;
use super::connection::{Shared, TrunklineSlot};
use crate::transport::{PlainReply, SendClosed, StreamEvent};

/// How much is handed on before the driver is told, while there is more to be taken.
const RELEASE_FROM: u32 = 64 << 10;

/// The response side. It owns the stream's life: dropped before its last event, it resets the stream, or
/// withdraws it if it was not sent yet.
#[derive(Debug)]
pub(crate) struct TrunklineStream {
    /// `None` once the last event was taken.
    open: Option<Open>,
    /// Bytes that were handed on, and whose window the driver has not been given back.
    unreleased: u32,
    may_take_sender: bool,
}

#[derive(Debug)]
struct Open {
    cell: Arc<Cell>,
    /// Its place on the connection.
    slot: TrunklineSlot,
}

impl TrunklineStream {
    pub(super) fn new(slot: TrunklineSlot, cell: Arc<Cell>, end: bool) -> Self {
        Self { open: Some(Open { cell, slot }), unreleased: 0, may_take_sender: !end }
    }

    pub(in crate::transport) fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<StreamEvent> {
        let Some(open) = &self.open else { return Poll::Pending };
        let Taken { event, is_last, settled, owes_more } = ready!(open.cell.poll_next(cx));
        self.unreleased += settled;
        if self.unreleased >= RELEASE_FROM || !owes_more {
            open.release(std::mem::take(&mut self.unreleased) as usize);
        }
        if is_last {
            self.open = None;
        }
        Poll::Ready(event)
    }

    pub(in crate::transport) fn take_plain(&mut self) -> Option<PlainReply> {
        if !self.open.as_ref()?.cell.is_plain() {
            return None;
        }
        let Open { cell, slot } = self.open.take()?;
        match Cell::take_plain(cell) {
            Ok((reply, owed)) => {
                // What came before the end, if it was delivered apart from it.
                if let Some((key, bytes)) = owed.filter(|(_, bytes)| *bytes > 0) {
                    slot.connection().commands.push(Command::Release { key, bytes });
                }
                Some(reply)
            }
            Err(cell) => {
                self.open = Some(Open { cell, slot });
                None
            }
        }
    }

    pub(in crate::transport) fn keeps_deadline(&self, runtime: &Handle) -> bool {
        self.open.as_ref().is_some_and(|open| open.slot.connection().runtime == Some(runtime.id()))
    }

    pub(in crate::transport) fn take_back(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.cell.take_back())
    }

    pub(in crate::transport) fn take_sender(&mut self) -> Option<TrunklineSendHalf> {
        let open = self.open.as_ref().filter(|_| std::mem::take(&mut self.may_take_sender))?;
        let (shared, cell) = (Arc::clone(open.slot.connection()), Arc::clone(&open.cell));
        Some(TrunklineSendHalf { shared, cell })
    }
}

impl Open {
    /// Gives back the window of what was taken.
    fn release(&self, bytes: usize) {
        if bytes > 0
            && let Some(key) = self.cell.key()
        {
            self.slot.connection().commands.push(Command::Release { key, bytes });
        }
    }
}

impl Drop for TrunklineStream {
    fn drop(&mut self) {
        let Some(Open { cell, slot }) = self.open.take() else { return };
        let shared = Arc::clone(slot.connection());
        let Withdrawn { had_ended, owed } = cell.withdraw();
        if let Some((key, owed)) = owed {
            let bytes = owed + self.unreleased as usize;
            if bytes > 0 {
                shared.commands.push(Command::Release { key, bytes });
            }
        }
        if !had_ended {
            let is_open = !cell.take_back();
            shared.commands.withdraw(cell, slot, is_open);
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
