//! `dns` against a scripted name server over real sockets: outcomes, their order, and how many queries they
//! took. No durations are asserted, and the clock is never paused.

#![allow(clippy::unwrap_used, reason = "a test ends where its script does not hold")]

mod server;

use std::future::poll_fn;
use std::task::{Context, Waker};
use std::time::Duration;

use server::{Family, NameServer, Reply};
use trunkline_resolver::{Dns, Resolution, ResolveError, Resolver, ResolverOptions, ResolverRegistry};

const NAME: &str = "greeter.test";

/// Looks as fast as it can, so that a test sees several looks without waiting.
fn eager() -> Dns {
    let soon = Duration::from_millis(10);
    Dns::new().poll_interval(2 * soon).min_interval(soon)
}

/// As [`eager`], for servers that do not answer. Where others do, a slow machine may still see errors first.
fn impatient() -> Dns {
    eager().query_timeout(Duration::from_millis(100))
}

fn build(dns: Dns, target: &str) -> Box<dyn Resolver> {
    let registry = ResolverRegistry::default().with(dns);
    let target = registry.parse(target).unwrap();
    registry.build(&target, &ResolverOptions::new()).unwrap()
}

async fn next(resolver: &mut Box<dyn Resolver>) -> Result<Resolution, ResolveError> {
    poll_fn(|cx| resolver.poll_next(cx)).await
}

fn addresses(answer: &Resolution) -> Vec<String> {
    answer.endpoints.iter().map(|endpoint| endpoint.addresses()[0].to_string()).collect()
}

/// Looks until the answer is as `expected`.
async fn until(resolver: &mut Box<dyn Resolver>, expected: &[&str]) {
    let mut last = None;
    for _ in 0..MAX_LOOKS {
        let answer = next(resolver).await;
        if answer.as_ref().is_ok_and(|answer| addresses(answer) == expected) {
            return;
        }
        last = Some(answer);
    }
    panic!("never {expected:?}; last {last:?}");
}

/// Ends a test that would look for ever.
const MAX_LOOKS: usize = 1000;

/// A query in a datagram may be sent again on a slow machine, so that its count is not exact; that a thousand
/// doubts were no thousand looks is seen all the same. (Exact counts are asserted where the look-ups are in
/// memory.)
const FEW: usize = 20;

#[tokio::test]
async fn growth_is_seen_when_the_ttl_ends_without_any_doubt() {
    let server = NameServer::start().await;
    server.say(NAME, Family::V4, Reply::addresses(&["10.0.0.1"]).ttl(0));
    let mut resolver =
        build(eager().poll_interval(Duration::from_secs(3600)), &server.target("greeter.test:80"));
    assert_eq!(addresses(&next(&mut resolver).await.unwrap()), ["10.0.0.1:80"]);

    server.say(NAME, Family::V4, Reply::addresses(&["10.0.0.1", "10.0.0.2", "10.0.0.3"]).ttl(0));
    server.say(NAME, Family::V6, Reply::addresses(&["2001:db8::1"]).ttl(0));
    until(&mut resolver, &["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80", "[2001:db8::1]:80"]).await;
    server.say(NAME, Family::V4, Reply::none());
    until(&mut resolver, &["[2001:db8::1]:80"]).await;
}

#[tokio::test]
async fn the_ttl_of_the_answer_is_the_smallest_of_its_records() {
    let server = NameServer::start().await;
    server.say(NAME, Family::V4, Reply::addresses(&["10.0.0.1"]).ttl(17));
    server.say(NAME, Family::V6, Reply::addresses(&["::1"]).ttl(600));
    let mut resolver = build(Dns::new(), &server.target(NAME));
    let answer = next(&mut resolver).await.unwrap();
    assert_eq!(answer.ttl, Some(Duration::from_secs(17)));
    assert_eq!(addresses(&answer), ["10.0.0.1:443", "[::1]:443"]);
}

