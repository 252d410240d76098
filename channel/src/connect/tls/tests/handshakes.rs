//! What a handshake comes to, with each kind of peer.

use std::future::poll_fn;

use rcgen::date_time_ymd;
use rstest::rstest;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use trunkline_proto::{ConnectError, Phase};

use super::fixture::*;
use crate::connect::{ConnectRequest, Connected, Connector, Security, SystemConnector, Tls};
use crate::transport::Transport::{self, H2, Trunkline};
use crate::transport::{DriverNews, Origin, TransportOptions, start};

#[track_caller]
fn assert_permanent(error: &ConnectError, message: &str) {
    assert_eq!((error.message(), error.is_permanent(), error.phase()), (message, true, Phase::Tls));
    assert_eq!(error.address(), Some(&address()));
}

#[tokio::test]
async fn a_trusted_server_with_http2_is_connected_to() {
    let authority = Authority::new();
    let config = server(&authority.sign(&["greeter.test"]), &["h2"], None);
    let connected = dial(&authority.trusted(), |io| accept(io, config)).await.unwrap();
    assert_eq!((connected.security, connected.alpn.as_deref()), (Security::Tls, Some(&b"h2"[..])));
}

#[tokio::test]
async fn an_unknown_issuer_is_permanent() {
    let config = server(&Authority::new().sign(&["greeter.test"]), &["h2"], None);
    let error = dial(&Authority::new().trusted(), |io| accept(io, config)).await.unwrap_err();
    assert_permanent(&error, "certificate signed by unknown issuer");
    assert_eq!(error.to_string(), "10.0.0.7:443: TLS: certificate signed by unknown issuer");
}

#[tokio::test]
async fn an_issuer_that_only_has_the_name_of_a_trusted_one_is_permanent() {
    let name = Some("the authority");
    let config = server(&Authority::named(name).sign(&["greeter.test"]), &["h2"], None);
    let error = dial(&Authority::named(name).trusted(), |io| accept(io, config)).await.unwrap_err();
    assert_permanent(&error, "certificate was not signed by the issuer that it names");
}

#[tokio::test]
async fn a_wrong_name_is_permanent_and_both_names_are_told() {
    // behaviour 105
    let authority = Authority::new();
    let config = server(&authority.sign(&["other.test"]), &["h2"], None);
    let error = dial(&authority.trusted(), |io| accept(io, config)).await.unwrap_err();
    assert_permanent(&error, "certificate is for other.test, not for greeter.test");
}

#[tokio::test]
async fn an_expired_certificate_is_permanent_and_its_end_is_told() {
    let authority = Authority::new();
    let identity = authority.sign_with(&["greeter.test"], |params| {
        params.not_before = date_time_ymd(2000, 1, 1);
        params.not_after = date_time_ymd(2001, 1, 1);
    });
    let config = server(&identity, &["h2"], None);
    let error = dial(&authority.trusted(), |io| accept(io, config)).await.unwrap_err();
    let expected = "certificate expired at 2001-01-01T00:00:00Z";
    assert_permanent(&error, error.message());
    assert!(error.message().starts_with(expected), "{error}");
}

#[tokio::test]
async fn a_certificate_of_the_future_is_permanent_and_its_beginning_is_told() {
    let authority = Authority::new();
    let identity = authority.sign_with(&["greeter.test"], |params| {
        params.not_before = date_time_ymd(4000, 1, 1);
        params.not_after = date_time_ymd(4001, 1, 1);
    });
    let config = server(&identity, &["h2"], None);
    let error = dial(&authority.trusted(), |io| accept(io, config)).await.unwrap_err();
    assert_permanent(&error, error.message());
    assert!(error.message().starts_with("certificate not valid before 4000-01-01T00:00:00Z"), "{error}");
}

#[tokio::test]
async fn a_server_without_alpn_is_permanent() {
    // behaviour 103
    let authority = Authority::new();
    let config = server(&authority.sign(&["greeter.test"]), &[], None);
    let error = dial(&authority.trusted(), |io| accept(io, config)).await.unwrap_err();
    assert_permanent(&error, "the server does not offer HTTP/2 by ALPN");
}

