//! A connection without bytes, for tests of the call path: [`Connection::memory`] gives a connection and the
//! server that answers on it. It keeps the promises of the seam (places under a limit, one end per stream,
//! resets that reach the other side) and nothing more.
//!
//! ```ignore
//! let (connection, mut server) = Connection::memory();
//! // ... start a call on `connection` ...
//! let mut request = server.accept().await;
//! assert_eq!(request.body().await, b"\0\0\0\0\0");
//! request.send_head(HeaderMap::new());
//! request.send_data("\0\0\0\0\0");
//! request.send_trailers(ok());
//! ```

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use trunkline_proto::ConnectError;

use super::quota::{HasQuota, ReserveOn, SlotOn, StreamQuota};
use super::{Connection, RequestHead, ResponseHead, SendClosed, StreamError, StreamEvent};

impl Connection {
    /// A connection in memory without a limit of streams, and its server.
    pub(crate) fn memory() -> (Self, MemoryServer) {
        let (accept, requests) = unbounded_channel();
        let shared = Arc::new(MemoryShared {
            quota: StreamQuota::new(usize::MAX),
            closed: Mutex::new(None),
            accept,
            keeps_deadlines: AtomicBool::new(false),
        });
        (Self::Memory(MemoryConnection(shared.clone())), MemoryServer { shared, requests })
    }
}

/// The server's end.
#[derive(Debug)]
pub(crate) struct MemoryServer {
    shared: Arc<MemoryShared>,
    requests: UnboundedReceiver<MemoryRequest>,
}

impl MemoryServer {
    /// The next stream that was started. Waits for it.
    pub(crate) async fn accept(&mut self) -> MemoryRequest {
        self.requests.recv().await.expect("the server itself keeps the queue open")
    }

    /// The next stream, if one was started.
    pub(crate) fn try_accept(&mut self) -> Option<MemoryRequest> {
        self.requests.try_recv().ok()
    }

    /// As MAX_CONCURRENT_STREAMS.
    pub(crate) fn set_limit(&self, limit: usize) {
        self.shared.quota.set_limit(limit);
    }

    /// From now on whoever reads is woken at the deadline by the test, as by the connection of our own engine.
    pub(crate) fn keep_deadlines(&self) {
        self.shared.keeps_deadlines.store(true, Ordering::Relaxed);
    }

    /// How many streams there are, as the limit counts them.
    pub(crate) fn streams(&self) -> usize {
        self.shared.quota.taken()
    }

    /// As GOAWAY or the loss of the connection: no new streams, and whoever waits for a place hears `cause`.
    /// Streams that run are for [`MemoryRequest::fail`] to end.
    pub(crate) fn close(&self, cause: &ConnectError) {
        *self.shared.closed.lock().unwrap() = Some(cause.clone());
        self.shared.quota.close(cause);
    }
}

/// One stream, as the server sees it.
#[derive(Debug)]
pub(crate) struct MemoryRequest {
    /// The head of the request.
    pub(crate) head: RequestHead,
    events: UnboundedSender<StreamEvent>,
    parts: UnboundedReceiver<Part>,
    request: Arc<RequestSide>,
    reset: bool,
}

impl MemoryRequest {
    /// The next bytes of the request, as they were sent. `None` at its end, and if the client reset the
    /// stream.
    pub(crate) async fn chunk(&mut self) -> Option<Bytes> {
        match self.parts.recv().await {
            Some(Part::Data(data)) => Some(data),
            Some(Part::Reset) => {
                self.reset = true;
                None
            }
            Some(Part::End) | None => None,
        }
    }

    /// The whole of the request, once it has ended.
    pub(crate) async fn body(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        while let Some(chunk) = self.chunk().await {
            body.extend_from_slice(&chunk);
        }
        body
    }

    /// Waits until the client resets the stream, whatever it sends before. False if the stream ended without
    /// that.
    pub(crate) async fn was_reset(&mut self) -> bool {
        while !self.reset {
            match self.parts.recv().await {
                Some(Part::Reset) => self.reset = true,
                Some(_) => {}
                None => return false,
            }
        }
        true
    }

