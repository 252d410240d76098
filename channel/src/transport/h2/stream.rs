//! One stream on the engine. The response side owns the stream's life: when it has seen the end, or is
//! dropped, the request side is closed with it and the place under the limit is given back.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use h2::client::ResponseFuture;
use h2::{Reason, RecvStream, SendStream};
use http::HeaderMap;
use trunkline_proto::wire::names;

use super::connection::{H2Slot, SOON_WRITTEN, Shared};
use super::error;
use crate::transport::{ResponseHead, SendClosed, StreamError, StreamEvent};

/// The response side.
pub(crate) struct H2Stream {
    receiving: Receiving,
    sending: Sending,
    shared: Arc<Shared>,
    /// Its number. The engine takes a lock to tell it.
    id: u32,
    /// What had been written on the connection before this stream.
    written_before: u64,
    /// The headers of the response, if they hold a status and nothing has followed them. In a box, since they
    /// hardly ever do.
    status_in_head: Option<Box<HeaderMap>>,
    /// Last, so that it is dropped after the handles above: the reset of this stream is queued before the
    /// next stream is.
    slot: Option<H2Slot>,
}

/// A request that is queued in the engine as a whole.
pub(super) struct Queued {
    pub(super) stream: SendStream<Bytes>,
    /// In bytes.
    pub(super) length: u64,
    /// The number of streams that had been started, if no other was there.
    pub(super) alone: Option<u64>,
}

/// What fits into the window of a server that announces none (RFC 9113 6.9.2).
const USUAL_WINDOW: u64 = 65_535;

enum Receiving {
    Head(ResponseFuture),
    Body(RecvStream),
    Trailers(RecvStream),
    Ended,
}

/// The request side, as the response side sees it.
pub(super) enum Sending {
    /// Here, not taken.
    Open(SendStream<Bytes>),
    /// All of the request is queued, and may be long in getting written.
    Queued(Queued),
    /// With an [`H2SendHalf`].
    Shared(Arc<SharedSender>),
    /// The request has ended and is not worth a handle, or was reset.
    Ended,
}

impl H2Stream {
    pub(super) fn new(
        shared: Arc<Shared>,
        slot: H2Slot,
        response: ResponseFuture,
        sending: Sending,
        written_before: u64,
    ) -> Self {
        let id = response.stream_id().as_u32();
        let (receiving, slot) = (Receiving::Head(response), Some(slot));
        Self { receiving, sending, shared, id, written_before, status_in_head: None, slot }
    }

    pub(in crate::transport) fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<StreamEvent> {
        let event = match ready!(self.receive(cx)) {
            Ok(event) => event,
            // A stream that the server has reset since had not ended with its head.
            Err(failed) => match self.status_in_head.take().filter(|_| !failed.is_reset()) {
                Some(status) => StreamEvent::Trailers((*status).into()),
                None => {
                    StreamEvent::Failed(error::stream(&failed, &self.shared, self.id, self.written_before))
                }
            },
        };
        if let StreamEvent::Failed(StreamError::Refused) = &event {
            self.shared.quota.refused();
        }
        match &event {
            StreamEvent::Head(head) if !head.end => {}
            StreamEvent::Data(_) => self.status_in_head = None,
            _last => self.finish(),
        }
        Poll::Ready(event)
    }

    pub(in crate::transport) fn take_sender(&mut self) -> Option<H2SendHalf> {
        match std::mem::replace(&mut self.sending, Sending::Ended) {
            Sending::Open(stream) => {
                let sender = Arc::new(SharedSender::new(stream));
                self.sending = Sending::Shared(sender.clone());
                Some(H2SendHalf(sender))
            }
            taken => {
                self.sending = taken;
                None
            }
        }
    }

