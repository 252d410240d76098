//! Why a picker lets a call fail. It carries the connection errors behind it, since whether all of them are
//! permanent decides what calls that would rather wait do.

use std::fmt;
use std::sync::Arc;

use trunkline_proto::{ConnectError, wire::Code};

/// Most causes that one failure carries: enough to see a pattern; a thousand dead addresses say no more.
pub const MAX_CAUSES: usize = 16;

/// Why a call cannot be sent now. Cheap to clone.
#[derive(Clone)]
pub struct Failure(Arc<Parts>);

struct Parts {
    code: Code,
    message: Box<str>,
    causes: Arc<[ConnectError]>,
    failed: usize,
    permanent: bool,
}

impl Failure {
    /// A failure that no connection error is behind. Never permanent.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        let message = message.into().into_boxed_str();
        Self(Arc::new(Parts { code, message, causes: Arc::from([]), failed: 0, permanent: false }))
    }

    /// UNAVAILABLE because of these errors, one per address, the newest last. Permanent if there are any and
    /// all of them are. At most [`MAX_CAUSES`] of them are kept, the newest.
    pub fn unavailable(message: impl Into<String>, causes: impl IntoIterator<Item = ConnectError>) -> Self {
        let causes: Vec<_> = causes.into_iter().collect();
        let permanent = !causes.is_empty() && causes.iter().all(ConnectError::is_permanent);
        let failed = causes.len();
        Self::from_parts(message.into(), causes, failed, permanent)
    }

    /// The failures of all children as one: permanent if there are any and every one is.
    pub fn all<'f>(children: impl IntoIterator<Item = &'f Self>) -> Self {
        let (mut causes, mut failed, mut count, mut permanent) = (Vec::new(), 0, 0, true);
        let mut message = None;
        for child in children {
            causes.extend(child.causes().iter().cloned());
            failed += child.0.failed;
            permanent &= child.is_permanent();
            count += 1;
            message = Some(child.message());
        }
        let message = message.unwrap_or("there is nothing to choose from").to_owned();
        Self::from_parts(message, causes, failed, permanent && count > 0)
    }

    /// UNAVAILABLE because the resolver gave no server; `error` is
    /// [`Input::resolver_error`](crate::Input::resolver_error). Never permanent: the next answer may have
    /// one.
    pub fn no_endpoints(error: Option<&ConnectError>) -> Self {
        let message = error.map_or_else(|| "the resolver gave no addresses".to_owned(), ToString::to_string);
        // A cause, and no address that failed.
        Self::from_parts(message, error.cloned().into_iter().collect(), 0, false)
    }

    /// The same failure, not permanent: something is untried that may help.
    #[must_use]
    pub fn retryable(self) -> Self {
        if !self.is_permanent() {
            return self;
        }
        let Parts { code, message, causes, failed, .. } = &*self.0;
        let (message, causes) = (message.clone(), causes.clone());
        Self(Arc::new(Parts { code: *code, message, causes, failed: *failed, permanent: false }))
    }

    /// The code that the call fails with. The channel turns codes that gRFC A54 forbids to the control plane
    /// into INTERNAL.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// For people.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The connection errors behind it, the newest last.
    pub fn causes(&self) -> &[ConnectError] {
        &self.0.causes
    }

    /// The same, to keep.
    pub fn shared_causes(&self) -> Arc<[ConnectError]> {
        Arc::clone(&self.0.causes)
    }

    /// How many addresses had failed, also where not all of their errors were kept.
    pub fn failed_addresses(&self) -> usize {
        self.0.failed
    }

    /// Whether waiting is pointless until somebody changes something: there are causes, and all are
    /// permanent.
    pub fn is_permanent(&self) -> bool {
        self.0.permanent
    }

    fn from_parts(message: String, mut causes: Vec<ConnectError>, failed: usize, permanent: bool) -> Self {
        causes.drain(..causes.len().saturating_sub(MAX_CAUSES));
        let (message, causes) = (message.into_boxed_str(), causes.into());
        Self(Arc::new(Parts { code: Code::Unavailable, message, causes, failed, permanent }))
    }
}

/// Equal when a caller cannot tell the difference.
impl PartialEq for Failure {
    fn eq(&self, other: &Self) -> bool {
        let same_text = |(one, other): (&ConnectError, &ConnectError)| {
            one.is_permanent() == other.is_permanent() && one.to_string() == other.to_string()
        };
        Arc::ptr_eq(&self.0, &other.0)
            || (self.code() == other.code()
                && self.message() == other.message()
                && self.is_permanent() == other.is_permanent()
                && self.failed_addresses() == other.failed_addresses()
                && self.causes().len() == other.causes().len()
                && self.causes().iter().zip(other.causes()).all(same_text))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code(), self.message())
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Failure")
            .field("code", &self.code())
            .field("message", &self.message())
            .field("causes", &self.causes())
            .field("permanent", &self.is_permanent())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trunkline_proto::Phase;

    fn refused() -> ConnectError {
        ConnectError::new(Phase::Connect, "refused")
    }

    fn untrusted() -> ConnectError {
        ConnectError::new(Phase::Tls, "unknown issuer").permanent()
    }

    #[test]
    fn one_retryable_cause_makes_the_whole_retryable() {
        assert!(Failure::unavailable("x", [untrusted(), untrusted()]).is_permanent());
        assert!(!Failure::unavailable("x", [untrusted(), refused()]).is_permanent());
        assert!(!Failure::unavailable("x", []).is_permanent());
        assert!(!Failure::new(Code::Internal, "x").is_permanent());
    }

    #[test]
    fn a_parent_is_permanent_only_if_it_has_children_and_all_of_them_are() {
        let permanent = Failure::unavailable("p", [untrusted()]);
        let retryable = Failure::unavailable("r", [refused()]);
        assert!(Failure::all([&permanent, &permanent]).is_permanent());
        assert!(!Failure::all([&permanent, &retryable]).is_permanent());
        assert!(!Failure::all([]).is_permanent());
        assert_eq!(Failure::all([&permanent, &retryable]).causes().len(), 2);
    }

    #[test]
    fn causes_are_bounded_but_counted_and_judged_in_full() {
        let causes = std::iter::once(refused()).chain((0..1000).map(|_| untrusted()));
        let failure = Failure::unavailable("x", causes);
        assert_eq!(failure.causes().len(), MAX_CAUSES);
        assert_eq!(failure.failed_addresses(), 1001);
        assert!(!failure.is_permanent(), "the one retryable cause counts although it was not kept");
    }
}
