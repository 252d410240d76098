//! The table of what goes wrong with TLS: whether trying again can help, and how a tired person should read
//! it. Permanent is what would be the same tomorrow unless somebody changed a certificate, a name or a
//! server.

use std::io;

use rustls::{AlertDescription, CertificateError, Error, InvalidMessage};
use rustls_pki_types::UnixTime;
use trunkline_proto::{ConnectError, Phase};

use super::clock::utc;
use crate::connect::classify;

/// Why a handshake failed.
pub(super) fn handshake_failed(error: &io::Error) -> ConnectError {
    if let Some(known) = classify::known(error) {
        return known;
    }
    let message = match error.kind() {
        io::ErrorKind::UnexpectedEof => "the server closed the connection during the handshake".to_owned(),
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
            "the server reset the connection during the handshake".to_owned()
        }
        _ => format!("the handshake failed: {error}"),
    };
    ConnectError::new(Phase::Tls, message)
}

/// The handshake went well, but the server did not choose `h2`.
pub(super) fn no_http2() -> ConnectError {
    ConnectError::new(Phase::Tls, NO_HTTP2).permanent()
}

const NO_HTTP2: &str = "the server does not offer HTTP/2 by ALPN";

/// What an error of rustls means, in a handshake or after it.
pub(in crate::connect) fn classify_tls(error: &Error) -> ConnectError {
    let (permanent, message) = match error {
        Error::InvalidCertificate(certificate) => (true, about_certificate(certificate)),
        Error::AlertReceived(alert) => about_alert(*alert),
        Error::InvalidMessage(
            InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
        ) => (true, "the server does not speak TLS".to_owned()),
        Error::NoApplicationProtocol => (true, NO_HTTP2.to_owned()),
        Error::PeerIncompatible(why) => {
            (true, format!("the server has no version or cipher of TLS that we have: {why:?}"))
        }
        Error::NoCertificatesPresented => (true, "the server has no certificate".to_owned()),
        Error::UnsupportedNameType => (true, "no certificate can be for this name".to_owned()),
        Error::InconsistentKeys(_) => (true, "the client certificate does not fit its key".to_owned()),
        other => (false, other.to_string()),
    };
    let classified = ConnectError::new(Phase::Tls, message).caused_by(error.clone());
    if permanent { classified.permanent() } else { classified }
}

fn about_certificate(error: &CertificateError) -> String {
    match error {
        CertificateError::UnknownIssuer => "certificate signed by unknown issuer".to_owned(),
        CertificateError::Expired => "certificate expired".to_owned(),
        CertificateError::ExpiredContext { time, not_after } => {
            format!("certificate expired at {}{}", utc(*not_after), by_our_clock(*time))
        }
        CertificateError::NotValidYet => "certificate not yet valid".to_owned(),
        CertificateError::NotValidYetContext { time, not_before } => {
            format!("certificate not valid before {}{}", utc(*not_before), by_our_clock(*time))
        }
        CertificateError::Revoked => "certificate revoked".to_owned(),
        CertificateError::NotValidForName => "certificate is for another name".to_owned(),
        CertificateError::NotValidForNameContext { expected, presented } => {
            let expected = expected.to_str();
            match names(presented) {
                Some(presented) => format!("certificate is for {presented}, not for {expected}"),
                None => format!("certificate is for no name at all, not for {expected}"),
            }
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "certificate is not for servers".to_owned()
        }
        CertificateError::BadEncoding => "certificate is malformed".to_owned(),
        CertificateError::BadSignature => "certificate was not signed by the issuer that it names".to_owned(),
        other => format!("certificate refused: {other}"),
    }
}

/// A clock that is wrong is the other reason for a certificate whose time is wrong.
fn by_our_clock(now: UnixTime) -> String {
    format!(" (it is now {})", utc(now))
}

