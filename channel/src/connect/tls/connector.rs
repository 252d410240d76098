//! The handshake.

use std::fmt;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use trunkline_proto::{ConnectError, Phase};

use super::meaning;
use super::settings::{ALPN_H2, parse_server_name};
use crate::connect::{BoxFuture, ConnectRequest, Connected, Connector, Security};

/// Speaks TLS over the connections of another connector. Made by [`Tls::build`](super::Tls::build).
#[derive(Clone)]
pub struct TlsConnector<C> {
    connector: C,
    config: Arc<ClientConfig>,
    server_name: Option<ServerName<'static>>,
}

impl<C> TlsConnector<C> {
    pub(super) fn new(
        connector: C,
        config: Arc<ClientConfig>,
        server_name: Option<ServerName<'static>>,
    ) -> Self {
        Self { connector, config, server_name }
    }

    #[cfg(test)]
    pub(super) fn config(&self) -> Arc<ClientConfig> {
        self.config.clone()
    }

    /// What the certificate of `request`'s server must be for: the settings' word, else the address's, else
    /// the channel's.
    fn name_for(&self, request: &ConnectRequest) -> Result<ServerName<'static>, ConnectError> {
        if let Some(name) = &self.server_name {
            return Ok(name.clone());
        }
        let name = request.address.server_name().unwrap_or_else(|| without_port(&request.authority));
        parse_server_name(name).map_err(|error| ConnectError::new(Phase::Tls, error.to_string()).permanent())
    }
}

impl<C: Connector> Connector for TlsConnector<C> {
    fn connect(&self, request: ConnectRequest) -> BoxFuture<'static, Result<Connected, ConnectError>> {
        let address = request.address.clone();
        let name = self.name_for(&request);
        let config = self.config.clone();
        let tcp = self.connector.connect(request.clone());
        Box::pin(async move {
            // Before anything is sent, so that a name that nobody can have costs no connection.
            let connected = async {
                let name = name?;
                let connected = tcp.await?;
                request.entered(Phase::Tls);
                shake_hands(connected, config, name).await
            };
            connected.await.map_err(|error| error.at(&address))
        })
    }
}

async fn shake_hands(
    connected: Connected,
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
) -> Result<Connected, ConnectError> {
    let Connected { io, peer, .. } = connected;
    let stream = tokio_rustls::TlsConnector::from(config)
        .connect(name, io)
        .await
        .map_err(|error| meaning::handshake_failed(&error))?;
    let alpn = stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec);
    // A server without ALPN would go on as whatever it is, most likely HTTP/1.
    if alpn.as_deref() != Some(ALPN_H2) {
        return Err(meaning::no_http2());
    }
    Ok(Connected { security: Security::Tls, alpn, peer, ..Connected::new(stream) })
}

/// The host of an authority: `h:1`, `[::1]:1`, `h`. (A bare IPv6 address has no brackets and no port.)
fn without_port(authority: &str) -> &str {
    if let Some(end) = authority.strip_prefix('[').and(authority.find(']')) {
        return &authority[..=end];
    }
    match authority.rsplit_once(':') {
        Some((host, _port)) if !host.contains(':') => host,
        _ => authority,
    }
}

impl<C: fmt::Debug> fmt::Debug for TlsConnector<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsConnector")
            .field("connector", &self.connector)
            .field("server_name", &self.server_name)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_no_part_of_the_name() {
        // behaviour 105
        for (authority, host) in [
            ("greeter.prod:443", "greeter.prod"),
            ("greeter.prod", "greeter.prod"),
            ("10.0.0.7:443", "10.0.0.7"),
            ("[::1]:443", "[::1]"),
            ("[::1]", "[::1]"),
            ("::1", "::1"),
        ] {
            assert_eq!(without_port(authority), host);
        }
    }
}
