//! The seam itself: what calls hold of a connection, whichever engine is below. One variant per engine; the
//! enums are the whole of the dispatch, so a call costs no box and no virtual call.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use tokio::runtime::Handle;
use trunkline_proto::{ConnectError, framing::SmallBytes};

use super::h2::{H2Connection, H2Reserve, H2SendHalf, H2Slot, H2Stream};
#[cfg(test)]
use super::memory::{MemoryConnection, MemoryReserve, MemorySendHalf, MemorySlot, MemoryStream};
use super::quota::HasQuota;
use super::trunkline::{
    TrunklineConnection, TrunklineReserve, TrunklineSendHalf, TrunklineSlot, TrunklineStream,
};
use super::{PlainReply, RequestHead, StreamError, StreamEvent};

/// A live connection, shared by the calls on it. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) enum Connection {
    H2(H2Connection),
    Trunkline(TrunklineConnection),
    #[cfg(test)]
    Memory(MemoryConnection),
}

impl Connection {
    /// Whether new streams may be started: false from the moment that GOAWAY, loss or a drain was seen.
    pub(crate) fn is_open(&self) -> bool {
        match self {
            Self::H2(connection) => connection.shared().quota().is_open(),
            Self::Trunkline(connection) => connection.shared().quota().is_open(),
            #[cfg(test)]
            Self::Memory(connection) => connection.shared().quota().is_open(),
        }
    }

    /// A place under the peer's limit of concurrent streams, if there is one and nobody waits for it.
    pub(crate) fn try_reserve(&self) -> Option<Slot> {
        match self {
            Self::H2(connection) => H2Slot::take(connection.shared()).map(Slot::H2),
            Self::Trunkline(connection) => TrunklineSlot::take(connection.shared()).map(Slot::Trunkline),
            #[cfg(test)]
            Self::Memory(connection) => MemorySlot::take(connection.shared()).map(Slot::Memory),
        }
    }

    /// Waits for a place under the peer's limit of concurrent streams, first come first served.
    pub(crate) fn reserve(&self) -> Reserve {
        match self {
            Self::H2(connection) => Reserve::H2(H2Reserve::new(connection.shared())),
            Self::Trunkline(connection) => Reserve::Trunkline(TrunklineReserve::new(connection.shared())),
            #[cfg(test)]
            Self::Memory(connection) => Reserve::Memory(MemoryReserve::new(connection.shared())),
        }
    }
}

/// Waits for a place, first come first served from the first poll on. Ready at once if there is room and
/// nobody waits. An error means that the connection closed or drains, and nothing was sent. Dropping it
/// leaves the queue; a place that was granted and not taken passes on.
#[must_use = "futures do nothing unless polled"]
pub(crate) enum Reserve {
    H2(H2Reserve),
    Trunkline(TrunklineReserve),
    #[cfg(test)]
    Memory(MemoryReserve),
}

impl Future for Reserve {
    type Output = Result<Slot, ConnectError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut *self {
            Self::H2(reserve) => Pin::new(reserve).poll(cx).map_ok(Slot::H2),
            Self::Trunkline(reserve) => Pin::new(reserve).poll(cx).map_ok(Slot::Trunkline),
            #[cfg(test)]
            Self::Memory(reserve) => Pin::new(reserve).poll(cx).map_ok(Slot::Memory),
        }
    }
}

/// A place for one stream on a connection. Dropping it gives the place to whoever waits longest.
#[derive(Debug)]
pub(crate) enum Slot {
    H2(H2Slot),
    Trunkline(TrunklineSlot),
    #[cfg(test)]
    Memory(MemorySlot),
}

impl Slot {
    /// Opens a stream in this place. `first` is the first bytes of the body, framed as gRPC wants them, perhaps
    /// several messages, perhaps none; with `end`, nothing follows, and head and body go out in one write.
    ///
    /// `reader` is woken for the first event, as if it had asked for one: see [`Stream::wakes_starter`].
    ///
    /// Never waits. An error is either [`StreamError::NeverSent`] (the connection closed or drains) or a
    /// [`StreamError::Violation`] (the head is no valid HTTP/2 request, and will not be one on another
    /// connection either).
    pub(crate) fn start(
        self,
        head: RequestHead,
        first: SmallBytes,
        end: bool,
        reader: &Waker,
    ) -> Result<Stream, StreamError> {
        match self {
            Self::H2(slot) => slot.start(head, first.into_bytes(), end).map(Box::new).map(Stream::H2),
            Self::Trunkline(slot) => slot.start(head, first, end, reader).map(Stream::Trunkline),
            #[cfg(test)]
            Self::Memory(slot) => slot.start(head, first.into_bytes(), end).map(Stream::Memory),
        }
    }
}

