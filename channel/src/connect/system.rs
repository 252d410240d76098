//! The connector that a channel has unless it is given another: what the operating system can reach by
//! itself.

use std::time::Duration;

use trunkline_proto::{Address, AddressKind, ConnectError, Phase};

use super::tcp::{self, TcpOptions};
#[cfg(unix)]
use super::unix;
use super::{BoxFuture, ConnectRequest, Connected, Connector};

/// Connects by TCP and by unix sockets, in plaintext. TLS wraps it.
///
/// TCP sockets have TCP_NODELAY, keepalive probes, and on Linux TCP_USER_TIMEOUT, so that a peer that
/// vanished without a word is found out in 30 s.
#[derive(Clone, Debug)]
#[must_use]
pub struct SystemConnector {
    tcp: TcpOptions,
}

impl SystemConnector {
    /// A connector with the defaults.
    pub const fn new() -> Self {
        Self {
            tcp: TcpOptions {
                keepalive_idle: Some(tcp::KEEPALIVE_IDLE),
                user_timeout: Some(tcp::USER_TIMEOUT),
            },
        }
    }

    /// How long a TCP connection is silent before the kernel probes it; `None` switches the probes off. The
    /// default is 20 s; a probe is repeated after 5 s, twice.
    pub const fn tcp_keepalive(self, idle: Option<Duration>) -> Self {
        Self { tcp: TcpOptions { keepalive_idle: idle, ..self.tcp } }
    }

    /// How long sent data may remain unacknowledged before the kernel gives the connection up
    /// (TCP_USER_TIMEOUT, gRFC A18; Linux only); `None` leaves that to the kernel, which waits for about a
    /// quarter of an hour. The default is 20 s. It also ends a connection to a peer that has taken nothing for so long
    /// although it is there, as one that is stopped in a debugger.
    pub const fn tcp_user_timeout(self, timeout: Option<Duration>) -> Self {
        Self { tcp: TcpOptions { user_timeout: timeout, ..self.tcp } }
    }
}

impl Default for SystemConnector {
    fn default() -> Self {
        Self::new()
    }
}

impl Connector for SystemConnector {
    fn connect(&self, request: ConnectRequest) -> BoxFuture<'static, Result<Connected, ConnectError>> {
        let options = self.tcp;
        Box::pin(async move {
            let address = request.address;
            open(&address, options).await.map_err(|error| error.at(&address))
        })
    }
}

async fn open(address: &Address, options: TcpOptions) -> Result<Connected, ConnectError> {
    let impossible = match address.kind() {
        AddressKind::Tcp(address) => return tcp::connect(*address, options).await,
        #[cfg(unix)]
        AddressKind::Unix(path) => return unix::connect(path).await,
        #[cfg(unix)]
        AddressKind::UnixAbstract(name) => return unix::connect_abstract(name).await,
        AddressKind::Other(_) => {
            "only a connector of the application's can reach this: set one by ChannelBuilder::connector"
        }
        _ => "this system has no such sockets",
    };
    Err(ConnectError::new(Phase::Connect, impossible).permanent())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    async fn connect(address: &Address) -> Result<Connected, ConnectError> {
        SystemConnector::new().connect(ConnectRequest::new(address.clone(), "test")).await
    }

    #[tokio::test]
    async fn tcp_is_reached_and_both_ends_are_known() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let there = listener.local_addr().unwrap();
        let connected = connect(&there.into()).await.unwrap();
        let (_io, here) = listener.accept().await.unwrap();
        assert_eq!((connected.peer.remote, connected.peer.local), (Some(there), Some(here)));
    }

    #[tokio::test]
    async fn a_closed_port_is_retryable_and_named() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = Address::from(listener.local_addr().unwrap());
        drop(listener);
        let error = connect(&address).await.unwrap_err();
        assert!(!error.is_permanent());
        assert_eq!(error.to_string(), format!("{address}: connect: connection refused"));
    }

    #[tokio::test]
    async fn a_name_that_only_a_plugin_understands_is_permanent_and_says_what_to_do() {
        let error = connect(&Address::other("vsock:3:50051")).await.unwrap_err();
        assert!(error.is_permanent());
        assert!(error.to_string().contains("ChannelBuilder::connector"), "{error}");
    }
}
