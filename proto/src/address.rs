//! One way to reach a server. It is apart from [`Endpoint`](crate::Endpoint) because it is the *name of a
//! connection*: two endpoints that mention the same address share one.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One way to reach a server, and the name of its subchannel.
///
/// Identity is by value: equal addresses share a connection, so everything that changes what a connection
/// *is* (the socket, the name its TLS certificate is checked against) is part of an address, and nothing else
/// is. What merely describes a server (weight, zone) belongs to the attributes of its
/// [`Endpoint`](crate::Endpoint).
///
/// Cheap to clone (one reference count), to hash (computed once) and to compare.
///
/// ```
/// use trunkline_proto::Address;
/// let a = Address::tcp("10.0.0.7:443".parse().unwrap());
/// assert_eq!(a.to_string(), "10.0.0.7:443");
/// assert_ne!(a, a.clone().with_server_name("greeter.prod"));
/// ```
#[derive(Clone)]
pub struct Address(Arc<Parts>);

#[derive(PartialEq, Eq, Hash)]
struct Identity {
    kind: AddressKind,
    server_name: Option<Box<str>>,
    variant: Option<Box<str>>,
}

struct Parts {
    hash: u64,
    identity: Identity,
}

/// What sort of place an [`Address`] names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AddressKind {
    /// An IP address and a TCP port.
    Tcp(SocketAddr),
    /// A unix socket in the file system.
    Unix(PathBuf),
    /// A unix socket in Linux's abstract namespace; the name is without its leading zero byte.
    UnixAbstract(Box<[u8]>),
    /// A name that only a plugin's connector understands.
    Other(Box<str>),
}

impl Address {
    /// An address of the given kind.
    pub fn new(kind: AddressKind) -> Self {
        Self::from_identity(Identity { kind, server_name: None, variant: None })
    }

    /// A TCP address.
    pub fn tcp(address: SocketAddr) -> Self {
        Self::new(AddressKind::Tcp(address))
    }

    /// A unix socket by its path.
    pub fn unix(path: impl Into<PathBuf>) -> Self {
        Self::new(AddressKind::Unix(path.into()))
    }

    /// A unix socket in Linux's abstract namespace, without the leading zero byte.
    pub fn unix_abstract(name: impl Into<Vec<u8>>) -> Self {
        Self::new(AddressKind::UnixAbstract(name.into().into_boxed_slice()))
    }

    /// A name for a plugin's connector.
    pub fn other(name: impl Into<String>) -> Self {
        Self::new(AddressKind::Other(name.into().into_boxed_str()))
    }

    /// The same place under a server name of its own: TLS checks the certificate against it, and calls
    /// carry it as their `:authority`, unless the application set one.
    #[must_use]
    pub fn with_server_name(self, name: impl Into<String>) -> Self {
        let Identity { kind, variant, .. } = self.into_identity();
        Self::from_identity(Identity { kind, server_name: Some(name.into().into_boxed_str()), variant })
    }

    /// The same place as another connection: an opaque word by which a plugin tells apart connections
    /// that differ in something only its connector knows of.
    #[must_use]
    pub fn with_variant(self, variant: impl Into<String>) -> Self {
        let Identity { kind, server_name, .. } = self.into_identity();
        Self::from_identity(Identity { kind, server_name, variant: Some(variant.into().into_boxed_str()) })
    }

    /// Where this address points.
    pub fn kind(&self) -> &AddressKind {
        &self.0.identity.kind
    }

    /// The socket address, if this is TCP.
    pub fn socket_addr(&self) -> Option<SocketAddr> {
        match self.kind() {
            AddressKind::Tcp(address) => Some(*address),
            _ => None,
        }
    }

    /// The path, if this is a unix socket in the file system.
    pub fn unix_path(&self) -> Option<&Path> {
        match self.kind() {
            AddressKind::Unix(path) => Some(path),
            _ => None,
        }
    }

    /// The server name of this address alone, if it has one.
    pub fn server_name(&self) -> Option<&str> {
        self.0.identity.server_name.as_deref()
    }

    /// The plugin's word, if there is one.
    pub fn variant(&self) -> Option<&str> {
        self.0.identity.variant.as_deref()
    }

    fn from_identity(identity: Identity) -> Self {
        // A hasher with fixed keys: the same address hashes alike in every channel and every run.
        let mut hasher = DefaultHasher::new();
        identity.hash(&mut hasher);
        Self(Arc::new(Parts { hash: hasher.finish(), identity }))
    }

    fn into_identity(self) -> Identity {
        match Arc::try_unwrap(self.0) {
            Ok(parts) => parts.identity,
            Err(shared) => Identity {
                kind: shared.identity.kind.clone(),
                server_name: shared.identity.server_name.clone(),
                variant: shared.identity.variant.clone(),
            },
        }
    }
}

impl PartialEq for Address {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || (self.0.hash == other.0.hash && self.0.identity == other.0.identity)
    }
}

impl Eq for Address {}

impl Hash for Address {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0.hash);
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Self::tcp(address)
    }
}

impl fmt::Display for AddressKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::UnixAbstract(name) => write!(f, "unix-abstract:{}", name.escape_ascii()),
            Self::Other(name) => f.write_str(name),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind().fmt(f)?;
        if let Some(name) = self.server_name() {
            write!(f, " as {name}")?;
        }
        if let Some(variant) = self.variant() {
            write!(f, " ({variant})")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn equal_places_are_one_address_and_anything_that_changes_the_connection_is_another() {
        let plain = Address::tcp("127.0.0.1:1".parse().unwrap());
        let again = Address::tcp("127.0.0.1:1".parse().unwrap());
        let named = again.clone().with_server_name("a");
        let variant = again.clone().with_variant("a");
        assert_eq!(plain, again);
        let set: HashSet<_> = [plain, again, named.clone(), variant.clone()].into();
        assert_eq!(set.len(), 3);
        assert_eq!(named.server_name(), Some("a"));
        assert_eq!(variant.variant(), Some("a"));
    }

    #[test]
    fn an_address_prints_as_a_person_would_write_it() {
        assert_eq!(Address::unix("/run/x").to_string(), "unix:/run/x");
        assert_eq!(Address::unix_abstract(*b"x\0").to_string(), "unix-abstract:x\\x00");
        let v6: SocketAddr = "[::1]:80".parse().unwrap();
        assert_eq!(Address::from(v6).with_server_name("s").to_string(), "[::1]:80 as s");
    }
}