/// One stream: what comes back. Dropping it before its end resets the stream with CANCEL. Its place under the
/// limit is held until it has ended or is dropped.
#[derive(Debug)]
pub(crate) enum Stream {
    /// In a box, since it is twice as large.
    H2(Box<H2Stream>),
    Trunkline(TrunklineStream),
    #[cfg(test)]
    Memory(MemoryStream),
}

impl Stream {
    /// What came up the stream. Taking an event with data gives the flow-control window back. After the last
    /// event (see [`StreamEvent`]) it is pending for ever.
    ///
    /// A server may answer before the request has ended. Then the last event also ends the request: the
    /// [`SendHalf`] finds the stream closed.
    pub(crate) fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<StreamEvent> {
        match self {
            Self::H2(stream) => stream.poll_event(cx),
            Self::Trunkline(stream) => stream.poll_event(cx),
            #[cfg(test)]
            Self::Memory(stream) => stream.poll_event(cx),
        }
    }

    /// Whether the waker that the stream was started with is woken for the first event. If not, that event has to be
    /// asked for.
    pub(crate) fn wakes_starter(&self) -> bool {
        matches!(self, Self::Trunkline(_))
    }

    /// The whole response, if all of it is here, nothing of it was taken yet, and it is as nearly all are. Then
    /// there are no events. Taking it gives its flow-control window back.
    pub(crate) fn take_plain(&mut self) -> Option<PlainReply> {
        match self {
            Self::Trunkline(stream) => stream.take_plain(),
            _ => None,
        }
    }

    /// Whether the connection wakes a reader on `runtime` when the deadline of the request's head has passed, be it
    /// the one that started the stream or the one that last asked for an event. A connection on another runtime
    /// does not: whatever becomes of that one must not touch this deadline.
    pub(crate) fn keeps_deadline(&self, runtime: &Handle) -> bool {
        match self {
            Self::H2(_) => false,
            Self::Trunkline(stream) => stream.keeps_deadline(runtime),
            #[cfg(test)]
            Self::Memory(stream) => stream.keeps_deadline(),
        }
    }

    /// Takes the request back, if it still waits for its turn: nothing of it was sent, and nothing will be. False if
    /// it may have been. (h2 does not tell what of a stream is written before the connection has ended.)
    pub(crate) fn take_back(&self) -> bool {
        match self {
            Self::H2(_) => false,
            Self::Trunkline(stream) => stream.take_back(),
            #[cfg(test)]
            Self::Memory(stream) => stream.take_back(),
        }
    }

    /// The sending half, once, if the request was started without `end`. It may live in another task.
    pub(crate) fn take_sender(&mut self) -> Option<SendHalf> {
        match self {
            Self::H2(stream) => stream.take_sender().map(SendHalf::H2),
            Self::Trunkline(stream) => stream.take_sender().map(SendHalf::Trunkline),
            #[cfg(test)]
            Self::Memory(stream) => stream.take_sender().map(SendHalf::Memory),
        }
    }
}

/// One stream: what goes down. Dropping it before the request has ended resets the stream with CANCEL.
#[derive(Debug)]
pub(crate) enum SendHalf {
    H2(H2SendHalf),
    Trunkline(TrunklineSendHalf),
    #[cfg(test)]
    Memory(MemorySendHalf),
}

impl SendHalf {
    /// Ready when there is window and buffer for more, at least one byte. An error when the stream is over
    /// for sending; the reason comes up the [`Stream`].
    pub(crate) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendClosed>> {
        match self {
            Self::H2(sender) => sender.poll_ready(cx),
            Self::Trunkline(sender) => sender.poll_ready(cx),
            #[cfg(test)]
            Self::Memory(sender) => sender.poll_ready(cx),
        }
    }

    /// Queues bytes, however many, and with `end` the end of the request: `send(Bytes::new(), true)`
    /// half-closes. All of `data` is taken, and what the peer's window has no room for waits in the engine;
    /// so asking [`poll_ready`](Self::poll_ready) before each message bounds what waits to one message more
    /// than the engine's buffer.
    pub(crate) fn send(&mut self, data: Bytes, end: bool) -> Result<(), SendClosed> {
        match self {
            Self::H2(sender) => sender.send(data, end),
            Self::Trunkline(sender) => sender.send(data, end),
            #[cfg(test)]
            Self::Memory(sender) => sender.send(data, end),
        }
    }

    /// Gives the stream up: RST_STREAM with CANCEL, unless it has ended.
    pub(crate) fn reset(&mut self) {
        match self {
            Self::H2(sender) => sender.reset(),
            Self::Trunkline(sender) => sender.reset(),
            #[cfg(test)]
            Self::Memory(sender) => sender.reset(),
        }
    }
}

/// Nothing can be sent on the stream any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SendClosed;
