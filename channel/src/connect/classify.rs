//! What errors of sockets and TLS mean: in which phase they belong, whether trying again can help, and what a
//! tired person should read. It is a room of its own because the same table is read when a connection is made
//! and when an established one breaks: a TLS 1.3 server refuses a client certificate only after the client
//! believes that it is connected.

use std::error::Error;
use std::io;

use trunkline_proto::{ConnectError, Phase};

#[cfg(feature = "tls")]
use super::tls::classify_tls;

/// Why an established connection broke.
pub(crate) fn broken(error: &io::Error) -> ConnectError {
    if let Some(known) = known(error) {
        return known;
    }
    let message = match error.kind() {
        io::ErrorKind::UnexpectedEof => "the server closed the connection in the middle".to_owned(),
        io::ErrorKind::ConnectionReset => "the server reset the connection".to_owned(),
        io::ErrorKind::TimedOut => {
            "the server did not acknowledge what was sent: the connection timed out".to_owned()
        }
        _ => format!("the connection broke: {error}"),
    };
    ConnectError::new(Phase::Http2, message).caused_by(copy(error))
}

/// Why a peer could not be reached. Retryable: the network of the next second is another.
pub(super) fn unreachable(error: &io::Error) -> ConnectError {
    let message = match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        io::ErrorKind::HostUnreachable => "host unreachable".to_owned(),
        io::ErrorKind::NetworkUnreachable => "network unreachable".to_owned(),
        io::ErrorKind::ConnectionReset => "connection reset".to_owned(),
        io::ErrorKind::TimedOut => "timed out".to_owned(),
        io::ErrorKind::NotFound => "no such socket".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::AddrNotAvailable => "no local address or port is free to connect from".to_owned(),
        _ => error.to_string(),
    };
    ConnectError::new(Phase::Connect, message).caused_by(copy(error))
}

/// The error behind `error` that says more than an `io::Error` can.
pub(super) fn known(error: &io::Error) -> Option<ConnectError> {
    let mut source = error.get_ref().map(|inner| inner as &(dyn Error + 'static));
    while let Some(inner) = source {
        if let Some(error) = inner.downcast_ref::<ConnectError>() {
            return Some(error.clone());
        }
        #[cfg(feature = "tls")]
        if let Some(error) = inner.downcast_ref::<rustls::Error>() {
            return Some(classify_tls(error));
        }
        source = match inner.downcast_ref::<io::Error>() {
            Some(wrapped) => wrapped.get_ref().map(|inner| inner as &(dyn Error + 'static)),
            None => inner.source(),
        };
    }
    None
}

/// As good a copy as can be had of an error that is not ours to keep.
fn copy(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_connection_is_retryable_and_says_how_it_broke() {
        let error = broken(&io::ErrorKind::ConnectionReset.into());
        assert_eq!(error.to_string(), "HTTP/2: the server reset the connection");
        assert!(!error.is_permanent());
        assert!(error.source().is_some());
    }

    #[test]
    fn an_error_of_ours_inside_an_io_error_is_found() {
        let ours = ConnectError::new(Phase::Tls, "no").permanent();
        let wrapped = io::Error::other(io::Error::other(ours));
        let error = broken(&wrapped);
        assert_eq!((error.phase(), error.is_permanent(), error.message()), (Phase::Tls, true, "no"));
    }
}
