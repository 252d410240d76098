//! What RFC 9113 allows in a header field, and which of it in a response. Apart from the decoder, because it
//! is judged once for an entry of the table, however often the entry is named.

use super::words::has_octet_below;
use crate::Headers;

/// What one field is in a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A field for the application.
    Regular,
    /// The same, but for white space around the value, which the application does not get.
    Spaced,
    /// `:status`.
    Status(u16),
    /// A field that makes the response malformed (RFC 9113 8.1.1), and why.
    Illegal(&'static str),
}

/// Judges one field of a response.
pub(super) fn judge(name: &[u8], value: &[u8]) -> Kind {
    if name == b":status" {
        return match *value {
            [a @ b'1'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9'] => {
                Kind::Status([a, b, c].iter().fold(0, |number, digit| number * 10 + u16::from(digit - b'0')))
            }
            _ => Kind::Illegal(":status is not a number of three digits (RFC 9113 8.3.2)"),
        };
    }
    if name.first() == Some(&b':') {
        return Kind::Illegal("pseudo field other than :status in a response (RFC 9113 8.3)");
    }
    if !is_field_name(name) {
        let has_uppercase = name.iter().any(u8::is_ascii_uppercase);
        return Kind::Illegal(if has_uppercase {
            "uppercase letter in a field name (RFC 9113 8.2.1)"
        } else {
            "illegal character in a field name (RFC 9113 8.2.1)"
        });
    }
    if is_connection_specific(name, value) {
        return Kind::Illegal("connection-specific field (RFC 9113 8.2.2)");
    }
    if has_line_end(value) {
        return Kind::Illegal("NUL, CR or LF in a field value (RFC 9113 8.2.1)");
    }
    // RFC 9113 8.2.1 forbids white space around a value, and gRPC says that it may be stripped (PROTOCOL-HTTP2,
    // ASCII-Value). Its grammar leaves that of a status message as it is (Percent-Byte-Unencoded).
    if has_space_around(value) && name != b"grpc-message" { Kind::Spaced } else { Kind::Regular }
}

/// What content-length says in the head of a response, if anything. Repeated it must be the same (RFC 9110 8.6).
pub(super) fn content_length(headers: &Headers) -> Result<Option<u64>, &'static str> {
    let mut found = None;
    for value in headers.get_all("content-length") {
        let digits = value.iter().all(u8::is_ascii_digit).then(|| std::str::from_utf8(value).ok()).flatten();
        match digits.and_then(|digits| digits.parse::<u64>().ok()) {
            Some(length) if found.is_none_or(|earlier| earlier == length) => found = Some(length),
            _ => return Err("content-length is no number, or two (RFC 9110 8.6)"),
        }
    }
    Ok(found)
}

/// Whether this is the name of a regular field: a token (RFC 9110 5.1) without uppercase letters (RFC 9113
/// 8.2.1).
pub(crate) fn is_field_name(name: &[u8]) -> bool {
    // All octets are looked at: names are short, and legal, and a loop that may end early costs more.
    !name.is_empty() && name.iter().fold(true, |legal, &octet| legal & is_name_octet(octet))
}

/// Whether this can be the value of a field, once it is [`trimmed`] (RFC 9113 8.2.1).
pub(crate) fn is_field_value(value: &[u8]) -> bool {
    !has_line_end(value)
}

