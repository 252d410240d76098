//! What goes up: the request's body, whatever its shape, and how it is handed to the stream of an attempt.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use trunkline_proto::framing::SmallBytes;

use super::streamed::{Begun, Next, ReplayBudget, Source, Streamed};
use crate::transport::SendHalf;
use crate::vocabulary::Status;

/// Chunks that are handed over before the task lets others run, so that a quick source and a quick server
/// keep nobody from the deadline.
const CHUNKS_PER_TURN: usize = 64;

/// The body of one request.
///
/// Until the call is committed (the response has begun) what was handed to an attempt is kept, so that
/// another attempt can start from the beginning; a streamed body for as long as it fits the limits, a single
/// message always, since its bytes are there anyway.
pub(crate) struct Upload(Content);

enum Content {
    /// A single message.
    Whole { message: SmallBytes, handed_over: bool, committed: bool },
    /// A body of which nothing was read yet. Most turn out to be a single message.
    Unread(Source),
    /// In a box, so that calls of one message are small.
    Streamed(Box<Streamed>),
    /// Handed over, and kept no more.
    Spent,
}

impl Upload {
    /// One message, framed.
    pub(crate) fn whole(message: SmallBytes) -> Self {
        Self(Content::Whole { message, handed_over: false, committed: false })
    }

    /// A stream of messages.
    pub(crate) fn streaming(source: Source) -> Self {
        Self(Content::Unread(source))
    }

    /// Nothing more.
    pub(crate) fn spent() -> Self {
        Self(Content::Spent)
    }

    /// Whether all of it, its end too, was handed over.
    pub(crate) fn is_done(&self) -> bool {
        match &self.0 {
            Content::Whole { handed_over, .. } => *handed_over,
            Content::Unread(_) => false,
            Content::Streamed(streamed) => streamed.is_done(),
            Content::Spent => true,
        }
    }

    /// Starts again from the beginning, for another attempt. False if that is gone.
    pub(crate) fn rewind(&mut self) -> bool {
        match &mut self.0 {
            Content::Whole { handed_over, .. } => {
                *handed_over = false;
                true
            }
            Content::Unread(_) => true,
            Content::Streamed(streamed) => streamed.rewind(),
            Content::Spent => false,
        }
    }

    /// No other attempt will need what was handed over.
    pub(crate) fn commit(&mut self) {
        if let Some(source) = self.take_unread() {
            self.0 = Content::Streamed(Box::new(Streamed::committed(source)));
            return;
        }
        match &mut self.0 {
            Content::Whole { handed_over: true, .. } => self.0 = Content::Spent,
            Content::Whole { committed, .. } => *committed = true,
            Content::Streamed(streamed) => streamed.stop_keeping(),
            Content::Unread(_) | Content::Spent => {}
        }
    }

    /// Takes a body of which nothing was read yet, for it to be read.
    fn take_unread(&mut self) -> Option<Source> {
        if !matches!(self.0, Content::Unread(_)) {
            return None;
        }
        match std::mem::replace(&mut self.0, Content::Spent) {
            Content::Unread(source) => Some(source),
            _ => None,
        }
    }

    /// What there is at once for the head of an attempt: the first chunk, perhaps empty, and whether it is all. What
    /// is kept of a streamed body is counted in `budget`.
    pub(crate) fn first(
        &mut self,
        budget: &Arc<ReplayBudget>,
        cx: &mut Context<'_>,
    ) -> Result<(SmallBytes, bool), Status> {
        match self.poll_first(budget, cx) {
            Poll::Ready(Ok(next)) => Ok(next),
            Poll::Ready(Err(status)) => Err(status),
            Poll::Pending => Ok((SmallBytes::default(), false)),
        }
    }

