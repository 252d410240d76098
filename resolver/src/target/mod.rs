//! What a channel is pointed at: the parsed `dns:///greeter.prod:443`. It knows grammar only; what an
//! endpoint means is the business of the scheme's resolver.

mod error;
mod host;
mod parse;

use std::fmt;

use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};

pub use error::{TargetError, TargetPart};
pub use host::{Host, HostError, HostPort};
pub use parse::MAX_TARGET_BYTES;

/// A parsed target: which scheme resolves it, which authority is asked, and what is looked for.
///
/// A target is written as
/// - a gRPC name (gRPC `naming.md`): `dns:///greeter.prod:443`, `dns://10.0.0.2/greeter.prod`, `unix:///run/greeter`,
///   `static:10.0.0.7:443,10.0.0.8:443`, or any scheme of a registered [`ResolverBuilder`](crate::ResolverBuilder);
/// - a URL: `http://greeter.prod:50051` is DNS and plaintext, `https://greeter.prod` is DNS and TLS;
/// - `host[:port]`, which is DNS: `localhost:50051`.
///
/// `Display` is the canonical form, which parses to an equal target.
///
/// ```
/// use trunkline_resolver::Target;
/// let target = Target::parse("dns:///greeter.prod:443", &["dns"])?;
/// assert_eq!((target.scheme(), target.authority(), target.endpoint()), ("dns", "", "greeter.prod:443"));
/// assert_eq!(Target::parse("greeter.prod:443", &["dns"])?, target);
/// # Ok::<(), trunkline_resolver::TargetError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Target {
    scheme: String,
    authority: String,
    // Percent-decoded, with its leading slash if one was written.
    path: String,
    notation: Notation,
}

/// How the target was written: only URLs say whether TLS is meant, and which port is usual.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Notation {
    Name,
    Http,
    Https,
}

/// What a target says about how its servers are spoken to. A channel compares it with its own settings: a
/// contradiction is an error, and so is silence where bytes would cross a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TransportHint {
    /// `http://`: in the clear.
    Plaintext,
    /// `https://`: TLS.
    Tls,
    /// The target crosses a network and does not say: the channel's settings must.
    Unstated,
    /// A unix socket: nothing leaves the machine, so plaintext needs no saying.
    Local,
}

impl Target {
    /// Reads a target. `registered` are the schemes that there are resolvers for;
    /// [`ResolverRegistry::parse`](crate::ResolverRegistry::parse) passes its own.
    ///
    /// A word before the first colon is a scheme if it is registered or if `//` follows, which is why
    /// `localhost:50051` is a host and a port.
    ///
    /// # Errors
    /// If the text is not a target, or its scheme is not registered. No text makes it panic.
    pub fn parse(text: &str, registered: &[&str]) -> Result<Self, TargetError> {
        parse::parse(text, registered)
    }

    /// The scheme whose resolver is asked, in lower case; `dns` for URLs and for bare names.
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// What stands between `//` and the next `/` of a gRPC name: whom to ask, such as a DNS server. Empty if
    /// nothing does.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// What is looked for, percent-decoded and without a leading slash: `greeter.prod:443`.
    pub fn endpoint(&self) -> &str {
        self.path.strip_prefix('/').unwrap_or(&self.path)
    }

    /// As [`endpoint`](Self::endpoint), with the leading slash that was written: `/run/greeter` of
    /// `unix:///run/greeter`, `greeter` of `unix:greeter`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The port of an endpoint that does not name one: 80 for `http://`, otherwise 443 (gRPC `naming.md`).
    pub fn default_port(&self) -> u16 {
        match self.notation {
            Notation::Http => 80,
            Notation::Https | Notation::Name => 443,
        }
    }

    /// What the target says about plaintext and TLS.
    pub fn transport_hint(&self) -> TransportHint {
        match (self.notation, self.scheme()) {
            (Notation::Http, _) => TransportHint::Plaintext,
            (Notation::Https, _) => TransportHint::Tls,
            (Notation::Name, "unix" | "unix-abstract") => TransportHint::Local,
            (Notation::Name, _) => TransportHint::Unstated,
        }
    }

    /// Whether the endpoint is a list of several servers (`static:a:1,b:2`), so that it gives no one name that
    /// certificates could be checked against: TLS over it needs an authority of the application's. Only
    /// `ipv4`, `ipv6` and `static` are lists; in other schemes a comma is part of the name.
    pub fn is_list(&self) -> bool {
        matches!(self.scheme(), "ipv4" | "ipv6" | "static") && self.path.contains(',')
    }

    /// The endpoint read as `host[:port]`.
    ///
    /// # Errors
    /// If it is not of that form.
    pub fn host_port(&self) -> Result<HostPort, TargetError> {
        self.read_host_port(self.endpoint())
    }

    /// The endpoint read as `host[:port],host[:port],...`; never empty.
    ///
    /// # Errors
    /// If one of them is not of that form.
    pub fn host_ports(&self) -> Result<Vec<HostPort>, TargetError> {
        self.endpoint().split(',').map(|text| self.read_host_port(text)).collect()
    }

    /// The endpoint as it may stand in `:authority`: all that RFC 3986 does not allow there is
    /// percent-encoded.
    pub fn encoded_endpoint(&self) -> String {
        utf8_percent_encode(self.endpoint(), NOT_IN_AUTHORITY).to_string()
    }

    /// As an error or a log may repeat it: on one line, and not endless.
    pub(crate) fn shown(&self) -> String {
        error::shown(&self.to_string())
    }

    /// For schemes that ask nobody in particular.
    pub(crate) fn refuse_authority(&self) -> Result<(), TargetError> {
        if self.authority.is_empty() {
            return Ok(());
        }
        Err(TargetError::forbidden(&self.to_string(), TargetPart::Authority))
    }

    fn read_host_port(&self, text: &str) -> Result<HostPort, TargetError> {
        HostPort::parse(text).map_err(|problem| TargetError::host(&self.to_string(), problem))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = utf8_percent_encode(&self.path, NOT_IN_PATH);
        match self.notation {
            Notation::Http => write!(f, "http://{}", utf8_percent_encode(self.endpoint(), NOT_IN_PATH)),
            Notation::Https => write!(f, "https://{}", utf8_percent_encode(self.endpoint(), NOT_IN_PATH)),
            Notation::Name if self.path.starts_with('/') => {
                write!(f, "{}://{}{path}", self.scheme, self.authority)
            }
            Notation::Name => write!(f, "{}:{path}", self.scheme),
        }
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({self})")
    }
}

/// All but RFC 3986's unreserved and sub-delims, `:` and the brackets of IPv6. `@` is encoded too: what
/// stands before it would be read as userinfo.
const NOT_IN_AUTHORITY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b':')
    .remove(b'[')
    .remove(b']');

/// What the grammar of targets would read as something else.
const NOT_IN_PATH: &AsciiSet = &CONTROLS.add(b' ').add(b'%').add(b'?').add(b'#');

#[cfg(test)]
mod tests;