    /// Lets the client's sender find no window, or window again. There is window at first.
    pub(crate) fn set_window(&self, open: bool) {
        let mut side = self.request.lock();
        side.window = open;
        let waker = side.waker.take();
        drop(side);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Lets the request wait for its turn, as a connection does whose peer does not read.
    pub(crate) fn set_unsent(&self) {
        self.request.lock().unsent = true;
    }

    /// Answers 200 with these headers; something follows.
    pub(crate) fn send_head(&self, headers: HeaderMap) {
        self.event(StreamEvent::Head(ResponseHead {
            status: StatusCode::OK,
            headers: headers.into(),
            end: false,
        }));
    }

    /// Answers with a head alone: gRPC's Trailers-Only, or a proxy's error page.
    pub(crate) fn send_head_only(&self, status: StatusCode, headers: HeaderMap) {
        self.event(StreamEvent::Head(ResponseHead { status, headers: headers.into(), end: true }));
    }

    /// Bytes of the body.
    pub(crate) fn send_data(&self, data: impl Into<Bytes>) {
        self.event(StreamEvent::Data(data.into()));
    }

    /// The end, with trailers.
    pub(crate) fn send_trailers(&self, trailers: HeaderMap) {
        self.event(StreamEvent::Trailers(trailers.into()));
    }

    /// The end, without trailers.
    pub(crate) fn end(&self) {
        self.event(StreamEvent::End);
    }

    /// The end by an error.
    pub(crate) fn fail(&self, error: StreamError) {
        self.event(StreamEvent::Failed(error));
    }

    fn event(&self, event: StreamEvent) {
        // The client may be gone: then nobody listens, as on a wire.
        let _gone = self.events.send(event);
    }
}

/// The client's connection.
#[derive(Clone, Debug)]
pub(crate) struct MemoryConnection(Arc<MemoryShared>);

pub(crate) struct MemoryShared {
    quota: StreamQuota,
    closed: Mutex<Option<ConnectError>>,
    accept: UnboundedSender<MemoryRequest>,
    keeps_deadlines: AtomicBool,
}

impl fmt::Debug for MemoryShared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").field("quota", &self.quota).finish_non_exhaustive()
    }
}

impl MemoryConnection {
    pub(super) fn shared(&self) -> &Arc<MemoryShared> {
        &self.0
    }
}

/// A place on it.
pub(crate) type MemorySlot = SlotOn<MemoryShared>;

/// One that is waited for.
pub(crate) type MemoryReserve = ReserveOn<MemoryShared>;

impl HasQuota for MemoryShared {
    fn quota(&self) -> &StreamQuota {
        &self.quota
    }
}

impl MemorySlot {
    pub(super) fn start(
        self,
        head: RequestHead,
        first: Bytes,
        end: bool,
    ) -> Result<MemoryStream, StreamError> {
        let shared = self.connection();
        if let Some(cause) = &*shared.closed.lock().unwrap() {
            return Err(StreamError::NeverSent(cause.clone()));
        }
        let (events_in, events) = unbounded_channel();
        let (parts_in, parts) = unbounded_channel();
        let request = Arc::new(RequestSide(Mutex::new(Side {
            parts: Some(parts_in),
            ended: false,
            window: true,
            unsent: false,
            waker: None,
        })));
        if !first.is_empty() || end {
            let _open = request.send(first, end);
        }
        let _server_gone = shared.accept.send(MemoryRequest {
            head,
            events: events_in,
            parts,
            request: request.clone(),
            reset: false,
        });
        Ok(MemoryStream { events, request, may_take: !end, slot: Some(self) })
    }
}

/// What the client sends.
#[derive(Debug)]
enum Part {
    Data(Bytes),
    End,
    Reset,
}

#[derive(Debug)]
struct RequestSide(Mutex<Side>);

#[derive(Debug)]
struct Side {
    /// `None` once nothing more can be said of the request.
    parts: Option<UnboundedSender<Part>>,
    /// The request has ended, which the response may not have.
    ended: bool,
    window: bool,
    unsent: bool,
    waker: Option<Waker>,
}

