//! A resolver that knows one answer, for targets that name their servers themselves.

use std::task::{Context, Poll};

use crate::{Resolution, ResolveError, Resolver};

/// Answers once, and never has news.
pub fn fixed(answer: Resolution) -> Box<dyn Resolver> {
    Box::new(Fixed { answer: Some(answer) })
}

struct Fixed {
    answer: Option<Resolution>,
}

impl Resolver for Fixed {
    fn poll_next(&mut self, _: &mut Context<'_>) -> Poll<Result<Resolution, ResolveError>> {
        match self.answer.take() {
            Some(answer) => Poll::Ready(Ok(answer)),
            // Pending for ever, so nobody needs to be woken.
            None => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    #[test]
    fn it_answers_once_whatever_it_is_told() {
        let mut resolver = fixed(Resolution::default());
        let mut cx = Context::from_waker(Waker::noop());
        resolver.reject();
        assert!(resolver.poll_next(&mut cx).is_ready());
        resolver.refresh();
        resolver.reject();
        assert!(resolver.poll_next(&mut cx).is_pending());
    }
}
