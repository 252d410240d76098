//! The calls' side of a connection: what they share, and how a stream is opened.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::client::SendRequest;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, TE, USER_AGENT};
use http::{Method, Request, Uri, Version};
use trunkline_proto::{Address, ConnectError, Phase, timeout};

use super::error;
use super::io::IoRecord;
use super::start::NO_SETTINGS_YET;
use super::stream::{Cancelled, H2Stream, Queued, Sending, send_all};
use crate::control::Usage;
use crate::transport::early_resets::EarlyResets;
use crate::transport::quota::{HasQuota, ReserveOn, SlotOn, StreamQuota};
use crate::transport::{Origin, RequestHead, StreamError, StreamViolation};

/// A request of up to so many bytes, a frame of the usual size, is not worth a handle: it is soon written, unless a window
/// is shut, and then it is little that goes out in vain after an early answer.
pub(super) const SOON_WRITTEN: usize = 16 << 10;

/// A connection, as calls hold it.
#[derive(Clone, Debug)]
pub(crate) struct H2Connection(Arc<Shared>);

/// What the driver, the calls and the streams of one connection share.
pub(crate) struct Shared {
    pub(super) quota: StreamQuota,
    /// Opens streams. `None` once no more may be started: the engine closes a connection when its last handle
    /// is gone.
    requests: Mutex<Option<SendRequest<Bytes>>>,
    record: Arc<IoRecord>,
    /// Why the connection ended or takes no more streams. The first reason is the true one.
    cause: OnceLock<ConnectError>,
    /// The newest stream whose response has begun; zero if there was none.
    answered: AtomicU32,
    /// How many streams were started.
    started: AtomicU64,
    /// `None` once the connection has ended.
    early_resets: Mutex<Option<EarlyResets<Cancelled>>>,
    /// Of the driver.
    waker: Mutex<Option<Waker>>,
    /// When the last stream was started, in microseconds after `began`, plus one; zero if there was none.
    last_used: AtomicU64,
    began: Instant,
    address: Address,
    origin: Origin,
}

impl H2Connection {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self(shared)
    }

    pub(in crate::transport) fn shared(&self) -> &Arc<Shared> {
        &self.0
    }
}

/// A place on it.
pub(crate) type H2Slot = SlotOn<Shared>;

/// One that is waited for.
pub(crate) type H2Reserve = ReserveOn<Shared>;

impl HasQuota for Shared {
    fn quota(&self) -> &StreamQuota {
        &self.quota
    }
}

impl H2Slot {
    pub(in crate::transport) fn start(
        self,
        head: RequestHead,
        first: Bytes,
        end: bool,
    ) -> Result<H2Stream, StreamError> {
        let shared = Arc::clone(self.connection());
        let now = tokio::time::Instant::now().into_std();
        let request = request(head, &shared.origin, now)?;
        // Before the stream exists, so that a write that carries it is always counted after this.
        let written_before = shared.written();
        let (response, mut sender) = shared.open_stream(request, end && first.is_empty())?;
        shared.used_at(now);
        let number = shared.started.fetch_add(1, Ordering::Relaxed) + 1;
        let queued = first.len();
        if !first.is_empty() {
            // If it fails, the stream has just been lost, and says so itself.
            let _lost = send_all(&mut sender, first, end);
        }
        let sending = match end {
            false => Sending::Open(sender),
            true if queued > SOON_WRITTEN => Sending::Queued(Queued {
                stream: sender,
                length: queued as u64,
                alone: (shared.quota.taken() == 1).then_some(number),
            }),
            true => Sending::Ended,
        };
        Ok(H2Stream::new(shared, self, response, sending, written_before))
    }
}

impl Shared {
    pub(super) fn new(
        requests: SendRequest<Bytes>,
        record: Arc<IoRecord>,
        address: Address,
        origin: Origin,
    ) -> Arc<Self> {
        Arc::new(Self {
            // Nobody has the connection before the SETTINGS are in.
            quota: StreamQuota::new(NO_SETTINGS_YET),
            requests: Mutex::new(Some(requests)),
            record,
            cause: OnceLock::new(),
            answered: AtomicU32::new(0),
            started: AtomicU64::new(0),
            early_resets: Mutex::new(Some(EarlyResets::new())),
            waker: Mutex::new(None),
            last_used: AtomicU64::new(0),
            began: tokio::time::Instant::now().into_std(),
            address,
            origin,
        })
    }

    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    pub(super) fn read(&self) -> u64 {
        self.record.read()
    }

