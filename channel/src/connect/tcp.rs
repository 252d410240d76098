//! TCP, with the options without which a connection hangs: no delay for small messages, and an end for peers
//! that vanished.

use std::net::SocketAddr;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use trunkline_proto::ConnectError;

use super::{Connected, PeerInfo, classify};

/// How long a silent connection waits for its first keepalive probe. Together with the next two numbers, a
/// peer that vanished without a word is found out after 30 s at the latest, calls or no calls, at the cost of
/// one small packet per idle connection and 20 s.
pub(super) const KEEPALIVE_IDLE: Duration = Duration::from_secs(20);

/// How long after an unanswered probe the next one is sent.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);

/// How many probes may remain unanswered.
const KEEPALIVE_RETRIES: u32 = 2;

/// How long data that was sent may remain unacknowledged (gRFC A18: the keepalive timeout, whose default is
/// 20 s). Without it a call on a connection to a dead peer hangs until the kernel has retransmitted for a
/// quarter of an hour.
pub(super) const USER_TIMEOUT: Duration = Duration::from_secs(20);

/// What may be set about a socket.
#[derive(Clone, Copy, Debug)]
pub(super) struct TcpOptions {
    pub(super) keepalive_idle: Option<Duration>,
    pub(super) user_timeout: Option<Duration>,
}

pub(super) async fn connect(address: SocketAddr, options: TcpOptions) -> Result<Connected, ConnectError> {
    let stream = TcpStream::connect(address).await.map_err(|error| classify::unreachable(&error))?;
    // A unary call is one small write, which Nagle's algorithm would hold back for up to 40 ms.
    stream.set_nodelay(true).map_err(|error| classify::unreachable(&error))?;
    apply(&stream, options);
    let peer = PeerInfo { remote: Some(address), local: stream.local_addr().ok() };
    Ok(Connected { peer, ..Connected::new(stream) })
}

/// Sets what guards against silence. A system that lacks one of the options still has the others, and works.
fn apply(stream: &TcpStream, options: TcpOptions) {
    let socket = SockRef::from(stream);
    if let Some(idle) = options.keepalive_idle {
        let keepalive = TcpKeepalive::new().with_time(idle);
        #[cfg(any(
            target_os = "linux",
            target_os = "android",
            target_os = "macos",
            target_os = "ios",
            windows
        ))]
        let keepalive = keepalive.with_interval(KEEPALIVE_INTERVAL).with_retries(KEEPALIVE_RETRIES);
        if let Err(error) = socket.set_tcp_keepalive(&keepalive) {
            tracing::debug!(%error, "SO_KEEPALIVE is not available");
        }
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Some(timeout) = options.user_timeout
        && let Err(error) = socket.set_tcp_user_timeout(Some(timeout))
    {
        tracing::debug!(%error, "TCP_USER_TIMEOUT is not available");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn a_socket_is_quick_and_notices_a_dead_peer() {
        // behaviour 85
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let timeout = Duration::from_secs(7);
        apply(&stream, TcpOptions { keepalive_idle: Some(KEEPALIVE_IDLE), user_timeout: Some(timeout) });
        let socket = SockRef::from(&stream);
        assert!(socket.keepalive().unwrap());
        #[cfg(target_os = "linux")]
        {
            assert_eq!(socket.tcp_user_timeout().unwrap(), Some(timeout));
            assert_eq!(socket.tcp_keepalive_time().unwrap(), KEEPALIVE_IDLE);
            assert_eq!(socket.tcp_keepalive_interval().unwrap(), KEEPALIVE_INTERVAL);
            assert_eq!(socket.tcp_keepalive_retries().unwrap(), KEEPALIVE_RETRIES);
        }
    }
}
