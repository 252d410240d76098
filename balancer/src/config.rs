//! From a name and JSON to a running policy. Parsed settings *are* what starts a policy: nothing is erased
//! and downcast again on the way.

use std::fmt;
use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::Value;
use trunkline_proto::ConfigError;

use crate::{Balancer, policies};

/// A policy as a service config names it.
pub trait BalancerBuilder: Send + Sync + 'static {
    /// Its name, as in `loadBalancingConfig`.
    fn name(&self) -> &str;
    /// Reads its settings. `policies` is there for policies that have children.
    ///
    /// # Errors
    /// If the settings make no sense; unknown fields are ignored, as gRPC demands.
    fn parse(&self, config: &Value, policies: &BalancerRegistry) -> Result<BalancerConfig, ConfigError>;
}

type Start = dyn Fn(u64) -> Box<dyn Balancer> + Send + Sync;

/// The settings of one policy, read and checked, and how to start it. Equal when name and JSON are.
///
/// A running policy never changes its settings: an equal config keeps it, another starts a new one, and the
/// old one serves until the new one can. Nothing reconnects for that, since connections belong to the
/// channel.
#[derive(Clone)]
pub struct BalancerConfig {
    name: Arc<str>,
    json: Arc<Value>,
    start: Arc<Start>,
}

impl BalancerConfig {
    /// A policy called `name`, with its settings in canonical form (defaults filled in), started by `start`
    /// with a seed for all of its chance.
    pub fn new<B: Balancer>(
        name: &str,
        json: Value,
        start: impl Fn(u64) -> B + Send + Sync + 'static,
    ) -> Self {
        let start: Arc<Start> = Arc::new(move |seed| Box::new(start(seed)));
        Self { name: name.into(), json: Arc::new(json), start }
    }

    /// The policy's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its settings.
    pub fn json(&self) -> &Value {
        &self.json
    }

    /// Starts a policy with these settings. The same seed and the same inputs give the same outputs.
    pub fn start(&self, seed: u64) -> Box<dyn Balancer> {
        (self.start)(seed)
    }
}

impl PartialEq for BalancerConfig {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.json == other.json
    }
}

impl fmt::Debug for BalancerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BalancerConfig({} {})", self.name, self.json)
    }
}

/// The policies that a channel knows by name. A value that the channel's builder owns: there is no global
/// one. The default has every policy of this crate.
#[derive(Clone)]
pub struct BalancerRegistry {
    builders: IndexMap<String, Arc<dyn BalancerBuilder>>,
}

impl BalancerRegistry {
    /// A registry without any policy.
    pub fn empty() -> Self {
        Self { builders: IndexMap::new() }
    }

    /// The same registry with `builder`, in place of an older one of that name.
    #[must_use]
    pub fn with(mut self, builder: impl BalancerBuilder) -> Self {
        self.builders.insert(builder.name().to_owned(), Arc::new(builder));
        self
    }

    /// Reads a `loadBalancingConfig`: a list of objects with one key each, of which the first known policy is
    /// taken (gRFC A24).
    ///
    /// # Errors
    /// If it is no such list, names no known policy, or that policy refuses its settings.
    pub fn parse(&self, list: &Value) -> Result<BalancerConfig, ConfigError> {
        let entries = list.as_array().ok_or_else(|| ConfigError::new("must be a list"))?;
        for entry in entries {
            let object = entry.as_object().filter(|object| object.len() == 1);
            let object =
                object.ok_or_else(|| ConfigError::new("each entry must be an object with one key"))?;
            for (name, settings) in object {
                if let Some(builder) = self.builders.get(name) {
                    return builder.parse(settings, self).map_err(|error| error.inside(name));
                }
            }
        }
        let known: Vec<_> = self.builders.keys().map(String::as_str).collect();
        Err(ConfigError::new(format!("names no known policy; known are: {}", known.join(", "))))
    }
}

impl Default for BalancerRegistry {
    fn default() -> Self {
        policies::built_in(Self::empty())
    }
}

impl fmt::Debug for BalancerRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.builders.keys()).finish()
    }
}
