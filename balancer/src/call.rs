//! What a picker is told of a call, before and after it.

use std::time::Duration;

use http::{Extensions, HeaderMap};
use trunkline_proto::{Address, wire::Code};

/// One call that looks for a connection. Borrowed from the call: nothing is copied to make it.
#[derive(Clone, Copy, Debug)]
pub struct CallInfo<'a> {
    method: &'a str,
    authority: &'a str,
    metadata: Option<&'a HeaderMap>,
    extensions: Option<&'a Extensions>,
    attempt: u32,
    tried: &'a [Address],
}

impl<'a> CallInfo<'a> {
    /// A first attempt of `method` (its path, `/package.Service/Method`), without metadata.
    pub fn new(method: &'a str) -> Self {
        Self { method, authority: "", metadata: None, extensions: None, attempt: 1, tried: &[] }
    }

    /// The same call under that `:authority`.
    #[must_use]
    pub fn with_authority(self, authority: &'a str) -> Self {
        Self { authority, ..self }
    }

    /// The same call with the application's metadata.
    #[must_use]
    pub fn with_metadata(self, metadata: &'a HeaderMap) -> Self {
        Self { metadata: Some(metadata), ..self }
    }

    /// The same call with the request's extensions.
    #[must_use]
    pub fn with_extensions(self, extensions: &'a Extensions) -> Self {
        Self { extensions: Some(extensions), ..self }
    }

    /// The same call as its attempt number `attempt`, counted from 1, after attempts on the addresses
    /// `tried`.
    #[must_use]
    pub fn with_attempt(self, attempt: u32, tried: &'a [Address]) -> Self {
        Self { attempt, tried, ..self }
    }

    /// The method's path, `/package.Service/Method`.
    pub fn method(&self) -> &'a str {
        self.method
    }

    /// The `:authority` that the call will carry.
    pub fn authority(&self) -> &'a str {
        self.authority
    }

    /// The first value of a metadata entry, if it is there and is text.
    pub fn metadata(&self, name: &str) -> Option<&'a str> {
        self.metadata?.get(name)?.to_str().ok()
    }

    /// All of the application's metadata, if there is any.
    pub fn headers(&self) -> Option<&'a HeaderMap> {
        self.metadata
    }

    /// A value that the application put into the request's extensions.
    pub fn extension<T: Clone + Send + Sync + 'static>(&self) -> Option<&'a T> {
        self.extensions?.get()
    }

    /// Which attempt of the call this is, counted from 1.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// The addresses of earlier attempts.
    pub fn tried(&self) -> &'a [Address] {
        self.tried
    }
}

/// How a call that used a pick ended.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct CallOutcome {
    /// Its status code; [`Code::Cancelled`] if the caller dropped it.
    pub code: Code,
    /// From the pick to the end.
    pub latency: Duration,
}

impl CallOutcome {
    /// An outcome.
    pub fn new(code: Code, latency: Duration) -> Self {
        Self { code, latency }
    }
}
