//! For tests of channels and of plugins: a resolver that is told its answers (feature `testing`).

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::{Resolution, ResolveError, Resolver, ResolverBuilder, ResolverOptions, Target, TargetError};

/// A scheme whose resolvers answer what the test pushes. Clones are handles to the same scheme.
///
/// ```
/// use trunkline_resolver::testing::ManualResolver;
/// use trunkline_resolver::{Resolution, ResolverRegistry};
/// let servers = ManualResolver::new("test");
/// let registry = ResolverRegistry::default().with(servers.clone());
/// servers.push(Resolution::default());
/// # assert_eq!(registry.parse("test:anything")?.endpoint(), "anything");
/// # Ok::<(), trunkline_resolver::TargetError>(())
/// ```
#[derive(Clone)]
pub struct ManualResolver {
    scheme: Arc<str>,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    // The newest answers, and how many older ones were let go: together, the number of an answer.
    answers: VecDeque<Result<Resolution, ResolveError>>,
    forgotten: u64,
    wakers: Vec<Waker>,
    counts: ManualCounts,
}

/// What the resolvers of a [`ManualResolver`] were told so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ManualCounts {
    /// Resolvers that were built.
    pub built: u64,
    /// Of these, those that were not dropped yet.
    pub running: u64,
    /// Answers that were handed over.
    pub answered: u64,
    /// Calls of [`Resolver::refresh`].
    pub refreshes: u64,
    /// Calls of [`Resolver::reject`].
    pub rejections: u64,
}

impl ManualResolver {
    /// Resolvers for `scheme`, without an answer yet.
    pub fn new(scheme: &str) -> Self {
        Self { scheme: scheme.into(), shared: Arc::default() }
    }

    /// Every running resolver answers this, after what was pushed before. A resolver that is built later
    /// starts with the newest answer.
    pub fn push(&self, answer: Resolution) {
        self.answer(Ok(answer));
    }

    /// As [`push`](Self::push), with an error.
    pub fn fail(&self, error: ResolveError) {
        self.answer(Err(error));
    }

    /// What happened so far.
    pub fn counts(&self) -> ManualCounts {
        self.lock().counts
    }

    /// How often a channel asked to look again.
    pub fn refreshes(&self) -> u64 {
        self.counts().refreshes
    }

    /// How often a channel could not use an answer.
    pub fn rejections(&self) -> u64 {
        self.counts().rejections
    }

    fn answer(&self, answer: Result<Resolution, ResolveError>) {
        let wakers = {
            let mut shared = self.lock();
            shared.answers.push_back(answer);
            if shared.answers.len() > MAX_ANSWERS {
                shared.answers.pop_front();
                shared.forgotten += 1;
            }
            std::mem::take(&mut shared.wakers)
        };
        wakers.into_iter().for_each(Waker::wake);
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        // Counts and a queue: nothing that a panic could leave half done.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ResolverBuilder for ManualResolver {
    fn scheme(&self) -> &str {
        &self.scheme
    }

    fn build(&self, _: &Target, _: &ResolverOptions) -> Result<Box<dyn Resolver>, TargetError> {
        let mut shared = self.lock();
        shared.counts.built += 1;
        shared.counts.running += 1;
        let next = shared.forgotten + shared.answers.len().saturating_sub(1) as u64;
        Ok(Box::new(Running { manual: self.clone(), next }))
    }
}

impl fmt::Debug for ManualResolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ManualResolver")
            .field("scheme", &self.scheme)
            .field("counts", &self.counts())
            .finish_non_exhaustive()
    }
}

struct Running {
    manual: ManualResolver,
    // The number of the answer that comes next.
    next: u64,
}

impl Resolver for Running {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Resolution, ResolveError>> {
        let mut shared = self.manual.lock();
        self.next = self.next.max(shared.forgotten);
        let index = usize::try_from(self.next - shared.forgotten).unwrap_or(usize::MAX);
        let Some(answer) = shared.answers.get(index).cloned() else {
            if !shared.wakers.iter().any(|waker| waker.will_wake(cx.waker())) {
                shared.wakers.push(cx.waker().clone());
            }
            return Poll::Pending;
        };
        self.next += 1;
        shared.counts.answered += 1;
        Poll::Ready(answer)
    }

    fn refresh(&mut self) {
        self.manual.lock().counts.refreshes += 1;
    }

    fn reject(&mut self) {
        self.manual.lock().counts.rejections += 1;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.manual.lock().counts.running -= 1;
    }
}

/// Answers that no resolver has taken yet; the oldest are let go beyond that. More than a test pushes at
/// once.
const MAX_ANSWERS: usize = 4096;

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[tokio::test]
    async fn answers_come_in_order_and_a_later_resolver_starts_with_the_newest() {
        let manual = ManualResolver::new("test");
        let target = Target::parse("test:x", &["test"]).unwrap();
        let options = ResolverOptions::new();
        let mut first = manual.build(&target, &options).unwrap();
        manual.push(Resolution::default().with_note("1"));
        manual.fail(ResolveError::new("2"));
        let answer = poll_fn(|cx| first.poll_next(cx)).await.unwrap();
        assert_eq!(answer.note.as_deref(), Some("1"));
        assert_eq!(poll_fn(|cx| first.poll_next(cx)).await.unwrap_err().message(), "2");

        let mut second = manual.build(&target, &options).unwrap();
        assert_eq!(poll_fn(|cx| second.poll_next(cx)).await.unwrap_err().message(), "2");
        first.refresh();
        second.reject();
        drop(first);
        let counts = manual.counts();
        assert_eq!((counts.built, counts.running, counts.refreshes, counts.rejections), (2, 1, 1, 1));
    }

    #[tokio::test]
    async fn a_push_wakes_the_resolver_that_waits() {
        let manual = ManualResolver::new("test");
        let target = Target::parse("test:x", &["test"]).unwrap();
        let mut resolver = manual.build(&target, &ResolverOptions::new()).unwrap();
        let waiting = tokio::spawn(async move { poll_fn(|cx| resolver.poll_next(cx)).await });
        tokio::task::yield_now().await;
        manual.push(Resolution::default());
        assert!(waiting.await.unwrap().is_ok());
    }
}
