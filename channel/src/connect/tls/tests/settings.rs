//! What is found wrong with settings when they are built.

use super::fixture::*;
use crate::connect::{Roots, SystemConnector, Tls, TlsError};

fn error(tls: &Tls) -> TlsError {
    tls.build(SystemConnector::new()).unwrap_err()
}

#[test]
fn no_usable_root_is_an_error() {
    let error = error(&Tls::new().roots(Roots::pem("")));
    assert_eq!(error.to_string(), "the PEM text of Roots::pem has no usable root certificates");
}

#[test]
fn a_root_that_is_no_certificate_is_an_error() {
    let bad = "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n";
    assert!(matches!(error(&Tls::new().roots(Roots::pem(bad))), TlsError::Pem { .. }));
}

#[test]
fn a_missing_file_is_an_error_that_names_it() {
    let roots = error(&Tls::new().roots(Roots::pem_file("/nowhere/ca.pem")));
    assert!(roots.to_string().starts_with("/nowhere/ca.pem cannot be read: "), "{roots}");
    let authority = Authority::new();
    let identity = error(&authority.trusted().identity_files("/nowhere/client.pem", "/nowhere/client.key"));
    assert!(identity.to_string().starts_with("/nowhere/client.pem cannot be read: "), "{identity}");
}

#[test]
fn files_are_read_when_the_settings_are_built() {
    let authority = Authority::new();
    let identity = authority.sign_client();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let tls = Tls::new()
        .roots(Roots::pem_file(file("ca.pem", &authority.pem)))
        .identity_files(file("client.pem", &identity.certificate), file("client.key", &identity.key));
    tls.build(SystemConnector::new()).unwrap();
}

#[test]
fn a_key_that_does_not_fit_its_certificate_is_an_error() {
    let authority = Authority::new();
    let (one, other) = (authority.sign_client(), authority.sign_client());
    let tls = authority.trusted().identity_pem(one.certificate, other.key);
    assert!(matches!(error(&tls), TlsError::Identity { .. }));
}

#[test]
fn an_identity_that_is_not_pem_is_an_error() {
    let authority = Authority::new();
    let identity = authority.sign_client();
    let no_certificate = error(&authority.trusted().identity_pem("", identity.key));
    assert_eq!(no_certificate.to_string(), "the client certificate is not usable PEM: it has no certificate");
    let no_key = error(&authority.trusted().identity_pem(identity.certificate, "nonsense"));
    assert!(matches!(no_key, TlsError::Pem { .. }));
}

#[test]
fn a_server_name_that_no_certificate_can_be_for_is_an_error() {
    let error = error(&Authority::new().trusted().server_name("https://greeter"));
    assert!(matches!(error, TlsError::ServerName { name } if name == "https://greeter"));
}

#[test]
fn a_whole_configuration_excludes_the_parts_of_one() {
    let whole = Authority::new().trusted().build(SystemConnector::new()).unwrap();
    let tls = Authority::new().trusted().rustls(whole.config());
    assert_eq!(
        error(&tls).to_string(),
        "Tls::rustls takes a whole configuration: leave Tls::roots out, and set that there"
    );
}

#[cfg(not(any(feature = "tls-native-roots", feature = "tls-webpki-roots")))]
#[test]
fn no_roots_compiled_in_and_none_named_is_an_error_that_says_what_to_do() {
    let error = error(&Tls::new());
    assert!(matches!(error, TlsError::NoRoots));
    assert!(error.to_string().contains("tls-native-roots"));
}

#[cfg(feature = "tls-webpki-roots")]
#[test]
fn roots_may_be_added_to_one_another() {
    let tls = Authority::new().trusted().roots(Roots::webpki());
    tls.build(SystemConnector::new()).unwrap();
}

#[test]
fn keys_do_not_show_in_debug_texts() {
    let identity = Authority::new().sign_client();
    let key = identity.key.clone();
    let text = format!("{:?}", Tls::new().identity_pem(identity.certificate, identity.key));
    assert!(!text.contains(key.lines().nth(1).unwrap()), "{text}");
}
