//! A request of many messages, with as much of it as must be kept so that it can be sent again elsewhere.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use http_body::Body as _;
use trunkline_proto::framing::{MessageMeter, SmallBytes};

use crate::panic::panic_text;
use crate::vocabulary::{self, Body, Status};

/// Most bytes of one streamed request that are kept for sending it again (gRFC A6's usual per-call buffer).
pub(crate) const REPLAY_PER_CALL: usize = 256 << 10;
/// Most bytes that all calls of a channel keep for that (gRFC A6's usual per-channel buffer).
pub(crate) const REPLAY_PER_CHANNEL: usize = 16 << 20;

/// Where the rest of a request comes from: framed messages, in chunks of any size.
pub(crate) enum Source {
    /// Our own stubs'.
    Stream(Pin<Box<dyn Stream<Item = Result<SmallBytes, Status>> + Send>>),
    /// An `http` request's.
    Body(MeteredBody),
}

/// A body with a meter, since whoever framed it does not know our limit.
pub(crate) struct MeteredBody {
    body: Body,
    meter: MessageMeter,
}

impl Source {
    /// The body of an `http` request, whose messages may be so long.
    pub(crate) fn body(body: Body, limit: usize) -> Self {
        Self::Body(MeteredBody { body, meter: MessageMeter::sending(limit) })
    }

    /// The next chunk that is not empty. A request stream is the application's: its panic ends the call, and
    /// leaves its connection and its task alone.
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<SmallBytes, Status>>> {
        let poll = AssertUnwindSafe(|| {
            loop {
                match ready!(self.poll_any_chunk(cx)) {
                    Some(Ok(chunk)) if chunk.is_empty() => {}
                    other => return Poll::Ready(other),
                }
            }
        });
        catch_unwind(poll).unwrap_or_else(|panic| {
            let text = format!("the request stream panicked: {}", panic_text(&*panic));
            Poll::Ready(Some(Err(Status::internal(text))))
        })
    }

    fn poll_any_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<SmallBytes, Status>>> {
        match self {
            Self::Stream(stream) => stream.as_mut().poll_next(cx),
            Self::Body(MeteredBody { body, meter }) => loop {
                // Request trailers have no meaning in gRPC.
                match ready!(Pin::new(&mut *body).poll_frame(cx)) {
                    Some(Ok(frame)) => match frame.into_data() {
                        Ok(data) => {
                            let metered = meter.push(&data).map_err(vocabulary::framing_status);
                            // Stubs cut what they send from buffers of 8 KiB.
                            return Poll::Ready(Some(metered.map(|()| SmallBytes::detached(data))));
                        }
                        Err(_trailers) => {}
                    },
                    Some(Err(status)) => return Poll::Ready(Some(Err(status))),
                    None => return Poll::Ready(None),
                }
            },
        }
    }
}

/// A source of which nothing is read for now, in the least room.
pub(super) enum Silent {
    Stream(Pin<Box<dyn Stream<Item = Result<SmallBytes, Status>> + Send>>),
    Body(Box<MeteredBody>),
}

impl From<Source> for Silent {
    fn from(source: Source) -> Self {
        match source {
            Source::Stream(stream) => Self::Stream(stream),
            Source::Body(body) => Self::Body(Box::new(body)),
        }
    }
}

impl From<Silent> for Source {
    fn from(silent: Silent) -> Self {
        match silent {
            Silent::Stream(stream) => Self::Stream(stream),
            Silent::Body(body) => Self::Body(*body),
        }
    }
}

/// What all calls of a channel keep together for sending again.
#[derive(Debug, Default)]
pub(crate) struct ReplayBudget(AtomicUsize);

impl ReplayBudget {
    fn take(&self, bytes: usize) -> bool {
        let fits = |used: usize| used.checked_add(bytes).filter(|sum| *sum <= REPLAY_PER_CHANNEL);
        self.0.fetch_update(Relaxed, Relaxed, fits).is_ok()
    }

    fn give_back(&self, bytes: usize) {
        self.0.fetch_sub(bytes, Relaxed);
    }
}

#[cfg(test)]
impl ReplayBudget {
    pub(super) fn used(&self) -> usize {
        self.0.load(Relaxed)
    }

    pub(super) fn use_up(&self) {
        assert!(self.take(REPLAY_PER_CHANNEL));
    }
}

/// The chunks of a streamed request. What was handed to an attempt is kept for as long as it fits the limits,
/// until the call is committed.
pub(super) struct Streamed {
    source: Option<Source>,
    /// The chunk after the one to be handed over: read ahead, to know whether that one is the last and so
    /// carries END_STREAM.
    ahead: Option<SmallBytes>,
    /// In a box, since it is empty once the call is committed, and the rest may take long.
    replay: Option<Box<Replay>>,
    /// `None`: nothing is kept any more, since it is above the limits, or the call is committed.
    budget: Option<Arc<ReplayBudget>>,
    /// END_STREAM was handed to the present attempt.
    ended: bool,
    /// Something that was handed over is kept no more.
    gone: bool,
}

