//! The adapter, on tokio's paused clock with look-ups in memory.

use std::future::{pending, poll_fn};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::*;

async fn next(resolver: &mut Box<dyn Resolver>) -> Result<Resolution, ResolveError> {
    poll_fn(|cx| resolver.poll_next(cx)).await
}

/// A resolver whose look-ups take `time` each, and their count.
fn slow(time: Duration) -> (Box<dyn Resolver>, Arc<AtomicU32>) {
    let count = Arc::new(AtomicU32::new(0));
    let looks = Arc::clone(&count);
    let resolver = polling(PollingOptions::default(), move || {
        let look = looks.fetch_add(1, Ordering::Relaxed);
        async move {
            tokio::time::sleep(time).await;
            Ok(Resolution::default().with_note(look.to_string()).with_ttl(Duration::from_secs(10)))
        }
    });
    (resolver, count)
}

#[tokio::test(start_paused = true)]
async fn growth_is_seen_without_any_doubt() {
    let (mut resolver, _) = slow(Duration::ZERO);
    let start = Instant::now();
    for look in 0..3 {
        assert_eq!(next(&mut resolver).await.unwrap().note, Some(look.to_string()));
    }
    let waited = start.elapsed().as_secs_f64();
    assert!((18.0..22.1).contains(&waited), "{waited}");
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_stops_polling_loses_nothing() {
    let (mut resolver, count) = slow(Duration::from_secs(2));
    for _ in 0..19 {
        let limit = Duration::from_millis(100);
        assert!(tokio::time::timeout(limit, next(&mut resolver)).await.is_err());
    }
    let start = Instant::now();
    assert!(next(&mut resolver).await.is_ok());
    assert!(start.elapsed() <= Duration::from_millis(200));
    assert_eq!(count.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn a_look_up_that_hangs_ends_as_an_error_and_is_dropped() {
    struct Dropped(Arc<AtomicU32>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let drops = Arc::new(AtomicU32::new(0));
    let held = Arc::clone(&drops);
    let mut resolver = polling(PollingOptions::default(), move || {
        let held = Dropped(Arc::clone(&held));
        async move {
            let _held = held;
            pending().await
        }
    });
    let start = Instant::now();
    let error = next(&mut resolver).await.unwrap_err();
    assert_eq!(error.message(), "the look-up has not ended within 30s");
    assert_eq!(start.elapsed(), Duration::from_secs(30));
    assert_eq!(drops.load(Ordering::Relaxed), 1);
    assert!(next(&mut resolver).await.is_err());
    drop(resolver);
    assert_eq!(drops.load(Ordering::Relaxed), 2);
}

#[tokio::test(start_paused = true)]
async fn a_doubt_wakes_the_task_that_waits_for_the_next_answer() {
    let (mut resolver, count) = slow(Duration::ZERO);
    next(&mut resolver).await.unwrap();
    let mut doubts = 0;
    let start = Instant::now();
    // Doubts come from within the task that polls, as in a channel's driver.
    poll_fn(|cx| {
        let polled = resolver.poll_next(cx);
        if polled.is_pending() && doubts < 100 {
            doubts += 1;
            resolver.refresh();
        }
        polled
    })
    .await
    .unwrap();
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert_eq!(count.load(Ordering::Relaxed), 2);
}

#[tokio::test(start_paused = true)]
async fn a_rejected_answer_is_looked_for_again_after_a_second() {
    let (mut resolver, _) = slow(Duration::ZERO);
    next(&mut resolver).await.unwrap();
    resolver.reject();
    let start = Instant::now();
    next(&mut resolver).await.unwrap();
    let waited = start.elapsed().as_secs_f64();
    assert!((0.8..1.21).contains(&waited), "{waited}");
}

#[test]
fn it_may_be_made_outside_of_a_runtime_and_outlive_the_one_that_polled_it() {
    let (mut resolver, count) = slow(Duration::ZERO);
    resolver.refresh();
    resolver.reject();
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let first = runtime().unwrap();
    first.block_on(async {
        next(&mut resolver).await.unwrap();
        // Arms a timer of this runtime.
        let limit = Duration::from_millis(1);
        assert!(tokio::time::timeout(limit, next(&mut resolver)).await.is_err());
    });
    drop(first);
    runtime().unwrap().block_on(next(&mut resolver)).unwrap();
    assert_eq!(count.load(Ordering::Relaxed), 2);
}