impl RequestSide {
    fn lock(&self) -> MutexGuard<'_, Side> {
        self.0.lock().unwrap()
    }

    fn send(&self, data: Bytes, end: bool) -> Result<(), SendClosed> {
        let mut side = self.lock();
        let parts = side.parts.as_ref().filter(|_| !side.ended).ok_or(SendClosed)?;
        if !data.is_empty() {
            let _gone = parts.send(Part::Data(data));
        }
        if end {
            let _gone = parts.send(Part::End);
            side.ended = true;
        }
        Ok(())
    }

    /// The stream is over: by its end where `answered`, which an unfinished request does not survive, else by
    /// a reset.
    fn over(&self, answered: bool) {
        let mut side = self.lock();
        let (parts, waker) = (side.parts.take(), side.waker.take());
        let reset = !(answered && side.ended);
        drop(side);
        if let Some(parts) = parts.filter(|_| reset) {
            let _gone = parts.send(Part::Reset);
        }
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// The client's stream.
#[derive(Debug)]
pub(crate) struct MemoryStream {
    events: UnboundedReceiver<StreamEvent>,
    request: Arc<RequestSide>,
    may_take: bool,
    /// `None` once ended.
    slot: Option<MemorySlot>,
}

impl MemoryStream {
    pub(super) fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<StreamEvent> {
        if self.slot.is_none() {
            return Poll::Pending;
        }
        let Poll::Ready(Some(event)) = self.events.poll_recv(cx) else { return Poll::Pending };
        match &event {
            StreamEvent::Head(head) if !head.end => {}
            StreamEvent::Data(_) => {}
            _last => {
                self.request.over(true);
                self.slot = None;
            }
        }
        Poll::Ready(event)
    }

    pub(super) fn keeps_deadline(&self) -> bool {
        self.slot.as_ref().is_some_and(|slot| slot.connection().keeps_deadlines.load(Ordering::Relaxed))
    }

    pub(super) fn take_back(&self) -> bool {
        self.request.lock().unsent
    }

    pub(super) fn take_sender(&mut self) -> Option<MemorySendHalf> {
        std::mem::take(&mut self.may_take).then(|| MemorySendHalf(self.request.clone()))
    }
}

impl Drop for MemoryStream {
    fn drop(&mut self) {
        self.request.over(self.slot.is_none());
    }
}

/// The client's sending half.
#[derive(Debug)]
pub(crate) struct MemorySendHalf(Arc<RequestSide>);

impl MemorySendHalf {
    pub(super) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendClosed>> {
        let mut side = self.0.lock();
        if side.parts.is_none() || side.ended {
            return Poll::Ready(Err(SendClosed));
        }
        if side.window {
            return Poll::Ready(Ok(()));
        }
        side.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    pub(super) fn send(&mut self, data: Bytes, end: bool) -> Result<(), SendClosed> {
        self.0.send(data, end)
    }

    pub(super) fn reset(&mut self) {
        self.0.over(true);
    }
}

impl Drop for MemorySendHalf {
    fn drop(&mut self) {
        self.reset();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::uri::PathAndQuery;
    use std::future::poll_fn;
    use trunkline_proto::Phase;

    use crate::transport::{Reply, Stream};

    async fn start(connection: &Connection, end: bool) -> Result<Stream, StreamError> {
        let head = RequestHead {
            path: PathAndQuery::from_static("/b/c").into(),
            deadline: None,
            headers: None,
            reply: Reply::Stream,
        };
        let slot = connection.reserve().await.unwrap();
        slot.start(head, Bytes::from_static(b"hello").into(), end, Waker::noop())
    }

    #[tokio::test]
    async fn a_call_is_heard_and_answered_and_leaves_no_stream() {
        let (connection, mut server) = Connection::memory();
        let mut stream = start(&connection, true).await.unwrap();
        let mut request = server.accept().await;
        assert_eq!(request.head.path.path(), "/b/c");
        assert_eq!(request.body().await, b"hello");
        request.send_head(HeaderMap::new());
        request.end();
        assert!(matches!(poll_fn(|cx| stream.poll_event(cx)).await, StreamEvent::Head(_)));
        assert_eq!(server.streams(), 1);
        assert!(matches!(poll_fn(|cx| stream.poll_event(cx)).await, StreamEvent::End));
        assert_eq!(server.streams(), 0);
        assert!(!request.was_reset().await);
    }

    #[tokio::test]
    async fn a_stream_dropped_before_its_end_is_reset_whether_its_request_has_ended_or_not() {
        let (connection, mut server) = Connection::memory();
        for end in [true, false] {
            drop(start(&connection, end).await.unwrap());
            assert!(server.accept().await.was_reset().await);
        }
    }

    #[tokio::test]
    async fn a_sender_that_has_ended_may_be_dropped_and_one_that_has_not_resets() {
        let (connection, mut server) = Connection::memory();
        for end in [true, false] {
            let mut stream = start(&connection, false).await.unwrap();
            let mut sender = stream.take_sender().unwrap();
            if end {
                sender.send(Bytes::new(), true).unwrap();
            }
            drop(sender);
            let mut request = server.accept().await;
            request.end();
            assert!(matches!(poll_fn(|cx| stream.poll_event(cx)).await, StreamEvent::End));
            assert_eq!(request.was_reset().await, !end);
        }
    }

    #[tokio::test]
    async fn a_closed_connection_starts_nothing() {
        let (connection, server) = Connection::memory();
        let slot = connection.reserve().await.unwrap();
        server.close(&ConnectError::new(Phase::Http2, "gone"));
        assert!(!connection.is_open() && connection.reserve().await.is_err());
        drop(slot);
    }
}
