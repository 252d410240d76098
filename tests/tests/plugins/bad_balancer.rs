//! Policies and pickers that panic, never choose, or break the laws of their trait.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use rstest::rstest;
use tokio::time::Instant;
use trunkline::Transport::{self, H2, Trunkline};
use trunkline::balancer::{
    Balancer, BalancerConfig, BalancerState, CallInfo, FixedPicker, Input, Pick, PickFirst, PickResult,
    Picker, Plan, choosing,
};
use trunkline::metadata::MetadataValue;
use trunkline::{Address, Channel, Code, ConnectivityState, Request};
use trunkline_tests::greeter::greeter_client::GreeterClient;
use trunkline_tests::greeter::{HelloRequest, WatchRequest};
use trunkline_tests::ms;

use super::neighbourhood::{Neighbourhood, hello, hello_patiently, hello_within};

#[rstest]
#[tokio::test(start_paused = true)]
async fn one_that_panics_fails_calls_by_its_name_until_the_next_resolution_starts_another(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let here = Neighbourhood::new(engine).await;
    let sane = Arc::new(AtomicBool::new(false));
    let turned = Arc::clone(&sane);
    let channel = channel(&here, move |input, plan| {
        assert!(turned.load(Relaxed), "boom");
        first_ready(input, plan)
    });
    let status = hello(&channel).await.unwrap_err();
    assert_eq!(status.code(), Code::Internal);
    assert!(status.message().contains("the load-balancing policy bad panicked: boom"), "{status}");
    here.is_unharmed().await;

    sane.store(true, Relaxed);
    here.network.resolve(&["a", "b"]);
    hello_patiently(&channel).await.unwrap();
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn one_that_panics_when_it_is_started_fails_calls_by_its_name(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let here = Neighbourhood::new(engine).await;
    let config = BalancerConfig::new("bad", Default::default(), |_| -> Box<dyn Balancer> { panic!("boom") });
    let channel = here.channel().balancer(config).connect_lazy().unwrap();
    let status = hello(&channel).await.unwrap_err();
    assert_eq!(status.code(), Code::Internal);
    assert!(status.message().contains("the load-balancing policy bad panicked: boom"), "{status}");
    here.is_unharmed().await;
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn one_that_panics_when_it_is_dropped_does_not_keep_the_channel_from_closing(
    #[values(H2, Trunkline)] engine: Transport,
) {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            // A second panic would be the test's fault.
            assert!(std::thread::panicking(), "boom");
        }
    }
    let here = Neighbourhood::new(engine).await;
    let config = BalancerConfig::new("bad", Default::default(), |_| {
        let bomb = Bomb;
        Does(move |input: &Input<'_>, plan: &mut Plan| {
            let _armed = &bomb;
            first_ready(input, plan)
        })
    });
    let channel = here.channel().balancer(config).connect_lazy().unwrap();
    hello(&channel).await.unwrap();
    channel.close(ms(100)).await;
    assert_eq!(channel.state(), ConnectivityState::Shutdown);
    here.is_unharmed().await;
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_picker_that_panics_fails_the_call_that_asked_it(#[values(H2, Trunkline)] engine: Transport) {
    let here = Neighbourhood::new(engine).await;
    let bad = choosing("bad", |ready, call| match call.metadata("x-panic") {
        Some(_) => panic!("boom"),
        None => ready.get(0),
    });
    let channel = here.channel().balancer(bad).connect_lazy().unwrap();
    hello(&channel).await.unwrap();
    let greeter = GreeterClient::new(channel.clone());
    let mut request = Request::new(HelloRequest::default());
    request.metadata_mut().insert("x-panic", MetadataValue::from_static("1"));
    let status = greeter.say_hello(request).await.unwrap_err();
    assert_eq!(status.code(), Code::Internal);
    assert!(status.message().contains("picker panicked: boom"), "{status}");
    hello(&channel).await.unwrap();
    here.is_unharmed().await;
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn what_panics_when_it_hears_of_a_calls_end_changes_nothing_for_the_call(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let here = Neighbourhood::new(engine).await;
    let channel = channel(&here, |input, plan| {
        let mut state = first_ready(input, plan);
        if state.connectivity == ConnectivityState::Ready {
            state.picker = Arc::new(PanicsAtTheEnd(Address::other("a")));
        }
        state
    });
    hello(&channel).await.unwrap();
    hello(&channel).await.unwrap();
    // A call that is dropped ends there, too.
    let greeter = GreeterClient::new(channel.clone());
    let endless = WatchRequest { interval_ms: 10, ..Default::default() };
    let mut replies = greeter.watch(endless).await.unwrap();
    replies.message().await.unwrap();
    drop(replies);
    hello(&channel).await.unwrap();
    here.is_unharmed().await;
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn one_that_never_chooses_lets_calls_wait_until_their_deadline_and_no_longer(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let here = Neighbourhood::new(engine).await;
    let channel =
        channel(&here, |_, _| BalancerState::new(ConnectivityState::Connecting, FixedPicker::Queue.shared()));
    assert_waits_for_its_deadline(&channel).await;
    here.is_unharmed().await;
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn one_that_wants_to_be_woken_at_once_again_and_again_keeps_nobody_from_anything(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let here = Neighbourhood::new(engine).await;
    let channel = channel(&here, |input, plan| {
        plan.wake_at(input.now);
        plan.resolve();
        BalancerState::new(ConnectivityState::Connecting, FixedPicker::Queue.shared())
    });
    assert_waits_for_its_deadline(&channel).await;
    here.is_unharmed().await;
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn one_that_changes_its_mind_in_every_update_keeps_nobody_from_anything(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let here = Neighbourhood::new(engine).await;
    let odd = AtomicBool::new(false);
    let channel = channel(&here, move |_, plan| {
        if odd.fetch_xor(true, Relaxed) {
            plan.connect(&Address::other("a"));
        }
        BalancerState::new(ConnectivityState::Connecting, FixedPicker::Queue.shared())
    });
    assert_waits_for_its_deadline(&channel).await;
    here.is_unharmed().await;
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn one_that_chooses_what_nobody_dials_lets_calls_wait_until_their_deadline(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let here = Neighbourhood::new(engine).await;
    let channel = channel(&here, |_, _| {
        let nowhere = FixedPicker::Ready(Address::other("nowhere"));
        BalancerState::new(ConnectivityState::Ready, nowhere.shared())
    });
    assert_waits_for_its_deadline(&channel).await;
    here.is_unharmed().await;
}

async fn assert_waits_for_its_deadline(channel: &Channel) {
    let began = Instant::now();
    let status = hello_within(channel, ms(3000)).await.expect_err("there is nobody to answer");
    assert_eq!((status.code(), began.elapsed()), (Code::DeadlineExceeded, ms(3000)), "{status}");
}

fn channel<F>(here: &Neighbourhood, update: F) -> Channel
where
    F: Fn(&Input<'_>, &mut Plan) -> BalancerState + Send + Sync + 'static,
{
    let update = Arc::new(update);
    let config = BalancerConfig::new("bad", Default::default(), move |_| {
        let update = Arc::clone(&update);
        Does(move |input: &Input<'_>, plan: &mut Plan| update(input, plan))
    });
    here.channel().balancer(config).connect_lazy().expect("a policy is started with the first call")
}

/// A policy that is a function.
struct Does<F>(F);

impl<F> Balancer for Does<F>
where
    F: Fn(&Input<'_>, &mut Plan) -> BalancerState + Send + 'static,
{
    fn update(&mut self, input: &Input<'_>, plan: &mut Plan) -> BalancerState {
        (self.0)(input, plan)
    }
}

/// A sane policy, except that its picker is another each time.
fn first_ready(input: &Input<'_>, plan: &mut Plan) -> BalancerState {
    BalancerConfig::from(PickFirst::new()).start(0).update(&input.awake(), plan)
}

#[derive(Debug)]
struct PanicsAtTheEnd(Address);

impl Picker for PanicsAtTheEnd {
    fn pick(&self, _: &CallInfo<'_>) -> PickResult<'_> {
        PickResult::Ready(Pick::to(&self.0).on_finish(|_| panic!("boom")))
    }
}