    pub(super) fn started(&self) -> u64 {
        self.started.load(Ordering::Relaxed)
    }

    pub(super) fn ended(&self) -> u64 {
        self.record.ended()
    }

    pub(super) fn written(&self) -> u64 {
        self.record.written()
    }

    pub(super) fn had_large_headers(&self, stream: u32) -> bool {
        self.record.had_large_headers(stream)
    }

    /// Whether the trailers of `stream` were too large, so that some are missing.
    pub(super) fn has_cut_trailers(&self, stream: u32, delivered: &HeaderMap) -> bool {
        self.record.has_cut_trailers(stream, delivered)
    }

    /// Why nothing can be written any more, if so.
    pub(super) fn write_failure(&self) -> Option<ConnectError> {
        self.record.write_failure()
    }

    /// Why the bytes stopped, if they did.
    pub(super) fn io_failure(&self) -> Option<ConnectError> {
        self.record.failure()
    }

    /// Notes why the connection ends or drains, unless a reason is known.
    pub(super) fn set_cause(&self, cause: ConnectError) -> ConnectError {
        self.cause.get_or_init(|| cause.at(&self.address)).clone()
    }

    /// Why the connection ended: the first reason that is known, else what `error` says.
    pub(super) fn cause(&self, error: &h2::Error) -> ConnectError {
        let known = || self.cause.get().cloned();
        known().or_else(|| self.io_failure()).unwrap_or_else(|| error::connection(error, &self.address))
    }

    /// No more streams, because of `cause`.
    pub(super) fn close(&self, cause: &ConnectError) {
        self.quota.close(cause);
        drop(self.requests().take());
    }

    /// The connection is gone: what waits to be reset need not be.
    pub(super) fn end(&self) {
        let waiting = self.early_resets().take();
        drop(waiting);
    }

    /// Resets those cancelled streams that need not wait any longer: the server has accepted them, or the
    /// connection is `draining` and nothing else is left on it, so that there is nobody whom their number
    /// could harm.
    pub(super) fn free_cancelled(&self, draining: bool) {
        let answered = self.answered.load(Ordering::Relaxed);
        loop {
            let accepted = |next: &Cancelled| next.id() < answered;
            let next = self.early_resets().as_mut().and_then(|resets| resets.next_if(accepted));
            // Not under the lock: it goes into the engine.
            let Some(stream) = next else { break };
            drop(stream);
        }
        let waiting = self.early_resets().as_ref().map_or(0, EarlyResets::waiting);
        if draining && waiting > 0 && self.quota.taken() <= waiting {
            self.end();
        }
    }

    /// Asks the engine whether streams may still be started. It knows of a GOAWAY at once, but tells only who
    /// asks.
    pub(super) fn probe(&self) -> Result<(), h2::Error> {
        match &mut *self.requests() {
            Some(requests) => poll_ready(requests),
            None => Ok(()),
        }
    }

    pub(super) fn usage(&self) -> Usage {
        let last_used = match self.last_used.load(Ordering::Relaxed) {
            0 => None,
            micros => Some(self.began + Duration::from_micros(micros - 1)),
        };
        // By its bytes: a server may answer and be gone before any caller has looked. Who says something of a stream that
        // nobody has opened has answered nothing.
        Usage { answered: last_used.is_some() && self.record.answered(), last_used }
    }

    /// The response head of this stream came.
    pub(super) fn answered(&self, stream: u32) {
        self.answered.fetch_max(stream, Ordering::Relaxed);
    }