/// What was handed over before what is read ahead.
#[derive(Default)]
struct Replay {
    /// `kept[..next]` to the present attempt.
    kept: VecDeque<SmallBytes>,
    next: usize,
    /// So many bytes of what is kept are counted.
    held: usize,
}

/// What comes next.
pub(super) enum Next {
    /// This, perhaps empty, and whether it is the last. An end that shows late comes with an empty chunk.
    Chunk(SmallBytes, bool),
    /// All there is, and nothing was handed over before it.
    Sole(SmallBytes),
}

impl Next {
    /// The chunk, and whether it is the last.
    pub(super) fn into_chunk(self) -> (SmallBytes, bool) {
        match self {
            Self::Chunk(chunk, end) => (chunk, end),
            Self::Sole(chunk) => (chunk, true),
        }
    }
}

/// What a body turns out to be when its beginning is read.
pub(super) enum Begun {
    /// All of it is this, perhaps empty.
    Sole(SmallBytes),
    /// There may be more, and this is its beginning.
    Streamed(Streamed, Poll<SmallBytes>),
}

impl Streamed {
    /// Reads the beginning of a body, and whether there is more. What must be kept of it is counted in `budget`.
    pub(super) fn begin(
        mut source: Source,
        budget: &Arc<ReplayBudget>,
        cx: &mut Context<'_>,
    ) -> Result<Begun, Status> {
        let first = match source.poll_chunk(cx) {
            Poll::Ready(Some(first)) => first?,
            Poll::Ready(None) => return Ok(Begun::Sole(SmallBytes::default())),
            Poll::Pending => return Ok(Begun::Streamed(Self::new(source, Some(budget)), Poll::Pending)),
        };
        let ahead = match source.poll_chunk(cx) {
            Poll::Ready(None) => return Ok(Begun::Sole(first)),
            Poll::Ready(Some(ahead)) => Some(ahead?),
            Poll::Pending => None,
        };
        let mut streamed = Self::new(source, Some(budget));
        streamed.ahead = ahead;
        let first = streamed.keep(first);
        Ok(Begun::Streamed(streamed, Poll::Ready(first)))
    }

    /// Of a body of which nothing was read and nothing need be kept.
    pub(super) fn committed(source: Source) -> Self {
        Self::new(source, None)
    }

    fn new(source: Source, budget: Option<&Arc<ReplayBudget>>) -> Self {
        Self {
            source: Some(source),
            ahead: None,
            replay: None,
            budget: budget.cloned(),
            ended: false,
            gone: false,
        }
    }

    /// What is left once all that is here was handed over, if the call is committed and there is anything left.
    pub(super) fn into_silent(mut self) -> Result<Silent, Self> {
        if self.ahead.is_some() || self.replay.is_some() || self.budget.is_some() {
            return Err(self);
        }
        self.source.take().map(Silent::from).ok_or(self)
    }

    /// What was [silent](Self::into_silent) goes on.
    pub(super) fn resumed(silent: Silent) -> Self {
        Self {
            source: Some(silent.into()),
            ahead: None,
            replay: None,
            budget: None,
            ended: false,
            gone: true,
        }
    }

    /// Whether all of it, its end too, was handed over.
    pub(super) fn is_done(&self) -> bool {
        self.ended
    }

    /// Starts again from the beginning, for another attempt. False if that is gone.
    pub(super) fn rewind(&mut self) -> bool {
        if !self.gone {
            self.ended = false;
            if let Some(replay) = &mut self.replay {
                replay.next = 0;
            }
        }
        !self.gone
    }

    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Next, Status>> {
        let left = self.replay.as_ref().map_or(0, |replay| replay.kept.len() - replay.next);
        let repeated = left > 0;
        let fresh = match repeated {
            true => None,
            false => match self.ahead.take() {
                Some(chunk) => Some(chunk),
                None => ready!(self.poll_source(cx)).transpose()?,
            },
        };
        if left <= 1
            && self.ahead.is_none()
            && let Poll::Ready(ahead) = self.poll_source(cx)
        {
            self.ahead = ahead.transpose()?;
        }
        let all_read = self.source.is_none() && self.ahead.is_none();
        let chunk = match fresh {
            Some(chunk) if all_read && self.replay.is_none() && self.budget.is_some() => {
                self.ended = true;
                return Poll::Ready(Ok(Next::Sole(chunk)));
            }
            Some(chunk) => self.keep(chunk),
            None if repeated => self.repeat(),
            None => SmallBytes::default(),
        };
        self.ended = all_read && left <= 1;
        Poll::Ready(Ok(Next::Chunk(chunk, self.ended)))
    }

