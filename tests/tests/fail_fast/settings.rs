//! What is found wrong before anything is dialled. Each error says what to do about it.

use std::time::Duration;

use trunkline::connect::{Roots, Tls};
use trunkline::{Backoff, BuildError, Channel, ChannelBuilder};
use trunkline_resolver::testing::ManualResolver;
use trunkline_tests::CertificateAuthority;

/// What the application says about security.
#[derive(Clone, Copy, Debug)]
enum Said {
    Nothing,
    Plaintext,
    Tls,
    Both,
    /// And which name the certificates have.
    TlsAndAuthority,
}

use Said::{Both, Nothing, Plaintext, Tls as OverTls, TlsAndAuthority};

/// Targets that are alike, and what each of the settings comes to with them.
struct Row {
    targets: &'static [&'static str],
    cells: &'static [(Said, &'static str)],
}

/// Builds without an error.
const FINE: &str = "";

const STATE_IT: &str = "call `.tls(Tls::new())` or `.plaintext()`";
const ONE_OF_THEM: &str = "leave one out";
const NAME_THEM: &str = "call `.authority(\"the-name\")`";
const WRITE_HTTPS: &str = "write `https://`, or leave `.tls(..)` out";
const WRITE_HTTP: &str = "write `http://`, or leave `.plaintext()` out";

/// Scheme by settings. Neither needs a runtime.
#[test]
fn what_the_target_says_and_what_the_settings_say_must_agree_and_somebody_must_say_it() {
    let rows = [
        Row {
            targets: &["http://h", "http://h:50051", "http://10.0.0.1", "http://[::1]:1"],
            cells: &[
                (Nothing, FINE),
                (Plaintext, FINE),
                (OverTls, WRITE_HTTPS),
                (TlsAndAuthority, WRITE_HTTPS),
                (Both, ONE_OF_THEM),
            ],
        },
        Row {
            targets: &["https://h", "https://h:50051", "https://10.0.0.1", "https://[::1]:1"],
            cells: &[(Plaintext, WRITE_HTTP), (OverTls, FINE), (TlsAndAuthority, FINE), (Both, ONE_OF_THEM)],
        },
        Row {
            targets: &[
                "h",
                "h:50051",
                "dns:///h",
                "dns://10.0.0.2/h",
                "static:10.0.0.1:1",
                "ipv4:10.0.0.1",
                "ipv6:[::1]",
                "passthrough:///h",
                "plugin:///h",
            ],
            cells: &[
                (Nothing, STATE_IT),
                (Plaintext, FINE),
                (OverTls, FINE),
                (TlsAndAuthority, FINE),
                (Both, ONE_OF_THEM),
            ],
        },
        Row {
            targets: &["static:10.0.0.1:1,10.0.0.2:1", "ipv4:10.0.0.1,10.0.0.2", "ipv6:[::1],[::2]"],
            cells: &[
                (Nothing, STATE_IT),
                (Plaintext, FINE),
                (OverTls, NAME_THEM),
                (TlsAndAuthority, FINE),
                (Both, ONE_OF_THEM),
            ],
        },
        Row {
            targets: &["unix:/run/x", "unix-abstract:x"],
            cells: &[
                (Nothing, FINE),
                (Plaintext, FINE),
                (OverTls, FINE),
                (TlsAndAuthority, FINE),
                (Both, ONE_OF_THEM),
            ],
        },
    ];
    let authority = CertificateAuthority::new();
    for Row { targets, cells } in rows {
        for target in targets {
            for (said, expected) in cells {
                let builder = Channel::builder(*target).resolver(ManualResolver::new("plugin"));
                let builder = match said {
                    Nothing => builder,
                    Plaintext => builder.plaintext(),
                    OverTls => builder.tls(authority.trusted()),
                    TlsAndAuthority => builder.tls(authority.trusted()).authority("h"),
                    Both => builder.tls(authority.trusted()).plaintext(),
                };
                assert_built(builder, expected, &format!("{target} with {said:?}"));
            }
        }
    }
}

#[track_caller]
fn assert_built(builder: ChannelBuilder, expected: &str, what: &str) {
    match (builder.connect_lazy(), expected) {
        (Ok(_), FINE) => {}
        (Ok(_), expected) => panic!("{what} was built, without \"{expected}\""),
        (Err(error), FINE) => panic!("{what}: {error}"),
        (Err(error), expected) => assert!(error.to_string().contains(expected), "{what}: {error}"),
    }
}

#[test]
fn an_https_url_needs_nothing_but_the_roots_of_the_system() {
    match Channel::builder("https://greeter.prod").connect_lazy() {
        Ok(_) => {}
        // A machine without roots has said so here, and not when the first call failed.
        Err(error) => {
            assert!(error.to_string().starts_with("the operating system has no usable root"), "{error}");
        }
    }
}

