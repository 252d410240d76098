//! What can stand at an address, good or bad.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream};
use tokio_rustls::TlsAcceptor;
use tonic::transport::Server;
use tonic::transport::server::Connected;
use trunkline_tests::greeter::greeter_server::GreeterServer;
use trunkline_tests::{Certified, TestGreeter, server_config};

/// What stands at an address.
pub(crate) enum Peer {
    /// Nothing.
    Refuses,
    /// Something that swallows every packet.
    BlackHole,
    /// Something that accepts connections and never says a word.
    Silent,
    /// Whatever the operating system says to a real attempt, once and for all.
    AsTheKernelSays,
    /// A server.
    Serves(Host),
}

/// Serves one connection.
pub(crate) type Host = Arc<dyn Fn(DuplexStream) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// Makes a host of an async function.
pub(crate) fn host<F, Fut>(serve: F) -> Host
where
    F: Fn(DuplexStream) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    Arc::new(move |io| Box::pin(serve(io)))
}

/// A real gRPC server, in plaintext.
pub(crate) fn greets(greeter: &TestGreeter) -> Host {
    let greeter = greeter.clone();
    host(move |io| serve(io, greeter.clone()))
}

/// A real gRPC server with this certificate.
pub(crate) fn greets_over_tls(certified: &Certified, greeter: &TestGreeter) -> Host {
    greets_over(server_config(certified, &["h2"], None), greeter)
}

/// A real gRPC server behind this TLS.
pub(crate) fn greets_over(config: Arc<ServerConfig>, greeter: &TestGreeter) -> Host {
    let greeter = greeter.clone();
    host(move |io| {
        let (config, greeter) = (Arc::clone(&config), greeter.clone());
        async move {
            if let Ok(io) = TlsAcceptor::from(config).accept(io).await {
                serve(io, greeter).await;
            }
        }
    })
}

/// Hears what comes first, answers this, and closes.
pub(crate) fn says(words: &'static str) -> Host {
    host(async move |mut io| {
        let _ = io.read(&mut [0; 1024]).await;
        let _ = io.write_all(words.as_bytes()).await;
    })
}

/// Hears what comes first, and hangs up without a word.
pub(crate) fn hangs_up() -> Host {
    says("")
}

async fn serve<IO>(io: IO, greeter: TestGreeter)
where
    IO: AsyncRead + AsyncWrite + Connected + Unpin + Send + 'static,
{
    let incoming = tokio_stream::once(Ok::<_, std::io::Error>(io));
    let served = Server::builder().add_service(GreeterServer::new(greeter)).serve_with_incoming(incoming);
    served.await.expect("nothing fails in memory");
}
