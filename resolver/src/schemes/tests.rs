//! The schemes that need no name service, through the registry as a channel uses it.

use std::future::poll_fn;
use std::task::{Context, Waker};

use trunkline_proto::Address;

use crate::{Resolution, Resolver, ResolverOptions, ResolverRegistry, TargetError};

fn build(text: &str) -> Result<Box<dyn Resolver>, TargetError> {
    let registry = ResolverRegistry::default();
    registry.build(&registry.parse(text)?, &ResolverOptions::new())
}

async fn resolve(text: &str) -> Resolution {
    let mut resolver = build(text).unwrap_or_else(|error| panic!("{error}"));
    let answer = poll_fn(|cx| resolver.poll_next(cx)).await.unwrap();
    // No news after it, and no doubt changes that.
    resolver.refresh();
    resolver.reject();
    assert!(resolver.poll_next(&mut Context::from_waker(Waker::noop())).is_pending());
    answer
}

fn authority(text: &str) -> String {
    let registry = ResolverRegistry::default();
    registry.authority(&registry.parse(text).unwrap()).unwrap()
}

fn error(text: &str) -> String {
    match build(text) {
        Ok(_) => panic!("`{text}` was taken"),
        Err(error) => error.to_string(),
    }
}

fn tcp(text: &str) -> Address {
    Address::tcp(text.parse().unwrap())
}

#[tokio::test]
async fn lists_give_one_server_per_entry_in_their_order() {
    // behaviour 15
    let two = Resolution::from_addresses([tcp("10.0.0.7:5"), tcp("10.0.0.8:443")]);
    assert_eq!(resolve("ipv4:10.0.0.7:5,10.0.0.8").await, two);
    assert_eq!(resolve("ipv4:///10.0.0.7:5,10.0.0.8").await, two);
    assert_eq!(resolve("static:10.0.0.7:5,10.0.0.8:443").await, two);
    let v6 = Resolution::from_addresses([tcp("[::1]:80"), tcp("[2001:db8::1]:443")]);
    assert_eq!(resolve("ipv6:[::1]:80,2001:db8::1").await, v6);
    let both = Resolution::from_addresses([tcp("[::1]:80"), tcp("10.0.0.7:80")]);
    assert_eq!(resolve("static:[::1]:80,10.0.0.7:80").await, both);
}

#[tokio::test]
async fn unix_sockets_keep_their_path_as_it_was_written() {
    // behaviour 15
    assert_eq!(resolve("unix:run/x").await, Resolution::from_addresses([Address::unix("run/x")]));
    assert_eq!(resolve("unix:///run/a%20b").await, Resolution::from_addresses([Address::unix("/run/a b")]));
    let name = Address::unix_abstract(*b"x\0y");
    assert_eq!(resolve("unix-abstract:x%00y").await, Resolution::from_addresses([name]));
}

#[tokio::test]
async fn passthrough_hands_on_what_it_is_given() {
    assert_eq!(resolve("passthrough:///10.0.0.7:5").await, Resolution::from_addresses([tcp("10.0.0.7:5")]));
    let name = Address::other("pipe/7");
    assert_eq!(resolve("passthrough:///pipe/7").await, Resolution::from_addresses([name]));
}

#[tokio::test]
async fn localhost_is_one_server_with_an_address_of_each_family() {
    let answer = resolve("static:localhost:50051").await;
    assert_eq!(answer.endpoints.len(), 1);
    assert_eq!(answer.endpoints[0].addresses(), [tcp("127.0.0.1:50051"), tcp("[::1]:50051")]);
}

#[test]
fn every_scheme_has_an_authority_that_can_be_sent() {
    // behaviour 15
    let rows = [
        ("unix:///run/x", "localhost"),
        ("unix-abstract:x", "localhost"),
        ("ipv4:10.0.0.7:5", "10.0.0.7:5"),
        ("static:10.0.0.7:5,10.0.0.8:5", "10.0.0.7:5"),
        ("ipv6:[fe80::1%251]:80", "[fe80::1]:80"),
        ("passthrough:///greeter:80", "greeter:80"),
        ("passthrough:///pipe/7", "pipe%2F7"),
    ];
    for (target, expected) in rows {
        assert_eq!(authority(target), expected, "{target}");
    }
}

#[test]
fn bad_endpoints_are_found_when_the_resolver_is_built() {
    // behaviour 51
    let rows = [
        ("ipv4:[::1]:80", "not an address of `ipv4`"),
        ("ipv6:10.0.0.7:80", "not an address of `ipv6`"),
        ("ipv4:greeter:80", "dns:///greeter:80"),
        ("static:10.0.0.7:5,", "there is no host"),
        ("static:10.0.0.7:0", "not a port"),
        ("static://who/10.0.0.7:5", "takes no authority"),
        ("unix://run/x", "takes no authority"),
        ("unix:a%00b", "unix-abstract:"),
        ("ipv6:[fe80::1%25nosuchif0]:80", "no network interface"),
    ];
    for (text, said) in rows {
        let error = error(text);
        assert!(error.contains(said), "`{text}`: {error}");
    }
    assert!(error(&format!("unix:/{}", "x".repeat(107))).contains("at most 107"));
}
