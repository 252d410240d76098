//! Resolvers that panic, hang, or never stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll};

use rstest::rstest;
use tokio::time::Instant;
use trunkline::Transport::{self, H2, Trunkline};
use trunkline::resolver::{
    Resolution, ResolveError, Resolver, ResolverBuilder, ResolverOptions, Target, TargetError, fixed,
    watching,
};
use trunkline::{Address, Channel, ChannelBuilder, Code, ConnectivityState};
use trunkline_tests::ms;

use super::neighbourhood::{Neighbourhood, hello, hello_patiently, hello_within};

// behaviour 59
#[rstest]
#[tokio::test(start_paused = true)]
async fn one_that_panics_when_polled_is_an_error_of_its_channel_and_replaced_after_a_backoff(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let here = Neighbourhood::new(engine).await;
    // The first is the one that is built with the channel to see whether its target makes sense.
    let channel = channel(&here, |built| if built < 2 { Box::new(Panics::when_polled()) } else { good() });
    let began = Instant::now();
    let status = hello(&channel).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.message().contains("the resolver of `bad:a` panicked: boom"), "{status}");
    here.is_unharmed().await;

    hello_patiently(&channel).await.unwrap();
    let took = began.elapsed();
    assert!(ms(800) <= took && took <= ms(1200), "gRPC's first backoff is 1 s ± 20 %: {took:?}");
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn one_that_panics_when_it_is_built_is_an_error_of_the_builder(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let here = Neighbourhood::new(engine).await;
    let error = builder(&here, |_| panic!("boom")).connect_lazy().unwrap_err();
    assert!(error.to_string().contains("panicked: boom"), "{error}");
    here.is_unharmed().await;
}

#[tokio::test(start_paused = true)]
async fn one_that_panics_when_asked_for_the_authority_is_an_error_of_the_builder() {
    struct NoAuthority;
    impl ResolverBuilder for NoAuthority {
        fn scheme(&self) -> &str {
            "bad"
        }

        fn build(&self, _: &Target, _: &ResolverOptions) -> Result<Box<dyn Resolver>, TargetError> {
            Ok(good())
        }

        fn authority(&self, _: &Target) -> String {
            panic!("boom")
        }
    }
    let error = Channel::builder("bad:a").plaintext().resolver(NoAuthority).connect_lazy().unwrap_err();
    assert!(error.to_string().contains("the resolver builder of `bad` panicked: boom"), "{error}");
    // Who says what it is need not ask.
    let asked = Channel::builder("bad:a").plaintext().resolver(NoAuthority).authority("greeter");
    assert!(asked.connect_lazy().is_ok());
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn one_that_panics_when_it_is_built_again_is_an_error_of_its_channel(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let here = Neighbourhood::new(engine).await;
    let channel = channel(&here, |built| if built == 1 { panic!("boom") } else { good() });
    let status = hello(&channel).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.message().contains("panicked: boom"), "{status}");
    hello_patiently(&channel).await.unwrap();
    here.is_unharmed().await;
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn one_that_panics_when_the_channel_doubts_it_keeps_its_last_answer(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let mut here = Neighbourhood::new(engine).await;
    let channel = channel(&here, |_| Box::new(Panics::when_doubted()));
    hello(&channel).await.unwrap();
    here.restart();
    hello_patiently(&channel).await.unwrap();
    here.is_unharmed().await;
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn one_that_panics_when_it_is_dropped_does_not_keep_the_channel_from_closing(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let here = Neighbourhood::new(engine).await;
    let channel = channel(&here, |_| Box::new(Panics::when_dropped()));
    hello(&channel).await.unwrap();
    channel.close(ms(100)).await;
    assert_eq!(channel.state(), ConnectivityState::Shutdown);
    here.is_unharmed().await;
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn one_that_never_answers_lets_calls_wait_until_their_deadline_and_no_longer(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let here = Neighbourhood::new(engine).await;
    let channel = channel(&here, |_| watching(tokio_stream::pending()));
    let began = Instant::now();
    let status = hello_within(&channel, ms(3000)).await.unwrap_err();
    assert_eq!((status.code(), began.elapsed()), (Code::DeadlineExceeded, ms(3000)));
    here.is_unharmed().await;

    let began = Instant::now();
    channel.close(ms(100)).await;
    assert_eq!(began.elapsed(), ms(0), "there is nothing to wait for");
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn one_that_never_stops_answering_keeps_nobody_from_calling(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let here = Neighbourhood::new(engine).await;
    let channel = channel(&here, |_| watching(tokio_stream::iter(std::iter::repeat_with(|| Ok(answer())))));
    hello(&channel).await.unwrap();
    here.is_unharmed().await;
    hello(&channel).await.unwrap();
}

/// A resolver that panics.
#[derive(Default)]
struct Panics {
    when_polled: bool,
    when_doubted: bool,
    when_dropped: bool,
    answered: bool,
}

impl Panics {
    fn when_polled() -> Self {
        Self { when_polled: true, ..Self::default() }
    }

    fn when_doubted() -> Self {
        Self { when_doubted: true, ..Self::default() }
    }

    fn when_dropped() -> Self {
        Self { when_dropped: true, ..Self::default() }
    }
}

impl Resolver for Panics {
    fn poll_next(&mut self, _: &mut Context<'_>) -> Poll<Result<Resolution, ResolveError>> {
        assert!(!self.when_polled, "boom");
        match std::mem::replace(&mut self.answered, true) {
            false => Poll::Ready(Ok(answer())),
            true => Poll::Pending,
        }
    }

    fn refresh(&mut self) {
        assert!(!self.when_doubted, "boom");
    }
}

impl Drop for Panics {
    fn drop(&mut self) {
        // A second panic would be the test's fault.
        assert!(!self.when_dropped || std::thread::panicking(), "boom");
    }
}

fn good() -> Box<dyn Resolver> {
    fixed(answer())
}

fn answer() -> Resolution {
    Resolution::from_addresses([Address::other("a")])
}

fn channel<F>(here: &Neighbourhood, make: F) -> Channel
where
    F: Fn(usize) -> Box<dyn Resolver> + Send + Sync + 'static,
{
    builder(here, make).connect_lazy().expect("the first resolver is built without a panic")
}

/// A channel whose resolvers are made by `make`, which is told how many were made before.
fn builder<F>(here: &Neighbourhood, make: F) -> ChannelBuilder
where
    F: Fn(usize) -> Box<dyn Resolver> + Send + Sync + 'static,
{
    let built = Arc::default();
    here.network.builder_for("bad:a").plaintext().resolver(Bad { make, built })
}

struct Bad<F> {
    make: F,
    built: Arc<AtomicUsize>,
}

impl<F> ResolverBuilder for Bad<F>
where
    F: Fn(usize) -> Box<dyn Resolver> + Send + Sync + 'static,
{
    fn scheme(&self) -> &str {
        "bad"
    }

    fn build(&self, _: &Target, _: &ResolverOptions) -> Result<Box<dyn Resolver>, TargetError> {
        Ok((self.make)(self.built.fetch_add(1, Relaxed)))
    }
}
