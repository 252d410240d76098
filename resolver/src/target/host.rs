//! `host[:port]`, which most schemes are made of: names, IPv4, IPv6 with and without brackets and zones,
//! ports.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, ToSocketAddrs};

/// A host and, if one was written, a port.
///
/// ```
/// use trunkline_resolver::{Host, HostPort};
/// let here = HostPort::parse("[::1]:50051")?;
/// assert_eq!(here.port, Some(50051));
/// assert_eq!(here.socket_addr(443)?, Some("[::1]:50051".parse().unwrap()));
/// assert_eq!(HostPort::parse("greeter.prod")?.host, Host::Name("greeter.prod".into()));
/// # Ok::<(), trunkline_resolver::HostError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_structs, reason = "a host and a port are all that `host[:port]` can hold")]
pub struct HostPort {
    /// The host.
    pub host: Host,
    /// The port, never 0.
    pub port: Option<u16>,
}

/// A name, or a literal address.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums, reason = "the set is fixed by RFC 3986")]
pub enum Host {
    /// A name that something has to look up, as it was written.
    Name(Box<str>),
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// An IPv6 address.
    V6 {
        /// The address.
        address: Ipv6Addr,
        /// The zone of a link-local address (RFC 4007): an interface's name or number.
        zone: Option<Box<str>>,
    },
}

/// Why a text is not `host[:port]`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// No host.
    #[error("there is no host")]
    NoHost,
    /// A colon with nothing behind it.
    #[error("there is no port behind the colon")]
    NoPort,
    /// The port is not a number from 1 to 65535.
    #[error("`{port}` is not a port; ports are numbers from 1 to 65535")]
    Port {
        /// What was written.
        port: String,
    },
    /// Brackets that do not hold an IPv6 address, or something other than a port behind them.
    #[error("`{text}` is not an IPv6 address in brackets, such as [::1]:443")]
    Brackets {
        /// What was written.
        text: String,
    },
    /// Several colons, but no IPv6 address.
    #[error(
        "`{text}` has several colons but is no IPv6 address; with a port, write it in brackets: [::1]:443"
    )]
    Colons {
        /// What was written.
        text: String,
    },
    /// Digits and dots, but no IPv4 address.
    #[error("`{text}` is not an IPv4 address")]
    V4 {
        /// What was written.
        text: String,
    },
    /// The name is not made of letters, digits, `-`, `_` and dots.
    #[error(
        "`{name}` is not a host name: letters, digits, `-` and `_`, in labels of 1 to 63 joined by dots, at most 253 in all; \
         international names are written in their xn-- form"
    )]
    Name {
        /// What was written.
        name: String,
    },
    /// This machine has no such network interface.
    #[error("there is no network interface `{zone}` on this machine")]
    Zone {
        /// The zone that was written.
        zone: String,
    },
    /// A name where the scheme takes addresses only.
    #[error("`{name}` is a name, and this scheme takes literal addresses only; write dns:///{name}")]
    NotLiteral {
        /// What was written.
        name: String,
    },
}

impl HostPort {
    /// Reads `host[:port]`.
    ///
    /// # Errors
    /// If the text is something else. No text makes it panic.
    pub fn parse(text: &str) -> Result<Self, HostError> {
        if let Some(inner) = text.strip_prefix('[') {
            let brackets = || HostError::Brackets { text: shown(text) };
            let (address, after) = inner.split_once(']').ok_or_else(brackets)?;
            let host = read_v6(address).ok_or_else(brackets)?;
            return match after.strip_prefix(':') {
                Some(port) => Ok(Self { host, port: Some(read_port(port)?) }),
                None if after.is_empty() => Ok(Self { host, port: None }),
                None => Err(brackets()),
            };
        }
        match text.split_once(':') {
            None => Ok(Self { host: Host::parse(text)?, port: None }),
            Some((host, port)) if !port.contains(':') => {
                Ok(Self { host: Host::parse(host)?, port: Some(read_port(port)?) })
            }
            // Without brackets, all of it is the address: no port can be told apart.
            Some(_) => match read_v6(text) {
                Some(host) => Ok(Self { host, port: None }),
                None => Err(HostError::Colons { text: shown(text) }),
            },
        }
    }

