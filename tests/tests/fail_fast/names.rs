//! The `:authority` of calls and the address that is dialled, for every form of target.

use std::time::Duration;

use rstest::rstest;
use trunkline::Transport::{self, H2, Trunkline};
use trunkline::balancer::RoundRobin;
use trunkline::{Address, ChannelBuilder};
use trunkline_tests::script::{Code as ErrorCode, Peer, Request};

use crate::lab::{Lab, NAME, Speaks, call, here, secs, tcp, there};

/// The first request of a channel whose server is at `address`.
async fn first_request(lab: &Lab, address: &Address, channel: ChannelBuilder) -> Request {
    let mut incoming = lab.network.listen(&address.to_string());
    let channel = channel.connect_lazy().unwrap();
    let calling = tokio::spawn(async move { call(&channel, secs(60)).await });
    let mut peer = Peer::new(incoming.accept().await);
    peer.greet(&[]).await;
    let request = peer.request().await;
    peer.respond(request.stream, b"", "0").await;
    calling.await.unwrap().unwrap();
    request
}

fn authority(request: &Request) -> &str {
    request.headers.get(":authority").unwrap_or_default()
}

// behaviours 15, 51
#[rstest]
#[tokio::test(start_paused = true)]
async fn each_form_of_target_has_its_address_and_its_authority(#[values(H2, Trunkline)] engine: Transport) {
    let unix = |path: &str| Address::unix(path);
    let rows = [
        // Literal addresses are never looked up: there is no name server here.
        ("http://10.0.0.1:50051", tcp("10.0.0.1:50051"), "10.0.0.1:50051"),
        ("http://10.0.0.1", tcp("10.0.0.1:80"), "10.0.0.1"),
        ("http://[::1]:50051", tcp("[::1]:50051"), "[::1]:50051"),
        ("dns:///10.0.0.1", tcp("10.0.0.1:443"), "10.0.0.1"),
        ("dns:///10.0.0.1:50051", tcp("10.0.0.1:50051"), "10.0.0.1:50051"),
        ("10.0.0.1:50051", tcp("10.0.0.1:50051"), "10.0.0.1:50051"),
        ("localhost:50051", tcp("127.0.0.1:50051"), "localhost:50051"),
        (":50051", tcp("127.0.0.1:50051"), "localhost:50051"),
        ("ipv4:10.0.0.1:50051", tcp("10.0.0.1:50051"), "10.0.0.1:50051"),
        ("ipv6:[::1]:50051", tcp("[::1]:50051"), "[::1]:50051"),
        ("static:10.0.0.1:50051", tcp("10.0.0.1:50051"), "10.0.0.1:50051"),
        ("unix:/run/greeter.socket", unix("/run/greeter.socket"), "localhost"),
        ("unix:///run/greeter.socket", unix("/run/greeter.socket"), "localhost"),
        ("unix:greeter.socket", unix("greeter.socket"), "localhost"),
        ("unix-abstract:greeter", Address::unix_abstract(*b"greeter"), "localhost"),
        ("passthrough:///10.0.0.1:50051", tcp("10.0.0.1:50051"), "10.0.0.1:50051"),
        ("passthrough:///greeter", Address::other("greeter"), "greeter"),
    ];
    for (target, address, expected) in rows {
        let lab = Lab::new(engine);
        let channel = lab.bare_channel(target).plaintext();
        let request = first_request(&lab, &address, channel).await;
        assert_eq!(authority(&request), expected, "{target}");
        assert_eq!(request.headers.get(":scheme"), Some("http"));
        let channel = lab.bare_channel(target).plaintext().authority("chosen.test:1");
        let request = first_request(&lab, &address, channel).await;
        assert_eq!(authority(&request), "chosen.test:1", "{target}: the application's word counts");
    }
}

// behaviour 15
#[tokio::test(start_paused = true)]
async fn a_target_that_cannot_be_an_authority_needs_one() {
    let lab = Lab::new(Transport::default());
    // RFC 3986 would let it be "a%2Fb%20c", but HTTP libraries refuse escapes in an authority.
    let channel = || lab.bare_channel("passthrough:///a%2Fb%20c").plaintext();
    let error = channel().connect_lazy().map(drop).unwrap_err();
    assert!(error.to_string().contains("call `.authority(\"the-name\")`"), "{error}");
    let request = first_request(&lab, &Address::other("a/b c"), channel().authority("greeter.test")).await;
    assert_eq!(authority(&request), "greeter.test");
}

