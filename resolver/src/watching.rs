//! A resolver that follows a stream of answers, for name services that push: a watch of a registry, a file watcher, a
//! channel of the application's own.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;

use crate::{Resolution, ResolveError, Resolver};

/// Hands on what `answers` yields. Doubts and rejections are ignored: a watcher is told when there is news.
///
/// A stream that ends leaves its last answer standing; one that ends before it yielded anything is an error, said once.
/// Whoever makes the stream reconnects within it.
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