    /// Nothing that was handed over will be needed again.
    pub(super) fn stop_keeping(&mut self) {
        self.release();
        self.budget = None;
        let Some(replay) = &mut self.replay else { return };
        self.gone |= replay.next > 0;
        replay.kept.drain(..replay.next);
        replay.next = 0;
        if replay.kept.is_empty() {
            self.replay = None;
        }
    }

    fn poll_source(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<SmallBytes, Status>>> {
        let Some(source) = &mut self.source else { return Poll::Ready(None) };
        let chunk = ready!(source.poll_chunk(cx));
        if chunk.is_none() {
            self.source = None;
        }
        Poll::Ready(chunk)
    }

    /// Hands over a chunk for the first time.
    fn keep(&mut self, chunk: SmallBytes) -> SmallBytes {
        let held = self.replay.as_ref().map_or(0, |replay| replay.held);
        // A small one takes more room than it has bytes.
        let room = chunk.len().max(size_of::<SmallBytes>());
        let fits = held + room <= REPLAY_PER_CALL;
        if fits && self.budget.as_ref().is_some_and(|budget| budget.take(room)) {
            let replay = self.replay.get_or_insert_default();
            replay.held += room;
            replay.kept.push_back(chunk.clone());
            replay.next += 1;
        } else {
            self.stop_keeping();
            self.gone = true;
        }
        chunk
    }

    /// Hands over a chunk that another attempt had.
    fn repeat(&mut self) -> SmallBytes {
        let replay = self.replay.as_mut().expect("only what is kept is repeated");
        if self.budget.is_some() {
            replay.next += 1;
            return replay.kept[replay.next - 1].clone();
        }
        self.gone = true;
        let chunk = replay.kept.pop_front().expect("only what is kept is repeated");
        if replay.kept.is_empty() {
            self.replay = None;
        }
        chunk
    }

    fn release(&mut self) {
        if let (Some(replay), Some(budget)) = (&mut self.replay, &self.budget) {
            budget.give_back(std::mem::take(&mut replay.held));
        }
    }
}

impl Drop for Streamed {
    fn drop(&mut self) {
        self.release();
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use tokio_stream::iter;

    use super::*;
    use http_body::Frame;

    /// A body of these chunks.
    struct Cut(VecDeque<Bytes>);

    impl http_body::Body for Cut {
        type Data = Bytes;
        type Error = Status;
        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
            Poll::Ready(self.0.pop_front().map(|chunk| Ok(Frame::data(chunk))))
        }
    }

    #[tokio::test]
    async fn what_is_kept_lets_go_of_the_buffers_that_a_body_was_cut_from() {
        for chunks in 1..4 {
            let buffers: Vec<_> = (0..chunks).map(|_| Bytes::from(vec![0; 8 << 10])).collect();
            // Two messages of no bytes each.
            let cut = Cut(buffers.iter().map(|buffer| buffer.slice(..10)).collect());
            let mut streamed = Streamed::new(Source::body(Body::new(cut), usize::MAX), Some(&Arc::default()));
            let mut handed_over = Vec::new();
            while !streamed.is_done() {
                let next = std::future::poll_fn(|cx| streamed.poll_next(cx)).await.unwrap();
                handed_over.push(next.into_chunk().0);
            }
            assert_eq!(handed_over.len(), chunks);
            assert!(streamed.replay.is_some() || chunks == 1);
            assert!(buffers.iter().all(Bytes::is_unique), "of {chunks}");
        }
    }

    #[tokio::test]
    async fn what_is_kept_counts_by_the_room_that_it_takes() {
        let most = REPLAY_PER_CALL / size_of::<SmallBytes>();
        for (handed_over, is_kept) in [(most, true), (most + 1, false)] {
            let chunks = (0..2 * most).map(|_| Ok(Bytes::from_static(&[0; 5]).into()));
            let budget = Arc::<ReplayBudget>::default();
            let mut streamed = Streamed::new(Source::Stream(Box::pin(iter(chunks))), Some(&budget));
            for _ in 0..handed_over {
                assert!(std::future::poll_fn(|cx| streamed.poll_next(cx)).await.is_ok());
            }
            assert_eq!(streamed.rewind(), is_kept);
        }
    }

    #[tokio::test]
    async fn once_committed_no_room_is_held_for_what_was_kept() {
        let chunks = ["a", "b", "c", "d"].map(|chunk| Ok(Bytes::from(chunk).into()));
        let budget = Arc::<ReplayBudget>::default();
        let mut streamed = Streamed::new(Source::Stream(Box::pin(iter(chunks))), Some(&budget));
        for _ in 0..2 {
            assert!(std::future::poll_fn(|cx| streamed.poll_next(cx)).await.is_ok());
        }
        assert_eq!(streamed.replay.as_ref().unwrap().kept.len(), 2);
        streamed.stop_keeping();
        assert!(streamed.replay.is_none());
        assert_eq!(budget.used(), 0);
        assert!(!streamed.is_done() && !streamed.rewind());
    }
}
