//! The grammar of targets, as a pure function from text. It is our own because general parsers of URLs do not
//! know gRPC's names: `dns:///svc` has an empty authority, `unix:name` has none, and `localhost:50051` has no
//! scheme.

use percent_encoding::percent_decode_str;

use super::error::shown;
use super::{HostPort, Notation, Target, TargetError, TargetPart};

/// The longest target: a list of some ten thousand servers fits, a file that was passed by mistake does not.
pub const MAX_TARGET_BYTES: usize = 256 * 1024;

pub(super) fn parse(text: &str, registered: &[&str]) -> Result<Target, TargetError> {
    if text.is_empty() {
        return Err(TargetError::Empty);
    }
    if text.len() > MAX_TARGET_BYTES {
        return Err(TargetError::TooLong { bytes: text.len(), limit: MAX_TARGET_BYTES });
    }
    if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(TargetError::forbidden(text, TargetPart::WhiteSpace));
    }
    let parser = Parser { text, registered };
    parser.refuse('?', TargetPart::Query)?;
    parser.refuse('#', TargetPart::Fragment)?;

    let Some((head, rest)) = text.split_once(':') else {
        return parser.bare();
    };
    let scheme = head.to_ascii_lowercase();
    let known = registered.iter().any(|name| name.eq_ignore_ascii_case(&scheme));
    match (scheme.as_str(), rest.strip_prefix("//")) {
        ("http", Some(rest)) => parser.url(Notation::Http, rest),
        ("https", Some(rest)) => parser.url(Notation::Https, rest),
        (_, Some(rest)) if known => parser.name_with_authority(scheme, rest),
        (_, None) if known => parser.name(scheme, String::new(), rest),
        (_, Some(_)) => Err(parser.unknown(&scheme)),
        // `consul:web` was hardly meant as a host with a port.
        (_, None) if is_word(&scheme) && rest.starts_with(|c: char| c.is_ascii_alphabetic()) => {
            Err(parser.unknown(&scheme))
        }
        (_, None) => parser.bare(),
    }
}

struct Parser<'a> {
    text: &'a str,
    registered: &'a [&'a str],
}

impl Parser<'_> {
    /// `host[:port]`. It holds nothing that would need escapes, so none are read: a zone may follow a plain
    /// `%`.
    fn bare(&self) -> Result<Target, TargetError> {
        self.refuse('@', TargetPart::Userinfo)?;
        self.by_dns(Notation::Name, self.text.to_owned())
    }

    /// What follows `http://` or `https://`.
    fn url(&self, notation: Notation, rest: &str) -> Result<Target, TargetError> {
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        if authority.contains('@') {
            return Err(TargetError::forbidden(self.text, TargetPart::Userinfo));
        }
        // A single slash is the empty path (RFC 9110, section 4.2.3), which people do write.
        if !path.is_empty() {
            return Err(TargetError::forbidden(self.text, TargetPart::Path));
        }
        let endpoint = self.decode(authority)?;
        self.by_dns(notation, endpoint)
    }

    /// What follows `scheme://`.
    fn name_with_authority(&self, scheme: String, rest: &str) -> Result<Target, TargetError> {
        let slash = rest.find('/').unwrap_or(rest.len());
        let (authority, path) = rest.split_at(slash);
        if authority.contains('@') {
            return Err(TargetError::forbidden(self.text, TargetPart::Userinfo));
        }
        self.name(scheme, authority.to_owned(), path)
    }

    fn name(&self, scheme: String, authority: String, path: &str) -> Result<Target, TargetError> {
        let path = self.decode(path)?;
        if path.is_empty() || path == "/" {
            return Err(TargetError::no_endpoint(self.text, scheme, &authority));
        }
        let path = if scheme == "dns" { rooted(path) } else { path };
        Ok(Target { scheme, authority, path, notation: Notation::Name })
    }

    fn by_dns(&self, notation: Notation, endpoint: String) -> Result<Target, TargetError> {
        if !self.registered.iter().any(|name| name.eq_ignore_ascii_case("dns")) {
            return Err(TargetError::NoDns {
                target: shown(self.text),
                registered: self.registered.join(", "),
            });
        }
        let path = match notation {
            Notation::Name => rooted(endpoint),
            Notation::Http | Notation::Https => format!("/{endpoint}"),
        };
        let target = Target { scheme: "dns".to_owned(), authority: String::new(), path, notation };
        HostPort::parse(target.endpoint()).map_err(|problem| TargetError::host(self.text, problem))?;
        Ok(target)
    }

    fn decode(&self, text: &str) -> Result<String, TargetError> {
        let bytes = text.as_bytes();
        let escapes = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'%');
        for (at, _) in escapes {
            let digits = bytes.get(at + 1..at + 3);
            if !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
                return Err(TargetError::Escape { target: shown(self.text) });
            }
        }
        match percent_decode_str(text).decode_utf8() {
            Ok(decoded) => Ok(decoded.into_owned()),
            Err(_) => Err(TargetError::Escape { target: shown(self.text) }),
        }
    }

    fn refuse(&self, mark: char, part: TargetPart) -> Result<(), TargetError> {
        if self.text.contains(mark) { Err(TargetError::forbidden(self.text, part)) } else { Ok(()) }
    }

    fn unknown(&self, scheme: &str) -> TargetError {
        TargetError::unknown_scheme(self.text, scheme, self.registered.join(", "))
    }
}

/// The canonical path of a `dns` name: one leading slash, and the host that a lone `:port` means.
fn rooted(endpoint: String) -> String {
    let endpoint = endpoint.strip_prefix('/').unwrap_or(&endpoint);
    if endpoint.starts_with(':') && endpoint.matches(':').count() == 1 {
        return format!("/localhost{endpoint}");
    }
    format!("/{endpoint}")
}

fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}
