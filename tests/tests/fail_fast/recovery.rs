//! A failure that only a person can mend is over at once when a person says so, and not before.

use rstest::rstest;
use tokio::time::sleep;
use trunkline::Transport::{self, H2, Trunkline};
use trunkline::{Address, Attributes, Channel, Code, Endpoint, FailFast, Weight};

use crate::lab::{Lab, MODES, NAME, Speaks, call, here, policies, secs, tcp, there, timed};
use crate::peers::{Peer, greets_over_tls};

/// A server whose certificate was bad until just now, and a channel that has seen it, 10 s ago. Left alone,
/// it looks again after 120 s.
async fn mended_after_a_permanent_failure(engine: Transport, mode: FailFast) -> (Lab, Channel) {
    let lab = Lab::new(engine);
    let bad = greets_over_tls(&lab.strangers.issue(&[NAME]), &lab.unheard);
    lab.place(&here(), Peer::Serves(bad)).await;
    lab.resolve(&[&here()]);
    let channel = lab.channel(Speaks::Tls).fail_fast(mode).connect_lazy().unwrap();
    assert!(call(&channel, secs(10)).await.is_err());
    sleep(secs(10)).await;
    lab.mend(&here(), Speaks::Tls);
    (lab, channel)
}

/// Whether the channel finds out now, give or take two seconds.
async fn is_found_out(channel: &Channel) -> bool {
    sleep(secs(2)).await;
    call(channel, secs(1)).await.is_ok()
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn left_alone_it_is_found_out_at_the_backoffs_maximum(#[values(H2, Trunkline)] engine: Transport) {
    let (_lab, channel) = mended_after_a_permanent_failure(engine, FailFast::Always).await;
    sleep(secs(109)).await;
    assert_eq!(call(&channel, secs(1)).await.unwrap_err().code(), Code::Unavailable);
    sleep(secs(2)).await;
    assert_eq!(call(&channel, secs(1)).await.unwrap().server, "good");
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_call_that_waits_is_answered_when_it_is_found_out(#[values(H2, Trunkline)] engine: Transport) {
    let (_lab, channel) = mended_after_a_permanent_failure(engine, FailFast::Never).await;
    let (answer, took) = timed(call(&channel, secs(300))).await;
    // The failure was at 0 s, and until 20 s the call that failed and the pause took their time.
    assert_eq!((answer.unwrap().server.as_str(), took), ("good", secs(100)));
}

// behaviour 10
#[rstest]
#[tokio::test(start_paused = true)]
async fn reset_backoff_tries_again_at_once(#[values(H2, Trunkline)] engine: Transport) {
    for mode in MODES {
        let (_lab, channel) = mended_after_a_permanent_failure(engine, mode).await;
        channel.reset_backoff();
        assert!(is_found_out(&channel).await, "{mode:?}");
    }
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_resolution_that_changed_the_endpoint_tries_again_at_once(
    #[values(H2, Trunkline)] engine: Transport,
) {
    for mode in MODES {
        let (lab, channel) = mended_after_a_permanent_failure(engine, mode).await;
        let changed = Endpoint::new(here()).with_attributes(Attributes::new().with(Weight(2)));
        lab.resolve_endpoints([changed]);
        assert!(is_found_out(&channel).await, "{mode:?}");
    }
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_resolution_that_changed_the_address_tries_the_new_one_at_once(
    #[values(H2, Trunkline)] engine: Transport,
) {
    for mode in MODES {
        let (lab, channel) = mended_after_a_permanent_failure(engine, mode).await;
        let elsewhere = tcp("10.0.0.9:443");
        lab.mend(&elsewhere, Speaks::Tls);
        lab.network.delay(&elsewhere.to_string(), secs(2));
        lab.resolve(&[&elsewhere]);
        sleep(secs(1)).await;
        let (answer, took) = timed(call(&channel, secs(10))).await;
        match mode {
            // While the new one is tried for the first time, TRANSIENT_FAILURE stays (gRFC A62).
            FailFast::Always => assert_eq!((answer.unwrap_err().code(), took), (Code::Unavailable, secs(0))),
            // What is untried is worth waiting for.
            _ => assert_eq!((answer.unwrap().server.as_str(), took), ("good", secs(1)), "{mode:?}"),
        }
        assert!(is_found_out(&channel).await, "{mode:?}");
        assert_eq!(lab.dials(&here()), 1, "the old one is left alone");
    }
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn an_address_that_was_added_is_worth_waiting_for(#[values(H2, Trunkline)] engine: Transport) {
    for policy in policies() {
        let lab = Lab::new(engine);
        let bad = greets_over_tls(&lab.strangers.issue(&[NAME]), &lab.unheard);
        lab.place(&here(), Peer::Serves(bad)).await;
        lab.resolve(&[&here()]);
        let channel = lab.channel(Speaks::Tls).balancer(policy).fail_fast(FailFast::Permanent);
        let channel = channel.connect_lazy().unwrap();
        assert_eq!(call(&channel, secs(10)).await.unwrap_err().code(), Code::Unavailable);
        lab.mend(&there(), Speaks::Tls);
        lab.network.delay(&there().to_string(), secs(2));
        lab.resolve(&[&here(), &there()]);
        sleep(secs(1)).await;
        // What is known of the one says nothing of the other.
        let (answer, took) = timed(call(&channel, secs(10))).await;
        assert_eq!((answer.unwrap().server.as_str(), took), ("good", secs(1)));
    }
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_resolution_that_gave_the_address_another_name_tries_again_at_once(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let lab = Lab::new(engine);
    // The same place under two names, of which its certificate has the second.
    let right = here().with_server_name("right.test");
    for address in [here(), right.clone()] {
        let host = greets_over_tls(&lab.ours.issue(&["right.test"]), &lab.greeter);
        lab.place(&address, Peer::Serves(host)).await;
    }
    lab.resolve(&[&here()]);
    let channel = lab.channel(Speaks::Tls).fail_fast(FailFast::Permanent).connect_lazy().unwrap();
    let status = call(&channel, secs(10)).await.unwrap_err();
    assert!(status.message().contains("certificate is for right.test, not for greeter.test"), "{status}");
    lab.resolve(&[&right]);
    assert!(is_found_out(&channel).await);
}

// behaviour 13
#[rstest]
#[tokio::test(start_paused = true)]
async fn the_same_resolution_again_changes_nothing(#[values(H2, Trunkline)] engine: Transport) {
    for mode in MODES {
        let (lab, channel) = mended_after_a_permanent_failure(engine, mode).await;
        lab.resolve(&[&here()]);
        assert!(!is_found_out(&channel).await, "{mode:?}");
    }
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_resolver_that_keeps_changing_an_endpoint_does_not_make_a_bad_server_be_dialled_in_a_loop(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let lab = Lab::new(engine);
    let bad = greets_over_tls(&lab.strangers.issue(&[NAME]), &lab.unheard);
    lab.place(&here(), Peer::Serves(bad)).await;
    lab.resolve(&[&here()]);
    let channel = lab.channel(Speaks::Tls).connect_lazy().unwrap();
    channel.wake();
    for weight in 0..1000 {
        sleep(secs(1) / 100).await;
        let address: Address = here();
        lab.resolve_endpoints([
            Endpoint::new(address).with_attributes(Attributes::new().with(Weight(weight)))
        ]);
    }
    // The first, and one early attempt in the two minutes of its wait.
    assert_eq!(lab.dials(&here()), 2);
}