/// The names of a certificate, of which rustls has `DnsName("a")` and `IpAddress(1.2.3.4)`.
fn names(presented: &[String]) -> Option<String> {
    const MOST: usize = 4;
    let bare = |name: &String| {
        let inside = name.split_once('(').and_then(|(_kind, name)| name.strip_suffix(')'));
        inside.unwrap_or(name).trim_matches('"').to_owned()
    };
    let shown: Vec<_> = presented.iter().take(MOST).map(bare).collect();
    let (last, others) = shown.split_last()?;
    let unseen = presented.len() - shown.len();
    Some(match (others, unseen) {
        ([], 0) => last.clone(),
        (others, 0) => format!("{} and {last}", others.join(", ")),
        (_, unseen) => format!("{} and {unseen} more", shown.join(", ")),
    })
}

fn about_alert(alert: AlertDescription) -> (bool, String) {
    use AlertDescription as Alert;
    let permanent = !matches!(
        alert,
        // The server's own trouble, or the line's.
        Alert::CloseNotify
            | Alert::InternalError
            | Alert::UserCanceled
            | Alert::BadRecordMac
            | Alert::RecordOverflow
            | Alert::NoRenegotiation
            | Alert::Unknown(_)
    );
    let message = match alert {
        Alert::CertificateRequired | Alert::NoCertificate => {
            "the server demands a client certificate".to_owned()
        }
        Alert::UnknownCA => "the server does not trust the issuer of the client certificate".to_owned(),
        Alert::CertificateExpired => "the server says that the client certificate has expired".to_owned(),
        Alert::CertificateRevoked => "the server says that the client certificate is revoked".to_owned(),
        Alert::BadCertificate | Alert::UnsupportedCertificate | Alert::CertificateUnknown => {
            format!("the server refuses the client certificate ({alert:?})")
        }
        Alert::AccessDenied => "the server denies access to this client certificate".to_owned(),
        Alert::NoApplicationProtocol => NO_HTTP2.to_owned(),
        Alert::UnrecognisedName => "the server has no certificate for this name".to_owned(),
        Alert::ProtocolVersion => "the server wants another version of TLS".to_owned(),
        Alert::HandshakeFailure | Alert::InsufficientSecurity => {
            format!("the server accepts none of the ciphers, or demands a client certificate ({alert:?})")
        }
        Alert::CloseNotify => "the server closed the connection".to_owned(),
        Alert::InternalError => "the server had an internal error in TLS".to_owned(),
        other => format!("the server sent the alert {other:?}"),
    };
    (permanent, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::{InconsistentKeys, OtherError, PeerIncompatible, PeerMisbehaved};
    use rustls_pki_types::ServerName;
    use std::time::Duration;

    fn at(seconds: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(seconds))
    }

    fn certificate(error: CertificateError) -> Error {
        Error::InvalidCertificate(error)
    }

    fn for_name(presented: &[&str]) -> Error {
        certificate(CertificateError::NotValidForNameContext {
            expected: ServerName::try_from("b.test").unwrap(),
            presented: presented.iter().map(|name| (*name).to_owned()).collect(),
        })
    }

    #[test]
    fn what_stays_as_it_is_until_somebody_changes_it_is_permanent() {
        let rows = [
            (certificate(CertificateError::UnknownIssuer), "certificate signed by unknown issuer"),
            (certificate(CertificateError::Expired), "certificate expired"),
            (
                certificate(CertificateError::ExpiredContext {
                    time: at(1_795_224_391),
                    not_after: at(951_782_400),
                }),
                "certificate expired at 2000-02-29T00:00:00Z (it is now 2026-11-21T01:26:31Z)",
            ),
            (certificate(CertificateError::NotValidYet), "certificate not yet valid"),
            (
                certificate(CertificateError::NotValidYetContext {
                    time: at(0),
                    not_before: at(951_782_400),
                }),
                "certificate not valid before 2000-02-29T00:00:00Z (it is now 1970-01-01T00:00:00Z)",
            ),
            (certificate(CertificateError::Revoked), "certificate revoked"),
            (certificate(CertificateError::NotValidForName), "certificate is for another name"),
            (for_name(&[]), "certificate is for no name at all, not for b.test"),
            (for_name(&["DnsName(\"a.test\")"]), "certificate is for a.test, not for b.test"),
            (
                for_name(&["DnsName(\"a.test\")", "IpAddress(10.0.0.7)"]),
                "certificate is for a.test and 10.0.0.7, not for b.test",
            ),
            (for_name(&["a"; 6]), "certificate is for a, a, a, a and 2 more, not for b.test"),
            (certificate(CertificateError::InvalidPurpose), "certificate is not for servers"),
            (certificate(CertificateError::BadEncoding), "certificate is malformed"),
            (
                certificate(CertificateError::BadSignature),
                "certificate was not signed by the issuer that it names",
            ),
            (Error::InvalidMessage(InvalidMessage::InvalidContentType), "the server does not speak TLS"),
            (Error::NoApplicationProtocol, "the server does not offer HTTP/2 by ALPN"),
            (Error::NoCertificatesPresented, "the server has no certificate"),
            (Error::UnsupportedNameType, "no certificate can be for this name"),
            (
                Error::InconsistentKeys(InconsistentKeys::KeyMismatch),
                "the client certificate does not fit its key",
            ),
            (
                Error::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13),
                "the server has no version or cipher of TLS that we have: ServerDoesNotSupportTls12Or13",
            ),
        ];
        for (error, message) in rows {
            let classified = classify_tls(&error);
            assert_eq!((classified.message(), classified.is_permanent()), (message, true), "{error:?}");
            assert_eq!(classified.phase(), Phase::Tls);
        }
    }

    #[test]
    fn what_may_pass_is_retryable() {
        for error in [
            Error::General("x".into()),
            Error::DecryptError,
            Error::FailedToGetRandomBytes,
            Error::PeerMisbehaved(PeerMisbehaved::TooMuchEarlyDataReceived),
            Error::InvalidMessage(InvalidMessage::MessageTooShort),
            Error::Other(OtherError(std::sync::Arc::new(io::Error::other("x")))),
        ] {
            assert!(!classify_tls(&error).is_permanent(), "{error:?}");
        }
    }

    #[test]
    fn each_alert_is_told_in_words() {
        // behaviour 106
        use AlertDescription as Alert;
        let rows = [
            (Alert::CertificateRequired, true, "the server demands a client certificate"),
            (Alert::UnknownCA, true, "the server does not trust the issuer of the client certificate"),
            (Alert::CertificateExpired, true, "the server says that the client certificate has expired"),
            (Alert::CertificateRevoked, true, "the server says that the client certificate is revoked"),
            (Alert::BadCertificate, true, "the server refuses the client certificate (BadCertificate)"),
            (
                Alert::UnsupportedCertificate,
                true,
                "the server refuses the client certificate (UnsupportedCertificate)",
            ),
            (
                Alert::CertificateUnknown,
                true,
                "the server refuses the client certificate (CertificateUnknown)",
            ),
            (Alert::AccessDenied, true, "the server denies access to this client certificate"),
            (Alert::NoApplicationProtocol, true, "the server does not offer HTTP/2 by ALPN"),
            (Alert::UnrecognisedName, true, "the server has no certificate for this name"),
            (Alert::ProtocolVersion, true, "the server wants another version of TLS"),
            (
                Alert::HandshakeFailure,
                true,
                "the server accepts none of the ciphers, or demands a client certificate (HandshakeFailure)",
            ),
            (Alert::DecryptError, true, "the server sent the alert DecryptError"),
            (Alert::InternalError, false, "the server had an internal error in TLS"),
            (Alert::UserCanceled, false, "the server sent the alert UserCanceled"),
            (Alert::BadRecordMac, false, "the server sent the alert BadRecordMac"),
            (Alert::CloseNotify, false, "the server closed the connection"),
            (Alert::Unknown(200), false, "the server sent the alert AlertDescription(0xc8)"),
        ];
        for (alert, permanent, message) in rows {
            let classified = classify_tls(&Error::AlertReceived(alert));
            assert_eq!((classified.message(), classified.is_permanent()), (message, permanent));
        }
    }

    #[test]
    fn the_end_of_the_bytes_is_retryable() {
        for (kind, message) in [
            (io::ErrorKind::UnexpectedEof, "the server closed the connection during the handshake"),
            (io::ErrorKind::ConnectionReset, "the server reset the connection during the handshake"),
            (io::ErrorKind::TimedOut, "the handshake failed: timed out"),
        ] {
            let classified = handshake_failed(&kind.into());
            assert_eq!((classified.message(), classified.is_permanent()), (message, false));
        }
    }
}
