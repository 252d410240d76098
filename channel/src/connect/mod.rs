//! How byte streams to servers are opened. A connector knows sockets and TLS and nothing of HTTP/2; it is a
//! seam of its own, so that a user's transport (a proxy, a vsock, a test's pipe) works with every resolver
//! and balancer.

pub(crate) mod classify;
mod system;
mod tcp;
#[cfg(feature = "tls")]
mod tls;
#[cfg(unix)]
mod unix;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

use tokio::io::{AsyncRead, AsyncWrite};
use trunkline_proto::{Address, ConnectError, Phase};

pub use system::SystemConnector;
#[cfg(feature = "tls")]
pub use tls::{Roots, Tls, TlsConnector, TlsError};

/// Opens byte streams.
///
/// Called once per dial. Dropping the future aborts the attempt; time limits are the dial's, so a connector
/// needs none. An error is retryable unless it was made [`permanent`](ConnectError::permanent); `?` on an
/// `io::Error` gives a retryable one.
pub trait Connector: Send + Sync + 'static {
    /// Opens one byte stream to the address of `request`.
    fn connect(&self, request: ConnectRequest) -> BoxFuture<'static, Result<Connected, ConnectError>>;
}

impl<C: Connector + ?Sized> Connector for Arc<C> {
    fn connect(&self, request: ConnectRequest) -> BoxFuture<'static, Result<Connected, ConnectError>> {
        (**self).connect(request)
    }
}

/// A boxed future that may be sent between threads.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What to connect to.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ConnectRequest {
    /// The address.
    pub address: Address,
    /// The `:authority` of the channel, which is the name that TLS checks unless the address or the settings
    /// have another.
    pub authority: Arc<str>,
    phase: PhaseMarker,
}

impl ConnectRequest {
    /// A request to connect to `address` for a channel with this authority.
    pub fn new(address: Address, authority: impl Into<Arc<str>>) -> Self {
        Self { address, authority: authority.into(), phase: PhaseMarker::default() }
    }

    /// Says that the attempt has come to `phase`, which the error names if the time of the dial runs out.
    /// Without it, that is [`Phase::Connect`].
    pub fn entered(&self, phase: Phase) {
        self.phase.set(phase);
    }

    pub(crate) fn phase(&self) -> &PhaseMarker {
        &self.phase
    }
}

/// How far a dial has got. The connector writes it, the dial reads it when its time runs out.
#[derive(Clone, Debug, Default)]
pub(crate) struct PhaseMarker(Arc<AtomicU8>);

impl PhaseMarker {
    const PHASES: [Phase; 3] = [Phase::Connect, Phase::Tls, Phase::Http2];

    pub(crate) fn set(&self, phase: Phase) {
        if let Some(index) = Self::PHASES.iter().position(|known| *known == phase) {
            self.0.store(u8::try_from(index).unwrap_or(0), Relaxed);
        }
    }

    pub(crate) fn get(&self) -> Phase {
        Self::PHASES.get(usize::from(self.0.load(Relaxed))).copied().unwrap_or(Phase::Connect)
    }
}

/// A byte stream in both directions.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Io for T {}

/// An open byte stream, and what is known of it.
#[non_exhaustive]
pub struct Connected {
    /// The bytes.
    pub io: Box<dyn Io>,
    /// How they are protected.
    pub security: Security,
    /// What ALPN agreed on, if there was ALPN.
    pub alpn: Option<Vec<u8>>,
    /// Who is at the other end.
    pub peer: PeerInfo,
}

impl Connected {
    /// An unprotected byte stream.
    pub fn new(io: impl Io) -> Self {
        Self { io: Box::new(io), security: Security::Plaintext, alpn: None, peer: PeerInfo::default() }
    }
}

impl fmt::Debug for Connected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connected")
            .field("security", &self.security)
            .field("alpn", &self.alpn.as_deref().map(String::from_utf8_lossy))
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}

/// How a byte stream is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Security {
    /// Not at all.
    Plaintext,
    /// By TLS: private, unchanged, and the server is who it says.
    Tls,
}

/// Who is at the other end of a connection.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct PeerInfo {
    /// The peer's socket address, where the transport has such a thing.
    pub remote: Option<std::net::SocketAddr>,
    /// Our own socket address.
    pub local: Option<std::net::SocketAddr>,
}
