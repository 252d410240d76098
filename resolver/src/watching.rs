//! A resolver that follows a stream of answers, for name services that push: a watch of a registry, a file
//! watcher, a channel of the application's own.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;

use crate::{Resolution, ResolveError, Resolver};

/// Hands on what `answers` yields. Doubts and rejections are ignored: a watcher is told when there is news.
///
/// A stream that ends leaves its last answer standing; one that ends before it yielded anything is an error,
/// said once. Whoever makes the stream reconnects within it.
pub fn watching(
    answers: impl Stream<Item = Result<Resolution, ResolveError>> + Send + 'static,
) -> Box<dyn Resolver> {
    Box::new(Watching { answers: Some(Box::pin(answers)), silent: true })
}

struct Watching<S> {
    // `None` once the stream has ended: it must not be polled again, and what it holds is given back.
    answers: Option<Pin<Box<S>>>,
    silent: bool,
}

impl<S> Resolver for Watching<S>
where
    S: Stream<Item = Result<Resolution, ResolveError>> + Send + 'static,
{
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Resolution, ResolveError>> {
        let Some(answers) = &mut self.answers else {
            return Poll::Pending;
        };
        match answers.as_mut().poll_next(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(answer)) => {
                self.silent = false;
                Poll::Ready(answer)
            }
            Poll::Ready(None) => {
                self.answers = None;
                tracing::debug!("the stream of answers has ended; the last one stands");
                if self.silent {
                    Poll::Ready(Err(ResolveError::new("the stream of answers ended before the first answer")))
                } else {
                    Poll::Pending
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::task::Waker;

    use super::*;

    async fn next(resolver: &mut Box<dyn Resolver>) -> Result<Resolution, ResolveError> {
        poll_fn(|cx| resolver.poll_next(cx)).await
    }

    fn is_pending(resolver: &mut Box<dyn Resolver>) -> bool {
        resolver.poll_next(&mut Context::from_waker(Waker::noop())).is_pending()
    }

    #[tokio::test]
    async fn answers_and_errors_are_handed_on_and_an_ended_stream_is_no_end() {
        let answers = [Err(ResolveError::new("not yet")), Ok(Resolution::default().with_note("now"))];
        let mut resolver = watching(tokio_stream::iter(answers));
        resolver.refresh();
        assert_eq!(next(&mut resolver).await.unwrap_err().message(), "not yet");
        assert_eq!(next(&mut resolver).await.unwrap().note.as_deref(), Some("now"));
        resolver.reject();
        assert!(is_pending(&mut resolver));
        assert!(is_pending(&mut resolver));
    }

    #[tokio::test]
    async fn a_stream_that_ends_before_its_first_answer_is_an_error_said_once() {
        let mut resolver = watching(tokio_stream::empty());
        assert!(next(&mut resolver).await.unwrap_err().message().contains("before the first answer"));
        assert!(is_pending(&mut resolver));
    }

    #[tokio::test]
    async fn news_wakes_the_task_that_waits() {
        let (sender, receiver) = tokio::sync::mpsc::channel(1);
        let mut resolver = watching(tokio_stream::wrappers::ReceiverStream::new(receiver));
        let waiting = tokio::spawn(async move { next(&mut resolver).await });
        tokio::task::yield_now().await;
        sender.send(Ok(Resolution::default())).await.unwrap();
        assert!(waiting.await.unwrap().is_ok());
    }
}
