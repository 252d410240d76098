//! A real gRPC server (tonic's) on loopback: the greeter, which counts what it is asked, or another service.
//! It stands in for a service somewhere in a data centre.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio_stream::wrappers::TcpListenerStream;
use tokio_stream::{Stream, StreamExt};
use tonic::service::Routes;
use tonic::transport::{Identity, Server, ServerTlsConfig};
use tonic::{Request, Response, Status, Streaming};

use crate::greeter::greeter_server::{Greeter, GreeterServer};
use crate::greeter::{HelloReply, HelloRequest, RecordReply, WatchRequest};

/// A server that is up. [`stop`](Self::stop) ends it as a rolling deploy does; dropping it kills it, as a
/// machine that goes away: its port and all its connections close at once.
#[derive(Debug)]
pub struct RunningServer {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    stopped: oneshot::Receiver<()>,
    // A runtime of its own, so that nothing of the server survives it.
    runtime: Option<Runtime>,
}

impl RunningServer {
    /// Starts a server at `address`, which says `name` in its replies and counts its calls in `calls`. Port 0
    /// is any free one.
    ///
    /// # Errors
    /// If it cannot listen there.
    pub fn start(name: &str, address: SocketAddr, calls: Arc<AtomicU64>) -> io::Result<Self> {
        Self::serve(greeter(name, calls), address, None)
    }

    /// The same, over TLS with this identity.
    ///
    /// # Errors
    /// If it cannot listen there, or the identity makes no sense.
    pub fn start_tls(
        name: &str,
        address: SocketAddr,
        calls: Arc<AtomicU64>,
        identity: Identity,
    ) -> io::Result<Self> {
        let tls = ServerTlsConfig::new().identity(identity);
        Self::serve(greeter(name, calls), address, Some(tls))
    }

    /// Starts a server of these services.
    ///
    /// # Errors
    /// If it cannot listen there, or the TLS makes no sense.
    pub fn serve(services: Routes, address: SocketAddr, tls: Option<ServerTlsConfig>) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let mut server = Server::builder();
        if let Some(tls) = tls {
            server = server.tls_config(tls).map_err(io::Error::other)?;
        }
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let (stop, told_to_stop) = oneshot::channel::<()>();
        let (tell_stopped, stopped) = oneshot::channel();
        let told_to_stop = async {
            // A sender that is gone is a server that is killed: nothing graceful about it.
            if told_to_stop.await.is_err() {
                std::future::pending().await
            }
        };
        runtime.spawn(async move {
            if let Err(error) = run(server, services, listener, told_to_stop).await {
                tracing::error!(%error, "the server has failed");
            }
            let _ = tell_stopped.send(());
        });
        Ok(Self { address, stop, stopped, runtime: Some(runtime) })
    }

    /// Stops it gracefully: it takes no more calls (GOAWAY), ends those that it has, and closes its port.
    pub async fn stop(mut self) {
        let (unused, _) = oneshot::channel();
        let _ = std::mem::replace(&mut self.stop, unused).send(());
        let _ = (&mut self.stopped).await;
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for RunningServer {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn run(
    mut server: Server,
    services: Routes,
    listener: std::net::TcpListener,
    told_to_stop: impl Future<Output = ()>,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let incoming = TcpListenerStream::new(TcpListener::from_std(listener)?);
    Ok(server.add_routes(services).serve_with_incoming_shutdown(incoming, told_to_stop).await?)
}

/// The greeter's service, for [`RunningServer::serve`]: it says `name` in its replies and counts its calls in
/// `calls`.
pub fn greeter(name: &str, calls: Arc<AtomicU64>) -> Routes {
    Routes::new(GreeterServer::new(CountingGreeter { name: name.into(), calls }))
}

/// The greeter.
struct CountingGreeter {
    name: Arc<str>,
    calls: Arc<AtomicU64>,
}

/// Greetings, one after the other.
type Replies = Pin<Box<dyn Stream<Item = Result<HelloReply, Status>> + Send>>;

#[tonic::async_trait]
impl Greeter for CountingGreeter {
    type WatchStream = Replies;
    type ChatStream = Replies;

    async fn say_hello(&self, request: Request<HelloRequest>) -> Result<Response<HelloReply>, Status> {
        self.calls.fetch_add(1, Relaxed);
        Ok(Response::new(hello(&self.name, &request.get_ref().name)))
    }

    async fn watch(&self, request: Request<WatchRequest>) -> Result<Response<Replies>, Status> {
        self.calls.fetch_add(1, Relaxed);
        let WatchRequest { name, count, interval_ms } = request.into_inner();
        let count = if count == 0 { usize::MAX } else { count as usize };
        let ticks = tokio::time::interval(Duration::from_millis(u64::from(interval_ms.max(1))));
        let server = Arc::clone(&self.name);
        let greetings =
            tokio_stream::wrappers::IntervalStream::new(ticks).map(move |_| Ok(hello(&server, &name)));
        Ok(Response::new(Box::pin(greetings.take(count))))
    }

    async fn record(
        &self,
        request: Request<Streaming<HelloRequest>>,
    ) -> Result<Response<RecordReply>, Status> {
        self.calls.fetch_add(1, Relaxed);
        let mut people = request.into_inner();
        let mut names = Vec::new();
        while let Some(person) = people.message().await? {
            names.push(person.name);
        }
        let count = u32::try_from(names.len()).unwrap_or(u32::MAX);
        Ok(Response::new(RecordReply { count, names }))
    }

    async fn chat(&self, request: Request<Streaming<HelloRequest>>) -> Result<Response<Replies>, Status> {
        self.calls.fetch_add(1, Relaxed);
        let server = Arc::clone(&self.name);
        let replies = request.into_inner().map(move |person| Ok(hello(&server, &person?.name)));
        Ok(Response::new(Box::pin(replies)))
    }
}

fn hello(server: &str, name: &str) -> HelloReply {
    HelloReply { message: format!("Hello, {name}!"), server: server.to_owned() }
}
