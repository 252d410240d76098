//! Why a connection could not be made or was lost. It is one type for every phase, because callers ask all of
//! them the same three things: where, how far it got, and whether trying again can help.

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;

use crate::Address;

/// The step of making a connection that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Phase {
    /// Finding addresses behind a name.
    Resolve,
    /// Reaching the address (TCP, a unix socket, a proxy).
    Connect,
    /// The TLS handshake, certificates included.
    Tls,
    /// HTTP/2: the preface, the server's SETTINGS, and the life of the connection after them.
    Http2,
    /// The server said that it is not healthy.
    Health,
}

/// Why one connection attempt failed, or an established connection was lost.
///
/// Cheap to clone. An error is *retryable* unless it was made [`permanent`](Self::permanent): trying the same
/// thing again would fail the same way until somebody changes something (a certificate, a permission). A
/// permanent error still recovers by itself, more slowly, since somebody usually does.
///
/// `Display` is one line: `10.0.0.7:443: TLS: certificate signed by unknown issuer`.
#[derive(Clone)]
pub struct ConnectError(Arc<Parts>);

#[derive(Clone)]
struct Parts {
    phase: Phase,
    permanent: bool,
    address: Option<Address>,
    message: Box<str>,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

impl ConnectError {
    /// A retryable error of `phase`. `message` is for people: what went wrong, without the address and the
    /// phase.
    pub fn new(phase: Phase, message: impl Into<String>) -> Self {
        let message = message.into().into_boxed_str();
        Self(Arc::new(Parts { phase, permanent: false, address: None, message, source: None }))
    }

    /// The same error, permanent.
    #[must_use]
    pub fn permanent(self) -> Self {
        self.change(|parts| parts.permanent = true)
    }

    /// The same error at `address`. An address that is already there stays: the innermost knows best.
    #[must_use]
    pub fn at(self, address: &Address) -> Self {
        if self.0.address.is_some() {
            return self;
        }
        self.change(|parts| parts.address = Some(address.clone()))
    }

    /// The same error in another phase.
    #[must_use]
    pub fn in_phase(self, phase: Phase) -> Self {
        self.change(|parts| parts.phase = phase)
    }

    /// The same error with the error behind it, which [`Error::source`] returns.
    #[must_use]
    pub fn caused_by(self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let source = Arc::from(source.into());
        self.change(|parts| parts.source = Some(source))
    }

    /// Whether trying again is pointless until somebody changes something.
    pub fn is_permanent(&self) -> bool {
        self.0.permanent
    }

    /// How far the attempt got.
    pub fn phase(&self) -> Phase {
        self.0.phase
    }

    /// Where it was tried, once that is known.
    pub fn address(&self) -> Option<&Address> {
        self.0.address.as_ref()
    }

    /// What went wrong, without address and phase.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    fn change(mut self, change: impl FnOnce(&mut Parts)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }
}

/// Retryable, in phase [`Phase::Connect`]. Where the kind of the error makes it permanent (a forbidden unix
/// socket), the connector that knows says so.
impl From<io::Error> for ConnectError {
    fn from(error: io::Error) -> Self {
        Self::new(Phase::Connect, error.to_string()).caused_by(error)
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Resolve => "resolve",
            Self::Connect => "connect",
            Self::Tls => "TLS",
            Self::Http2 => "HTTP/2",
            Self::Health => "health",
        })
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(address) = self.address() {
            write!(f, "{address}: ")?;
        }
        write!(f, "{}: {}", self.phase(), self.message())
    }
}

impl fmt::Debug for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectError")
            .field("address", &self.address())
            .field("phase", &self.phase())
            .field("permanent", &self.is_permanent())
            .field("message", &self.message())
            .finish_non_exhaustive()
    }
}

impl Error for ConnectError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source.as_ref().map(|source| &**source as &(dyn Error + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_says_where_how_far_and_what() {
        let address = Address::tcp("10.0.0.7:443".parse().unwrap());
        let error =
            ConnectError::new(Phase::Tls, "certificate signed by unknown issuer").at(&address).permanent();
        assert_eq!(error.to_string(), "10.0.0.7:443: TLS: certificate signed by unknown issuer");
        assert!(error.is_permanent());
        assert_eq!(error.address(), Some(&address));
    }

    #[test]
    fn an_io_error_is_retryable_and_stays_reachable_as_the_source() {
        let error = ConnectError::from(io::Error::from(io::ErrorKind::ConnectionRefused));
        assert!(!error.is_permanent());
        assert_eq!(error.phase(), Phase::Connect);
        let source = error.source().and_then(|source| source.downcast_ref::<io::Error>());
        assert_eq!(source.map(io::Error::kind), Some(io::ErrorKind::ConnectionRefused));
    }

    #[test]
    fn the_innermost_address_is_kept() {
        let (inner, outer) = (Address::other("inner"), Address::other("outer"));
        let error = ConnectError::new(Phase::Connect, "x").at(&inner).at(&outer);
        assert_eq!(error.address(), Some(&inner));
    }
}
