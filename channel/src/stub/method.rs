//! What a stub knows of a method before any call.

use std::mem::ManuallyDrop;

use http::uri::PathAndQuery;

/// One method of a service. Generated code holds one constant per method.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MethodDescriptor {
    service: &'static str,
    method: &'static str,
    path: &'static str,
    /// The same, checked. It borrows `path`, so there is nothing to drop, which constants could not.
    path_and_query: ManuallyDrop<PathAndQuery>,
    idempotency: Idempotency,
}

/// What a `.proto` promises of calling a method twice (its `idempotency_level`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Idempotency {
    /// Nothing.
    #[default]
    Unknown,
    /// It changes nothing.
    NoSideEffects,
    /// Twice is as good as once.
    Idempotent,
}

impl MethodDescriptor {
    /// The method `method` of `service` (`package.Service`), at `path` (`/package.Service/Method`).
    ///
    /// # Panics
    /// If `path` is no path of a URL; while it is compiled, where this makes a constant.
    pub const fn new(service: &'static str, method: &'static str, path: &'static str) -> Self {
        let path_and_query = ManuallyDrop::new(PathAndQuery::from_static(path));
        Self { service, method, path, path_and_query, idempotency: Idempotency::Unknown }
    }

    /// The same method with this promise.
    #[must_use]
    pub const fn idempotency(self, idempotency: Idempotency) -> Self {
        Self { idempotency, ..self }
    }

    /// The service's full name.
    pub const fn service(&self) -> &'static str {
        self.service
    }

    /// The method's name.
    pub const fn method(&self) -> &'static str {
        self.method
    }

    /// The method's path.
    pub const fn path(&self) -> &'static str {
        self.path
    }

    pub(super) fn path_and_query(&self) -> &PathAndQuery {
        &self.path_and_query
    }

    /// The promise.
    pub const fn idempotency_level(&self) -> Idempotency {
        self.idempotency
    }
}
