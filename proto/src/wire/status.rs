//! The outcome of a call as trailers say it. Servers write them, and not all servers are right, so nothing
//! here fails or panics: what cannot be read is left out, and what was read is kept.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use percent_encoding::{AsciiSet, CONTROLS, percent_decode, utf8_percent_encode};

use super::{Code, metadata, names};

/// What `grpc-message` encodes beside what is not ASCII: all that is not printable, and the escape itself.
const ESCAPED: &AsciiSet = &CONTROLS.add(b'%');

/// How a call ended: gRPC's code, a text for people, and details for programs.
///
/// This is the wire's view, without metadata and without a cause; applications meet `tonic::Status`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// The code.
    pub code: Code,
    /// What a person should read; may be empty.
    pub message: String,
    /// Usually a serialized `google.rpc.Status`; empty if there are none.
    pub details: Bytes,
}

impl Status {
    /// A status without details.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), details: Bytes::new() }
    }

    /// The status in `trailers` (or in the headers of a response that has nothing else), or `None` if there
    /// is no `grpc-status`; what that means depends on what else came.
    ///
    /// A `grpc-status` that is not a number is [`Code::Unknown`] with a text that says so; an unknown number
    /// is [`Code::Unknown`] with the server's text. In `grpc-message`, escapes that are none stay as they
    /// are, and what is not UTF-8 becomes U+FFFD. Details that are not base64, or that come twice, are left
    /// out.
    ///
    /// Details that are a `google.rpc.Status` of *another* code than `grpc-status` make it [`Code::Internal`]
    /// with a text that names both, as in Go: which of the two the server meant cannot be known. Details that
    /// name no code, or are something else, contradict nothing and are handed on.
    pub fn from_trailers(trailers: &HeaderMap) -> Option<Self> {
        let number = trailers.get(&names::GRPC_STATUS)?;
        let message = trailers.get(&names::GRPC_MESSAGE).map(decode_message).unwrap_or_default();
        let Some(number) = parse_number(number) else {
            let seen = number.as_bytes().escape_ascii();
            return Some(Self::new(Code::Unknown, format!("malformed grpc-status \"{seen}\": {message}")));
        };
        let code = Code::from_number(number);
        let details = read_details(trailers);
        match code_in_details(&details) {
            Some(other) if other != number => Some(Self::new(
                Code::Internal,
                format!(
                    "grpc-status is {number} ({code}), but grpc-status-details-bin says {other} ({}): {message}",
                    Code::from_number(other)
                ),
            )),
            _ => Some(Self { code, message, details }),
        }
    }

    /// Writes this status into `trailers`, in place of one that is there.
    pub fn write_to(&self, trailers: &mut HeaderMap) {
        trailers.insert(names::GRPC_STATUS, HeaderValue::from(u16::from(self.code.number())));
        match self.message.is_empty() {
            true => trailers.remove(names::GRPC_MESSAGE),
            false => trailers.insert(names::GRPC_MESSAGE, encode_message(&self.message)),
        };
        match self.details.is_empty() {
            true => trailers.remove(names::GRPC_STATUS_DETAILS),
            false => trailers.insert(names::GRPC_STATUS_DETAILS, metadata::encode_binary(&self.details)),
        };
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.code.fmt(f)?;
        if self.message.is_empty() {
            return Ok(());
        }
        write!(f, ": {}", self.message)
    }
}

impl std::error::Error for Status {}

fn parse_number(header: &HeaderValue) -> Option<u32> {
    // Digits alone: the parser of integers would take a sign as well.
    let text = header.to_str().ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
    text.parse().ok()
}

fn encode_message(message: &str) -> HeaderValue {
    let encoded: Cow<'_, str> = utf8_percent_encode(message, ESCAPED).into();
    HeaderValue::from_str(&encoded).expect("only printable ASCII is left")
}

fn decode_message(header: &HeaderValue) -> String {
    percent_decode(header.as_bytes()).decode_utf8_lossy().into_owned()
}

fn read_details(trailers: &HeaderMap) -> Bytes {
    let mut headers = trailers.get_all(&names::GRPC_STATUS_DETAILS).iter();
    match (headers.next().map(|header| metadata::decode_binary(header).collect::<Vec<_>>()), headers.next()) {
        (Some(values), None) => match <[_; 1]>::try_from(values) {
            Ok([Ok(details)]) => details,
            _ => Bytes::new(),
        },
        _ => Bytes::new(),
    }
}

/// The code that the details name, if they are a `google.rpc.Status` that names one. Unset and OK look alike
/// in protobuf, and OK has no details, so zero is none.
fn code_in_details(details: &Bytes) -> Option<u32> {
    let status = <RpcStatus as prost::Message>::decode(details.clone()).ok()?;
    (status.code != 0).then_some(status.code.cast_unsigned())
}

