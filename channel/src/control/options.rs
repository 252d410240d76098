//! The settings of a control plane.

use std::time::Duration;

use trunkline_balancer::BalancerConfig;

use super::Backoff;

/// What a control plane is made with. Cannot be wrong: the builder has checked it.
#[derive(Clone, Debug)]
pub(crate) struct ControlOptions {
    /// The policy.
    pub(crate) balancer: BalancerConfig,
    /// Seeds every chance: jitter, shuffles, where a policy starts.
    pub(crate) seed: u64,
    /// Between the starts of dials.
    pub(crate) backoff: Backoff,
    /// How long a dial may take; without it, the longer of 20 s and its backoff.
    pub(crate) connect_timeout: Option<Duration>,
    /// Without any call for so long, the channel goes Idle.
    pub(crate) idle_timeout: Duration,
}