    /// The socket address, if the host is a literal; `None` for a name, which has to be looked up.
    ///
    /// # Errors
    /// If the zone of an IPv6 address is not an interface of this machine.
    pub fn socket_addr(&self, default_port: u16) -> Result<Option<SocketAddr>, HostError> {
        let port = self.port.unwrap_or(default_port);
        match &self.host {
            Host::Name(_) => Ok(None),
            Host::V4(address) => Ok(Some((*address, port).into())),
            Host::V6 { address, zone } => {
                let scope = zone.as_deref().map_or(Ok(0), |zone| scope_id(*address, zone))?;
                Ok(Some(SocketAddrV6::new(*address, port, 0, scope).into()))
            }
        }
    }

    /// As it stands in `:authority`: as it was written, but an IPv6 address in brackets and without its zone,
    /// which means nothing to another machine (RFC 6874, section 4).
    pub fn to_authority(&self) -> String {
        let host = match &self.host {
            Host::V6 { address, .. } => Host::V6 { address: *address, zone: None },
            other => other.clone(),
        };
        Self { host, port: self.port }.to_string()
    }
}

impl Host {
    /// Whether this name means this machine (RFC 6761, section 6.3), whatever a name service says.
    pub fn is_localhost(&self) -> bool {
        let Self::Name(name) = self else {
            return false;
        };
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        name == "localhost" || name.ends_with(".localhost")
    }

    fn parse(text: &str) -> Result<Self, HostError> {
        if text.is_empty() {
            return Err(HostError::NoHost);
        }
        if let Ok(address) = text.parse() {
            return Ok(Self::V4(address));
        }
        // `10.0.0.256` would otherwise go out as a question to a name server.
        if text.chars().all(|c| c.is_ascii_digit() || c == '.') {
            return Err(HostError::V4 { text: shown(text) });
        }
        if is_name(text) {
            return Ok(Self::Name(text.into()));
        }
        Err(HostError::Name { name: shown(text) })
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.host.fmt(f)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::V4(address) => address.fmt(f),
            Self::V6 { address, zone: None } => write!(f, "[{address}]"),
            Self::V6 { address, zone: Some(zone) } => write!(f, "[{address}%{zone}]"),
        }
    }
}

fn read_port(text: &str) -> Result<u16, HostError> {
    if text.is_empty() {
        return Err(HostError::NoPort);
    }
    // `parse` alone would take `+80`.
    let digits = text.chars().all(|c| c.is_ascii_digit());
    match text.parse() {
        Ok(port) if digits && port != 0 => Ok(port),
        _ => Err(HostError::Port { port: shown(text) }),
    }
}

fn read_v6(text: &str) -> Option<Host> {
    let (address, zone) = match text.split_once('%') {
        Some((address, zone)) => (address, Some(zone)),
        None => (text, None),
    };
    let address = address.parse().ok()?;
    let plausible = |zone: &str| {
        (1..=MAX_ZONE_BYTES).contains(&zone.len())
            && zone.chars().all(|c| c.is_ascii_alphanumeric() || "-_.~".contains(c))
    };
    if zone.is_some_and(|zone| !plausible(zone)) {
        return None;
    }
    Some(Host::V6 { address, zone: zone.map(Into::into) })
}

/// RFC 1123, section 2.1, and `_`, which container networks and SRV-like names use.
fn is_name(text: &str) -> bool {
    let name = text.strip_suffix('.').unwrap_or(text);
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    };
    name.len() <= 253 && name.split('.').all(label)
}

/// The number of an interface.
fn scope_id(address: Ipv6Addr, zone: &str) -> Result<u32, HostError> {
    if let Ok(number) = zone.parse() {
        return Ok(number);
    }
    // The system's look-up reads a literal with a zone without asking any name server; the port is only there
    // for form.
    let found = (format!("{address}%{zone}").as_str(), 1).to_socket_addrs().ok();
    let scope = found.into_iter().flatten().find_map(|found| match found {
        SocketAddr::V6(found) if found.ip() == &address => Some(found.scope_id()),
        _ => None,
    });
    match scope {
        Some(scope) if scope != 0 => Ok(scope),
        _ => Err(HostError::Zone { zone: zone.to_owned() }),
    }
}

impl From<IpAddr> for Host {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::V4(address),
            IpAddr::V6(address) => Self::V6 { address, zone: None },
        }
    }
}

fn shown(text: &str) -> String {
    text.escape_debug().take(MAX_SHOWN).collect()
}

/// Names of interfaces are at most 15 bytes on Linux; Windows and BSD have longer ones.
const MAX_ZONE_BYTES: usize = 64;

/// Enough to recognise what was written.
const MAX_SHOWN: usize = 80;