#[test]
fn tls_that_can_trust_nobody_is_refused() {
    let built = |tls: Tls| Channel::builder("https://h").tls(tls).connect_lazy().map(drop);
    let error = built(Tls::new().roots(Roots::pem(""))).unwrap_err();
    assert!(matches!(error, BuildError::Tls(_)), "{error:?}");
    assert_eq!(error.to_string(), "the PEM text of Roots::pem has no usable root certificates");

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    let error = built(Tls::new().roots(Roots::pem_file(&path))).unwrap_err();
    assert!(error.to_string().contains("ca.pem cannot be read"), "{error}");
    std::fs::write(&path, "# no certificate here\n").unwrap();
    let error = built(Tls::new().roots(Roots::pem_file(&path))).unwrap_err();
    assert!(error.to_string().ends_with("ca.pem has no usable root certificates"), "{error}");
}

#[test]
fn certificates_and_names_that_cannot_be_used_are_refused() {
    let authority = CertificateAuthority::new();
    let built = |tls: Tls| Channel::builder("https://h").tls(tls).connect_lazy().map(drop);
    let (one, other) = (authority.issue_client(), authority.issue_client());
    let error = built(authority.trusted().identity_pem(one.certificate, other.key)).unwrap_err();
    assert!(error.to_string().starts_with("the client certificate cannot be used: "), "{error}");
    let error = built(authority.trusted().identity_files("/nowhere/c.pem", "/nowhere/k.pem")).unwrap_err();
    assert!(error.to_string().starts_with("/nowhere/c.pem cannot be read: "), "{error}");
    let error = built(authority.trusted().server_name("not a name")).unwrap_err();
    assert!(error.to_string().contains("\"not a name\" is neither a host name nor an IP address"), "{error}");
}

// behaviour 51
#[test]
fn targets_that_make_no_sense_are_refused_and_say_why() {
    let rows = [
        ("", "the target is empty"),
        ("http://", "there is no host"),
        ("http://h/path", "a path has no meaning here"),
        ("http://h?q", "a query"),
        ("http://h#f", "a fragment"),
        ("http://u:canary@h", "send credentials as metadata"),
        ("http://h:99999", "not a port"),
        ("http://a b", "white space"),
        ("dns://h:443", "with three slashes, `dns:///h:443`"),
        ("dns:///", "names no endpoint"),
        ("dns:///a..b", "not a host name"),
        ("dns:///10.0.0.256", "not an IPv4 address"),
        ("ipv4:[::1]:1", "`static:` takes both families"),
        ("ipv6:10.0.0.1:1", "`static:` takes both families"),
        ("ipv4:h:1", "`h:1`"),
        ("static:", "names no endpoint"),
        ("static:10.0.0.1:1,,", ""),
        ("unix:", "names no endpoint"),
        ("unix://host/x", "takes no authority"),
        ("consul:///x", "registered are"),
        ("[::1", "brackets"),
        ("1:2:3", "several colons"),
        ("\u{0}", "white space and control characters"),
    ];
    for (target, said) in rows {
        let error = Channel::builder(target).plaintext().connect_lazy().map(drop).unwrap_err();
        assert!(matches!(error, BuildError::Target(_)), "{target:?}: {error:?}");
        let text = error.to_string();
        assert!(text.contains(said) && !text.contains("canary"), "{target:?}: {text}");
    }
}

#[test]
fn settings_that_make_no_sense_are_refused_and_named() {
    let seconds = Duration::from_secs;
    let builder = || Channel::builder("http://h");
    let rows = [
        (builder().authority("a b"), "authority"),
        (builder().authority("user@h"), "authority"),
        (builder().authority(""), "authority"),
        (builder().user_agent("two\nlines"), "user_agent"),
        (builder().connect_timeout(Duration::ZERO), "connect_timeout"),
        (builder().keepalive(Duration::from_millis(999), seconds(1)), "keepalive"),
        (builder().keepalive(seconds(1), Duration::ZERO), "keepalive"),
        (builder().backoff(Backoff::new(Duration::ZERO, seconds(1))), "backoff"),
        (builder().backoff(Backoff::new(seconds(2), seconds(1))), "backoff"),
        (builder().backoff(Backoff::default().multiplier(0.5)), "backoff"),
        (builder().backoff(Backoff::default().multiplier(f64::NAN)), "backoff"),
        (builder().backoff(Backoff::default().jitter(1.5)), "backoff"),
    ];
    for (builder, setting) in rows {
        let error = builder.connect_lazy().map(drop).unwrap_err();
        assert!(
            matches!(&error, BuildError::Invalid { setting: named, .. } if *named == setting),
            "{error:?}"
        );
    }
}
