//! Parts that are told their answers.

use std::future::poll_fn;
use std::task::Waker;
use std::time::Duration;

use super::*;
use crate::testing::ManualResolver;
use crate::{ResolverBuilder, ResolverOptions, Target};

/// One resolver of the parts `a`, `b`, .., and what tells each its answers.
fn parts<const COUNT: usize>() -> ([ManualResolver; COUNT], Box<dyn Resolver>) {
    let names = ["a", "b", "c"];
    let manuals = std::array::from_fn(|part| ManualResolver::new(names[part]));
    let target = Target::parse("manual:x", &["manual"]).unwrap();
    let build = |manual: &ManualResolver| {
        (manual.scheme().to_owned(), manual.build(&target, &ResolverOptions::new()).unwrap())
    };
    let resolver = merged(manuals.iter().map(build));
    (manuals, resolver)
}

/// An answer of these servers.
fn servers(names: &[&str]) -> Resolution {
    Resolution::from_addresses(names.iter().map(|name| Address::other(*name)))
}

/// What it answers without waiting: the servers, or the error.
fn said(resolver: &mut Box<dyn Resolver>) -> Option<Result<Vec<String>, String>> {
    answer(resolver).map(|answer| match answer {
        Ok(answer) => Ok(answer.endpoints.iter().map(|one| one.addresses()[0].to_string()).collect()),
        Err(error) => Err(error.to_string()),
    })
}

fn answer(resolver: &mut Box<dyn Resolver>) -> Option<Result<Resolution, ResolveError>> {
    match resolver.poll_next(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => Some(answer),
        Poll::Pending => None,
    }
}

#[track_caller]
fn assert_servers(resolver: &mut Box<dyn Resolver>, expected: &[&str]) {
    assert_eq!(said(resolver), Some(Ok(expected.iter().map(|name| (*name).to_owned()).collect())));
}

#[track_caller]
fn assert_error(resolver: &mut Box<dyn Resolver>, expected: &str) {
    assert_eq!(said(resolver), Some(Err(expected.to_owned())));
}

#[test]
fn the_first_answer_waits_for_every_part_and_has_their_order() {
    let ([a, b, c], mut resolver) = parts();
    c.push(servers(&["c1"]));
    assert_eq!(said(&mut resolver), None);
    a.push(servers(&["a1", "a2"]));
    assert_eq!(said(&mut resolver), None);
    b.push(servers(&["b1"]));
    assert_servers(&mut resolver, &["a1", "a2", "b1", "c1"]);
    assert_eq!(said(&mut resolver), None, "no news");
}

#[test]
fn news_of_one_part_is_an_answer_of_all() {
    let ([a, b], mut resolver) = parts();
    a.push(servers(&["a1"]));
    b.push(servers(&["b1"]));
    assert_servers(&mut resolver, &["a1", "b1"]);
    a.push(servers(&["a2", "a3"]));
    assert_servers(&mut resolver, &["a2", "a3", "b1"]);
    // Said, and not an error: this part has no servers.
    a.push(servers(&[]));
    assert_servers(&mut resolver, &["b1"]);
}

#[test]
fn news_that_come_together_are_one_answer() {
    let ([a, b], mut resolver) = parts();
    a.push(servers(&["a1"]));
    b.push(servers(&["b1"]));
    assert_servers(&mut resolver, &["a1", "b1"]);
    b.push(servers(&["b2"]));
    a.push(servers(&["a2"]));
    assert_servers(&mut resolver, &["a2", "b2"]);
    assert_eq!(said(&mut resolver), None);
}

#[test]
fn a_part_that_fails_at_first_holds_nobody_up_and_takes_its_place_later() {
    let ([a, b], mut resolver) = parts();
    b.push(servers(&["b1"]));
    a.fail(ResolveError::new("dead"));
    assert_servers(&mut resolver, &["b1"]);
    a.push(servers(&["a1"]));
    assert_servers(&mut resolver, &["a1", "b1"]);
}

#[test]
fn a_part_that_fails_keeps_its_last_servers() {
    // behaviour 24
    let ([a, b], mut resolver) = parts();
    a.push(servers(&["a1"]));
    b.push(servers(&["b1"]));
    assert_servers(&mut resolver, &["a1", "b1"]);
    for _ in 0..2 {
        a.fail(ResolveError::new("dead"));
        assert_servers(&mut resolver, &["a1", "b1"]);
    }
    b.fail(ResolveError::new("dead too"));
    assert_servers(&mut resolver, &["a1", "b1"]);
    a.push(servers(&["a2"]));
    assert_servers(&mut resolver, &["a2", "b1"]);
}