    fn receive(&mut self, cx: &mut Context<'_>) -> Poll<Result<StreamEvent, h2::Error>> {
        loop {
            match &mut self.receiving {
                Receiving::Head(response) => {
                    let (head, body) = ready!(Pin::new(response).poll(cx))?.into_parts();
                    self.shared.answered(self.id);
                    let end = body.is_end_stream();
                    self.receiving = Receiving::Body(body);
                    // The engine forgets that this was the end if the connection ends before it is asked:
                    // then the status is here already.
                    if !end && head.headers.contains_key(&names::GRPC_STATUS) {
                        self.status_in_head = Some(Box::new(head.headers.clone()));
                    }
                    let head = ResponseHead { status: head.status, headers: head.headers.into(), end };
                    return Poll::Ready(Ok(StreamEvent::Head(head)));
                }
                Receiving::Body(body) => match ready!(body.poll_data(cx)).transpose()? {
                    Some(data) => {
                        // The window is given back on hand-over, not on receipt: a reader that stops reading
                        // stops its sender. An error would mean more than was received.
                        let _released = body.flow_control().release_capacity(data.len());
                        if !data.is_empty() {
                            return Poll::Ready(Ok(StreamEvent::Data(data)));
                        }
                    }
                    None => {
                        let Receiving::Body(body) = std::mem::replace(&mut self.receiving, Receiving::Ended)
                        else {
                            unreachable!("matched above")
                        };
                        self.receiving = Receiving::Trailers(body);
                    }
                },
                Receiving::Trailers(body) => {
                    let Some(trailers) = ready!(body.poll_trailers(cx))? else {
                        return Poll::Ready(Ok(StreamEvent::End));
                    };
                    return Poll::Ready(Ok(match self.shared.has_cut_trailers(self.id, &trailers) {
                        false => StreamEvent::Trailers(trailers.into()),
                        true => StreamEvent::Failed(error::headers_too_large()),
                    }));
                }
                Receiving::Ended => return Poll::Pending,
            }
        }
    }

    /// The response is complete or failed. A server may answer before the request has ended; RFC 9113 8.1
    /// lets it ask us to stop, and gRPC's clients stop by themselves.
    fn finish(&mut self) {
        if let Some(mut sender) = self.take_sending() {
            sender.send_reset(Reason::NO_ERROR);
        }
        self.receiving = Receiving::Ended;
        self.slot = None;
    }

    fn take_sending(&mut self) -> Option<SendStream<Bytes>> {
        match std::mem::replace(&mut self.sending, Sending::Ended) {
            Sending::Open(stream) => Some(stream),
            Sending::Queued(queued) => self.unless_written(queued),
            Sending::Shared(shared) => match shared.close()? {
                (stream, None) => Some(stream),
                (stream, Some(length)) => self.unless_written(Queued { stream, length, alone: None }),
            },
            Sending::Ended => None,
        }
    }

    /// A reset of what was written is no frame, but the engine remembers it for as long as one. So it is for what was
    /// certainly not written, and for what may wait for a window while others write.
    fn unless_written(&self, Queued { stream, length, alone }: Queued) -> Option<SendStream<Bytes>> {
        let written = self.shared.written() - self.written_before;
        let in_doubt = length > USUAL_WINDOW && alone != Some(self.shared.started());
        (written < length || in_doubt).then_some(stream)
    }
}

impl Drop for H2Stream {
    fn drop(&mut self) {
        // With the last handle gone, the engine itself sends CANCEL for a stream that has not ended.
        let sender = self.take_sending();
        match std::mem::replace(&mut self.receiving, Receiving::Ended) {
            Receiving::Head(response) => self.shared.cancel(Cancelled {
                id: self.id,
                _response: response,
                _sender: sender,
                _slot: self.slot.take(),
            }),
            rest => drop((rest, sender)),
        }
        self.slot = None;
    }
}

/// All that holds a stream open that was cancelled before its response began. Dropping it resets the stream.
#[derive(Debug)]
pub(super) struct Cancelled {
    id: u32,
    _response: ResponseFuture,
    _sender: Option<SendStream<Bytes>>,
    /// Last, as in [`H2Stream`].
    _slot: Option<H2Slot>,
}

impl Cancelled {
    pub(super) fn id(&self) -> u32 {
        self.id
    }
}