// behaviour 15
#[rstest]
#[tokio::test(start_paused = true)]
async fn over_tls_the_scheme_of_requests_is_https(#[values(H2, Trunkline)] engine: Transport) {
    let lab = Lab::new(engine);
    lab.resolve(&[&here()]);
    let mut incoming = lab.network.listen(&here().to_string());
    let channel = lab.channel(Speaks::Tls).connect_lazy().unwrap();
    let calling = tokio::spawn(async move { call(&channel, secs(60)).await });
    let config = trunkline_tests::server_config(&lab.ours.issue(&[NAME]), &["h2"], None);
    let io = tokio_rustls::TlsAcceptor::from(config).accept(incoming.accept().await).await.unwrap();
    assert_eq!(io.get_ref().1.server_name(), Some(NAME), "the name goes to the server without the port");
    let mut peer = Peer::new(io);
    peer.greet(&[]).await;
    let request = peer.request().await;
    assert_eq!((request.headers.get(":scheme"), authority(&request)), (Some("https"), NAME));
    peer.respond(request.stream, b"", "0").await;
    calling.await.unwrap().unwrap();
}

// behaviour 16
#[rstest]
#[tokio::test(start_paused = true)]
async fn calls_to_an_address_of_its_own_name_carry_that_name_and_others_do_not(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let lab = Lab::new(engine);
    let named = here().with_server_name("a.test");
    lab.resolve(&[&named, &there()]);
    let mut incoming = [&named, &there()].map(|address| lab.network.listen(&address.to_string()));
    let channel = lab.channel(Speaks::Plaintext).balancer(RoundRobin).connect_lazy().unwrap();
    let ready = channel.clone();
    let ready = tokio::spawn(async move { ready.ready(secs(5)).await });
    let mut peers = Vec::new();
    for incoming in &mut incoming {
        let mut peer = Peer::new(incoming.accept().await);
        peer.greet(&[]).await;
        peers.push(peer);
    }
    ready.await.unwrap().unwrap();
    tokio::time::sleep(Duration::from_millis(10)).await;
    // Round and round, so that a name would stick if it could.
    for _ in 0..2 {
        let calls: Vec<_> = (0..2)
            .map(|_| {
                let channel = channel.clone();
                tokio::spawn(async move { call(&channel, secs(60)).await })
            })
            .collect();
        for (peer, expected) in peers.iter_mut().zip(["a.test", NAME]) {
            let request = peer.request().await;
            assert_eq!(authority(&request), expected);
            peer.respond(request.stream, b"", "0").await;
        }
        for call in calls {
            call.await.unwrap().unwrap();
        }
    }
}

// behaviour 16
#[rstest]
#[tokio::test(start_paused = true)]
async fn a_name_of_one_attempt_is_not_the_name_of_the_next(#[values(H2, Trunkline)] engine: Transport) {
    let lab = Lab::new(engine);
    let named = here().with_server_name("a.test");
    lab.resolve(&[&named]);
    let mut first = lab.network.listen(&named.to_string());
    let channel = lab.channel(Speaks::Plaintext).connect_lazy().unwrap();
    let calling = tokio::spawn(async move { call(&channel, secs(60)).await });
    let mut peer = Peer::new(first.accept().await);
    peer.greet(&[]).await;
    let request = peer.request().await;
    assert_eq!(authority(&request), "a.test");
    // It is told to go elsewhere, and elsewhere has no name of its own.
    let mut second = lab.network.listen(&there().to_string());
    lab.resolve(&[&there()]);
    peer.go_away(0, ErrorCode::NoError, "").await;
    let mut peer = Peer::new(second.accept().await);
    peer.greet(&[]).await;
    let request = peer.request().await;
    assert_eq!(authority(&request), NAME);
    peer.respond(request.stream, b"", "0").await;
    calling.await.unwrap().unwrap();
}
