//! The three plugins in one channel, over real sockets: a registry says where servers are, a proxy is the way
//! to them, and the first that is up gets the calls.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use rstest::rstest;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use trunkline::Transport::{self, H2, Trunkline};
use trunkline::balancer::world::World;
use trunkline::{Channel, Code, FailFast};
use trunkline_tests::greeter::HelloRequest;
use trunkline_tests::greeter::greeter_client::GreeterClient;
use trunkline_tests::{LoopbackServer, TestGreeter};

use super::stranger::balancer::hot_spares;
use super::stranger::connector::ThroughProxy;
use super::stranger::resolver::{Registry, Services};

#[rstest]
#[tokio::test]
async fn a_strangers_resolver_balancer_and_connector_work_in_one_channel(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let alpha = LoopbackServer::start(&TestGreeter::new("alpha"));
    let beta = LoopbackServer::start(&TestGreeter::new("beta"));
    let proxy = Proxy::start().await;
    let (registry, services) = watch::channel(Services::new());
    let channel = Channel::builder("registry:greeter")
        .transport(engine)
        .plaintext()
        .resolver(Registry(services))
        .balancer(hot_spares())
        .connector(ThroughProxy(proxy.address))
        .timeout(Duration::from_secs(20))
        .connect_lazy()
        .unwrap();
    let greeter = GreeterClient::new(channel);

    let status = greeter.say_hello(HelloRequest::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.message().contains("no service greeter"), "{status}");

    let servers = vec![alpha.address(), beta.address()];
    registry.send_replace(Services::from([("greeter".to_owned(), servers)]));
    while answered_by(&greeter).await != "alpha" {}
    // The spare is connected, too, without a call.
    while proxy.tunnels() < 2 {
        tokio::task::yield_now().await;
    }

    // What was in flight may be lost with the server; whoever calls after that finds the spare.
    alpha.kill();
    while answered_by(&greeter).await != "beta" {}

    let servers = vec![beta.address()];
    registry.send_replace(Services::from([("greeter".to_owned(), servers)]));
    assert_eq!(answered_by(&greeter).await, "beta");
}

#[test]
fn a_strangers_balancer_keeps_the_laws_of_its_trait() {
    let mut world = World::new(hot_spares());
    world.resolve(["a", "b"]);
    world.ready("b");
    world.assert_picks(["b"]);
    world.ready("a");
    world.assert_picks(["a"]);
    world.lose("a");
    world.assert_picks(["b"]);
    for seed in 0..20 {
        World::new(hot_spares()).wander(seed, 200);
    }
}

/// Who answers; empty if the call failed.
async fn answered_by(greeter: &GreeterClient) -> String {
    let call = greeter.say_hello(HelloRequest { name: "you".to_owned() }).fail_fast(FailFast::Never);
    call.await.map_or_else(|_| String::new(), |reply| reply.server)
}

/// An HTTP proxy that knows CONNECT.
struct Proxy {
    address: SocketAddr,
    tunnels: Arc<AtomicUsize>,
}

impl Proxy {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let address = listener.local_addr().expect("it is bound");
        let tunnels = Arc::<AtomicUsize>::default();
        let count = Arc::clone(&tunnels);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(tunnel(client, Arc::clone(&count)));
            }
        });
        Self { address, tunnels }
    }

    /// How many connections it has made so far.
    fn tunnels(&self) -> usize {
        self.tunnels.load(Relaxed)
    }
}

async fn tunnel(mut client: TcpStream, count: Arc<AtomicUsize>) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).ok()?;
    let server = head.strip_prefix("CONNECT ")?.split(' ').next()?;
    let Ok(mut server) = TcpStream::connect(server).await else {
        client.write_all(b"HTTP/1.1 502 Bad Gateway\r\n\r\n").await.ok()?;
        return None;
    };
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.ok()?;
    count.fetch_add(1, Relaxed);
    tokio::io::copy_bidirectional(&mut client, &mut server).await.ok()?;
    Some(())
}
