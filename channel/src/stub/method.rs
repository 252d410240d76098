//! What a stub knows of a method before any call.

/// One method of a service. Generated code holds one constant per method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MethodDescriptor {
    service: &'static str,
    method: &'static str,
    path: &'static str,
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
    pub const fn new(service: &'static str, method: &'static str, path: &'static str) -> Self {
        Self { service, method, path, idempotency: Idempotency::Unknown }
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

    /// The promise.
    pub const fn idempotency_level(&self) -> Idempotency {
        self.idempotency
    }
}
