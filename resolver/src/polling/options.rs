//! How often a polling resolver looks. Apart from the schedule so that a setting that makes no sense cannot
//! reach it.

use std::time::Duration;

use crate::{ResolverOptions, Target, TargetError};

/// How often to look, and how long one look may take. Always sensible: a time of zero is refused where it is
/// set.
///
/// ```
/// # use std::time::Duration;
/// use trunkline_resolver::{PollingOptions, ResolverOptions};
/// let options = PollingOptions::new(&ResolverOptions::new()).interval(Duration::from_secs(10))?;
/// assert!(options.interval(Duration::ZERO).is_err());
/// # Ok::<(), trunkline_resolver::ZeroInterval>(())
/// ```
#[derive(Clone, Debug)]
pub struct PollingOptions {
    pub(super) interval: Duration,
    pub(super) min_interval: Duration,
    pub(super) doubt_interval: Duration,
    pub(super) lookup_limit: Duration,
    pub(super) seed: u64,
}

/// A time that must not be zero was set to zero.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{setting}` must be longer than zero; to look as rarely as can be, use Duration::MAX")]
pub struct ZeroInterval {
    setting: &'static str,
}

impl PollingOptions {
    /// The defaults, with the chance of `options`.
    pub fn new(options: &ResolverOptions) -> Self {
        Self {
            interval: INTERVAL,
            min_interval: MIN_INTERVAL,
            doubt_interval: DOUBT_INTERVAL,
            lookup_limit: LOOKUP_LIMIT,
            seed: options.seed,
        }
    }

    /// The longest time from an answer to the next look, give or take 10 %. Answers without a
    /// [`ttl`](crate::Resolution::ttl) last this long, longer TTLs are cut to it. Default: 30 s. With
    /// `Duration::MAX` only TTLs and doubts cause looks.
    ///
    /// # Errors
    /// If it is zero.
    pub fn interval(mut self, interval: Duration) -> Result<Self, ZeroInterval> {
        self.interval = above_zero("interval", interval)?;
        Ok(self)
    }

    /// The shortest time from an answer to the next scheduled look, give or take 10 %, however short its TTL. Half an
    /// answer, of which a part could not be had, is followed as an error is.
    /// Default: 5 s, or the interval if that is shorter.
    ///
    /// # Errors
    /// If it is zero.
    pub fn min_interval(mut self, interval: Duration) -> Result<Self, ZeroInterval> {
        self.min_interval = above_zero("min_interval", interval)?;
        Ok(self)
    }

    /// The shortest time between two looks that are due to the channel's doubts
    /// ([`Resolver::refresh`](crate::Resolver::refresh)); scheduled looks do not count. Default: 30 s.
    ///
    /// # Errors
    /// If it is zero.
    pub fn doubt_interval(mut self, interval: Duration) -> Result<Self, ZeroInterval> {
        self.doubt_interval = above_zero("doubt_interval", interval)?;
        Ok(self)
    }

    /// How long one look may take; a longer one is dropped and counts as failed. Default: 30 s.
    ///
    /// # Errors
    /// If it is zero.
    pub fn lookup_limit(mut self, limit: Duration) -> Result<Self, ZeroInterval> {
        self.lookup_limit = above_zero("lookup_limit", limit)?;
        Ok(self)
    }

    /// For a look-up that keeps its limit itself, so that its error can say more. And the limit.
    #[cfg(feature = "dns")]
    pub(crate) fn without_lookup_limit(self) -> (Self, Duration) {
        let limit = self.lookup_limit;
        (Self { lookup_limit: Duration::MAX, ..self }, limit)
    }
}

impl Default for PollingOptions {
    fn default() -> Self {
        Self::new(&ResolverOptions::default())
    }
}

impl ZeroInterval {
    /// This error as what `ResolverBuilder::build` returns.
    pub fn at(self, target: &Target) -> TargetError {
        TargetError::rejected(target, self.to_string())
    }
}

fn above_zero(setting: &'static str, time: Duration) -> Result<Duration, ZeroInterval> {
    if time.is_zero() { Err(ZeroInterval { setting }) } else { Ok(time) }
}

/// As long as Go and Java believe an answer; often enough that a scale-up is seen while somebody still
/// watches.
const INTERVAL: Duration = Duration::from_secs(30);
/// Some name services (Consul, Kubernetes with small TTLs) would otherwise be asked every second by every
/// client.
const MIN_INTERVAL: Duration = Duration::from_secs(5);
/// gRPC's minimal time between resolutions.
const DOUBT_INTERVAL: Duration = Duration::from_secs(30);
/// grpc-go's `ResolvingTimeout`.
const LOOKUP_LIMIT: Duration = Duration::from_secs(30);
