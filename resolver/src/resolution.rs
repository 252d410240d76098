//! What a resolver answers: servers, or why there is no answer.

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use trunkline_proto::{Address, Attributes, ConfigError, Endpoint};

/// One answer of a resolver: all that is known now, in place of all that was known before.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Resolution {
    /// The servers, in the order of the name service.
    pub endpoints: Vec<Endpoint>,
    /// Service config as JSON, if the name service gives one; an error is told apart from none.
    pub service_config: Option<Result<String, ConfigError>>,
    /// Said to callers when `endpoints` is empty.
    pub note: Option<String>,
    /// What the resolver tells the balancer about the answer as a whole.
    pub attributes: Attributes,
    /// For how long the answer may be believed, if the name service says so. [`polling`](crate::polling)
    /// looks again when it ends, within its limits.
    pub ttl: Option<Duration>,
}

impl Resolution {
    /// An answer of these servers.
    pub fn new(endpoints: impl IntoIterator<Item = Endpoint>) -> Self {
        Self { endpoints: endpoints.into_iter().collect(), ..Self::default() }
    }

    /// An answer of one server per address.
    pub fn from_addresses(addresses: impl IntoIterator<Item = impl Into<Address>>) -> Self {
        Self::new(addresses.into_iter().map(Endpoint::new))
    }

    /// With this service config, as JSON.
    #[must_use]
    pub fn with_service_config(mut self, json: impl Into<String>) -> Self {
        self.service_config = Some(Ok(json.into()));
        self
    }

    /// With this to say to callers if there are no servers.
    #[must_use]
    pub fn with_note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }

    /// With these attributes.
    #[must_use]
    pub fn with_attributes(mut self, attributes: Attributes) -> Self {
        self.attributes = attributes;
        self
    }

    /// To be believed for this long.
    #[must_use]
    pub fn with_ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }
}

/// Why a resolver has no answer. Always retryable; cheap to clone.
///
/// `Display` is the message, on one line; [`Error::source`] is what is behind it.
#[derive(Clone)]
pub struct ResolveError(Arc<Parts>);

#[derive(Clone)]
struct Parts {
    message: Box<str>,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

impl ResolveError {
    /// An error. `message` is for people: what was looked for, and what went wrong.
    pub fn new(message: impl Into<String>) -> Self {
        Self(Arc::new(Parts { message: message.into().into_boxed_str(), source: None }))
    }

    /// The same error with the error behind it.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Arc::make_mut(&mut self.0).source = Some(Arc::from(source.into()));
        self
    }

    /// What went wrong.
    pub fn message(&self) -> &str {
        &self.0.message
    }
}

impl From<io::Error> for ResolveError {
    fn from(error: io::Error) -> Self {
        Self::new(error.to_string()).caused_by(error)
    }
}

impl From<crate::TargetError> for ResolveError {
    fn from(error: crate::TargetError) -> Self {
        Self::new(error.to_string()).caused_by(error)
    }
}

impl fmt::Display for ResolveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl fmt::Debug for ResolveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResolveError")
            .field("message", &self.message())
            .field("source", &self.0.source)
            .finish()
    }
}

impl Error for ResolveError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source.as_ref().map(|source| &**source as &(dyn Error + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resolve_error_is_one_line_and_keeps_its_cause() {
        let error = ResolveError::from(io::Error::other("no route")).clone();
        assert_eq!(error.to_string(), "no route");
        assert!(error.source().is_some_and(|source| source.is::<io::Error>()));
    }
}
