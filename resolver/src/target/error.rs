//! What can be wrong with a target, each with the fix. A target is written by a person, so every error is
//! theirs to mend and says how; passwords that were written into one are not repeated.

use std::fmt;

use super::{HostError, HostPort, Target};

/// Why a target cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {
    /// Nothing was written.
    #[error("the target is empty; write something like dns:///greeter.prod:443")]
    Empty,
    /// The text is longer than [`MAX_TARGET_BYTES`](crate::MAX_TARGET_BYTES).
    #[error("the target is {bytes} bytes long; at most {limit} are allowed")]
    TooLong {
        /// Its length.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// Nobody resolves this scheme.
    #[error(
        "target `{target}`: no resolver is registered for `{scheme}`; registered are {registered}, http, https"
    )]
    UnknownScheme {
        /// The target.
        target: String,
        /// The scheme that was written.
        scheme: String,
        /// The registered schemes, joined by commas.
        registered: String,
    },
    /// The target is looked up by DNS, and nobody resolves `dns`.
    #[error(
        "target `{target}` is looked up by DNS, but no resolver is registered for `dns`; enable the feature `dns`, \
         or write one of the registered schemes: {registered}"
    )]
    NoDns {
        /// The target.
        target: String,
        /// The registered schemes, joined by commas.
        registered: String,
    },
    /// Something that a target cannot have.
    #[error("target `{target}`: {part}")]
    Forbidden {
        /// The target, without userinfo.
        target: String,
        /// What it has and must not.
        part: TargetPart,
    },
    /// A percent sign that does not start an escape, or escapes that are not UTF-8.
    #[error("target `{target}`: not percent-encoded UTF-8; a percent sign itself is written %25")]
    Escape {
        /// The target.
        target: String,
    },
    /// Nothing stands where the endpoint should.
    #[error("target `{target}` names no endpoint{}", hint(scheme, authority))]
    NoEndpoint {
        /// The target.
        target: String,
        /// Its scheme.
        scheme: String,
        /// What stands between `//` and the next `/`, often the endpoint itself by mistake.
        authority: String,
    },
    /// The endpoint is not `host[:port]`.
    #[error("target `{target}`: {problem}")]
    Host {
        /// The target.
        target: String,
        /// What is wrong with it.
        problem: HostError,
    },
    /// The resolver of its scheme says no.
    #[error("target `{target}`: {reason}")]
    Rejected {
        /// The target.
        target: String,
        /// Why, and what to do.
        reason: String,
    },
}

/// A part that a target must not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TargetPart {
    /// `user:password@`.
    Userinfo,
    /// `?..`.
    Query,
    /// `#..`.
    Fragment,
    /// `/..` after the port of a URL.
    Path,
    /// `//..` before the endpoint, where the scheme asks nobody in particular.
    Authority,
    /// White space or a control character.
    WhiteSpace,
}

impl TargetError {
    /// An error of a scheme's own: `reason` says what is wrong and what to do.
    pub fn rejected(target: &Target, reason: impl Into<String>) -> Self {
        Self::Rejected { target: target.shown(), reason: reason.into() }
    }

    /// `host` is a name, and the scheme of `target` does not look names up.
    pub(crate) fn not_literal(target: &Target, host: &HostPort) -> Self {
        Self::host(&target.to_string(), HostError::NotLiteral { name: host.to_string() })
    }

    /// Nobody resolves `scheme`.
    pub(crate) fn unknown_scheme(target: &str, scheme: &str, registered: String) -> Self {
        Self::UnknownScheme { target: shown(target), scheme: bounded(scheme), registered }
    }

    /// `authority` stands where the endpoint should, if it is not empty.
    pub(super) fn no_endpoint(target: &str, scheme: String, authority: &str) -> Self {
        Self::NoEndpoint { target: shown(target), scheme, authority: bounded(authority) }
    }

    pub(super) fn forbidden(target: &str, part: TargetPart) -> Self {
        Self::Forbidden { target: shown(target), part }
    }

    pub(crate) fn host(target: &str, problem: HostError) -> Self {
        Self::Host { target: shown(target), problem }
    }
}

impl fmt::Display for TargetPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Userinfo => "userinfo (`user@`) has no meaning here; send credentials as metadata",
            Self::Query => "a query (`?..`) has no meaning here; a question mark itself is written %3F",
            Self::Fragment => "a fragment (`#..`) has no meaning here; a number sign itself is written %23",
            Self::Path => "a path has no meaning here; gRPC's paths are its methods",
            Self::Authority => "this scheme takes no authority; write `scheme:name` or `scheme:///name`",
            Self::WhiteSpace => {
                "white space and control characters are not allowed; write them percent-encoded"
            }
        })
    }
}

fn hint(scheme: &str, authority: &str) -> String {
    if authority.is_empty() {
        return String::new();
    }
    format!("; with three slashes, `{scheme}:///{authority}`, it would name `{authority}`")
}

/// A target as an error may repeat it: without userinfo, which may hold a password; on one line, and not
/// endless.
pub(super) fn shown(target: &str) -> String {
    let start = target.find("://").map_or(0, |colon| colon + 3);
    let (head, rest) = target.split_at(start);
    let end = rest.find('/').unwrap_or(rest.len());
    let rest = match rest.get(..end).and_then(|authority| authority.rfind('@')) {
        Some(at) => rest.get(at + 1..).unwrap_or_default(),
        None => rest,
    };
    bounded(&format!("{head}{rest}"))
}

fn bounded(text: &str) -> String {
    let mut text: String = text.escape_debug().take(MAX_SHOWN).collect();
    if text.chars().count() == MAX_SHOWN {
        text.push_str("..");
    }
    text
}

/// Long enough for any name, short enough for one line of a log.
const MAX_SHOWN: usize = 256;
