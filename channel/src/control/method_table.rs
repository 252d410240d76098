//! Per-method settings, as a service config gives them. Nothing fills the table yet; calls look up in it
//! already.

use std::collections::HashMap;
use std::time::Duration;

/// The settings of one method. What is `None` is the channel's.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct MethodConfig {
    /// gRPC's `waitForReady`: `true` is `FailFast::Never`, `false` is `FailFast::Always`.
    pub(crate) wait_for_ready: Option<bool>,
    /// The longest that a call may take; the call's own deadline counts if it is sooner.
    pub(crate) timeout: Option<Duration>,
    /// The largest message to send, in bytes.
    pub(crate) max_request_message_bytes: Option<usize>,
    /// The largest message to accept, in bytes.
    pub(crate) max_response_message_bytes: Option<usize>,
}

/// Settings by method, by service, or for all.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct MethodTable {
    by_name: HashMap<Box<str>, MethodConfig>,
}

impl MethodTable {
    /// Whether no method has settings.
    pub(crate) fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// The settings for `path` (`/package.Service/Method`): those of the method, else of its service, else
    /// the default.
    pub(crate) fn lookup(&self, path: &str) -> Option<&MethodConfig> {
        if self.is_empty() {
            return None;
        }
        let name = path.strip_prefix('/').unwrap_or(path);
        let service = name.split_once('/').map_or(name, |(service, _)| service);
        self.by_name.get(name).or_else(|| self.by_name.get(service)).or_else(|| self.by_name.get(""))
    }
}

#[cfg(test)]
impl MethodTable {
    /// Settings for `package.Service/Method`, `package.Service`, or everything (an empty name).
    pub(crate) fn with(mut self, name: &str, config: MethodConfig) -> Self {
        self.by_name.insert(name.into(), config);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timeout(seconds: u64) -> MethodConfig {
        MethodConfig { timeout: Some(Duration::from_secs(seconds)), ..MethodConfig::default() }
    }

    #[test]
    fn the_most_specific_name_wins() {
        let table =
            MethodTable::default().with("", timeout(1)).with("a.S", timeout(2)).with("a.S/M", timeout(3));
        assert_eq!(table.lookup("/a.S/M"), Some(&timeout(3)));
        assert_eq!(table.lookup("/a.S/Other"), Some(&timeout(2)));
        assert_eq!(table.lookup("/b.T/M"), Some(&timeout(1)));
        assert_eq!(MethodTable::default().lookup("/a.S/M"), None);
    }
}
