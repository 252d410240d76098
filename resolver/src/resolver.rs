//! The seam: what watches one target, and what makes such watchers for a scheme.

use std::sync::Arc;
use std::task::{Context, Poll};

use crate::names::Names;
use crate::{Resolution, ResolveError, Target, TargetError};

/// Watches one target. Polled by the channel from one task while it is not idle, dropped when it is.
///
/// It never ends: after an answer, the next comes when there is news or looking again is due. The same answer
/// may come twice; a channel compares. An error leaves the last answer standing.
///
/// It may be made outside of an async runtime, but is polled within one. After [`refresh`](Self::refresh) and
/// [`reject`](Self::reject) it is polled again; both may come at any time, also before the first answer.
///
/// Use [`polling`](crate::polling), [`watching`](crate::watching) or [`fixed`](crate::fixed) instead of
/// implementing this.
pub trait Resolver: Send + 'static {
    /// The next answer. Progress lives in `self`, so the caller may stop polling at any time.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Resolution, ResolveError>>;

    /// The channel doubts the last answer. Pollers look again soon (rate limited); watchers ignore this.
    fn refresh(&mut self) {}

    /// The last answer could not be used. Pollers back off and look again.
    fn reject(&mut self) {}
}

/// Makes resolvers for the targets of one scheme.
pub trait ResolverBuilder: Send + Sync + 'static {
    /// The scheme, as it stands before the first colon of a target. Upper and lower case are the same.
    fn scheme(&self) -> &str;

    /// Starts to watch `target`. Called when a channel is built, and again whenever it leaves idle; it must
    /// neither block nor need an async runtime.
    ///
    /// # Errors
    /// If the target makes no sense to this scheme.
    fn build(&self, target: &Target, options: &ResolverOptions) -> Result<Box<dyn Resolver>, TargetError>;

    /// The `:authority` of calls on this target, unless the application sets one: the endpoint,
    /// percent-encoded where RFC 3986 demands it.
    fn authority(&self, target: &Target) -> String {
        target.encoded_endpoint()
    }
}

/// What a channel tells the resolvers that it starts.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ResolverOptions {
    /// The seed of all chance in the resolver (jitter). Equal seeds give equal times; a channel that wants to
    /// look at its own times passes a random one. Default: 0.
    pub seed: u64,
    // Set by the registry, to its own.
    pub(crate) names: Names,
}

impl ResolverOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// With this seed.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }
}

impl<B: ResolverBuilder + ?Sized> ResolverBuilder for Arc<B> {
    fn scheme(&self) -> &str {
        (**self).scheme()
    }

    fn build(&self, target: &Target, options: &ResolverOptions) -> Result<Box<dyn Resolver>, TargetError> {
        (**self).build(target, options)
    }

    fn authority(&self, target: &Target) -> String {
        (**self).authority(target)
    }
}
