//! Who proves to be whom: certificates of clients, and names and addresses in those of servers.

use rstest::rstest;
use trunkline::Transport::{self, H2, Trunkline};
use trunkline::balancer::RoundRobin;
use trunkline::{Code, FailFast, Phase, StatusExt};
use trunkline_tests::server_config;

use crate::lab::{Lab, MODES, NAME, Speaks, TARGET, call, here, secs, tcp, there, timed};
use crate::peers::{Peer, greets_over, greets_over_tls};

/// A server that demands certificates that our authority signed.
fn demanding(lab: &Lab) -> Peer {
    let config = server_config(&lab.ours.issue(&[NAME]), &["h2"], Some(&lab.ours));
    Peer::Serves(greets_over(config, &lab.greeter))
}

// behaviour 106
#[rstest]
#[tokio::test(start_paused = true)]
async fn a_client_with_a_certificate_that_the_server_trusts_is_let_in(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let lab = Lab::new(engine);
    lab.place(&here(), demanding(&lab)).await;
    lab.resolve(&[&here()]);
    let client = lab.ours.issue_client();
    let tls = lab.ours.trusted().identity_pem(client.certificate, client.key);
    let channel = lab.bare_channel(TARGET).tls(tls).connect_lazy().unwrap();
    assert_eq!(call(&channel, secs(5)).await.unwrap().server, "good");
}

// behaviour 106
#[rstest]
#[tokio::test(start_paused = true)]
async fn a_client_with_a_certificate_of_strangers_is_told_so_at_once(
    #[values(H2, Trunkline)] engine: Transport,
) {
    for mode in [FailFast::Always, FailFast::Permanent] {
        let lab = Lab::new(engine);
        lab.place(&here(), demanding(&lab)).await;
        lab.resolve(&[&here()]);
        let client = lab.strangers.issue_client();
        let tls = lab.ours.trusted().identity_pem(client.certificate, client.key);
        let channel = lab.bare_channel(TARGET).tls(tls).fail_fast(mode).connect_lazy().unwrap();
        let (answer, took) = timed(call(&channel, secs(5))).await;
        let status = answer.unwrap_err();
        assert_eq!((status.code(), took), (Code::Unavailable, secs(0)), "{status}");
        let said = "TLS: the server does not trust the issuer of the client certificate [permanent;";
        assert!(status.message().contains(said), "{status}");
        assert_eq!(lab.greeter.started(), 0);
    }
}

// behaviour 106
#[rstest]
#[tokio::test(start_paused = true)]
async fn certificates_and_keys_may_come_from_files(#[values(H2, Trunkline)] engine: Transport) {
    let lab = Lab::new(engine);
    lab.place(&here(), demanding(&lab)).await;
    lab.resolve(&[&here()]);
    let client = lab.ours.issue_client();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let tls = trunkline::connect::Tls::new()
        .roots(trunkline::connect::Roots::pem_file(file("ca.pem", lab.ours.pem())))
        .identity_files(file("client.pem", &client.certificate), file("client.key", &client.key));
    let channel = lab.bare_channel(TARGET).tls(tls).connect_lazy().unwrap();
    // They were read when the channel was built.
    drop(folder);
    assert_eq!(call(&channel, secs(5)).await.unwrap().server, "good");
}

// behaviour 105
#[rstest]
#[tokio::test(start_paused = true)]
async fn a_target_that_is_an_ip_address_is_checked_against_those_of_the_certificate(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let rows = [
        ("https://127.0.0.1:443", "127.0.0.1:443", "127.0.0.1"),
        ("https://[::1]:443", "[::1]:443", "::1"),
        ("ipv4:127.0.0.1:443", "127.0.0.1:443", "127.0.0.1"),
        ("ipv6:[::1]:443", "[::1]:443", "::1"),
        ("dns:///[::1]:443", "[::1]:443", "::1"),
    ];
    for (target, address, name) in rows {
        let lab = Lab::new(engine);
        let channel = lab.bare_channel(target).tls(lab.ours.trusted()).connect_lazy().unwrap();
        let other = greets_over_tls(&lab.ours.issue(&["10.9.9.9", "localhost"]), &lab.unheard);
        lab.place(&tcp(address), Peer::Serves(other)).await;
        let status = call(&channel, secs(5)).await.unwrap_err();
        let report = status.call_report().unwrap();
        assert_eq!(
            report.cause().map(|cause| (cause.phase(), cause.is_permanent())),
            Some((Phase::Tls, true))
        );
        let said = format!("certificate is for 10.9.9.9 and localhost, not for {name}");
        // The order of the names is rustls's.
        let turned = format!("certificate is for localhost and 10.9.9.9, not for {name}");
        assert!(status.message().contains(&said) || status.message().contains(&turned), "{status}");

        let right = greets_over_tls(&lab.ours.issue(&[name]), &lab.greeter);
        lab.place(&tcp(address), Peer::Serves(right)).await;
        channel.reset_backoff();
        let waiting = lab.bare_channel(target).tls(lab.ours.trusted()).connect_lazy().unwrap();
        assert_eq!(call(&waiting, secs(5)).await.unwrap().server, "good", "{target}");
    }
}

