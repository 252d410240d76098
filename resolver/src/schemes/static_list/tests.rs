//! Lists with names, through a registry whose `dns` is the test's own. (Without names: `schemes/tests.rs`;
//! with a name server: `tests/dns`.)

use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use trunkline_proto::Address;

use super::*;
use crate::testing::ManualResolver;
use crate::{ResolveError, ResolverRegistry};

/// Resolves each name to one server called after the target that it was asked for.
struct Echo;

impl ResolverBuilder for Echo {
    fn scheme(&self) -> &str {
        "dns"
    }

    fn build(&self, target: &Target, options: &ResolverOptions) -> Result<Box<dyn Resolver>, TargetError> {
        if target.endpoint().starts_with("bad") {
            return Err(TargetError::rejected(target, "I do not like it"));
        }
        let name = format!("{target} by {}", options.seed);
        Ok(fixed(Resolution::from_addresses([Address::other(name)])))
    }
}

fn build(dns: impl ResolverBuilder, text: &str) -> Result<Box<dyn Resolver>, TargetError> {
    let registry = ResolverRegistry::empty().with(StaticList).with(dns);
    registry.build(&registry.parse(text)?, &ResolverOptions::new().with_seed(7))
}

fn refusal(dns: impl ResolverBuilder, text: &str) -> String {
    build(dns, text).err().unwrap().to_string()
}

fn answer(resolver: &mut Box<dyn Resolver>) -> Option<Result<Resolution, ResolveError>> {
    match resolver.poll_next(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => Some(answer),
        Poll::Pending => None,
    }
}

fn addresses(resolver: &mut Box<dyn Resolver>) -> Vec<String> {
    let answer = answer(resolver).unwrap().unwrap();
    let all = answer.endpoints.iter().flat_map(Endpoint::addresses);
    all.map(Address::to_string).collect()
}

#[test]
fn names_are_watched_by_what_is_registered_for_dns_and_literals_are_not() {
    // behaviour 51
    let mut resolver = build(Echo, "static:10.0.0.7:5,greeter.prod:80,localhost:6,[::1],other").unwrap();
    let expected = [
        "10.0.0.7:5",
        "dns:///greeter.prod:80 by 8",
        "127.0.0.1:6",
        "[::1]:6",
        "[::1]:443",
        "dns:///other by 11",
    ];
    assert_eq!(addresses(&mut resolver), expected);
}

#[test]
fn a_name_that_is_written_twice_is_watched_once() {
    let dns = ManualResolver::new("dns");
    let mut resolver = build(dns.clone(), "static:greeter:80,10.0.0.7:5,greeter:80").unwrap();
    assert_eq!(dns.counts().built, 1);
    dns.push(Resolution::from_addresses([Address::other("x")]));
    assert_eq!(addresses(&mut resolver), ["x", "10.0.0.7:5"]);
}

#[test]
fn names_that_fail_are_called_by_their_name_once() {
    let dns = ManualResolver::new("dns");
    let mut resolver = build(dns.clone(), "static:a.test:80,b.test:80,b.test:81").unwrap();
    dns.fail(ResolveError::new("it rains"));
    let error = answer(&mut resolver).unwrap().unwrap_err();
    assert_eq!(error.message(), "a.test: it rains; b.test: it rains");
}

#[test]
fn a_list_of_literals_never_has_news() {
    let dns = ManualResolver::new("dns");
    let mut resolver = build(dns.clone(), "static:10.0.0.7:5,10.0.0.7:5,a.localhost:6").unwrap();
    assert_eq!(addresses(&mut resolver).len(), 4, "as they are written");
    resolver.refresh();
    resolver.reject();
    assert!(answer(&mut resolver).is_none());
    assert_eq!(dns.counts().built, 0);
}

#[test]
fn without_a_resolver_for_dns_a_name_is_an_error_that_says_the_fix() {
    // behaviour 51
    let error = refusal(crate::schemes::unix::Unix, "static:10.0.0.7:5,greeter:80");
    assert!(error.contains("`static:10.0.0.7:5,greeter:80`"), "{error}");
    assert!(error.contains("`greeter:80` is a name") && error.contains("the feature `dns`"), "{error}");
}

#[test]
fn a_name_that_dns_refuses_is_an_error_of_the_list() {
    let error = refusal(Echo, "static:greeter:80,bad:80");
    assert_eq!(error, "target `static:greeter:80,bad:80`: target `dns:///bad:80`: I do not like it");
}

#[test]
fn a_list_has_at_most_a_hundred_names_and_any_number_of_literals() {
    let list = |count| (0..count).map(|host| format!("host{host}")).collect::<Vec<_>>().join(",");
    let literals = ",10.0.0.7:5".repeat(10);
    assert!(build(Echo, &format!("static:{}{literals}", list(MAX_NAMES))).is_ok());
    let error = refusal(Echo, &format!("static:{}", list(MAX_NAMES + 1)));
    assert!(error.contains("at most 100"), "{error}");
}

/// Panics when it is polled while `broken`.
struct Fragile(&'static AtomicBool);

struct FragileResolver(Box<dyn Resolver>, &'static AtomicBool);

impl ResolverBuilder for Fragile {
    fn scheme(&self) -> &str {
        "dns"
    }

    fn build(&self, target: &Target, options: &ResolverOptions) -> Result<Box<dyn Resolver>, TargetError> {
        let echo = Echo.build(target, options)?;
        match target.endpoint() {
            "fragile" => Ok(Box::new(FragileResolver(echo, self.0))),
            _ => Ok(echo),
        }
    }
}

impl Resolver for FragileResolver {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Resolution, ResolveError>> {
        assert!(!self.1.load(Ordering::Relaxed), "out of luck");
        self.0.poll_next(cx)
    }
}

#[tokio::test(start_paused = true)]
async fn a_name_whose_resolver_panics_loses_no_other() {
    // behaviour 59
    static BROKEN: AtomicBool = AtomicBool::new(true);
    let mut resolver = build(Fragile(&BROKEN), "static:fragile,sound").unwrap();
    assert_eq!(addresses(&mut resolver), ["dns:///sound by 8"]);
    BROKEN.store(false, Ordering::Relaxed);
    let answer = std::future::poll_fn(|cx| resolver.poll_next(cx)).await.unwrap();
    assert_eq!(answer.endpoints.len(), 2);
}
