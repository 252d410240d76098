//! `pick_first`: all calls go to the first address that can be reached. It is the only policy that connects
//! by itself (gRFC A61): every other one has it as a leaf and only chooses among leaves.

mod failing;
mod machine;
mod order;
mod pass;
#[cfg(test)]
mod tests;

use std::time::Duration;

use serde_json::{Value, json};
use trunkline_proto::ConfigError;

pub(crate) use machine::PickFirstBalancer;

use crate::{BalancerBuilder, BalancerConfig, BalancerRegistry};

/// The settings of `pick_first`: all calls go to the first address that can be reached.
///
/// The addresses are tried in order, the next one when one has failed or has not connected after
/// [`attempt_delay`](Self::attempt_delay) (gRFC A61); the first that connects is used and kept. Once all have
/// failed, calls fail until one connects (gRFC A62), and each address is tried again after its own backoff.
/// When the connection is lost the policy rests, and the next call makes it start from the top of the list.
///
/// ```
/// use std::time::Duration;
/// use trunkline_balancer::{BalancerConfig, PickFirst};
/// let config = BalancerConfig::from(PickFirst::new().shuffle(true).attempt_delay(Duration::from_millis(100)));
/// assert_eq!(config.name(), "pick_first");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct PickFirst {
    shuffle: bool,
    attempt_delay: Duration,
}

impl PickFirst {
    /// In the order of the list, with 250 ms between attempts.
    pub const fn new() -> Self {
        Self { shuffle: false, attempt_delay: Duration::from_millis(250) }
    }

    /// Whether the servers are shuffled before they are tried, so that many clients of one list spread over
    /// it. A server comes first in proportion to its [`Weight`](trunkline_proto::Weight) (gRFC A113). The
    /// default is no.
    pub const fn shuffle(self, shuffle: bool) -> Self {
        Self { shuffle, ..self }
    }

    /// How long one attempt has the field to itself before the next one starts beside it. At least 100 ms and
    /// at most 2 s, as gRFC A61 bounds it; the default is 250 ms.
    pub fn attempt_delay(self, delay: Duration) -> Self {
        Self { attempt_delay: delay.clamp(Duration::from_millis(100), Duration::from_secs(2)), ..self }
    }
}

impl Default for PickFirst {
    fn default() -> Self {
        Self::new()
    }
}

impl From<PickFirst> for BalancerConfig {
    fn from(settings: PickFirst) -> Self {
        let json = json!({
            "shuffleAddressList": settings.shuffle,
            "attemptDelayMillis": settings.attempt_delay.as_secs_f64() * 1000.0,
        });
        Self::new("pick_first", json, move |seed| PickFirstBalancer::new(settings, seed))
    }
}

/// Makes `pick_first` from a service config: `{"shuffleAddressList": bool}`.
#[derive(Clone, Copy, Debug, Default)]
pub struct PickFirstBuilder;

impl BalancerBuilder for PickFirstBuilder {
    fn name(&self) -> &str {
        "pick_first"
    }

    fn parse(&self, config: &Value, _: &BalancerRegistry) -> Result<BalancerConfig, ConfigError> {
        let fields = config.as_object().ok_or_else(|| ConfigError::new("must be an object"))?;
        let shuffle = match fields.get("shuffleAddressList") {
            None | Some(Value::Null) => false,
            Some(Value::Bool(shuffle)) => *shuffle,
            Some(_) => return Err(ConfigError::new("must be true or false").inside("shuffleAddressList")),
        };
        Ok(PickFirst::new().shuffle(shuffle).into())
    }
}
