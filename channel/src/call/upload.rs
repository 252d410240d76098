//! What goes up: the request's body, and what of it must be kept so that it can be sent again elsewhere.

use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_core::Stream;
use http_body::Body as _;
use trunkline_proto::framing::MessageMeter;

use crate::panic::panic_text;
use crate::transport::SendHalf;
use crate::vocabulary::{self, Body, Status};

/// Most bytes of one streamed request that are kept for sending it again (gRFC A6's usual per-call buffer).
pub(crate) const REPLAY_PER_CALL: usize = 256 << 10;
/// Most bytes that all calls of a channel keep for that (gRFC A6's usual per-channel buffer).
pub(crate) const REPLAY_PER_CHANNEL: usize = 16 << 20;
/// Chunks that are read ahead of the one to be sent: one, to know whether that one is the last and so carries
/// END_STREAM.
const LOOK_AHEAD: usize = 1;
/// Chunks that are handed over before the task lets others run, so that a quick source and a quick server
/// keep nobody from the deadline.
const CHUNKS_PER_TURN: usize = 64;

/// Where the rest of a request comes from: framed messages, in chunks of any size.
pub(crate) enum Source {
    /// Our own stubs'.
    Stream(Pin<Box<dyn Stream<Item = Result<Bytes, Status>> + Send>>),
    /// An `http` request's, with a meter, since whoever framed it does not know our limit.
    Body(Body, MessageMeter),
}