#[tokio::test]
async fn a_family_that_fails_keeps_its_last_good_addresses() {
    let server = NameServer::start().await;
    server.say(NAME, Family::V4, Reply::addresses(&["10.0.0.1"]).ttl(0));
    server.say(NAME, Family::V6, Reply::addresses(&["::1"]).ttl(0));
    let mut resolver = build(eager(), &server.target(NAME));
    until(&mut resolver, &["10.0.0.1:443", "[::1]:443"]).await;

    server.say(NAME, Family::V6, Reply::server_failure());
    server.say(NAME, Family::V4, Reply::addresses(&["10.0.0.2"]).ttl(0));
    until(&mut resolver, &["10.0.0.2:443", "[::1]:443"]).await;
    let failures = server.queries(NAME, Family::V6);
    assert_eq!(addresses(&next(&mut resolver).await.unwrap()), ["10.0.0.2:443", "[::1]:443"]);
    assert!(server.queries(NAME, Family::V6) > failures);
}

#[tokio::test]
async fn a_family_that_fails_from_the_start_does_not_hide_the_other() {
    for reply in [Reply::server_failure(), Reply::refused(), Reply::silence(), Reply::garbage()] {
        let server = NameServer::start().await;
        server.say(NAME, Family::V4, Reply::addresses(&["10.0.0.1"]));
        server.say(NAME, Family::V6, reply);
        let mut resolver = build(impatient(), &server.target(NAME));
        until(&mut resolver, &["10.0.0.1:443"]).await;
    }
}

#[tokio::test]
async fn both_families_failing_is_an_error_that_says_how_and_ends_by_itself() {
    let server = NameServer::start().await;
    server.say(NAME, Family::V4, Reply::server_failure());
    server.say(NAME, Family::V6, Reply::server_failure());
    let mut resolver = build(eager(), &server.target(NAME));
    let error = next(&mut resolver).await.unwrap_err();
    assert_eq!(error.message(), "greeter.test: the name server failed (SERVFAIL)");

    server.say(NAME, Family::V4, Reply::addresses(&["10.0.0.1"]));
    until(&mut resolver, &["10.0.0.1:443"]).await;
}

#[tokio::test]
async fn a_name_server_that_never_answers_ends_the_look_as_an_error() {
    let server = NameServer::start().await;
    server.say(NAME, Family::V4, Reply::silence());
    server.say(NAME, Family::V6, Reply::silence());
    let mut resolver = build(impatient(), &server.target(NAME));
    let error = next(&mut resolver).await.unwrap_err();
    assert_eq!(error.message(), "greeter.test: no name server has answered");

    let short = eager().query_timeout(Duration::from_secs(60)).lookup_limit(Duration::from_millis(50));
    let mut resolver = build(short, &server.target(NAME));
    let error = next(&mut resolver).await.unwrap_err();
    assert_eq!(error.message(), "greeter.test: no name server has answered within 50ms");
}

#[tokio::test]
async fn no_such_name_and_no_addresses_are_errors_and_recover() {
    let server = NameServer::start().await;
    let mut resolver = build(eager(), &server.target(NAME));
    assert_eq!(next(&mut resolver).await.unwrap_err().message(), "greeter.test: no such name");

    server.say(NAME, Family::V4, Reply::none());
    server.say(NAME, Family::V6, Reply::none());
    let error = next(&mut resolver).await.unwrap_err();
    assert_eq!(error.message(), "greeter.test: the name exists, but has no addresses");

    server.say(NAME, Family::V6, Reply::addresses(&["::1"]));
    until(&mut resolver, &["[::1]:443"]).await;
}