/// The value without white space around it.
#[inline]
pub(crate) fn trimmed(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// RFC 9110 5.6.2, `tchar`, without the uppercase letters.
fn is_name_octet(octet: u8) -> bool {
    NAME_OCTETS[usize::from(octet)]
}

static NAME_OCTETS: [bool; 256] = {
    let mut allowed = [false; 256];
    let mut rest: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~";
    while let Some((&octet, after)) = rest.split_first() {
        allowed[octet as usize] = true;
        rest = after;
    }
    allowed
};

/// NUL, too, ends a line for somebody. Most values hold nothing of the kind, nor any other octet that is that low.
#[inline]
fn has_line_end(value: &[u8]) -> bool {
    has_octet_below(value, b'\r' + 1) && value.iter().any(|octet| matches!(octet, 0 | b'\r' | b'\n'))
}

#[inline]
fn has_space_around(value: &[u8]) -> bool {
    let is_space = |octet: Option<&u8>| matches!(octet, Some(b' ' | b'\t'));
    is_space(value.first()) || is_space(value.last())
}

/// RFC 9113 8.2.2 and the list that it points to, RFC 9110 7.6.1. `te` is on it, too, but for `trailers`. That is
/// for requests; servers that return the metadata of a request return it as well.
pub(crate) fn is_connection_specific(name: &[u8], value: &[u8]) -> bool {
    matches!(name, b"connection" | b"proxy-connection" | b"keep-alive" | b"transfer-encoding" | b"upgrade")
        || name == b"te" && trimmed(value) != b"trailers"
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn is_illegal(name: &str, value: &str) -> bool {
        matches!(judge(name.as_bytes(), value.as_bytes()), Kind::Illegal(_))
    }

    #[test]
    fn a_status_is_three_digits() {
        assert_eq!(judge(b":status", b"200"), Kind::Status(200));
        assert_eq!(judge(b":status", b"999"), Kind::Status(999));
        for value in ["", "20", "2000", "2x0", "+20", " 200", "099"] {
            assert!(is_illegal(":status", value), "{value:?}");
        }
    }

    #[test]
    fn no_other_pseudo_field_belongs_into_a_response() {
        for name in [":path", ":method", ":authority", ":scheme", ":protocol", ":", ":Status"] {
            assert!(is_illegal(name, "200"), "{name}");
        }
    }

    #[test]
    fn names_are_those_that_the_http_crate_takes_but_for_the_quote() {
        for octet in 0..=255 {
            let name = [b'x', octet];
            let is_taken = HeaderName::from_lowercase(&name).is_ok() && octet != b'"';
            assert_eq!(is_field_name(&name), is_taken, "{octet:#x}");
        }
        assert!(!is_field_name(b""));
    }

    #[test]
    fn values_hold_everything_but_nul_and_line_ends() {
        for octet in 0..=255 {
            let value = [b'x', octet, b'x'];
            assert_eq!(is_field_value(&value), !matches!(octet, 0 | 10 | 13), "{octet:#x}");
            assert!(is_field_value(&value) || HeaderValue::from_bytes(&value).is_err());
        }
        assert!(is_field_value(b"") && is_field_value(b"x y"));
    }

    #[test]
    fn white_space_around_a_value_does_not_count() {
        for value in [&b" x"[..], b"x ", b"\tx", b"x\t", b" \t x \t "] {
            assert_eq!(trimmed(value), b"x");
            assert_eq!(judge(b"a", value), Kind::Spaced);
        }
        assert_eq!((trimmed(b" "), trimmed(b""), trimmed(b"x y")), (&b""[..], &b""[..], &b"x y"[..]));
        assert_eq!(judge(b"a", b"x y"), Kind::Regular);
    }

    #[test]
    fn fields_of_the_connection_do_not_belong_into_http_2() {
        for name in ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "te"] {
            assert!(is_illegal(name, "x"), "{name}");
        }
        assert!(!is_illegal("trailer", "x") && !is_illegal("te", "trailers"));
    }

    #[test]
    fn uppercase_names_and_bad_values_are_illegal() {
        assert!(is_illegal("Grpc-Status", "0") && is_illegal("a b", "0") && is_illegal("", "0"));
        assert!(is_illegal("a", "x\0") && is_illegal("a", "x\ny") && is_illegal("a", "x\n"));
    }

    #[test]
    fn a_status_message_may_begin_and_end_with_spaces() {
        assert_eq!(judge(b"grpc-message", b" no such file: "), Kind::Regular);
        assert!(is_illegal("grpc-message", "a\n"));
    }
}
