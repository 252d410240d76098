//! Settings that contradict each other are found when the channel is built, never by a call that went out in
//! plaintext.

use trunkline::connect::Tls;
use trunkline::{BuildError, Channel};

// E17
#[test]
fn a_plaintext_url_with_tls_settings_is_no_channel() {
    let error = Channel::builder("http://greeter.test:50051").tls(Tls::new()).connect_lazy().unwrap_err();
    assert!(matches!(error, BuildError::Contradiction { .. }), "{error:?}");
    assert!(error.to_string().contains("write `https://`"), "it says the way out: {error}");
}

// E17
#[test]
fn a_tls_url_that_is_to_be_plaintext_is_no_channel() {
    let error = Channel::builder("https://greeter.test").plaintext().connect_lazy().unwrap_err();
    assert!(error.to_string().contains("write `http://`"), "it says the way out: {error}");
}

// E17
#[test]
fn a_name_that_does_not_say_how_it_is_protected_is_no_channel() {
    let error = Channel::builder("dns:///greeter.test:443").connect_lazy().unwrap_err();
    assert!(matches!(error, BuildError::SecurityUnstated { .. }), "{error:?}");
    assert!(error.to_string().contains(".plaintext()"), "it says the way out: {error}");
}