impl Source {
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Status>>> {
        match self {
            Self::Stream(stream) => stream.as_mut().poll_next(cx),
            Self::Body(body, meter) => loop {
                // Request trailers have no meaning in gRPC.
                match ready!(Pin::new(&mut *body).poll_frame(cx)) {
                    Some(Ok(frame)) => match frame.into_data() {
                        Ok(data) => {
                            let metered = meter.push(&data).map_err(vocabulary::framing_status);
                            return Poll::Ready(Some(metered.map(|()| data)));
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

/// The body of one request.
///
/// Until the call is committed (the response has begun) what was handed to an attempt is kept, so that
/// another attempt can start from the beginning; a streamed body for as long as it fits the limits, a single
/// message always, since its bytes are there anyway.
pub(crate) struct Upload {
    source: Option<Source>,
    /// From the first that an attempt may still need: `chunks[..next]` were handed to the present attempt.
    chunks: VecDeque<Bytes>,
    next: usize,
    /// END_STREAM was handed to the present attempt.
    ended: bool,
    /// Something that was handed over is kept no more.
    gone: bool,
    keep: Keep,
}

/// Whether chunks that were handed over are kept.
enum Keep {
    /// A single message: it is all there is.
    Whole,
    /// Within the limits so far: the first `counted` chunks, `held` bytes, are taken from the budget.
    Within { counted: usize, held: usize, budget: Arc<ReplayBudget> },
    /// No more: above the limits, or the call is committed.
    Nothing,
}

impl Upload {
    /// One message, framed.
    pub(crate) fn whole(message: Bytes) -> Self {
        let chunks = VecDeque::from([message]);
        Self { source: None, chunks, next: 0, ended: false, gone: false, keep: Keep::Whole }
    }

    /// A stream of messages.
    pub(crate) fn streaming(source: Source, budget: Arc<ReplayBudget>) -> Self {
        let keep = Keep::Within { counted: 0, held: 0, budget };
        Self { source: Some(source), chunks: VecDeque::new(), next: 0, ended: false, gone: false, keep }
    }

    /// Whether all of it, its end too, was handed over.
    pub(crate) fn is_done(&self) -> bool {
        self.ended
    }

    /// Starts again from the beginning, for another attempt. False if that is gone.
    pub(crate) fn rewind(&mut self) -> bool {
        if self.gone {
            return false;
        }
        self.next = 0;
        self.ended = false;
        true
    }

    /// No other attempt will need what was handed over.
    pub(crate) fn commit(&mut self) {
        self.stop_keeping();
    }

    /// What there is at once for the head of an attempt: the first chunk, and whether it is all.
    pub(crate) fn first(&mut self, cx: &mut Context<'_>) -> Result<(Option<Bytes>, bool), Status> {
        match self.poll_next(cx) {
            Poll::Ready(Ok((chunk, end))) => Ok(((!chunk.is_empty()).then_some(chunk), end)),
            Poll::Ready(Err(status)) => Err(status),
            Poll::Pending => Ok((None, false)),
        }
    }

    /// Hands the rest to `sender`. Ready when all is handed over or the stream takes no more; `Err` if the
    /// request itself failed, which leaves it to the caller to reset the stream.
    pub(crate) fn poll_pump(
        &mut self,
        sender: &mut SendHalf,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Status>> {
        for _ in 0..CHUNKS_PER_TURN {
            if self.ended {
                return Poll::Ready(Ok(()));
            }
            // Closed for sending: the reason comes up the stream.
            if ready!(sender.poll_ready(cx)).is_err() {
                return Poll::Ready(Ok(()));
            }
            let (chunk, end) = ready!(self.poll_next(cx))?;
            if sender.send(chunk, end).is_err() {
                return Poll::Ready(Ok(()));
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// The rest, chunk by chunk, for a body.
    pub(crate) fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Status>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        Poll::Ready(match ready!(self.poll_next(cx)) {
            Ok((chunk, _)) => (!chunk.is_empty()).then_some(Ok(chunk)),
            Err(status) => Some(Err(status)),
        })
    }

    /// The next chunk, and whether it is the last. An end that shows late comes with an empty chunk.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<(Bytes, bool), Status>> {
        while let Some(source) = &mut self.source {
            if self.chunks.len() > self.next + LOOK_AHEAD {
                break;
            }
            match guarded(|| source.poll_chunk(cx)) {
                Poll::Ready(Some(Ok(chunk))) if chunk.is_empty() => {}
                Poll::Ready(Some(Ok(chunk))) => self.chunks.push_back(chunk),
                Poll::Ready(Some(Err(status))) => return Poll::Ready(Err(status)),
                Poll::Ready(None) => self.source = None,
                Poll::Pending if self.next < self.chunks.len() => break,
                Poll::Pending => return Poll::Pending,
            }
        }
        let chunk = self.hand_over();
        self.ended = self.source.is_none() && self.next == self.chunks.len();
        Poll::Ready(Ok((chunk, self.ended)))
    }

    fn hand_over(&mut self) -> Bytes {
        let Some(chunk) = self.chunks.get(self.next).cloned() else { return Bytes::new() };
        self.next += 1;
        if self.source.is_none()
            && self.chunks.len() == 1
            && matches!(self.keep, Keep::Within { .. })
            && !self.gone
        {
            // It has turned out to be a single message.
            self.release();
            self.keep = Keep::Whole;
        }
        match &mut self.keep {
            Keep::Whole => {}
            // Handed over for the second time: it is counted already.
            Keep::Within { counted, .. } if self.next <= *counted => {}
            Keep::Within { counted, held, budget } => {
                if *held + chunk.len() <= REPLAY_PER_CALL && budget.take(chunk.len()) {
                    *counted = self.next;
                    *held += chunk.len();
                } else {
                    self.stop_keeping();
                }
            }
            Keep::Nothing => self.forget_handed_over(),
        }
        chunk
    }

    fn stop_keeping(&mut self) {
        self.release();
        self.keep = Keep::Nothing;
        self.forget_handed_over();
    }

    fn forget_handed_over(&mut self) {
        self.gone |= self.next > 0;
        self.chunks.drain(..self.next);
        self.next = 0;
    }

    fn release(&mut self) {
        if let Keep::Within { held, budget, .. } = &mut self.keep {
            budget.give_back(std::mem::take(held));
        }
    }
}

/// A request stream is the application's: its panic ends the call, and leaves its connection and its task
/// alone.
fn guarded(
    poll: impl FnOnce() -> Poll<Option<Result<Bytes, Status>>>,
) -> Poll<Option<Result<Bytes, Status>>> {
    catch_unwind(AssertUnwindSafe(poll)).unwrap_or_else(|panic| {
        let text = format!("the request stream panicked: {}", panic_text(&*panic));
        Poll::Ready(Some(Err(Status::internal(text))))
    })
}

impl Drop for Upload {
    fn drop(&mut self) {
        self.release();
    }
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload")
            .field("chunks", &self.chunks.len())
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_core::Stream;
    use std::task::Waker;

    /// Yields what it is given, each followed by a Pending where it says so.
    struct Script(VecDeque<Option<Bytes>>);

    impl Stream for Script {
        type Item = Result<Bytes, Status>;
        fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
            match self.0.pop_front() {
                Some(Some(chunk)) => Poll::Ready(Some(Ok(chunk))),
                Some(None) => Poll::Pending,
                None => Poll::Ready(None),
            }
        }
    }

    fn upload(script: impl IntoIterator<Item = Option<&'static str>>, budget: &Arc<ReplayBudget>) -> Upload {
        let script = Script(script.into_iter().map(|chunk| chunk.map(Bytes::from)).collect());
        Upload::streaming(Source::Stream(Box::pin(script)), Arc::clone(budget))
    }

    fn next(upload: &mut Upload) -> Option<(Bytes, bool)> {
        match upload.poll_next(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(result) => Some(result.unwrap()),
            Poll::Pending => None,
        }
    }

    fn chunk(text: &'static str, end: bool) -> Option<(Bytes, bool)> {
        Some((Bytes::from(text), end))
    }

    #[test]
    fn the_last_chunk_carries_the_end_when_the_end_is_known_in_time() {
        let budget = Arc::default();
        let mut upload = upload([Some("a"), Some("b")], &budget);
        assert_eq!(next(&mut upload), chunk("a", false));
        assert_eq!(next(&mut upload), chunk("b", true));
        assert!(upload.is_done());
    }

    #[test]
    fn a_late_end_comes_alone_and_nothing_waits_for_it() {
        let budget = Arc::default();
        let mut upload = upload([Some("a"), None, None], &budget);
        assert_eq!(next(&mut upload), chunk("a", false));
        assert_eq!(next(&mut upload), None);
        assert_eq!(next(&mut upload), chunk("", true));
    }

    #[test]
    fn another_attempt_gets_everything_from_the_beginning() {
        let budget = Arc::default();
        let mut upload = upload([Some("a"), Some("b"), None, Some("c")], &budget);
        assert_eq!(next(&mut upload), chunk("a", false));
        assert!(upload.rewind());
        assert_eq!(next(&mut upload), chunk("a", false));
        assert_eq!(next(&mut upload), chunk("b", false));
        assert_eq!(next(&mut upload), chunk("c", true));
        assert_eq!(budget.0.load(Relaxed), 3, "what is kept twice is counted once");
        drop(upload);
        assert_eq!(budget.0.load(Relaxed), 0);
    }

    #[test]
    fn above_the_limit_of_a_call_nothing_can_be_sent_again() {
        const BIG: &str = match std::str::from_utf8(&[b'x'; REPLAY_PER_CALL]) {
            Ok(big) => big,
            Err(_) => unreachable!(),
        };
        let budget = Arc::default();
        let mut upload = upload([Some(BIG), Some("y"), None, Some("z")], &budget);
        assert_eq!(next(&mut upload), chunk(BIG, false));
        assert!(upload.rewind(), "the limit itself still fits");
        assert_eq!(next(&mut upload), chunk(BIG, false));
        assert_eq!(next(&mut upload), chunk("y", false));
        assert!(!upload.rewind());
        assert_eq!(budget.0.load(Relaxed), 0, "what is kept no more is given back");
        assert_eq!(next(&mut upload), chunk("z", true));
    }

    #[test]
    fn the_channel_has_a_limit_for_all_calls_together() {
        let budget = Arc::new(ReplayBudget::default());
        assert!(budget.take(REPLAY_PER_CHANNEL));
        let mut upload = upload([Some("a"), None], &budget);
        assert_eq!(next(&mut upload), chunk("a", false));
        assert!(!upload.rewind());
    }

    #[test]
    fn a_single_message_of_any_size_can_be_sent_again() {
        let mut upload = Upload::whole(Bytes::from(vec![0; 2 * REPLAY_PER_CALL]));
        assert!(next(&mut upload).is_some_and(|(_, end)| end));
        assert!(upload.rewind());
        assert!(next(&mut upload).is_some_and(|(_, end)| end));
        upload.commit();
        assert!(!upload.rewind());
    }

    #[test]
    fn a_body_that_turns_out_to_be_a_single_message_can_be_sent_again_whatever_its_size() {
        let budget = Arc::new(ReplayBudget::default());
        assert!(budget.take(REPLAY_PER_CHANNEL), "nothing is left for streams");
        let script = Script(VecDeque::from([Some(Bytes::from(vec![0; 2 * REPLAY_PER_CALL]))]));
        let mut upload = Upload::streaming(Source::Stream(Box::pin(script)), budget);
        assert!(next(&mut upload).is_some_and(|(_, end)| end));
        assert!(upload.rewind());
        assert!(next(&mut upload).is_some_and(|(_, end)| end));
    }
}
