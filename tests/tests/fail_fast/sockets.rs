//! The same over real sockets, for outcomes: what the operating system and a real server say is understood,
//! and mended servers are found again.

use std::time::Duration;

use rstest::rstest;
use tokio::net::UnixListener;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::transport::{Identity, Server, ServerTlsConfig};
use trunkline::Transport::{self, H2, Trunkline};
use trunkline::{Backoff, Channel, ChannelBuilder, Code, FailFast, Phase, Status, StatusExt};
use trunkline_tests::greeter::greeter_client::GreeterClient;
use trunkline_tests::greeter::greeter_server::GreeterServer;
use trunkline_tests::{CertificateAuthority, Certified, LoopbackServer, TestGreeter, ms};

use crate::lab::{call, hello, secs};

/// More than anything here takes on a slow machine.
const PATIENCE: Duration = secs(60);

fn quick(engine: Transport, builder: ChannelBuilder) -> Channel {
    builder.transport(engine).backoff(Backoff::new(ms(20), ms(100))).connect_lazy().unwrap()
}

async fn fails(channel: &Channel) -> Status {
    call(channel, PATIENCE).await.unwrap_err()
}

/// A call that waits is answered.
async fn is_answered(channel: &Channel) {
    let waiting = GreeterClient::new(channel.clone()).say_hello(hello()).timeout(PATIENCE);
    assert_eq!(waiting.fail_fast(FailFast::Never).await.unwrap().server, "good");
}

#[track_caller]
fn assert_says(status: &Status, phase: Phase, permanent: bool, said: &str) {
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    let report = status.call_report().unwrap();
    assert_eq!(report.cause().map(|cause| (cause.phase(), cause.is_permanent())), Some((phase, permanent)));
    assert!(status.message().contains(said), "{status}");
}

fn over_tls(certified: Certified) -> Server {
    let identity = Identity::from_pem(certified.certificate, certified.key);
    Server::builder().tls_config(ServerTlsConfig::new().identity(identity)).unwrap()
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_unix_socket_that_is_missing_is_found_when_its_server_starts(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("greeter.socket");
    let channel = quick(engine, Channel::builder(format!("unix://{}", path.display())));
    let status = fails(&channel).await;
    assert_says(&status, Phase::Connect, false, "connect: no such socket");
    assert!(status.message().contains(&format!("unix:{}", path.display())), "{status}");
    let incoming = UnixListenerStream::new(UnixListener::bind(&path).unwrap());
    let service = GreeterServer::new(TestGreeter::new("good"));
    let serving = tokio::spawn(Server::builder().add_service(service).serve_with_incoming(incoming));
    is_answered(&channel).await;
    serving.abort();
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_closed_is_found_when_its_server_starts(#[values(H2, Trunkline)] engine: Transport) {
    let greeter = TestGreeter::new("good");
    let address = LoopbackServer::start(&greeter).address();
    let channel = quick(engine, Channel::builder(format!("http://{address}")));
    let status = loop {
        // The port closes a moment after its server was dropped.
        match call(&channel, PATIENCE).await {
            Err(status) if status.message().contains("refused") => break status,
            _ => tokio::task::yield_now().await,
        }
    };
    assert_says(&status, Phase::Connect, false, "connect: connection refused");
    let _server = LoopbackServer::start_with(address, &greeter, Server::builder());
    is_answered(&channel).await;
}

// behaviours 101, 105
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_bad_certificate_is_named_and_recovers_when_it_is_replaced(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let (ours, strangers) = (CertificateAuthority::new(), CertificateAuthority::new());
    let unheard = TestGreeter::new("bad");
    let bad = over_tls(strangers.issue(&["127.0.0.1"]));
    let server = LoopbackServer::start_with(([127, 0, 0, 1], 0).into(), &unheard, bad);
    let address = server.address();
    let builder = Channel::builder(format!("https://{address}")).tls(ours.trusted());
    let channel = quick(engine, builder.fail_fast(FailFast::Permanent));
    let status = fails(&channel).await;
    assert_says(&status, Phase::Tls, true, "TLS: certificate signed by unknown issuer [permanent;");
    assert_eq!(unheard.started(), 0);
    server.stop().await;
    let good = over_tls(ours.issue(&["127.0.0.1"]));
    let _server = LoopbackServer::start_with(address, &TestGreeter::new("good"), good);
    is_answered(&channel).await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn tls_and_plaintext_that_meet_are_told_apart(#[values(H2, Trunkline)] engine: Transport) {
    let ours = CertificateAuthority::new();
    let greeter = TestGreeter::new("unheard");
    let plaintext = LoopbackServer::start(&greeter);
    let tls = over_tls(ours.issue(&["127.0.0.1"]));
    let tls = LoopbackServer::start_with(([127, 0, 0, 1], 0).into(), &greeter, tls);

    let channel =
        quick(engine, Channel::builder(format!("https://{}", plaintext.address())).tls(ours.trusted()));
    assert_says(&fails(&channel).await, Phase::Tls, true, "TLS: the server does not speak TLS");
    let channel = quick(engine, Channel::builder(format!("http://{}", tls.address())));
    let said = "HTTP/2: the peer speaks TLS, and this channel is plaintext";
    assert_says(&fails(&channel).await, Phase::Http2, true, said);
    assert_eq!(greeter.started(), 0);
}