#[tokio::test]
async fn an_answer_that_does_not_fit_into_a_datagram_is_asked_for_over_tcp() {
    let server = NameServer::start().await;
    let many: Vec<_> = (0..200).map(|last| format!("10.0.0.{last}")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    server.say(NAME, Family::V4, Reply::addresses(&many).over_tcp_only());
    let mut resolver = build(Dns::new(), &server.target(NAME));
    assert_eq!(next(&mut resolver).await.unwrap().endpoints.len(), 200);
    assert!(server.queries_over_tcp() > 0);
}

#[tokio::test]
async fn many_doubts_are_one_look() {
    // behaviour 52
    let server = NameServer::start().await;
    server.say(NAME, Family::V4, Reply::addresses(&["10.0.0.1"]).ttl(3600));
    let mut resolver = build(Dns::new(), &server.target(NAME));
    next(&mut resolver).await.unwrap();
    server.say(NAME, Family::V4, Reply::addresses(&["10.0.0.1", "10.0.0.2"]).ttl(3600));
    for _ in 0..1000 {
        resolver.refresh();
    }
    assert_eq!(addresses(&next(&mut resolver).await.unwrap()), ["10.0.0.1:443", "10.0.0.2:443"]);
    resolver.refresh();
    assert!(resolver.poll_next(&mut Context::from_waker(Waker::noop())).is_pending());
    assert!((2..FEW).contains(&server.queries(NAME, Family::V4)));
}

#[tokio::test]
async fn literal_addresses_and_localhost_are_never_looked_up() {
    // behaviour 51
    let server = NameServer::start().await;
    let rows = [
        ("10.0.0.1:80", "10.0.0.1:80"),
        ("10.0.0.1", "10.0.0.1:443"),
        ("[::1]:80", "[::1]:80"),
        ("localhost:80", "127.0.0.1:80"),
        ("a.localhost.", "127.0.0.1:443"),
    ];
    for (endpoint, address) in rows {
        let mut resolver = build(Dns::new(), &server.target(endpoint));
        assert_eq!(addresses(&next(&mut resolver).await.unwrap()), [address]);
        resolver.refresh();
        assert!(resolver.poll_next(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    let mut resolver = build(Dns::new().servers([server.address()]), "http://127.0.0.1");
    assert_eq!(addresses(&next(&mut resolver).await.unwrap()), ["127.0.0.1:80"]);
    assert_eq!(server.all_queries(), 0);
}

#[tokio::test]
async fn name_servers_may_be_set_for_targets_that_name_none_and_the_next_is_asked_if_one_is_down() {
    let server = NameServer::start().await;
    server.say(NAME, Family::V4, Reply::addresses(&["10.0.0.1"]));
    let down = {
        let gone = NameServer::start().await;
        gone.address()
    };
    let mut resolver = build(impatient().servers([down, server.address()]), "http://greeter.test:8080");
    until(&mut resolver, &["10.0.0.1:8080"]).await;
}

#[tokio::test]
async fn the_first_name_server_that_answers_is_believed_and_the_next_is_not_asked() {
    let (first, second) = (NameServer::start().await, NameServer::start().await);
    second.say(NAME, Family::V4, Reply::addresses(&["10.0.0.2"]));
    let mut resolver = build(eager().servers([first.address(), second.address()]), NAME);
    for _ in 0..10 {
        assert_eq!(next(&mut resolver).await.unwrap_err().message(), "greeter.test: no such name");
    }
    first.say(NAME, Family::V4, Reply::addresses(&["10.0.0.1"]));
    until(&mut resolver, &["10.0.0.1:443"]).await;
    assert_eq!(second.all_queries(), 0);
}

#[tokio::test]
async fn a_name_server_that_cannot_tell_is_passed_over() {
    let (failing, refusing, good) =
        (NameServer::start().await, NameServer::start().await, NameServer::start().await);
    for family in [Family::V4, Family::V6] {
        failing.say(NAME, family, Reply::server_failure());
        refusing.say(NAME, family, Reply::refused());
    }
    good.say(NAME, Family::V4, Reply::addresses(&["10.0.0.1"]));
    let servers = [&failing, &refusing, &good].map(NameServer::address);
    let mut resolver = build(eager().servers(servers), NAME);
    assert_eq!(addresses(&next(&mut resolver).await.unwrap()), ["10.0.0.1:443"]);
}

#[tokio::test]
async fn a_third_name_server_is_asked_if_two_are_silent() {
    let (first, second, good) =
        (NameServer::start().await, NameServer::start().await, NameServer::start().await);
    for family in [Family::V4, Family::V6] {
        first.say(NAME, family, Reply::silence());
        second.say(NAME, family, Reply::silence());
    }
    good.say(NAME, Family::V4, Reply::addresses(&["10.0.0.1"]));
    let servers = [&first, &second, &good].map(NameServer::address);
    let mut resolver = build(impatient().servers(servers), NAME);
    until(&mut resolver, &["10.0.0.1:443"]).await;
}

#[tokio::test]
async fn an_alias_is_followed() {
    let server = NameServer::start().await;
    server.say(NAME, Family::V4, Reply::addresses(&["10.0.0.1"]).ttl(600).alias("real.test", 60));
    let mut resolver = build(Dns::new(), &server.target(NAME));
    let answer = next(&mut resolver).await.unwrap();
    assert_eq!(addresses(&answer), ["10.0.0.1:443"]);
    assert_eq!(answer.ttl, Some(Duration::from_secs(60)));
}

#[tokio::test]
async fn a_look_that_is_interrupted_goes_on_when_it_is_polled_again() {
    let server = NameServer::start().await;
    server.say(NAME, Family::V4, Reply::addresses(&["10.0.0.1"]));
    let mut resolver = build(Dns::new(), &server.target(NAME));
    for _ in 0..20 {
        assert!(resolver.poll_next(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    assert_eq!(addresses(&next(&mut resolver).await.unwrap()), ["10.0.0.1:443"]);
    assert!((1..FEW).contains(&server.queries(NAME, Family::V4)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resolver_dropped_in_the_middle_of_a_look_leaves_nothing_behind() {
    // behaviour 59
    let server = NameServer::start().await;
    server.say(NAME, Family::V4, Reply::silence());
    server.say(NAME, Family::V6, Reply::silence());
    let mut resolver = build(Dns::new(), &server.target(NAME));
    assert!(resolver.poll_next(&mut Context::from_waker(Waker::noop())).is_pending());
    drop(resolver);
}

#[tokio::test]
async fn the_names_of_a_list_are_watched_each_by_itself_and_its_literals_never_looked_up() {
    // behaviour 24
    const LIST: &str = "static:a.test:80,10.0.0.9:5,localhost:6,b.test:81";
    let server = NameServer::start().await;
    server.say("a.test", Family::V4, Reply::addresses(&["10.0.0.1"]).ttl(0));
    let mut resolver = build(eager().servers([server.address()]), LIST);
    // There is no `b.test` yet, and nobody waits for it.
    until(&mut resolver, &["10.0.0.1:80", "10.0.0.9:5", "127.0.0.1:6"]).await;

    server.say("b.test", Family::V4, Reply::addresses(&["10.0.0.2", "10.0.0.3"]).ttl(0));
    until(&mut resolver, &["10.0.0.1:80", "10.0.0.9:5", "127.0.0.1:6", "10.0.0.2:81", "10.0.0.3:81"]).await;
    // What fails keeps its last addresses, while the other grows.
    server.say("b.test", Family::V4, Reply::server_failure());
    server.say("b.test", Family::V6, Reply::server_failure());
    server.say("a.test", Family::V6, Reply::addresses(&["2001:db8::1"]).ttl(0));
    let grown =
        ["10.0.0.1:80", "[2001:db8::1]:80", "10.0.0.9:5", "127.0.0.1:6", "10.0.0.2:81", "10.0.0.3:81"];
    until(&mut resolver, &grown).await;

    let asked =
        ["a.test", "b.test"].map(|name| [Family::V4, Family::V6].map(|family| server.queries(name, family)));
    assert_eq!(server.all_queries(), asked.iter().flatten().sum::<usize>());
}

#[tokio::test]
async fn many_doubts_are_one_look_for_each_name_of_a_list() {
    // behaviour 52
    let server = NameServer::start().await;
    let names = ["a.test", "b.test"];
    for name in names {
        server.say(name, Family::V4, Reply::addresses(&["10.0.0.1"]).ttl(3600));
    }
    let mut resolver = build(Dns::new().servers([server.address()]), "static:a.test:1,b.test:2");
    assert_eq!(addresses(&next(&mut resolver).await.unwrap()), ["10.0.0.1:1", "10.0.0.1:2"]);
    for name in names {
        server.say(name, Family::V4, Reply::addresses(&["10.0.0.2"]).ttl(3600));
    }
    for _ in 0..1000 {
        resolver.refresh();
    }
    until(&mut resolver, &["10.0.0.2:1", "10.0.0.2:2"]).await;
    for name in names {
        assert!((2..FEW).contains(&server.queries(name, Family::V4)));
    }
}

#[tokio::test]
async fn a_list_of_names_that_all_fail_is_an_error_that_names_them() {
    let server = NameServer::start().await;
    server.say("b.test", Family::V4, Reply::server_failure());
    server.say("b.test", Family::V6, Reply::server_failure());
    let mut resolver = build(eager().servers([server.address()]), "static:a.test:80,b.test:80");
    let error = next(&mut resolver).await.unwrap_err();
    assert_eq!(error.message(), "a.test: no such name; b.test: the name server failed (SERVFAIL)");
}