    /// A call was cancelled before its response began: resets its stream, now or when the server can bear it.
    pub(super) fn cancel(&self, stream: Cancelled) {
        // Servers accept streams in order: one that has answered a later one has accepted this one.
        if stream.id() < self.answered.load(Ordering::Relaxed) {
            return;
        }
        let (now, waker) = match &mut *self.early_resets() {
            Some(resets) => {
                let now = resets.cancel(stream);
                // A connection that drains lets them all go when nobody else is left.
                let concerns_driver = resets.wants_to_ask() || !self.quota.is_open();
                (now, concerns_driver.then(|| self.waker().clone()).flatten())
            }
            None => (Some(stream), None),
        };
        // Not under the lock: it goes into the engine, and gives a place to whoever waits for one.
        drop(now);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Whether the server should be asked which resets it has read; if not, `driver` is woken when it should.
    pub(super) fn wants_to_ask(&self, driver: &Waker) -> bool {
        let mut resets = self.early_resets();
        let mut waker = self.waker();
        if !waker.as_ref().is_some_and(|waker| waker.will_wake(driver)) {
            *waker = Some(driver.clone());
        }
        resets.as_mut().is_some_and(|resets| resets.wants_to_ask())
    }

    /// The server is asked anew, so it has answered when it was asked before.
    pub(super) fn asked(&self) {
        let now = self.early_resets().as_mut().map(EarlyResets::ask);
        drop(now);
    }

    fn used_at(&self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.began);
        let micros = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX - 1);
        self.last_used.store(micros + 1, Ordering::Relaxed);
    }

    fn open_stream(
        &self,
        request: Request<()>,
        end: bool,
    ) -> Result<(h2::client::ResponseFuture, h2::SendStream<Bytes>), StreamError> {
        let mut requests = self.requests();
        let Some(requests) = &mut *requests else {
            let closed =
                || ConnectError::new(Phase::Http2, "the connection takes no more streams").at(&self.address);
            return Err(StreamError::NeverSent(self.cause.get().cloned().unwrap_or_else(closed)));
        };
        poll_ready(requests).map_err(|closed| StreamError::NeverSent(self.cause(&closed)))?;
        let opened = requests.send_request(request, end).map_err(|refused| {
            if error::is_ours(&refused) {
                StreamError::Violation(StreamViolation::Request(refused.to_string()))
            } else {
                StreamError::NeverSent(self.cause(&refused))
            }
        })?;
        // Now, while nobody waits on the new stream: a handle that knows of a queued stream takes its waker.
        let _closed = poll_ready(requests);
        Ok(opened)
    }

    fn early_resets(&self) -> MutexGuard<'_, Option<EarlyResets<Cancelled>>> {
        self.early_resets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn waker(&self) -> MutexGuard<'_, Option<Waker>> {
        self.waker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn requests(&self) -> MutexGuard<'_, Option<SendRequest<Bytes>>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("address", &self.address)
            .field("quota", &self.quota)
            .field("cause", &self.cause.get())
            .finish_non_exhaustive()
    }
}

/// Whether the engine takes a stream now. It never has to wait, since the quota is ours; should the engine
/// disagree for a moment (it counts a stream until its last frame is written), a fresh handle lets it queue
/// one more. The former one would, each time that it is asked, put the waker given here in the place of whoever waits
/// for the window of the stream that was queued.
fn poll_ready(requests: &mut SendRequest<Bytes>) -> Result<(), h2::Error> {
    match requests.poll_ready(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(ready) => ready,
        Poll::Pending => {
            *requests = requests.clone();
            Ok(())
        }
    }
}

/// The request as HTTP/2 has it (gRPC's PROTOCOL-HTTP2.md).
fn request(head: RequestHead, origin: &Origin, now: Instant) -> Result<Request<()>, StreamError> {
    const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");
    const TRAILERS: HeaderValue = HeaderValue::from_static("trailers");
    const TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

    // The engine tells everything as it comes; it does not know of replies that are wanted whole.
    let RequestHead { path, deadline, headers, reply: _ } = head;
    let mut headers = headers.map(|headers| *headers).unwrap_or_default();
    headers.insert(TE, TRAILERS);
    headers.insert(CONTENT_TYPE, GRPC);
    headers.insert(USER_AGENT, origin.user_agent.clone());
    if let Some(deadline) = deadline {
        headers.insert(TIMEOUT, timeout::encode(deadline.saturating_duration_since(now)));
    }
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(origin.scheme.clone());
    parts.authority = Some(origin.authority.clone());
    parts.path_and_query = Some(path.into());
    let uri = Uri::from_parts(parts)
        .map_err(|invalid| StreamError::Violation(StreamViolation::Request(invalid.to_string())))?;
    let mut request = Request::new(());
    *request.method_mut() = Method::POST;
    *request.version_mut() = Version::HTTP_2;
    *request.uri_mut() = uri;
    *request.headers_mut() = headers;
    Ok(request)
}
