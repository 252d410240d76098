//! Keeps the panic of a resolver, and of what makes it, within its channel. Apart from the registry because
//! what happens after a panic is a little machine of its own.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use rand::SeedableRng;
use rand::rngs::SmallRng;

use crate::polling::Backoff;
use crate::timer::{Timer, now};
use crate::{Resolution, ResolveError, Resolver, ResolverBuilder, ResolverOptions, Target, TargetError};

/// A resolver and the means to make another in its place.
///
/// ```text
///     Running -- it panics: an error --> Absent -- backoff over: build it --> Running
///                                          ^`- that fails or panics: an error --'|
///                                          `-------------------------------------'
/// ```
pub(crate) struct Guarded {
    builder: Arc<dyn ResolverBuilder>,
    target: Target,
    options: ResolverOptions,
    state: State,
    // Panics, and errors of its builder, in a row, without an answer between them.
    breakdowns: u32,
    rng: SmallRng,
    timer: Timer,
}

enum State {
    Running(Box<dyn Resolver>),
    /// There is none; the next is not built before `until`, or at once if it is the first.
    Absent {
        until: Option<Instant>,
    },
}

impl Guarded {
    pub(crate) fn build(
        builder: Arc<dyn ResolverBuilder>,
        target: Target,
        options: ResolverOptions,
    ) -> Result<Self, TargetError> {
        let resolver = build(&*builder, &target, &options)?;
        let mut guarded = Self::to_be_built(builder, target, options);
        guarded.state = State::Running(resolver);
        Ok(guarded)
    }

    /// Builds it when it is polled. An error of the builder is one of the resolver then.
    pub(crate) fn to_be_built(
        builder: Arc<dyn ResolverBuilder>,
        target: Target,
        options: ResolverOptions,
    ) -> Self {
        let rng = SmallRng::seed_from_u64(options.seed);
        let state = State::Absent { until: None };
        Self { builder, target, options, state, breakdowns: 0, rng, timer: Timer::default() }
    }

    /// Runs one method of the resolver. After a panic the resolver is gone, since what it left behind cannot
    /// be trusted.
    fn run<T>(&mut self, method: impl FnOnce(&mut dyn Resolver) -> T) -> Option<Result<T, ResolveError>> {
        let State::Running(resolver) = &mut self.state else {
            return None;
        };
        // What the panic may have left inconsistent is dropped just below.
        Some(match catch_unwind(AssertUnwindSafe(|| method(&mut **resolver))) {
            Ok(value) => Ok(value),
            Err(panic) => {
                let text = format!("the resolver of `{}` panicked: {}", self.target.shown(), said(&*panic));
                Err(self.broken(ResolveError::new(text)))
            }
        })
    }

    fn broken(&mut self, error: ResolveError) -> ResolveError {
        tracing::error!(target = self.target.shown(), %error, "resolver broken; a new one takes its place after a backoff");
        self.breakdowns = self.breakdowns.saturating_add(1);
        let until = now() + Backoff::GRPC.delay(self.breakdowns, &mut self.rng);
        let left = std::mem::replace(&mut self.state, State::Absent { until: Some(until) });
        // Its drop may panic as well.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(left)));
        error
    }
}

impl Resolver for Guarded {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Resolution, ResolveError>> {
        // At most two turns: the second polls what the first has built.
        loop {
            match self.run(|resolver| resolver.poll_next(cx)) {
                Some(Ok(Poll::Ready(answer))) => {
                    if answer.is_ok() {
                        self.breakdowns = 0;
                    }
                    return Poll::Ready(answer);
                }
                Some(Ok(Poll::Pending)) => return Poll::Pending,
                Some(Err(error)) => return Poll::Ready(Err(error)),
                None => {}
            }
            if let State::Absent { until: Some(until) } = self.state {
                ready!(self.timer.poll_until(until, cx));
            }
            match build(&*self.builder, &self.target, &self.options) {
                Ok(resolver) => self.state = State::Running(resolver),
                Err(error) => return Poll::Ready(Err(self.broken(error.into()))),
            }
        }
    }

    fn refresh(&mut self) {
        self.tell(|resolver| resolver.refresh());
    }

    fn reject(&mut self) {
        self.tell(|resolver| resolver.reject());
    }
}

impl Guarded {
    /// The error of a method that has nowhere to return it is in the log; the next poll waits for the
    /// replacement.
    fn tell(&mut self, method: impl FnOnce(&mut dyn Resolver)) {
        let _ = self.run(method);
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        let left = std::mem::replace(&mut self.state, State::Absent { until: None });
        if catch_unwind(AssertUnwindSafe(|| drop(left))).is_err() {
            tracing::error!(target = self.target.shown(), "the resolver panicked while it was dropped");
        }
    }
}

/// The builder's word for the authority.
pub(crate) fn authority(builder: &dyn ResolverBuilder, target: &Target) -> Result<String, TargetError> {
    ask(builder, target, |builder| Ok(builder.authority(target)))
}

fn build(
    builder: &dyn ResolverBuilder,
    target: &Target,
    options: &ResolverOptions,
) -> Result<Box<dyn Resolver>, TargetError> {
    ask(builder, target, |builder| builder.build(target, options))
}

fn ask<T>(
    builder: &dyn ResolverBuilder,
    target: &Target,
    method: impl FnOnce(&dyn ResolverBuilder) -> Result<T, TargetError>,
) -> Result<T, TargetError> {
    catch_unwind(AssertUnwindSafe(|| method(builder))).unwrap_or_else(|panic| {
        let reason = format!("the resolver builder of `{}` panicked: {}", target.scheme(), said(&*panic));
        Err(TargetError::rejected(target, reason))
    })
}

/// What a panic said.
fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("(no message)")
}

#[cfg(test)]
mod tests;