impl fmt::Debug for H2Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let receiving = match self.receiving {
            Receiving::Head(_) => "head",
            Receiving::Body(_) => "body",
            Receiving::Trailers(_) => "trailers",
            Receiving::Ended => "ended",
        };
        f.debug_struct("H2Stream").field("receiving", &receiving).finish_non_exhaustive()
    }
}

/// The request side, once taken.
#[derive(Debug)]
pub(crate) struct H2SendHalf(Arc<SharedSender>);

impl H2SendHalf {
    pub(in crate::transport) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendClosed>> {
        let mut sender = self.0.lock();
        let Some(stream) = sender.open() else { return Poll::Ready(Err(SendClosed)) };
        // One byte is asked for, to be woken when there is window. It is given back when it is there:
        // reserved windows that nobody fills are taken from the other streams.
        stream.reserve_capacity(1);
        let ready = if stream.capacity() > 0 {
            Ok(())
        } else {
            match stream.poll_capacity(cx) {
                Poll::Ready(Some(Ok(_capacity))) => Ok(()),
                Poll::Ready(Some(Err(_)) | None) => Err(SendClosed),
                Poll::Pending => {
                    sender.waker = Some(cx.waker().clone());
                    return Poll::Pending;
                }
            }
        };
        stream.reserve_capacity(0);
        Poll::Ready(ready)
    }

    pub(in crate::transport) fn send(&mut self, data: Bytes, end: bool) -> Result<(), SendClosed> {
        let mut sender = self.0.lock();
        let stream = sender.open().ok_or(SendClosed)?;
        let bytes = data.len() as u64;
        let sent = send_all(stream, data, end);
        sender.sent += bytes;
        if end {
            sender.has_ended = true;
            if sender.sent <= SOON_WRITTEN as u64 {
                sender.stream = None;
            }
        }
        sent
    }

    pub(in crate::transport) fn reset(&mut self) {
        let mut sender = self.0.lock();
        if sender.open().is_some()
            && let Some(mut stream) = sender.stream.take()
        {
            stream.send_reset(Reason::CANCEL);
        }
    }
}

impl Drop for H2SendHalf {
    fn drop(&mut self) {
        self.reset();
    }
}

/// The engine takes no more than this at once (HTTP/2's largest window), and a gRPC message may be twice as
/// long.
const MAX_CHUNK: usize = (1 << 31) - 1;

/// Queues all of `data`.
pub(super) fn send_all(stream: &mut SendStream<Bytes>, mut data: Bytes, end: bool) -> Result<(), SendClosed> {
    while data.len() > MAX_CHUNK {
        stream.send_data(data.split_to(MAX_CHUNK), false).map_err(|_closed| SendClosed)?;
    }
    stream.send_data(data, end).map_err(|_closed| SendClosed)
}

/// The request side between its two owners. Whoever resets it takes the stream out.
pub(super) struct SharedSender(Mutex<Sender>);

struct Sender {
    /// Also after the end, if that may be long in getting written.
    stream: Option<SendStream<Bytes>>,
    has_ended: bool,
    /// In bytes.
    sent: u64,
    /// Of a sender that waits for window.
    waker: Option<Waker>,
}

impl SharedSender {
    fn new(stream: SendStream<Bytes>) -> Self {
        Self(Mutex::new(Sender { stream: Some(stream), has_ended: false, sent: 0, waker: None }))
    }

    /// Takes the stream away from the sender; with the length of the request, if that has ended.
    fn close(&self) -> Option<(SendStream<Bytes>, Option<u64>)> {
        let mut sender = self.lock();
        let (stream, waker) = (sender.stream.take(), sender.waker.take());
        let length = sender.has_ended.then_some(sender.sent);
        drop(sender);
        if let Some(waker) = waker {
            waker.wake();
        }
        Some((stream?, length))
    }

    fn lock(&self) -> MutexGuard<'_, Sender> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sender {
    /// The stream, if the request goes on.
    fn open(&mut self) -> Option<&mut SendStream<Bytes>> {
        self.stream.as_mut().filter(|_| !self.has_ended)
    }
}

impl fmt::Debug for SharedSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedSender").field("open", &self.lock().stream.is_some()).finish()
    }
}
