//! Metadata as headers: binary values, names that the application may not use, and the content types that are
//! gRPC's.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use http::{HeaderName, HeaderValue};

/// Emits no padding and accepts both, as gRPC asks. Stray bits behind the last byte are ignored, as C-core
/// and Go do.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// A binary header whose value is not base64. It does not repeat the value, which may be secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("binary metadata is not valid base64")]
pub struct InvalidBinary;

/// Whether values of this name are bytes, in base64: the name ends in `-bin`.
pub fn is_binary(name: &HeaderName) -> bool {
    name.as_str().ends_with("-bin")
}

/// The header value for the bytes of a `-bin` header: base64 without padding.
pub fn encode_binary(value: &[u8]) -> HeaderValue {
    HeaderValue::try_from(BASE64.encode(value)).expect("base64 is a header value")
}

/// The values in one header of a `-bin` name, in order. There are several if someone on the way joined them
/// by commas, as HTTP allows for headers that repeat; each is decoded for itself, with or without padding.
///
/// # Errors
///
/// [`InvalidBinary`] in place of each value that is not base64.
pub fn decode_binary(header: &HeaderValue) -> impl Iterator<Item = Result<Bytes, InvalidBinary>> + '_ {
    let values = header.as_bytes().split(|byte| *byte == b',');
    values.map(|value| BASE64.decode(value.trim_ascii()).map(Bytes::from).map_err(|_| InvalidBinary))
}

/// Whether an application may not set metadata of this name: the protocol uses it.
///
/// These are the names that begin with `grpc-` (apart from `grpc-trace-bin` and `grpc-tags-bin`, which
/// tracing libraries set), what gRPC's requests define (`te`, `content-type`, `user-agent`), and the headers
/// of a connection, which HTTP/2 forbids (RFC 9113, section 8.2.2; `host` stands in for `:authority`). Pseudo
/// headers such as `:path` are no [`HeaderName`] to begin with.
pub fn is_reserved(name: &HeaderName) -> bool {
    let name = name.as_str();
    match name {
        "grpc-trace-bin" | "grpc-tags-bin" => false,
        "te" | "content-type" | "user-agent" => true,
        "host" | "connection" | "keep-alive" | "proxy-connection" | "transfer-encoding" | "upgrade" => true,
        "content-length" => true,
        _ => name.starts_with("grpc-"),
    }
}

/// Whether a response of this content type is gRPC's: `application/grpc`, perhaps with a subtype (`+proto`)
/// or parameters. `application/grpc-web` is another protocol.
pub fn is_grpc_content_type(value: &[u8]) -> bool {
    const GRPC: &[u8] = b"application/grpc";
    let Some((start, rest)) = value.split_at_checked(GRPC.len()) else { return false };
    start.eq_ignore_ascii_case(GRPC) && matches!(rest.trim_ascii_start().first(), None | Some(b'+' | b';'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(header: &str) -> Vec<Result<Bytes, InvalidBinary>> {
        decode_binary(&HeaderValue::try_from(header).unwrap()).collect()
    }

    // behaviour 99
    #[test]
    fn binary_values_are_written_without_padding_and_read_with_or_without() {
        assert_eq!(encode_binary(&[0xab, 0xab, 0xab]), "q6ur");
        assert_eq!(encode_binary(&[0xab]), "qw");
        assert_eq!(decoded("qw"), [Ok(Bytes::from_static(&[0xab]))]);
        assert_eq!(decoded("qw=="), [Ok(Bytes::from_static(&[0xab]))]);
        assert_eq!(decoded(""), [Ok(Bytes::new())]);
    }

    // behaviour 99
    #[test]
    fn joined_binary_values_are_told_apart_and_a_bad_one_spoils_no_other() {
        assert_eq!(
            decoded("qw==,qw, q6ur,?"),
            [
                Ok(Bytes::from_static(&[0xab])),
                Ok(Bytes::from_static(&[0xab])),
                Ok(Bytes::from_static(&[0xab; 3])),
                Err(InvalidBinary)
            ]
        );
    }

    #[test]
    fn any_bytes_go_round_and_any_header_is_survived() {
        let all: Vec<u8> = (0..=255).collect();
        for length in 0..all.len() {
            let header = encode_binary(&all[..length]);
            assert_eq!(
                decode_binary(&header).collect::<Vec<_>>(),
                [Ok(Bytes::copy_from_slice(&all[..length]))]
            );
        }
        let ugly = HeaderValue::from_bytes(b"\xff,=,===,a,\t,_-").unwrap();
        assert_eq!(decode_binary(&ugly).count(), 6);
    }

    // behaviour 99
    #[test]
    fn the_protocols_names_are_reserved_and_no_others() {
        for name in
            ["grpc-timeout", "grpc-status", "grpc-anything", "te", "content-type", "connection", "host"]
        {
            assert!(is_reserved(&HeaderName::from_static(name)), "{name}");
        }
        for name in ["authorization", "x-grpc-id", "grpc", "grpc-trace-bin", "cookie", "tea"] {
            assert!(!is_reserved(&HeaderName::from_static(name)), "{name}");
        }
    }

    #[test]
    fn only_grpcs_content_types_are_accepted() {
        for good in [
            "application/grpc",
            "application/grpc+proto",
            "application/grpc; charset=utf-8",
            "application/grpc ;a=b",
            "Application/GRPC",
        ] {
            assert!(is_grpc_content_type(good.as_bytes()), "{good}");
        }
        for bad in [
            "",
            "text/html",
            "application/grpc-web",
            "application/grpcx",
            "application/json",
            "application/grp",
        ] {
            assert!(!is_grpc_content_type(bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn names_say_whether_values_are_binary() {
        assert!(is_binary(&HeaderName::from_static("trace-bin")));
        assert!(!is_binary(&HeaderName::from_static("trace-binary")));
    }
}
