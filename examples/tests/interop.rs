//! Every interop case against a real server, in plaintext and over TLS, by our own stub and by the one that
//! tonic generates, on each HTTP/2 engine.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Duration;

use rstest::rstest;
use trunkline::Transport::{self, H2, Trunkline};
use trunkline::connect::{Roots, Tls};
use trunkline::metadata::MetadataMap;
use trunkline::{Channel, ChannelBuilder};
use trunkline_examples::certificates::CertificateAuthority;
use trunkline_examples::interop::{Case, Connect, OwnStub, Peer, Soak, Stub, TonicStub, test_service};
use trunkline_examples::server::RunningServer;

const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
const FREE: &str = "loopback has a free port";
/// The name in the server's certificate, which is not where it is.
const NAME: &str = "interop.test";

// behaviour 17
#[rstest]
#[tokio::test]
async fn every_case_passes_in_plaintext_by_our_stub(#[values(H2, Trunkline)] engine: Transport) {
    every_case_passes::<OwnStub>(Side::plaintext(), engine).await;
}

#[rstest]
#[tokio::test]
async fn every_case_passes_in_plaintext_by_tonics_stub(#[values(H2, Trunkline)] engine: Transport) {
    every_case_passes::<TonicStub>(Side::plaintext(), engine).await;
}

// behaviour 105
#[rstest]
#[tokio::test]
async fn every_case_passes_over_tls_by_our_stub(#[values(H2, Trunkline)] engine: Transport) {
    every_case_passes::<OwnStub>(Side::tls(), engine).await;
}

#[rstest]
#[tokio::test]
async fn every_case_passes_over_tls_by_tonics_stub(#[values(H2, Trunkline)] engine: Transport) {
    every_case_passes::<TonicStub>(Side::tls(), engine).await;
}

#[rstest]
fn the_program_names_each_case_and_exits_well(
    #[values("own", "tonic")] stub: &str,
    #[values("h2", "trunkline")] transport: &str,
) {
    let server = Side::plaintext();
    let port = format!("--server_port={}", server.address().port());
    // How long a call takes on a busy machine is no question here.
    let patient = "--soak_per_iteration_max_acceptable_latency_ms=60000";
    let road = [format!("--stub={stub}"), format!("--transport={transport}")];
    let output = interop_client(&[&[port, "--test_case=all".into(), patient.into()][..], &road].concat());
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(text.lines().collect::<Vec<_>>(), Case::ALL.map(|case| format!("{case}: passed")));
    let soaked = String::from_utf8_lossy(&output.stderr);
    assert!(soaked.contains("soak test ran: 10 / 10 iterations. total failures: 0"), "{soaked}");
}

#[test]
fn the_program_says_which_case_failed_and_exits_badly() {
    let server = Side::tls();
    let output = interop_client(&[
        format!("--server_port={}", server.address().port()),
        "--test_case=empty_unary".into(),
    ]);
    assert_eq!(output.status.code(), Some(1), "plaintext to a TLS port: {output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("empty_unary: FAILED"), "{output:?}");
}

#[test]
fn the_program_says_which_cases_it_leaves_out() {
    let output = interop_client(&["--test_case=client_compressed_unary".into()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("compressed messages"), "{output:?}");
}

#[test]
fn the_program_knows_its_engines() {
    let output = interop_client(&["--transport=quic".into()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("`h2` or `trunkline`"), "{output:?}");
}

fn interop_client(flags: &[String]) -> Output {
    let program = env!("CARGO_BIN_EXE_interop_client");
    Command::new(program)
        .arg("--server_host=127.0.0.1")
        .args(flags)
        .output()
        .expect("it was built with this test")
}

async fn every_case_passes<S: Stub>(side: Side, engine: Transport) {
    // How long a call takes on a busy machine is no question here.
    let soak = Soak {
        max_latency: Duration::from_secs(60),
        overall_timeout: Duration::from_secs(120),
        threads: 2,
        ..Soak::default()
    };
    let peer =
        Peer::<S>::new(side.connect(engine), MetadataMap::new(), soak).expect("the settings are right");
    for case in Case::ALL {
        if let Err(error) = case.run(&peer).await {
            panic!("{case}: {error}");
        }
    }
}

/// A server, and how to reach it.
struct Side {
    server: RunningServer,
    authority: Option<CertificateAuthority>,
}

impl Side {
    fn plaintext() -> Self {
        Self {
            server: RunningServer::serve(test_service("plain"), LOOPBACK, None).expect(FREE),
            authority: None,
        }
    }

    fn tls() -> Self {
        let authority = CertificateAuthority::new("interop").expect("keys can be made");
        let tls = authority.server(NAME).expect("it is a name").server_tls();
        let server = RunningServer::serve(test_service("tls"), LOOPBACK, Some(tls)).expect(FREE);
        Self { server, authority: Some(authority) }
    }

    fn address(&self) -> SocketAddr {
        self.server.address()
    }

    fn connect(&self, engine: Transport) -> Connect {
        let target = format!("dns:///{}", self.address());
        let roots = self.authority.as_ref().map(|authority| authority.pem().to_owned());
        Arc::new(move || builder(&target, roots.as_deref()).transport(engine))
    }
}

fn builder(target: &str, roots: Option<&str>) -> ChannelBuilder {
    let builder = Channel::builder(target);
    match roots {
        None => builder.plaintext(),
        Some(roots) => builder.authority(NAME).tls(Tls::new().roots(Roots::pem(roots))),
    }
}