#[test]
fn without_any_server_it_is_an_error_that_names_each_part_that_fails_once() {
    let ([a, b, c], mut resolver) = parts();
    a.fail(ResolveError::new("a: no such name"));
    b.fail(ResolveError::new("because of the weather"));
    assert_eq!(said(&mut resolver), None);
    c.push(servers(&[]));
    assert_error(&mut resolver, "a: no such name; b: because of the weather");
    c.fail(ResolveError::new("c::d is gone"));
    assert_error(&mut resolver, "a: no such name; b: because of the weather; c: c::d is gone");
    b.push(servers(&["b1"]));
    assert_servers(&mut resolver, &["b1"]);
    // There may be servers in the parts that fail, so the last answer stands.
    b.push(servers(&[]));
    assert_error(&mut resolver, "a: no such name; c: c::d is gone");
}

#[test]
fn that_all_parts_are_empty_is_an_answer_with_their_notes() {
    // behaviour 23
    let ([a, b], mut resolver) = parts();
    a.push(servers(&[]).with_note("scaled to nothing"));
    b.push(servers(&[]).with_note("b: nobody is home"));
    let answer = answer(&mut resolver).unwrap().unwrap();
    assert!(answer.endpoints.is_empty());
    assert_eq!(answer.note.as_deref(), Some("a: scaled to nothing; b: nobody is home"));
}

#[test]
fn a_server_that_several_parts_name_comes_once_where_it_is_first() {
    let ([a, b], mut resolver) = parts();
    a.push(servers(&["x", "y", "x"]));
    b.push(servers(&["z", "y"]));
    assert_servers(&mut resolver, &["x", "y", "z"]);
    a.push(servers(&["x"]));
    assert_servers(&mut resolver, &["x", "z", "y"]);
}

#[test]
fn the_first_service_config_and_the_shortest_ttl_count() {
    let ([a, b], mut resolver) = parts();
    let weighty = trunkline_proto::Attributes::new().with(trunkline_proto::Weight(3));
    a.push(servers(&["a1"]).with_ttl(Duration::from_secs(9)));
    let rich = servers(&["b1"]).with_service_config("{}").with_attributes(weighty.clone());
    b.push(rich.with_ttl(Duration::from_secs(7)));
    let both = answer(&mut resolver).unwrap().unwrap();
    assert_eq!(both.service_config, Some(Ok("{}".to_owned())));
    assert_eq!(both.attributes, weighty);
    assert_eq!(both.ttl, Some(Duration::from_secs(7)));
    assert_eq!(both.note, None);
    a.push(servers(&["a1"]).with_service_config("[]"));
    assert_eq!(answer(&mut resolver).unwrap().unwrap().service_config, Some(Ok("[]".to_owned())));
}

#[test]
fn doubts_and_rejections_reach_every_part() {
    let ([a, b], mut resolver) = parts();
    resolver.refresh();
    a.push(servers(&[]));
    assert_eq!(said(&mut resolver), None);
    resolver.refresh();
    resolver.reject();
    for manual in [a, b] {
        assert_eq!((manual.refreshes(), manual.rejections()), (2, 1));
    }
}

#[test]
fn a_talkative_part_starves_nobody() {
    let ([a, b, c], mut resolver) = parts();
    (0..1000).for_each(|_| a.push(servers(&["a1"])));
    c.push(servers(&["c1"]));
    assert_eq!(said(&mut resolver), None);
    b.push(servers(&["b1"]));
    assert_servers(&mut resolver, &["a1", "b1", "c1"]);
    assert_eq!(a.counts().answered, 2);
}

#[tokio::test]
async fn whichever_part_has_news_wakes_the_one_who_waits() {
    let ([a, b], mut resolver) = parts();
    let waiting = tokio::spawn(async move {
        for _ in 0..3 {
            poll_fn(|cx| resolver.poll_next(cx)).await.unwrap();
        }
        resolver
    });
    let next = async || {
        for _ in 0..4 {
            tokio::task::yield_now().await;
        }
    };
    next().await;
    a.push(servers(&["a1"]));
    next().await;
    a.push(servers(&["a2"]));
    next().await;
    // The second answer was heard although nobody else had spoken yet.
    assert_eq!(a.counts().answered, 2);
    for _ in 0..3 {
        b.push(servers(&["b1"]));
        next().await;
    }
    waiting.await.unwrap();
}

#[test]
fn dropping_it_drops_every_part() {
    let ([a, b], resolver) = parts();
    drop(resolver);
    assert_eq!((a.counts().running, b.counts().running), (0, 0));
}
