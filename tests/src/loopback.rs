//! What can be wrong with a real network, on loopback: ports where nobody listens, peers that never speak,
//! and a road that freezes. With them, a connector that counts.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::time::sleep;
use trunkline::connect::{BoxFuture, ConnectRequest, Connected, Connector, SystemConnector};
use trunkline::{Address, ConnectError};

/// A port of loopback that is ours while this lives. Connections to it are refused, except while somebody
/// serves there.
#[derive(Debug)]
pub struct Port(TcpSocket);

impl Port {
    /// Takes a free one.
    pub fn reserve() -> Self {
        let socket = TcpSocket::new_v4().expect("the system has room for one more socket");
        // Linux then lets a listener share the port, as long as this socket never listens.
        socket.set_reuseaddr(true).expect("a socket can be set so");
        socket.bind(([127, 0, 0, 1], 0).into()).expect("loopback has a free port");
        Self(socket)
    }

    /// Its address.
    pub fn address(&self) -> SocketAddr {
        self.0.local_addr().expect("it is bound")
    }
}

/// A port where connections are accepted by the system, and nobody ever says a word. It is there until this
/// is dropped.
#[derive(Debug)]
pub struct SilentPeer(std::net::TcpListener);

impl SilentPeer {
    /// Listens at a free port.
    pub fn start() -> Self {
        Self(std::net::TcpListener::bind(("127.0.0.1", 0)).expect("loopback has a free port"))
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.0.local_addr().expect("it is bound")
    }
}

/// The system's connector, with a count. Clones are one.
#[derive(Clone, Debug, Default)]
pub struct CountingConnector {
    delay: Duration,
    dialled: Arc<Mutex<Vec<Address>>>,
}

impl CountingConnector {
    /// Each dial begins only after so long.
    pub fn slow(delay: Duration) -> Self {
        Self { delay, ..Self::default() }
    }

    /// The addresses that were dialled, in order.
    pub fn dialled(&self) -> Vec<Address> {
        self.dialled.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How often this address was dialled.
    pub fn dials(&self, address: SocketAddr) -> usize {
        self.dialled().iter().filter(|dialled| dialled.socket_addr() == Some(address)).count()
    }
}

impl Connector for CountingConnector {
    fn connect(&self, request: ConnectRequest) -> BoxFuture<'static, Result<Connected, ConnectError>> {
        self.dialled.lock().unwrap_or_else(PoisonError::into_inner).push(request.address.clone());
        let delay = self.delay;
        Box::pin(async move {
            if !delay.is_zero() {
                sleep(delay).await;
            }
            SystemConnector::new().connect(request).await
        })
    }
}

/// A road to a server, whose host can vanish: then nothing more passes over the connections that are there,
/// and nothing closes.
#[derive(Debug)]
pub struct FreezingRoad {
    address: SocketAddr,
    freeze: watch::Sender<u64>,
    runtime: Option<Runtime>,
}

impl FreezingRoad {
    /// A road to the server at `to`.
    pub fn start(to: SocketAddr) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("the system has room for one more thread");
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("loopback has a free port");
        listener.set_nonblocking(true).expect("a socket can be set so");
        let address = listener.local_addr().expect("it is bound");
        let (freeze, frozen) = watch::channel(0);
        runtime.spawn(async move {
            let listener = TcpListener::from_std(listener).expect("it does not block");
            while let Ok((mut here, _)) = listener.accept().await {
                let mut frozen = frozen.clone();
                frozen.mark_unchanged();
                tokio::spawn(async move {
                    let Ok(mut there) = TcpStream::connect(to).await else { return };
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut here, &mut there) => {}
                        // Both sockets stay open for as long as the road is there.
                        _ = frozen.changed() => std::future::pending().await,
                    }
                });
            }
        });
        Self { address, freeze, runtime: Some(runtime) }
    }

    /// Where it begins.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on nothing passes over the connections that are there. New ones work.
    pub fn freeze(&self) {
        self.freeze.send_modify(|times| *times += 1);
    }
}

impl Drop for FreezingRoad {
    fn drop(&mut self) {
        self.runtime.take().into_iter().for_each(Runtime::shutdown_background);
    }
}