// behaviour 105
#[rstest]
#[tokio::test(start_paused = true)]
async fn the_settings_name_replaces_every_other(#[values(H2, Trunkline)] engine: Transport) {
    let lab = Lab::new(engine);
    let named = there().with_server_name("address.test");
    for address in [&here(), &named] {
        let host = greets_over_tls(&lab.ours.issue(&["override.test"]), &lab.greeter);
        lab.place(address, Peer::Serves(host)).await;
    }
    lab.resolve(&[&here(), &named]);
    let tls = lab.ours.trusted().server_name("override.test");
    let channel = lab.bare_channel(TARGET).tls(tls).balancer(RoundRobin).connect_lazy().unwrap();
    channel.ready(secs(5)).await.unwrap();
    for _ in 0..10 {
        assert_eq!(call(&channel, secs(5)).await.unwrap().server, "good");
    }
    assert_eq!((lab.dials(&here()), lab.dials(&named)), (1, 1));
}

// behaviours 16, 105
#[rstest]
#[tokio::test(start_paused = true)]
async fn each_address_is_checked_against_its_own_name_if_it_has_one(
    #[values(H2, Trunkline)] engine: Transport,
) {
    for mode in MODES {
        let lab = Lab::new(engine);
        let names = ["a.test", "b.test", NAME];
        let address = |index: usize, name: &str| {
            let address = tcp(&format!("10.0.0.{}:443", index + 1));
            if name == NAME { address } else { address.with_server_name(name) }
        };
        let addresses: Vec<_> = names.iter().enumerate().map(|(index, name)| address(index, name)).collect();
        for (address, name) in addresses.iter().zip(names) {
            let host = greets_over_tls(&lab.ours.issue(&[name]), &lab.greeter);
            lab.place(address, Peer::Serves(host)).await;
        }
        lab.resolve(&addresses.iter().collect::<Vec<_>>());
        let channel = lab.channel(Speaks::Tls).balancer(RoundRobin).fail_fast(mode).connect_lazy().unwrap();
        for _ in 0..30 {
            call(&channel, secs(5)).await.unwrap();
        }
        for address in &addresses {
            assert_eq!(lab.dials(address), 1, "{address}, {mode:?}");
        }
    }
}

// behaviour 101
#[rstest]
#[tokio::test(start_paused = true)]
async fn whom_a_channel_does_not_trust_it_tells_nothing(#[values(H2, Trunkline)] engine: Transport) {
    let lab = Lab::new(engine);
    lab.resolve(&[&here()]);
    let mut incoming = lab.network.listen(&here().to_string());
    let channel = lab.channel(Speaks::Tls).connect_lazy().unwrap();
    let calling = tokio::spawn(async move { call(&channel, secs(60)).await });
    let io = incoming.accept().await;
    let config = server_config(&lab.strangers.issue(&[NAME]), &["h2"], None);
    // All that the client ever says is its half of a handshake, and then that it goes no further.
    let error = tokio_rustls::TlsAcceptor::from(config).accept(io).await.unwrap_err();
    assert!(error.to_string().contains("UnknownCA"), "{error}");
    let status = calling.await.unwrap().unwrap_err();
    assert!(status.message().contains("certificate signed by unknown issuer"), "{status}");
    assert_eq!(lab.dials(&here()), 1, "nothing was tried again in plaintext");
}
