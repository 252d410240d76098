//! A server that cannot prove who it is, on both roads.

use rstest::rstest;
use tokio_rustls::TlsAcceptor;
use trunkline::Transport::{self, H2, Trunkline};
use trunkline::{Code, Request, Sent, StatusExt};
use trunkline_tests::{CertificateAuthority, Network, server_config};

use crate::road::Road;

// behaviour 101
#[rstest]
#[tokio::test(start_paused = true)]
async fn whoever_cannot_prove_who_it_is_gets_no_call_by_either_road(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let (ours, strangers) = (CertificateAuthority::new(), CertificateAuthority::new());
    let acceptor = TlsAcceptor::from(server_config(&strangers.issue(&["greeter.test"]), &["h2"], None));
    for (road, shape) in Road::every() {
        let network = Network::new(engine);
        let mut incoming = network.listen("a");
        let channel =
            network.builder(&["a"]).authority("greeter.test").tls(ours.trusted()).connect_lazy().unwrap();
        let call = tokio::spawn(road.call(channel, shape, Request::new("you".to_owned())));
        let accepted = acceptor.accept(incoming.accept().await).await;
        assert!(
            accepted.is_err(),
            "{road:?} {shape:?}: the handshake ends before a byte of the call is sent"
        );
        let status = call.await.unwrap().unwrap_err();
        assert_eq!(status.code(), Code::Unavailable, "{road:?} {shape:?}: {status}");
        let report = status.call_report().unwrap();
        assert_eq!(report.sent(), Sent::No, "{road:?} {shape:?}: {status}");
        assert!(report.is_permanent() && status.message().contains("unknown issuer"), "{status}");
        assert_eq!(
            network.dials("a").len(),
            1,
            "{road:?} {shape:?}: no second try, in plaintext or otherwise"
        );
    }
}
