//! Panics of plugins, at every place where a plugin runs. Behaviour 59.

use std::future::poll_fn;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::*;
use crate::{ResolverRegistry, fixed};

/// Panics where it is told to, the first `times` times.
struct Fragile {
    place: Place,
    times: u32,
    built: Arc<AtomicU32>,
}

#[derive(Clone, Copy, PartialEq)]
enum Place {
    Poll,
    Refresh,
    Reject,
    Rebuild,
    Drop,
}

struct FragileResolver {
    place: Option<Place>,
    answer: Box<dyn Resolver>,
}

impl ResolverBuilder for Fragile {
    fn scheme(&self) -> &str {
        "fragile"
    }

    fn build(&self, _: &Target, _: &ResolverOptions) -> Result<Box<dyn Resolver>, TargetError> {
        let count = self.built.fetch_add(1, Ordering::Relaxed);
        assert!(!(self.place == Place::Rebuild && count == 1), "no rebuild");
        let place = match self.place {
            Place::Rebuild => Place::Poll,
            other => other,
        };
        let answer = fixed(Resolution::default().with_note(format!("of {count}")));
        Ok(Box::new(FragileResolver { place: (count < self.times).then_some(place), answer }))
    }
}

impl FragileResolver {
    fn at(&self, place: Place) {
        assert!(self.place != Some(place), "out of luck");
    }
}

impl Resolver for FragileResolver {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Resolution, ResolveError>> {
        self.at(Place::Poll);
        self.answer.poll_next(cx)
    }

    fn refresh(&mut self) {
        self.at(Place::Refresh);
    }

    fn reject(&mut self) {
        self.at(Place::Reject);
    }
}

impl Drop for FragileResolver {
    fn drop(&mut self) {
        self.at(Place::Drop);
    }
}

fn fragile(place: Place, times: u32) -> (Box<dyn Resolver>, Arc<AtomicU32>) {
    let built = Arc::new(AtomicU32::new(0));
    let registry = ResolverRegistry::empty().with(Fragile { place, times, built: Arc::clone(&built) });
    let target = registry.parse("fragile:x").unwrap();
    (registry.build(&target, &ResolverOptions::new()).unwrap(), built)
}

async fn next(resolver: &mut Box<dyn Resolver>) -> Result<Resolution, String> {
    poll_fn(|cx| resolver.poll_next(cx)).await.map_err(|error| error.to_string())
}

#[tokio::test(start_paused = true)]
async fn a_resolver_that_panics_is_an_error_that_names_it_and_then_a_new_one() {
    let (mut resolver, _) = fragile(Place::Poll, 2);
    let start = tokio::time::Instant::now();
    let error = next(&mut resolver).await.unwrap_err();
    assert!(error.contains("`fragile:x`") && error.contains("out of luck"), "{error}");
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert!(next(&mut resolver).await.is_err());
    let answer = next(&mut resolver).await.unwrap();
    assert_eq!(answer.note.as_deref(), Some("of 2"));
    // Backoff of 1 s and of 1.6 s, give or take a fifth.
    let waited = start.elapsed();
    assert!((Duration::from_millis(2080)..Duration::from_millis(3130)).contains(&waited), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_refresh_or_reject_replaces_the_resolver_too() {
    for place in [Place::Refresh, Place::Reject] {
        let (mut resolver, built) = fragile(place, 1);
        assert!(next(&mut resolver).await.is_ok());
        resolver.refresh();
        resolver.reject();
        // Told while there is none: nothing happens.
        resolver.refresh();
        assert_eq!(next(&mut resolver).await.unwrap().note.as_deref(), Some("of 1"));
        assert_eq!(built.load(Ordering::Relaxed), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_builder_that_panics_is_an_error_and_tried_again() {
    let (mut resolver, built) = fragile(Place::Rebuild, 1);
    assert!(next(&mut resolver).await.is_err());
    let error = next(&mut resolver).await.unwrap_err();
    assert!(error.contains("no rebuild"), "{error}");
    assert_eq!(next(&mut resolver).await.unwrap().note.as_deref(), Some("of 2"));
    assert_eq!(built.load(Ordering::Relaxed), 3);
}

#[test]
fn a_builder_that_panics_at_first_is_a_target_error() {
    let built = Arc::new(AtomicU32::new(1));
    let registry = ResolverRegistry::empty().with(Fragile { place: Place::Rebuild, times: 0, built });
    let target = registry.parse("fragile:x").unwrap();
    let error = registry.build(&target, &ResolverOptions::new()).err().unwrap();
    assert!(error.to_string().contains("no rebuild"), "{error}");
}

#[test]
fn a_resolver_that_panics_when_it_is_dropped_harms_nobody() {
    let (resolver, _) = fragile(Place::Drop, 1);
    drop(resolver);
}