    /// Hands the rest to `sender`. Ready when all is handed over or the stream takes no more; `Err` if the
    /// request itself failed, which leaves it to the caller to reset the stream.
    pub(crate) fn poll_pump(
        &mut self,
        sender: &mut SendHalf,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Status>> {
        if self.is_done() {
            return Poll::Ready(Ok(()));
        }
        poll_hand_over(sender, cx, |cx| self.poll_next(cx))
    }

    /// What is left of it, for a task that needs nothing else. There may be nothing.
    pub(super) fn into_rest(self) -> Option<Streamed> {
        match self.0 {
            Content::Streamed(streamed) if !streamed.is_done() => Some(*streamed),
            // A single message was handed over as a whole, and what was not read yet is read when it is asked for its
            // beginning.
            _ => None,
        }
    }

    /// The rest, chunk by chunk, for a body.
    pub(crate) fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Status>>> {
        if self.is_done() {
            return Poll::Ready(None);
        }
        Poll::Ready(match ready!(self.poll_next(cx)) {
            Ok((chunk, _)) => (!chunk.is_empty()).then(|| Ok(chunk.into_bytes())),
            Err(status) => Some(Err(status)),
        })
    }

    /// As [`poll_next`](Self::poll_next), of a body of which perhaps nothing was read yet.
    fn poll_first(
        &mut self,
        budget: &Arc<ReplayBudget>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(SmallBytes, bool), Status>> {
        let Some(source) = self.take_unread() else { return self.poll_next(cx) };
        match Streamed::begin(source, budget, cx)? {
            Begun::Sole(message) => Poll::Ready(Ok(self.sole(message))),
            Begun::Streamed(streamed, first) => {
                self.0 = Content::Streamed(Box::new(streamed));
                first.map(|first| Ok((first, false)))
            }
        }
    }

    /// The next chunk, and whether it is the last. An end that shows late comes with an empty chunk.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<(SmallBytes, bool), Status>> {
        match &mut self.0 {
            Content::Whole { message, committed: true, .. } => {
                let message = std::mem::take(message);
                self.0 = Content::Spent;
                Poll::Ready(Ok((message, true)))
            }
            Content::Whole { message, handed_over, .. } => {
                *handed_over = true;
                Poll::Ready(Ok((message.clone(), true)))
            }
            Content::Streamed(streamed) => {
                let next = ready!(streamed.poll_next(cx));
                Poll::Ready(next.map(|next| self.take(next)))
            }
            Content::Unread(_) => unreachable!("the beginning of a body is asked for before the rest"),
            Content::Spent => Poll::Ready(Ok((SmallBytes::default(), true))),
        }
    }

    fn take(&mut self, next: Next) -> (SmallBytes, bool) {
        match next {
            Next::Chunk(chunk, end) => (chunk, end),
            Next::Sole(message) => self.sole(message),
        }
    }

    /// It has turned out to be a single message.
    fn sole(&mut self, message: SmallBytes) -> (SmallBytes, bool) {
        self.0 = Content::Whole { message: message.clone(), handed_over: true, committed: false };
        (message, true)
    }
}

/// Hands chunks to `sender`, one after the other, until the one that is the last.
pub(super) fn poll_hand_over(
    sender: &mut SendHalf,
    cx: &mut Context<'_>,
    mut poll_next: impl FnMut(&mut Context<'_>) -> Poll<Result<(SmallBytes, bool), Status>>,
) -> Poll<Result<(), Status>> {
    for _ in 0..CHUNKS_PER_TURN {
        // Closed for sending: the reason comes up the stream.
        if ready!(sender.poll_ready(cx)).is_err() {
            return Poll::Ready(Ok(()));
        }
        let (chunk, end) = ready!(poll_next(cx))?;
        if sender.send(chunk.into_bytes(), end).is_err() || end {
            return Poll::Ready(Ok(()));
        }
    }
    cx.waker().wake_by_ref();
    Poll::Pending
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shape = match self.0 {
            Content::Whole { .. } => "one message",
            Content::Unread(_) | Content::Streamed(_) => "a stream",
            Content::Spent => "handed over",
        };
        f.debug_struct("Upload").field("shape", &shape).field("done", &self.is_done()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::super::streamed::REPLAY_PER_CALL;
    use super::*;
    use futures_core::Stream;
    use std::collections::VecDeque;
    use std::pin::Pin;
    use std::task::Waker;

    /// Yields what it is given, each followed by a Pending where it says so.
    struct Script(VecDeque<Option<Bytes>>);

    impl Stream for Script {
        type Item = Result<SmallBytes, Status>;
        fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
            match self.0.pop_front() {
                Some(Some(chunk)) => Poll::Ready(Some(Ok(chunk.into()))),
                Some(None) => Poll::Pending,
                None => Poll::Ready(None),
            }
        }
    }

    fn upload(script: impl IntoIterator<Item = Option<&'static str>>) -> Upload {
        let script = Script(script.into_iter().map(|chunk| chunk.map(Bytes::from)).collect());
        Upload::streaming(Source::Stream(Box::pin(script)))
    }

    fn next(upload: &mut Upload, budget: &Arc<ReplayBudget>) -> Option<(Bytes, bool)> {
        match upload.poll_first(budget, &mut Context::from_waker(Waker::noop())) {
            Poll::Ready(result) => {
                let (chunk, end) = result.unwrap();
                Some((chunk.into_bytes(), end))
            }
            Poll::Pending => None,
        }
    }

    fn chunk(text: &'static str, end: bool) -> Option<(Bytes, bool)> {
        Some((Bytes::from(text), end))
    }

    #[test]
    fn the_last_chunk_carries_the_end_when_the_end_is_known_in_time() {
        let budget = Arc::default();
        let mut upload = upload([Some("a"), Some("b")]);
        assert_eq!(next(&mut upload, &budget), chunk("a", false));
        assert_eq!(next(&mut upload, &budget), chunk("b", true));
        assert!(upload.is_done());
    }

    #[test]
    fn a_late_end_comes_alone_and_nothing_waits_for_it() {
        let budget = Arc::default();
        let mut upload = upload([Some("a"), None, None]);
        assert_eq!(next(&mut upload, &budget), chunk("a", false));
        assert_eq!(next(&mut upload, &budget), None);
        assert_eq!(next(&mut upload, &budget), chunk("", true));
    }

    #[test]
    fn another_attempt_gets_everything_from_the_beginning() {
        let budget = Arc::default();
        let mut upload = upload([Some("a"), Some("b"), None, Some("c")]);
        assert_eq!(next(&mut upload, &budget), chunk("a", false));
        assert!(upload.rewind());
        assert_eq!(next(&mut upload, &budget), chunk("a", false));
        assert_eq!(next(&mut upload, &budget), chunk("b", false));
        assert_eq!(next(&mut upload, &budget), chunk("c", true));
        assert_eq!(budget.used(), 3 * size_of::<SmallBytes>(), "what is kept twice is counted once");
        drop(upload);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn above_the_limit_of_a_call_nothing_can_be_sent_again() {
        const BIG: &str = match std::str::from_utf8(&[b'x'; REPLAY_PER_CALL]) {
            Ok(big) => big,
            Err(_) => unreachable!(),
        };
        let budget = Arc::default();
        let mut upload = upload([Some(BIG), Some("y"), None, Some("z")]);
        assert_eq!(next(&mut upload, &budget), chunk(BIG, false));
        assert!(upload.rewind(), "the limit itself still fits");
        assert_eq!(next(&mut upload, &budget), chunk(BIG, false));
        assert_eq!(next(&mut upload, &budget), chunk("y", false));
        assert!(!upload.rewind());
        assert_eq!(budget.used(), 0, "what is kept no more is given back");
        assert_eq!(next(&mut upload, &budget), chunk("z", true));
    }

    #[test]
    fn the_channel_has_a_limit_for_all_calls_together() {
        let budget = Arc::new(ReplayBudget::default());
        budget.use_up();
        let mut upload = upload([Some("a"), None]);
        assert_eq!(next(&mut upload, &budget), chunk("a", false));
        assert!(!upload.rewind());
    }

    #[test]
    fn a_single_message_of_any_size_can_be_sent_again() {
        let budget = Arc::default();
        let mut upload = Upload::whole(Bytes::from(vec![0; 2 * REPLAY_PER_CALL]).into());
        assert!(next(&mut upload, &budget).is_some_and(|(_, end)| end));
        assert!(upload.rewind());
        assert!(next(&mut upload, &budget).is_some_and(|(_, end)| end));
        upload.commit();
        assert!(!upload.rewind());
    }

    #[test]
    fn a_body_that_turns_out_to_be_a_single_message_can_be_sent_again_whatever_its_size() {
        let budget = Arc::new(ReplayBudget::default());
        budget.use_up();
        let script = Script(VecDeque::from([Some(Bytes::from(vec![0; 2 * REPLAY_PER_CALL]))]));
        let mut upload = Upload::streaming(Source::Stream(Box::pin(script)));
        assert!(next(&mut upload, &budget).is_some_and(|(_, end)| end));
        assert!(upload.rewind());
        assert!(next(&mut upload, &budget).is_some_and(|(_, end)| end));
    }

    #[test]
    fn a_body_of_nothing_is_all_there_is_and_can_be_sent_again() {
        let budget = Arc::default();
        let mut upload = upload([]);
        for _ in 0..2 {
            assert_eq!(next(&mut upload, &budget), chunk("", true));
            assert!(upload.is_done() && upload.rewind());
        }
    }

    #[test]
    fn what_is_sent_again_may_stop_being_kept_on_the_way() {
        let budget = Arc::default();
        let mut upload = upload([Some("a"), Some("b"), None, Some("c")]);
        assert_eq!(next(&mut upload, &budget), chunk("a", false));
        assert_eq!(next(&mut upload, &budget), chunk("b", false));
        assert!(upload.rewind());
        assert_eq!(next(&mut upload, &budget), chunk("a", false));
        upload.commit();
        assert_eq!(budget.used(), 0);
        assert_eq!(next(&mut upload, &budget), chunk("b", false));
        assert_eq!(next(&mut upload, &budget), chunk("c", true));
        assert!(upload.is_done() && !upload.rewind());
    }

    #[test]
    fn layers_get_a_single_message_that_is_kept_no_more() {
        let budget = Arc::default();
        let mut upload = Upload::whole(Bytes::from_static(b"one").into());
        upload.commit();
        assert_eq!(next(&mut upload, &budget), chunk("one", true));
        assert!(upload.is_done() && !upload.rewind());
    }
}
