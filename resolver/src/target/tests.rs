//! What parses, to what, and what does not. Apart from the code because the grammar has many rows.

use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

use super::*;

const SCHEMES: &[&str] =
    &["dns", "ipv4", "ipv6", "static", "unix", "unix-abstract", "passthrough", "my_scheme"];

fn parse(text: &str) -> Target {
    Target::parse(text, SCHEMES).unwrap_or_else(|error| panic!("{error}"))
}

fn error(text: &str) -> String {
    match Target::parse(text, SCHEMES).and_then(|target| target.host_port().map(|_| target)) {
        Ok(target) => panic!("`{text}` was taken for {target:?}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn every_form_of_the_grammar_parses_to_its_parts() {
    // behaviour 15
    let rows = [
        ("dns:///svc:443", "dns", "", "svc:443"),
        ("dns:svc:443", "dns", "", "svc:443"),
        ("dns:svc", "dns", "", "svc"),
        ("DNS:///svc", "dns", "", "svc"),
        ("dns://8.8.8.8/host:1", "dns", "8.8.8.8", "host:1"),
        ("dns://[::1]:5353/host", "dns", "[::1]:5353", "host"),
        ("svc", "dns", "", "svc"),
        ("localhost:50051", "dns", "", "localhost:50051"),
        (":443", "dns", "", "localhost:443"),
        ("dns:///:443", "dns", "", "localhost:443"),
        ("[::1]:80", "dns", "", "[::1]:80"),
        ("::1", "dns", "", "::1"),
        ("[fe80::1%eth0]:80", "dns", "", "[fe80::1%eth0]:80"),
        ("dns:///[fe80::1%25eth0]:80", "dns", "", "[fe80::1%eth0]:80"),
        ("http://greeter.prod:50051", "dns", "", "greeter.prod:50051"),
        ("http://greeter.prod/", "dns", "", "greeter.prod"),
        ("HTTPS://[::1]", "dns", "", "[::1]"),
        ("unix:run/x", "unix", "", "run/x"),
        ("unix:///run/x", "unix", "", "run/x"),
        ("unix-abstract:a%00b", "unix-abstract", "", "a\0b"),
        ("static:a:1,b:2", "static", "", "a:1,b:2"),
        ("ipv4:1.2.3.4:5,6.7.8.9", "ipv4", "", "1.2.3.4:5,6.7.8.9"),
        ("ipv6:[::1]:80,[::2]", "ipv6", "", "[::1]:80,[::2]"),
        ("passthrough:///x", "passthrough", "", "x"),
        ("my_scheme://who/a%20b/c", "my_scheme", "who", "a b/c"),
    ];
    for (text, scheme, authority, endpoint) in rows {
        let target = parse(text);
        let parts = (target.scheme(), target.authority(), target.endpoint());
        assert_eq!(parts, (scheme, authority, endpoint), "{text}");
        assert_eq!(parse(&target.to_string()), target, "{text} and {target} are not the same");
    }
}

#[test]
fn the_leading_slash_of_a_path_is_told_apart() {
    assert_eq!(parse("unix:run/x").path(), "run/x");
    assert_eq!(parse("unix:/run/x").path(), "/run/x");
    assert_eq!(parse("unix:/run/x"), parse("unix:///run/x"));
}

#[test]
fn a_target_prints_in_one_canonical_form() {
    for same in
        ["greeter:443", "dns:greeter:443", "dns:/greeter:443", "dns:///greeter:443", "DNS:greeter:443"]
    {
        assert_eq!(parse(same).to_string(), "dns:///greeter:443");
    }
    assert_eq!(parse("dns://10.0.0.2/greeter").to_string(), "dns://10.0.0.2/greeter");
    assert_eq!(parse("http://greeter:80/").to_string(), "http://greeter:80");
    assert_eq!(parse("unix:a%20b%3F").to_string(), "unix:a%20b%3F");
    assert_eq!(format!("{:?}", parse("unix:/run/x")), "Target(unix:///run/x)");
}

#[test]
fn only_urls_say_whether_tls_is_meant_and_unix_sockets_need_not() {
    let hint = |text| parse(text).transport_hint();
    assert_eq!(hint("http://a"), TransportHint::Plaintext);
    assert_eq!(hint("https://a"), TransportHint::Tls);
    assert_eq!(hint("unix:a"), TransportHint::Local);
    assert_eq!(hint("unix-abstract:a"), TransportHint::Local);
    for text in ["a", "dns:///a", "static:127.0.0.1:1", "passthrough:///x"] {
        assert_eq!(hint(text), TransportHint::Unstated, "{text}");
    }
}

#[test]
fn the_usual_port_is_80_for_http_and_443_otherwise() {
    // behaviour 51
    let port = |text| parse(text).default_port();
    assert_eq!([port("http://a"), port("https://a"), port("dns:a"), port("a")], [80, 443, 443, 443]);
}

#[test]
fn a_list_is_known_as_one() {
    assert!(parse("static:10.0.0.1:1,10.0.0.2:1").is_list());
    assert!(!parse("static:10.0.0.1:1").is_list());
    assert!(parse("ipv4:10.0.0.1,10.0.0.2").is_list() && parse("IPV6:[::1],[::2]").is_list());
    for one in ["unix:/run/a,b", "unix-abstract:a,b", "passthrough:///a,b", "my_scheme:a,b"] {
        assert!(!parse(one).is_list(), "{one}");
    }
}

#[test]
fn an_unregistered_scheme_is_an_error_that_lists_the_registered_ones() {
    let text = error("consul://x/y");
    assert!(text.contains("`consul`") && text.contains("dns, ipv4, ipv6"), "{text}");
    assert!(text.contains("http, https"), "{text}");
    let text = error("consul:web");
    assert!(text.contains("no resolver is registered for `consul`"), "{text}");
    assert!(error("://x").contains("no resolver"));
}

#[test]
fn what_dns_would_resolve_is_an_error_where_dns_is_not_registered() {
    for text in ["greeter", "greeter:443", "http://greeter", "https://greeter:1"] {
        let error = Target::parse(text, &["unix", "static"]).unwrap_err();
        assert!(matches!(error, TargetError::NoDns { .. }), "{text}: {error}");
        assert!(error.to_string().contains("feature `dns`"), "{error}");
    }
}

#[test]
fn two_slashes_where_three_were_meant_is_explained() {
    let text = error("dns://greeter.prod:443");
    assert!(text.contains("`dns:///greeter.prod:443`"), "{text}");
    assert!(error("unix:").contains("names no endpoint"));
    assert!(error("dns:///").contains("names no endpoint"));
}

#[test]
fn what_has_no_meaning_in_a_target_is_refused() {
    // behaviour 51
    let rows = [
        ("http://user@h", "userinfo"),
        ("dns://user:pw@8.8.8.8/h", "userinfo"),
        ("user@h:1", "userinfo"),
        ("http://h?x=1", "query"),
        ("dns:///h?x=1", "query"),
        ("http://h#x", "fragment"),
        ("unix:/run/x#1", "fragment"),
        ("http://h/path", "path"),
        ("https://h:1/a/b", "path"),
        ("dns:///a b", "white space"),
        (" dns:///a", "white space"),
        ("dns:///a\n", "white space"),
        ("dns:///a%", "%25"),
        ("dns:///a%4", "%25"),
        ("dns:///a%zz", "%25"),
        ("unix:/%ff", "UTF-8"),
        ("", "empty"),
    ];
    for (text, said) in rows {
        let error = error(text);
        assert!(error.contains(said), "`{text}`: {error}");
    }
}

#[test]
fn a_password_in_a_target_is_not_repeated() {
    let targets =
        ["http://joe:canary@h:1", "ftp://joe:canary@h/x", "joe:canary@h:1", "http://joe:canary@h:1?q"];
    for text in targets {
        let error = error(text);
        assert!(!error.contains("canary"), "{error}");
    }
}

#[test]
fn an_error_is_one_line_that_a_log_can_hold_however_long_the_target_is() {
    let long = "a".repeat(100_000);
    let target = parse(&format!("static:{long}"));
    let errors = [
        TargetError::rejected(&target, "no"),
        target.host_ports().unwrap_err(),
        Target::parse(&format!("{long}://b"), SCHEMES).unwrap_err(),
        Target::parse(&format!("dns://{long}"), SCHEMES).unwrap_err(),
    ];
    for error in errors {
        let text = error.to_string();
        assert!(text.len() < 1500, "{} bytes", text.len());
        assert!(text.contains("aaa.."), "{text}");
    }
}

#[test]
fn hosts_and_ports_are_read_strictly() {
    // behaviour 51
    let rows = [
        (":0", "`0` is not a port"),
        ("h:0", "`0` is not a port"),
        ("h:65536", "`65536` is not a port"),
        ("h:+80", "`+80` is not a port"),
        ("h:8o", "is not a port"),
        ("h:", "no port behind the colon"),
        ("http://:80", "there is no host"),
        ("http://", "there is no host"),
        ("[::1", "brackets"),
        ("[::1]80", "brackets"),
        ("[1.2.3.4]:80", "brackets"),
        ("[]:80", "brackets"),
        ("[fe80::1%]:80", "brackets"),
        ("1:2:3", "several colons"),
        ("10.0.0.256", "not an IPv4 address"),
        ("10.0.0:80", "not an IPv4 address"),
        ("a..b", "not a host name"),
        ("-_-.ok.a/b", "not a host name"),
        ("bücher.example", "xn--"),
        ("http://a,b:1", "not a host name"),
        ("dns:///a%2Fb", "not a host name"),
    ];
    for (text, said) in rows {
        let error = error(text);
        assert!(error.contains(said), "`{text}`: {error}");
    }
    let long = "a".repeat(64);
    assert!(error(&long).contains("not a host name"));
    assert!(error(&"a.".repeat(128)).contains("not a host name"));
    assert!(error(&"x".repeat(MAX_TARGET_BYTES + 1)).contains("at most 262144"));
    for good in ["a.b.", "my_service", "xn--bcher-kva.example", "1.2.3.4", "1a", "0.0.0.0:1"] {
        assert!(HostPort::parse(good).is_ok(), "{good}");
    }
}

#[test]
fn an_authority_is_what_may_be_sent_as_one() {
    // behaviour 15
    let rows = [
        ("::1", "[::1]"),
        ("[fe80::1%eth0]:80", "[fe80::1]:80"),
        ("Greeter.Prod:443", "Greeter.Prod:443"),
        ("10.0.0.1", "10.0.0.1"),
    ];
    for (text, authority) in rows {
        assert_eq!(HostPort::parse(text).unwrap().to_authority(), authority);
    }
    assert_eq!(
        parse("my_scheme:///a/b c@d".replace(' ', "%20").as_str()).encoded_endpoint(),
        "a%2Fb%20c%40d"
    );
    assert_eq!(parse("my_scheme:é").encoded_endpoint(), "%C3%A9");
}

#[test]
fn zones_become_scopes_and_unknown_ones_are_an_error() {
    let scope = |text: &str| HostPort::parse(text).unwrap().socket_addr(1);
    assert_eq!(scope("[fe80::1%7]:80"), Ok(Some("[fe80::1%7]:80".parse().unwrap())));
    assert_eq!(scope("name"), Ok(None));
    let error = scope("[fe80::1%nosuchif0]:80").unwrap_err();
    assert!(error.to_string().contains("`nosuchif0`"), "{error}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_zone_may_be_the_name_of_an_interface() {
    let address = HostPort::parse("[fe80::1%lo]:80").unwrap().socket_addr(1);
    assert_eq!(address, Ok(Some("[fe80::1%1]:80".parse().unwrap())));
}

#[test]
fn no_text_panics_and_whatever_parses_prints_what_parses_to_the_same() {
    // behaviour 51
    const PIECES: &[&str] = &[
        "dns",
        "http",
        "https",
        "unix",
        "static",
        "my_scheme",
        ":",
        "://",
        "/",
        "//",
        "///",
        "@",
        "?",
        "#",
        "%",
        "%2F",
        "%25",
        "%00",
        "%ff",
        "[",
        "]",
        "[::1]",
        "::",
        "fe80::1",
        ",",
        ".",
        "..",
        "-",
        "_",
        "0",
        "443",
        "65536",
        "1.2.3.4",
        "host",
        "é",
        "\u{85}",
        "\0",
        " ",
        "\u{10ffff}",
        "localhost",
    ];
    let mut rng = SmallRng::seed_from_u64(0x7a67);
    for _ in 0..50_000 {
        let count = rng.random_range(0..8);
        let text: String = (0..count).filter_map(|_| PIECES.choose(&mut rng).copied()).collect();
        match Target::parse(&text, SCHEMES) {
            Ok(target) => {
                assert_eq!(Target::parse(&target.to_string(), SCHEMES).as_ref(), Ok(&target), "{text:?}");
                if let Ok(hosts) = target.host_ports() {
                    for host in hosts {
                        assert_eq!(HostPort::parse(&host.to_string()).as_ref(), Ok(&host), "{text:?}");
                    }
                }
            }
            Err(error) => assert!(!error.to_string().contains('\n')),
        }
    }
}
