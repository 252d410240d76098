//! Servers for a [`TestGreeter`]: tonic's, in memory within the test's runtime, or on loopback within a
//! runtime of their own.

use std::io;
use std::net::SocketAddr;

use crate::greeter::greeter_server::GreeterServer;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;

use crate::{Network, TestGreeter};

/// Larger than any message of a test.
const MAX_MESSAGE: usize = 64 << 20;

/// A server in the network of a test. Dropping it kills it.
#[derive(Debug)]
pub struct MemoryServer {
    network: Network,
    name: String,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl MemoryServer {
    /// Serves at `name`.
    pub fn start(network: &Network, name: &str, greeter: &TestGreeter) -> Self {
        Self::start_with(network, name, greeter, Server::builder())
    }

    /// Serves at `name`, as `server` is set.
    pub fn start_with(network: &Network, name: &str, greeter: &TestGreeter, mut server: Server) -> Self {
        let incoming = network.listen(name);
        let (stop, told_to_stop) = oneshot::channel();
        let service = service(greeter);
        let task = tokio::spawn(async move {
            let stopped = until_told(told_to_stop);
            server
                .add_service(service)
                .serve_with_incoming_shutdown(incoming, stopped)
                .await
                .expect("nothing fails in memory");
        });
        Self { network: network.clone(), name: name.to_owned(), stop: Some(stop), task }
    }

    /// Ends it as a process that dies: its connections are reset, and dialling it is refused.
    pub fn kill(self) {}

    /// Ends it as a deploy does: dialling it is refused, GOAWAY goes out, and calls in flight finish.
    pub async fn stop(mut self) {
        self.network.refuse(&self.name);
        tell(self.stop.take());
        let _ = (&mut self.task).await;
    }
}

impl Drop for MemoryServer {
    fn drop(&mut self) {
        if self.stop.is_some() {
            self.task.abort();
            self.network.refuse(&self.name);
            self.network.reset(&self.name);
        }
    }
}

/// A server on loopback, in a runtime of its own. Dropping it kills it.
#[derive(Debug)]
pub struct LoopbackServer {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    stopped: oneshot::Receiver<()>,
    runtime: Option<Runtime>,
}

impl LoopbackServer {
    /// Serves at a free port.
    pub fn start(greeter: &TestGreeter) -> Self {
        Self::start_with(([127, 0, 0, 1], 0).into(), greeter, Server::builder())
    }

    /// Serves at `address`, as `server` is set.
    pub fn start_with(address: SocketAddr, greeter: &TestGreeter, mut server: Server) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("the system has room for one more thread");
        let listener = listen(address).expect("the address is free");
        let address = listener.local_addr().expect("it is bound");
        let (stop, told_to_stop) = oneshot::channel();
        let (tell_stopped, stopped) = oneshot::channel();
        let service = service(greeter);
        runtime.spawn(async move {
            let listener = TcpListener::from_std(listener).expect("it does not block");
            let served = server
                .add_service(service)
                .serve_with_incoming_shutdown(TcpListenerStream::new(listener), until_told(told_to_stop));
            served.await.expect("nothing fails on loopback");
            let _ = tell_stopped.send(());
        });
        Self { address, stop: Some(stop), stopped, runtime: Some(runtime) }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends it as a process that dies: its port and all its connections close at once.
    pub fn kill(self) {}

    /// Ends it as a deploy does: it takes no more connections, GOAWAY goes out, and calls in flight finish.
    pub async fn stop(mut self) {
        tell(self.stop.take());
        let _ = (&mut self.stopped).await;
    }
}

impl Drop for LoopbackServer {
    fn drop(&mut self) {
        self.runtime.take().into_iter().for_each(Runtime::shutdown_background);
    }
}

fn listen(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    // The standard library sets SO_REUSEADDR, so that a server that was killed can come back.
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn service(greeter: &TestGreeter) -> GreeterServer<TestGreeter> {
    GreeterServer::new(greeter.clone()).max_decoding_message_size(MAX_MESSAGE)
}

fn tell(stop: Option<oneshot::Sender<()>>) {
    // A server that has ended by itself need not be told.
    let _ = stop.map(|stop| stop.send(()));
}

/// A sender that is gone is a server that is killed: nothing graceful about it.
async fn until_told(told: oneshot::Receiver<()>) {
    if told.await.is_err() {
        std::future::pending().await
    }
}
