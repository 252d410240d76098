//! The table: what can be wrong with a server, and what calls hear of it. Every row is checked alike, by
//! `check`.

use std::time::Duration;

use rcgen::date_time_ymd;
use rstest::rstest;
use trunkline::Transport::{self, H2, Trunkline};
use trunkline::{Address, Code, Phase, Sent};
use trunkline_tests::server_config;

use crate::check::check;
use crate::lab::{Lab, NAME, Speaks, here, secs};
use crate::peers::{Peer, greets, greets_over, greets_over_tls, hangs_up, says};

/// One thing that can be wrong.
pub(crate) struct Row {
    /// What the channel speaks.
    pub(crate) speaks: Speaks,
    /// Where the server is.
    pub(crate) address: fn() -> Address,
    /// What is there instead.
    pub(crate) peer: fn(&Lab) -> Peer,
    /// How a call ends that does not want to wait.
    pub(crate) code: Code,
    /// How far an attempt to connect gets.
    pub(crate) phase: Phase,
    /// Whether trying again is pointless until somebody mends it.
    pub(crate) permanent: bool,
    /// Whether the server may have seen the request.
    pub(crate) sent: Sent,
    /// How the cause begins, as callers read it.
    pub(crate) says: &'static str,
    /// How long an attempt takes to fail.
    pub(crate) takes: Duration,
    /// How often the address is dialled in ten minutes.
    pub(crate) dials: usize,
}

/// What only a person can mend is looked at again at the backoff's maximum: at 0, 120, 240, 360 and 480 s.
const PERMANENT: Row = Row {
    speaks: Speaks::Tls,
    address: here,
    peer: |_| Peer::Refuses,
    code: Code::Unavailable,
    phase: Phase::Tls,
    permanent: true,
    sent: Sent::No,
    says: "",
    takes: Duration::ZERO,
    dials: 5,
};

/// What may pass is tried again after 1 s, then each time 1.6 times later, and at most 120 s after the
/// attempt before: at 0, 1, 2.6, .. 531.5 s.
const RETRYABLE: Row =
    Row { speaks: Speaks::Plaintext, phase: Phase::Connect, permanent: false, dials: 14, ..PERMANENT };

/// An attempt may last as long as its backoff, and at least 20 s.
const OUT_OF_TIME: Row = Row { takes: secs(20), dials: 13, ..RETRYABLE };

/// A table whose failures come before a word of HTTP/2 is said: one engine is as good as another.
macro_rules! table {
    ($($name:ident: $row:expr;)*) => {
        $(
            #[tokio::test(start_paused = true)]
            async fn $name() {
                check(Transport::default(), &$row).await;
            }
        )*
    };
}

/// A table of what the engines find out: every row on each.
macro_rules! table_of_http2 {
    ($($name:ident: $row:expr;)*) => {
        $(
            #[rstest]
            #[tokio::test(start_paused = true)]
            async fn $name(#[values(H2, Trunkline)] engine: Transport) {
                check(engine, &$row).await;
            }
        )*
    };
}