#[tokio::test]
async fn a_server_with_another_alpn_is_permanent() {
    // behaviour 103
    let authority = Authority::new();
    let config = server(&authority.sign(&["greeter.test"]), &["http/1.1"], None);
    let error = dial(&authority.trusted(), |io| accept(io, config)).await.unwrap_err();
    assert_permanent(&error, "the server does not offer HTTP/2 by ALPN");
}

#[tokio::test]
async fn a_plaintext_server_is_permanent_whatever_it_speaks() {
    // behaviour 101
    for greeting in [&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], &[0, 0, 0, 4, 0, 0, 0, 0, 0], b"SSH-2.0-x\r\n"]
    {
        let speak = async move |mut io: tokio::io::DuplexStream| {
            io.write_all(greeting).await.unwrap();
            let _closed = io.read_to_end(&mut Vec::new()).await;
        };
        let error = dial(&Authority::new().trusted(), speak).await.unwrap_err();
        assert_permanent(&error, "the server does not speak TLS");
    }
}

#[tokio::test]
async fn a_server_that_closes_in_the_handshake_is_retryable() {
    let hang_up = async |mut io: tokio::io::DuplexStream| {
        let _hello = io.read(&mut [0; 16]).await;
    };
    let error = dial(&Authority::new().trusted(), hang_up).await.unwrap_err();
    assert_eq!((error.is_permanent(), error.phase()), (false, Phase::Tls));
    assert_eq!(error.message(), "the server closed the connection during the handshake");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_nothing_is_waited_for() {
    let silent = async |mut io: tokio::io::DuplexStream| {
        let _closed = io.read_to_end(&mut Vec::new()).await;
    };
    let (authority, hour) = (Authority::new(), std::time::Duration::from_secs(3600));
    let tls = authority.trusted();
    // The time limit is the dial's.
    assert!(tokio::time::timeout(hour, dial(&tls, silent)).await.is_err());
}

/// Goes on to HTTP/2, where nothing comes but the end.
async fn lost(engine: Transport, connected: Connected) -> ConnectError {
    let origin = Origin {
        scheme: http::uri::Scheme::HTTPS,
        authority: "greeter.test".parse().unwrap(),
        user_agent: http::HeaderValue::from_static("test"),
    };
    let options = TransportOptions { engine, ..TransportOptions::default() };
    let mut driver = start(connected, &address(), origin, &options).await.unwrap();
    match poll_fn(|cx| driver.poll_news(cx)).await {
        DriverNews::Lost(cause) => cause,
        news => panic!("{news:?}"),
    }
}

#[rstest]
#[tokio::test]
async fn a_missing_client_certificate_shows_after_the_handshake_and_is_permanent(
    #[values(H2, Trunkline)] engine: Transport,
) {
    // behaviour 106
    let authority = Authority::new();
    let config = server(&authority.sign(&["greeter.test"]), &["h2"], Some(&authority));
    // TLS 1.3: the client believes that it is connected.
    let connected = dial(&authority.trusted(), |io| accept(io, config)).await.unwrap();
    assert_permanent(&lost(engine, connected).await, "the server demands a client certificate");
}

#[rstest]
#[tokio::test]
async fn a_client_certificate_of_a_stranger_is_permanent(#[values(H2, Trunkline)] engine: Transport) {
    // behaviour 106
    let authority = Authority::new();
    let config = server(&authority.sign(&["greeter.test"]), &["h2"], Some(&authority));
    let stranger = Authority::new().sign_client();
    let tls = authority.trusted().identity_pem(stranger.certificate, stranger.key);
    let connected = dial(&tls, |io| accept(io, config)).await.unwrap();
    assert_permanent(
        &lost(engine, connected).await,
        "the server does not trust the issuer of the client certificate",
    );
}

#[tokio::test]
async fn a_client_certificate_that_the_server_trusts_is_accepted() {
    // behaviour 106
    let authority = Authority::new();
    let config = server(&authority.sign(&["greeter.test"]), &["h2"], Some(&authority));
    let identity = authority.sign_client();
    let tls = authority.trusted().identity_pem(identity.certificate, identity.key);
    let connected = dial(&tls, |io| accept(io, config)).await.unwrap();
    // It closes when it is dropped, and not before.
    drop(connected);
}

#[tokio::test]
async fn the_name_is_the_settings_word_before_the_address_s_before_the_channel_s() {
    // behaviour 105
    let authority = Authority::new();
    let named = address().with_server_name("address.test");
    for (tls, address, authority_name, certificate) in [
        (authority.trusted(), address(), "channel.test:443", "channel.test"),
        (authority.trusted(), named.clone(), "channel.test:443", "address.test"),
        (authority.trusted().server_name("settings.test"), named, "channel.test:443", "settings.test"),
        (authority.trusted(), address(), "10.0.0.7:443", "10.0.0.7"),
        (authority.trusted(), address(), "[::1]:443", "::1"),
        (authority.trusted().server_name("[::1]"), address(), "channel.test", "::1"),
    ] {
        let config = server(&authority.sign(&[certificate]), &["h2"], None);
        dial_as(&tls, address, authority_name, |io| accept(io, config)).await.unwrap();
    }
}

#[tokio::test]
async fn the_name_goes_to_the_server_so_that_it_can_choose_its_certificate() {
    // behaviour 105
    let (told, name) = tokio::sync::oneshot::channel();
    let listen = async move |io: tokio::io::DuplexStream| {
        let hello =
            tokio_rustls::LazyConfigAcceptor::new(rustls::server::Acceptor::default(), io).await.unwrap();
        told.send(hello.client_hello().server_name().map(str::to_owned)).unwrap();
    };
    let _closed = dial(&Authority::new().trusted(), listen).await.unwrap_err();
    assert_eq!(name.await.unwrap().as_deref(), Some("greeter.test"));
}

#[tokio::test]
async fn an_authority_that_no_certificate_can_be_for_is_permanent() {
    let nobody = async |_: tokio::io::DuplexStream| {};
    let error = dial_as(&Authority::new().trusted(), address(), "not a name", nobody).await.unwrap_err();
    assert!(error.is_permanent() && error.to_string().contains("\"not a name\""), "{error}");
}

#[tokio::test]
async fn a_whole_configuration_of_rustls_is_taken_as_it_is_but_for_alpn() {
    let authority = Authority::new();
    let mut roots = rustls::RootCertStore::empty();
    let pem = <rustls_pki_types::CertificateDer<'_> as rustls_pki_types::pem::PemObject>::from_pem_slice;
    roots.add(pem(authority.pem.as_bytes()).unwrap()).unwrap();
    #[cfg(feature = "tls-ring")]
    let provider = rustls::crypto::ring::default_provider();
    #[cfg(not(feature = "tls-ring"))]
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let whole = rustls::ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let config = server(&authority.sign(&["greeter.test"]), &["h2"], None);
    dial(&Tls::new().rustls(whole.into()), |io| accept(io, config)).await.unwrap();
}

#[rstest]
#[tokio::test]
async fn over_real_sockets_a_late_refusal_is_told_every_time(#[values(H2, Trunkline)] engine: Transport) {
    // behaviour 106
    let authority = Authority::new();
    let config = server(&authority.sign(&["127.0.0.1"]), &["h2"], Some(&authority));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = trunkline_proto::Address::from(listener.local_addr().unwrap());
    tokio::spawn(async move {
        // It closes with our bytes unread, which resets the connection.
        while let Ok((io, _)) = listener.accept().await {
            let _refused = tokio_rustls::TlsAcceptor::from(config.clone()).accept(io).await;
        }
    });
    let connector = authority.trusted().build(SystemConnector::new()).unwrap();
    for _ in 0..ATTEMPTS {
        let request = ConnectRequest::new(address.clone(), "127.0.0.1");
        let error = match connector.connect(request).await {
            Ok(connected) => lost(engine, connected).await,
            Err(error) => error,
        };
        assert_eq!(error.message(), "the server demands a client certificate");
        assert!(error.is_permanent());
    }
}

/// As many as it takes to see the reset come before the alert is read.
const ATTEMPTS: usize = 20;
