//! Every way in which bytes may reach a server, on both kinds of runtime, with each HTTP/2 engine: whatever
//! the carrier, calls of every shape come through whole.

#![allow(clippy::unwrap_used, reason = "in a test, what must not fail may panic")]

use std::path::PathBuf;
use std::time::Duration;

use rstest::rstest;
use tokio::net::UnixListener;
use tokio::task::JoinSet;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::transport::{Identity, Server, ServerTlsConfig};
use trunkline::Transport::{self, H2, Trunkline};
use trunkline::{Channel, ChannelBuilder};
use trunkline_tests::greeter::greeter_client::GreeterClient;
use trunkline_tests::greeter::greeter_server::GreeterServer;
use trunkline_tests::greeter::{HelloRequest, WatchRequest};
use trunkline_tests::{CertificateAuthority, LoopbackServer, MemoryServer, Network, TestGreeter};

#[rstest]
#[tokio::test]
async fn every_shape_of_call_comes_through_on_one_thread(
    #[values(H2, Trunkline)] engine: Transport,
    #[values(Carrier::Memory, Carrier::Tcp, Carrier::Unix, Carrier::Tls)] carrier: Carrier,
) {
    let here = Here::new(engine, carrier);
    everything_comes_through(&here.channel).await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_shape_of_call_comes_through_on_several_threads(
    #[values(H2, Trunkline)] engine: Transport,
    #[values(Carrier::Memory, Carrier::Tcp, Carrier::Unix, Carrier::Tls)] carrier: Carrier,
) {
    let here = Here::new(engine, carrier);
    everything_comes_through(&here.channel).await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_gives_up_harms_nobody_else(
    #[values(H2, Trunkline)] engine: Transport,
    #[values(Carrier::Memory, Carrier::Tcp, Carrier::Unix, Carrier::Tls)] carrier: Carrier,
) {
    let here = Here::new(engine, carrier);
    let mut callers = JoinSet::new();
    for caller in 0..16_usize {
        let greeter = GreeterClient::new(here.channel.clone());
        callers.spawn(async move {
            for call in 0..50 {
                let name = format!("{caller}-{call}-{}", "x".repeat(caller * call));
                let calling = greeter.say_hello(hello(&name));
                match (caller + call) % 3 {
                    // Before, while, and after it is sent.
                    0 => drop(calling),
                    1 => drop(tokio::time::timeout(Duration::ZERO, calling.into_future()).await),
                    _ => assert_eq!(calling.await.unwrap().message, format!("Hello, {name}!")),
                }
            }
        });
    }
    callers.join_all().await;
    assert_eq!(GreeterClient::new(here.channel.clone()).say_hello(hello("you")).await.unwrap().server, "a");
}

/// What bytes go over.
#[derive(Clone, Copy, Debug)]
enum Carrier {
    Memory,
    Tcp,
    Unix,
    Tls,
}

/// A channel, and what keeps its server there.
struct Here {
    channel: Channel,
    _server: Kept,
}

#[allow(dead_code, reason = "they are held, not read")]
enum Kept {
    Memory(MemoryServer),
    Loopback(LoopbackServer),
    Socket(tempfile::TempDir, tokio::task::JoinHandle<()>),
}

impl Here {
    fn new(engine: Transport, carrier: Carrier) -> Self {
        let greeter = TestGreeter::new("a");
        let (builder, server) = match carrier {
            Carrier::Memory => {
                let network = Network::new(engine);
                (network.channel(&["a"]), Kept::Memory(MemoryServer::start(&network, "a", &greeter)))
            }
            Carrier::Tcp => {
                let server = LoopbackServer::start(&greeter);
                (Channel::builder(format!("http://{}", server.address())), Kept::Loopback(server))
            }
            Carrier::Unix => over_unix(greeter),
            Carrier::Tls => over_tls(&greeter),
        };
        let builder = builder.transport(engine).timeout(PATIENCE).max_receive_message_size(8 * MEGABYTE);
        Self { channel: builder.connect_lazy().unwrap(), _server: server }
    }
}

fn over_unix(greeter: TestGreeter) -> (ChannelBuilder, Kept) {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("greeter.socket");
    let incoming = UnixListenerStream::new(UnixListener::bind(&path).unwrap());
    let service = GreeterServer::new(greeter).max_decoding_message_size(8 * MEGABYTE);
    let serving = Server::builder().add_service(service).serve_with_incoming(incoming);
    let task = tokio::spawn(async move { serving.await.expect("nothing fails on a socket of our own") });
    (Channel::builder(format!("unix://{}", path.display())), Kept::Socket(folder, task))
}

fn over_tls(greeter: &TestGreeter) -> (ChannelBuilder, Kept) {
    let authority = CertificateAuthority::new();
    let certified = authority.issue(&["127.0.0.1"]);
    let identity = Identity::from_pem(certified.certificate, certified.key);
    let tls = Server::builder().tls_config(ServerTlsConfig::new().identity(identity)).unwrap();
    let server = LoopbackServer::start_with(([127, 0, 0, 1], 0).into(), greeter, tls);
    let builder = Channel::builder(format!("https://{}", server.address())).tls(authority.trusted());
    (builder, Kept::Loopback(server))
}

/// More than any call here takes on a slow machine.
const PATIENCE: Duration = Duration::from_secs(120);

const MEGABYTE: usize = 1 << 20;

fn hello(name: &str) -> HelloRequest {
    HelloRequest { name: name.to_owned() }
}

async fn everything_comes_through(channel: &Channel) {
    let greeter = GreeterClient::new(channel.clone());

    // Small and many.
    let mut calls = JoinSet::new();
    for number in 0..200 {
        let greeter = greeter.clone();
        calls.spawn(async move {
            let reply = greeter.say_hello(hello(&number.to_string())).await.unwrap();
            assert_eq!(reply.message, format!("Hello, {number}!"));
        });
    }
    calls.join_all().await;

    // Large, several at once: a megabyte each way, and one that has more than a stream's window.
    let mut calls = JoinSet::new();
    for size in [MEGABYTE, MEGABYTE, MEGABYTE, 5 * MEGABYTE] {
        let greeter = greeter.clone();
        calls.spawn(async move {
            let name: String = ('a'..='z').cycle().take(size).collect();
            let reply = greeter.say_hello(hello(&name)).await.unwrap();
            assert!(reply.message == format!("Hello, {name}!"), "{} of {size} bytes", reply.message.len());
        });
    }
    calls.join_all().await;

    // Streams of each kind.
    let names: Vec<_> = (0..1000).map(|number| number.to_string()).collect();
    let people = || tokio_stream::iter(names.clone()).map(|name| hello(&name));
    assert_eq!(greeter.record(people()).await.unwrap().names, names);
    let mut replies = greeter.chat(people()).await.unwrap();
    for name in &names {
        assert_eq!(replies.message().await.unwrap().unwrap().message, format!("Hello, {name}!"));
    }
    assert!(replies.message().await.unwrap().is_none());
    let request = WatchRequest { name: "you".to_owned(), count: 20, interval_ms: 1 };
    let mut replies = greeter.watch(request).await.unwrap();
    let mut count = 0;
    while replies.message().await.unwrap().is_some() {
        count += 1;
    }
    assert_eq!(count, 20);

    assert_eq!(greeter.say_hello(hello("you")).await.unwrap().server, "a");
}