// behaviours 61, 62, 101, 103, 105
table! {
    // Certificates.
    unknown_issuer: Row {
        peer: |lab| Peer::Serves(greets_over_tls(&lab.strangers.issue(&[NAME]), &lab.unheard)),
        says: "certificate signed by unknown issuer",
        ..PERMANENT
    };
    wrong_name: Row {
        peer: |lab| Peer::Serves(greets_over_tls(&lab.ours.issue(&["other.test"]), &lab.unheard)),
        says: "certificate is for other.test, not for greeter.test",
        ..PERMANENT
    };
    expired: Row {
        peer: |lab| {
            let expired = lab.ours.issue_with(&[NAME], |params| params.not_after = date_time_ymd(2001, 1, 1));
            Peer::Serves(greets_over_tls(&expired, &lab.unheard))
        },
        says: "certificate expired at 2001-01-01T00:00:00Z",
        ..PERMANENT
    };
    not_yet_valid: Row {
        peer: |lab| {
            let early = lab.ours.issue_with(&[NAME], |params| params.not_before = date_time_ymd(4000, 1, 1));
            Peer::Serves(greets_over_tls(&early, &lab.unheard))
        },
        says: "certificate not valid before 4000-01-01T00:00:00Z",
        ..PERMANENT
    };

    // Protocols.
    no_alpn: Row {
        peer: |lab| Peer::Serves(greets_over(server_config(&lab.ours.issue(&[NAME]), &[], None), &lab.unheard)),
        says: "the server does not offer HTTP/2 by ALPN",
        ..PERMANENT
    };
    another_alpn: Row {
        peer: |lab| {
            let config = server_config(&lab.ours.issue(&[NAME]), &["http/1.1"], None);
            Peer::Serves(greets_over(config, &lab.unheard))
        },
        says: "the server does not offer HTTP/2 by ALPN",
        ..PERMANENT
    };
    plaintext_peer_of_a_tls_client: Row {
        peer: |lab| Peer::Serves(greets(&lab.unheard)),
        says: "the server does not speak TLS",
        ..PERMANENT
    };
    http1_peer_of_a_tls_client: Row {
        peer: |_| Peer::Serves(says("HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n")),
        says: "the server does not speak TLS",
        ..PERMANENT
    };

    // The way there.
    refused: Row {
        peer: |_| Peer::Refuses,
        says: "connection refused",
        ..RETRYABLE
    };
    black_hole: Row {
        peer: |_| Peer::BlackHole,
        says: "no connection in time",
        ..OUT_OF_TIME
    };

    // Connections that come to nothing.
    closed_in_the_handshake: Row {
        speaks: Speaks::Tls,
        peer: |_| Peer::Serves(hangs_up()),
        phase: Phase::Tls,
        says: "the server closed the connection during the handshake",
        ..RETRYABLE
    };
    stalled_handshake: Row {
        speaks: Speaks::Tls,
        peer: |_| Peer::Silent,
        phase: Phase::Tls,
        says: "the TLS handshake did not end in time",
        ..OUT_OF_TIME
    };

    // Unix sockets.
    unix_socket_missing: Row {
        address: || Address::unix("/nonexistent/greeter.socket"),
        peer: |_| Peer::AsTheKernelSays,
        says: "no such socket",
        ..RETRYABLE
    };
}

// behaviours 62, 106
table_of_http2! {
    // In TLS 1.3 the client believes that it is connected before the server has looked at its certificate.
    missing_client_certificate: Row {
        peer: |lab| {
            let demanding = server_config(&lab.ours.issue(&[NAME]), &["h2"], Some(&lab.ours));
            Peer::Serves(greets_over(demanding, &lab.unheard))
        },
        says: "the server demands a client certificate",
        ..PERMANENT
    };
    tls_peer_of_a_plaintext_client: Row {
        speaks: Speaks::Plaintext,
        peer: |lab| Peer::Serves(greets_over_tls(&lab.ours.issue(&[NAME]), &lab.unheard)),
        phase: Phase::Http2,
        says: "the peer speaks TLS, and this channel is plaintext",
        ..PERMANENT
    };
    http1_peer: Row {
        speaks: Speaks::Plaintext,
        peer: |_| Peer::Serves(says("HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n")),
        phase: Phase::Http2,
        says: "the peer speaks HTTP/1.1, not HTTP/2",
        ..PERMANENT
    };
    closed_before_its_settings: Row {
        peer: |_| Peer::Serves(hangs_up()),
        phase: Phase::Http2,
        says: "the server closed the connection before its SETTINGS came",
        ..RETRYABLE
    };
    settings_that_never_come: Row {
        peer: |_| Peer::Silent,
        phase: Phase::Http2,
        says: "the server's SETTINGS did not come in time",
        ..OUT_OF_TIME
    };
}

/// Root may connect to every socket, so permissions alone would show nothing where tests run as root. This
/// file of the kernel is one that nobody may write, root neither, and connecting to a socket is writing to
/// it: the kernel looks at that before it sees that there is no socket.
#[cfg(target_os = "linux")]
const FORBIDDEN: &str = "/proc/sys/kernel/osrelease";

#[cfg(target_os = "linux")]
table! {
    unix_socket_forbidden: Row {
        speaks: Speaks::Plaintext,
        address: || Address::unix(FORBIDDEN),
        peer: |_| Peer::AsTheKernelSays,
        phase: Phase::Connect,
        says: "permission denied",
        ..PERMANENT
    };
}