/// As much of `google.rpc.Status` as is looked at.
#[derive(Clone, PartialEq, prost::Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    // Named so that bytes of another kind are less often taken for a status.
    #[prost(string, tag = "2")]
    message: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost::Message as _;

    fn trailers(pairs: &[(&'static str, &[u8])]) -> HeaderMap {
        let pairs = pairs.iter().map(|(name, value)| {
            (http::HeaderName::from_static(name), HeaderValue::from_bytes(value).unwrap())
        });
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(name, value);
        }
        map
    }

    fn read(pairs: &[(&'static str, &[u8])]) -> Status {
        Status::from_trailers(&trailers(pairs)).unwrap()
    }

    #[test]
    fn every_status_goes_round() {
        for code in Code::ALL {
            let details = Bytes::from_static(b"not a status, but somebody's own");
            let status = Status { details, ..Status::new(code, "50% of \t☺ and 😈\r\n") };
            let mut map = HeaderMap::new();
            status.write_to(&mut map);
            assert_eq!(Status::from_trailers(&map), Some(status));
        }
    }

    #[test]
    fn writing_replaces_what_was_there() {
        let mut map =
            trailers(&[("grpc-status", b"1"), ("grpc-message", b"old"), ("grpc-status-details-bin", b"qw")]);
        Status::new(Code::Ok, "").write_to(&mut map);
        assert_eq!(map, trailers(&[("grpc-status", b"0")]));
    }

    // behaviour 99
    #[test]
    fn the_message_is_percent_encoded_as_grpc_does() {
        let mut map = HeaderMap::new();
        Status::new(Code::Unknown, "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n")
            .write_to(&mut map);
        assert_eq!(
            map[names::GRPC_MESSAGE],
            "%09%0Atest with whitespace%0D%0Aand Unicode BMP %E2%98%BA and non-BMP %F0%9F%98%88%09%0A"
        );
    }

    #[test]
    fn no_grpc_status_is_no_status() {
        assert_eq!(Status::from_trailers(&trailers(&[("grpc-message", b"x")])), None);
    }

    #[test]
    fn a_malformed_grpc_status_is_unknown_and_its_text_survives() {
        for bad in [&b"x"[..], b"", b"-1", b"+5", b"1.0", b"99999999999999999999", b"5, 5"] {
            let status = read(&[("grpc-status", bad), ("grpc-message", b"why")]);
            assert_eq!(status.code, Code::Unknown);
            assert!(status.message.starts_with("malformed grpc-status"), "{status}");
            assert!(status.message.ends_with("why"), "{status}");
        }
        let status = read(&[("grpc-status", b"\xff")]);
        assert!(status.message.contains("\\xff"), "{status}");
    }

    #[test]
    fn a_number_that_grpc_does_not_know_is_unknown_with_the_servers_text() {
        let status = read(&[("grpc-status", b"17"), ("grpc-message", b"new in 2040")]);
        assert_eq!(status, Status::new(Code::Unknown, "new in 2040"));
    }

    // behaviour 99
    #[test]
    fn a_bad_message_is_kept_as_far_as_it_can_be() {
        let message = |bytes: &'static [u8]| read(&[("grpc-status", b"2"), ("grpc-message", bytes)]).message;
        assert_eq!(message(b"100%"), "100%");
        assert_eq!(message(b"%zz%4"), "%zz%4");
        assert_eq!(message(b"%ff%E2%98%BA"), "\u{fffd}☺");
        assert_eq!(message(b"caf\xe9"), "caf\u{fffd}");
    }

    #[test]
    fn bad_details_cost_the_details_and_nothing_else() {
        let not_found = Status::new(Code::NotFound, "gone");
        for bad in [&b"!!!"[..], b"\xff\xfe", b"a", b"qw,qw"] {
            let status =
                read(&[("grpc-status", b"5"), ("grpc-message", b"gone"), ("grpc-status-details-bin", bad)]);
            assert_eq!(status, not_found);
        }
        let twice = [
            ("grpc-status", &b"5"[..]),
            ("grpc-message", b"gone"),
            ("grpc-status-details-bin", b"qw"),
            ("grpc-status-details-bin", b"qw"),
        ];
        assert_eq!(read(&twice), not_found);
    }

    // behaviour 100
    #[test]
    fn details_of_another_code_are_an_internal_error_that_names_both() {
        let details = |code| {
            metadata::encode_binary(&RpcStatus { code, message: "inner".to_owned() }.encode_to_vec())
                .as_bytes()
                .to_vec()
        };
        let with = |details: &[u8]| {
            read(&[("grpc-status", b"5"), ("grpc-message", b"outer"), ("grpc-status-details-bin", details)])
        };
        assert_eq!(with(&details(5)).code, Code::NotFound);
        assert!(!with(&details(5)).details.is_empty());
        assert_eq!(with(&details(0)).code, Code::NotFound);
        let status = with(&details(7));
        assert_eq!(status.code, Code::Internal);
        for part in ["NOT_FOUND", "PERMISSION_DENIED", "outer"] {
            assert!(status.message.contains(part), "{status}");
        }
        assert!(status.details.is_empty());
    }

    // behaviour 100
    #[test]
    fn details_with_text_that_is_not_utf8_are_handed_on_as_they_are() {
        let raw = b"\x08\x05\x12\x02\xff\xfe";
        let header = metadata::encode_binary(raw);
        let status = read(&[("grpc-status", b"5"), ("grpc-status-details-bin", header.as_bytes())]);
        assert_eq!((status.code, &status.details[..]), (Code::NotFound, &raw[..]));
    }

    #[test]
    fn whatever_a_server_sends_is_survived() {
        // A fixed xorshift: the same garbage in every run.
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        let mut random = |below: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state % below
        };
        for _ in 0..20_000 {
            let mut map = HeaderMap::new();
            for name in [names::GRPC_STATUS, names::GRPC_MESSAGE, names::GRPC_STATUS_DETAILS] {
                // Mostly what these headers are made of, so that garbage gets past the first check.
                let alphabet = b"0123456789%AFf=,/+qwgICB \xff\x80!";
                let letters = (0..random(12)).map(|_| alphabet[random(alphabet.len() as u64) as usize]);
                let value: Vec<u8> = letters.collect();
                map.append(name, HeaderValue::from_bytes(&value).unwrap());
            }
            let status = Status::from_trailers(&map).unwrap();
            status.write_to(&mut map);
            assert_eq!(Status::from_trailers(&map).map(|again| again.code), Some(status.code));
        }
    }
}
