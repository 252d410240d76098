//! A connector that reaches servers through an HTTP proxy (CONNECT).

use std::net::SocketAddr;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use trunkline::connect::{BoxFuture, ConnectRequest, Connected, Connector};
use trunkline::{ConnectError, Phase};

/// The proxy's address.
#[derive(Debug)]
pub struct ThroughProxy(pub SocketAddr);

impl Connector for ThroughProxy {
    fn connect(&self, request: ConnectRequest) -> BoxFuture<'static, Result<Connected, ConnectError>> {
        let (proxy, server) = (self.0, request.address);
        Box::pin(async move {
            let mut stream = BufReader::new(TcpStream::connect(proxy).await?);
            let ask = format!("CONNECT {server} HTTP/1.1\r\nhost: {server}\r\n\r\n");
            stream.write_all(ask.as_bytes()).await?;
            let mut answer = String::new();
            while !answer.ends_with("\r\n\r\n") {
                if stream.read_line(&mut answer).await? == 0 {
                    return Err(ConnectError::new(Phase::Connect, "the proxy hung up"));
                }
            }
            match answer.lines().next() {
                Some(line) if line.starts_with("HTTP/1.1 200") => Ok(Connected::new(stream)),
                line => Err(ConnectError::new(Phase::Connect, format!("the proxy says {line:?}"))),
            }
        })
    }
}
