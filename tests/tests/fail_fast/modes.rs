//! Who waits for what, beyond one server that is bad in one way: several servers, resolvers that fail, and
//! who decides which mode counts.

use rstest::rstest;
use tokio::time::sleep;
use trunkline::Transport::{self, H2, Trunkline};
use trunkline::balancer::RoundRobin;
use trunkline::resolver::ResolveError;
use trunkline::{Code, FailFast, Phase, Request, RequestExt, StatusExt};
use trunkline_tests::greeter::greeter_client::GreeterClient;
use trunkline_tests::ms;

use crate::lab::{Lab, MODES, NAME, Speaks, call, hello, here, policies, secs, there, timed};
use crate::peers::{Peer, greets_over_tls};

// behaviour 61
#[rstest]
#[tokio::test(start_paused = true)]
async fn while_the_first_attempt_is_on_its_way_calls_wait_in_every_mode(
    #[values(H2, Trunkline)] engine: Transport,
) {
    for mode in MODES {
        let lab = Lab::new(engine);
        lab.resolve(&[&here()]);
        lab.mend(&here(), Speaks::Tls);
        lab.network.delay(&here().to_string(), secs(5));
        let channel = lab.channel(Speaks::Tls).fail_fast(mode).connect_lazy().unwrap();
        let (answer, took) = timed(call(&channel, secs(60))).await;
        assert_eq!((answer.unwrap().server.as_str(), took), ("good", secs(5)), "{mode:?}");
    }
}

// behaviour 61
#[tokio::test(start_paused = true)]
async fn a_hundred_waiting_calls_share_one_dial_and_its_result() {
    let lab = Lab::new(Transport::default());
    lab.resolve(&[&here()]);
    // Less than the first backoff, after which there is a second dial.
    lab.network.delay(&here().to_string(), ms(500));
    let channel = lab.channel(Speaks::Plaintext).connect_lazy().unwrap();
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let channel = channel.clone();
        calls.spawn(async move { timed(call(&channel, secs(60))).await });
    }
    while let Some(ended) = calls.join_next().await {
        let (answer, took) = ended.unwrap();
        let status = answer.unwrap_err();
        assert_eq!((status.code(), took), (Code::Unavailable, ms(500)));
        assert!(status.message().contains("10.0.0.1:443): connect: connection refused"), "{status}");
    }
    assert_eq!(lab.dials(&here()), 1);
}

// behaviour 62
#[rstest]
#[tokio::test(start_paused = true)]
async fn a_call_that_waits_is_answered_as_soon_as_the_server_is_there(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let lab = Lab::new(engine);
    lab.resolve(&[&here()]);
    let channel = lab.channel(Speaks::Plaintext).fail_fast(FailFast::Never).connect_lazy().unwrap();
    let waiting = tokio::spawn(async move { timed(call(&channel, secs(60))).await });
    sleep(secs(2)).await;
    lab.mend(&here(), Speaks::Plaintext);
    let (answer, took) = waiting.await.unwrap();
    // Attempts start after 0, 1 and 2.6 s.
    assert_eq!((answer.unwrap().server.as_str(), took.as_millis()), ("good", 2600));
}

#[tokio::test(start_paused = true)]
async fn a_calls_own_mode_counts_more_than_the_channels() {
    for channels in MODES {
        let lab = Lab::new(Transport::default());
        lab.resolve(&[&here()]);
        let channel = lab.channel(Speaks::Plaintext).fail_fast(channels).connect_lazy().unwrap();
        let greeter = GreeterClient::new(channel);
        let own = greeter.say_hello(hello()).timeout(secs(9)).fail_fast(FailFast::Always);
        let (answer, took) = timed(own.into_future()).await;
        assert_eq!((answer.unwrap_err().code(), took), (Code::Unavailable, secs(0)), "{channels:?}");
        let own = greeter.say_hello(hello()).timeout(secs(9)).fail_fast(FailFast::Never);
        let (answer, took) = timed(own.into_future()).await;
        assert_eq!((answer.unwrap_err().code(), took), (Code::DeadlineExceeded, secs(9)), "{channels:?}");
        // The same through a request, as it goes through stubs that know nothing of modes.
        let own = Request::new(hello()).with_timeout(secs(9)).with_fail_fast(FailFast::Always);
        let (answer, took) = timed(greeter.say_hello(own).into_future()).await;
        assert_eq!((answer.unwrap_err().code(), took), (Code::Unavailable, secs(0)), "{channels:?}");
    }
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn one_server_that_may_come_back_is_worth_waiting_for_beside_one_with_a_bad_certificate(
    #[values(H2, Trunkline)] engine: Transport,
) {
    for policy in policies() {
        let lab = Lab::new(engine);
        let bad = greets_over_tls(&lab.strangers.issue(&[NAME]), &lab.unheard);
        lab.place(&here(), Peer::Serves(bad)).await;
        lab.resolve(&[&here(), &there()]);
        let channel = lab.channel(Speaks::Tls).balancer(policy).fail_fast(FailFast::Permanent);
        let channel = channel.connect_lazy().unwrap();
        let status = call(&channel, secs(30)).await.unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded);
        // The one that only a person can mend is not hidden by the one that was tried last.
        for said in ["10.0.0.2:443: connect: connection refused", "10.0.0.1:443: TLS: certificate signed"] {
            assert!(status.message().contains(said), "{status}");
        }
        lab.mend(&there(), Speaks::Tls);
        assert_eq!(call(&channel, secs(30)).await.unwrap().server, "good");
    }
}

#[tokio::test(start_paused = true)]
async fn if_every_server_is_bad_for_good_nobody_waits_who_need_not() {
    for policy in policies() {
        let lab = Lab::new(Transport::default());
        for address in [here(), there()] {
            let bad = greets_over_tls(&lab.strangers.issue(&[NAME]), &lab.unheard);
            lab.place(&address, Peer::Serves(bad)).await;
        }
        lab.resolve(&[&here(), &there()]);
        let channel = lab.channel(Speaks::Tls).balancer(policy).fail_fast(FailFast::Permanent);
        let (answer, took) = timed(call(&channel.connect_lazy().unwrap(), secs(30))).await;
        let status = answer.unwrap_err();
        assert_eq!((status.code(), took), (Code::Unavailable, secs(0)));
        assert!(status.message().contains("permanent; 2 of 2 addresses failed"), "{status}");
        assert_eq!(status.call_report().unwrap().causes().len(), 2);
    }
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_server_that_is_still_being_tried_is_waited_for_beside_one_that_is_bad_for_good(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let lab = Lab::new(engine);
    let bad = greets_over_tls(&lab.strangers.issue(&[NAME]), &lab.unheard);
    lab.place(&here(), Peer::Serves(bad)).await;
    lab.mend(&there(), Speaks::Tls);
    lab.network.delay(&there().to_string(), secs(5));
    lab.resolve(&[&here(), &there()]);
    for mode in MODES {
        let channel = lab.channel(Speaks::Tls).balancer(RoundRobin).fail_fast(mode).connect_lazy().unwrap();
        let (answer, took) = timed(call(&channel, secs(30))).await;
        assert_eq!((answer.unwrap().server.as_str(), took), ("good", secs(5)), "{mode:?}");
    }
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_call_that_waits_for_what_may_pass_ends_when_it_turns_out_to_be_for_good(
    #[values(H2, Trunkline)] engine: Transport,
) {
    for policy in policies() {
        let lab = Lab::new(engine);
        lab.resolve(&[&here()]);
        let channel = lab.channel(Speaks::Tls).balancer(policy).fail_fast(FailFast::Permanent);
        let channel = channel.connect_lazy().unwrap();
        let waiting = tokio::spawn(async move { timed(call(&channel, secs(60))).await });
        sleep(ms(500)).await;
        let bad = greets_over_tls(&lab.strangers.issue(&[NAME]), &lab.unheard);
        lab.place(&here(), Peer::Serves(bad)).await;
        let (answer, took) = waiting.await.unwrap();
        let status = answer.unwrap_err();
        assert_eq!((status.code(), took), (Code::Unavailable, secs(1)), "{status}");
        assert!(status.call_report().unwrap().is_permanent(), "{status}");
    }
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn when_the_good_server_goes_what_is_known_of_the_bad_one_counts_at_once(
    #[values(H2, Trunkline)] engine: Transport,
) {
    for policy in policies() {
        let lab = Lab::new(engine);
        let bad = greets_over_tls(&lab.strangers.issue(&[NAME]), &lab.unheard);
        lab.place(&here(), Peer::Serves(bad)).await;
        lab.mend(&there(), Speaks::Tls);
        lab.resolve(&[&here(), &there()]);
        let channel = lab.channel(Speaks::Tls).balancer(policy).fail_fast(FailFast::Permanent);
        let channel = channel.connect_lazy().unwrap();
        assert_eq!(call(&channel, secs(30)).await.unwrap().server, "good");
        sleep(secs(10)).await;
        lab.resolve(&[&here()]);
        sleep(secs(1)).await;
        let (answer, took) = timed(call(&channel, secs(30))).await;
        let status = answer.unwrap_err();
        assert_eq!((status.code(), took), (Code::Unavailable, secs(0)), "{status}");
        assert!(status.message().contains("certificate signed by unknown issuer [permanent;"), "{status}");
        assert_eq!(lab.dials(&here()), 1, "it was not tried again for that");
    }
}

// behaviours 9, 14
#[tokio::test(start_paused = true)]
async fn an_attempt_has_one_limit_over_all_its_steps() {
    let limited = |lab: &Lab| {
        lab.resolve(&[&here()]);
        lab.channel(Speaks::Tls).connect_timeout(secs(3)).connect_lazy().unwrap()
    };
    let lab = Lab::new(Transport::default());
    lab.network.black_hole(&here().to_string());
    let (answer, took) = timed(call(&limited(&lab), secs(60))).await;
    assert!(answer.unwrap_err().message().contains("connect: no connection in time"));
    assert_eq!(took, secs(3));
    // Two seconds to be connected leave one for the handshake.
    let lab = Lab::new(Transport::default());
    lab.network.accept_in_silence(&here().to_string());
    lab.network.delay(&here().to_string(), secs(2));
    let (answer, took) = timed(call(&limited(&lab), secs(60))).await;
    assert!(answer.unwrap_err().message().contains("TLS: the TLS handshake did not end in time"));
    assert_eq!(took, secs(3));
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_resolver_that_fails_is_never_a_reason_to_give_up_for_good(
    #[values(H2, Trunkline)] engine: Transport,
) {
    for mode in MODES {
        let lab = Lab::new(engine);
        lab.network.resolver().fail(ResolveError::new("the name server is down"));
        let channel = lab.channel(Speaks::Plaintext).fail_fast(mode).connect_lazy().unwrap();
        let (answer, took) = timed(call(&channel, secs(10))).await;
        let status = answer.unwrap_err();
        let report = status.call_report().unwrap();
        let cause = report.cause().unwrap();
        assert_eq!((cause.phase(), cause.is_permanent(), cause.address()), (Phase::Resolve, false, None));
        assert!(status.message().contains("resolve: the name server is down"), "{status}");
        let expected = match mode {
            FailFast::Always => (Code::Unavailable, secs(0)),
            _ => (Code::DeadlineExceeded, secs(10)),
        };
        assert_eq!((status.code(), took), expected, "{mode:?}");
        lab.mend(&here(), Speaks::Plaintext);
        lab.resolve(&[&here()]);
        sleep(secs(1)).await;
        assert_eq!(call(&channel, secs(10)).await.unwrap().server, "good");
    }
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn an_empty_list_says_so(#[values(H2, Trunkline)] engine: Transport) {
    let lab = Lab::new(engine);
    lab.resolve(&[]);
    let channel = lab.channel(Speaks::Plaintext).fail_fast(FailFast::Permanent).connect_lazy().unwrap();
    let status = call(&channel, secs(10)).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert!(status.message().contains("the resolver knows no address for this target"), "{status}");
    lab.mend(&here(), Speaks::Plaintext);
    lab.resolve(&[&here()]);
    assert_eq!(call(&channel, secs(10)).await.unwrap().server, "good");
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn who_waits_for_the_channel_itself_is_told_as_calls_are(#[values(H2, Trunkline)] engine: Transport) {
    for mode in MODES {
        let lab = Lab::new(engine);
        let bad = greets_over_tls(&lab.strangers.issue(&[NAME]), &lab.unheard);
        lab.place(&here(), Peer::Serves(bad)).await;
        lab.resolve(&[&here()]);
        let builder = lab.channel(Speaks::Tls).fail_fast(mode);
        let (connected, took) = timed(builder.connect(secs(9))).await;
        let error = connected.map(drop).unwrap_err();
        assert!(
            error.to_string().contains("10.0.0.1:443: TLS: certificate signed by unknown issuer"),
            "{error}"
        );
        assert_eq!(took, if mode == FailFast::Never { secs(9) } else { secs(0) }, "{mode:?}");

        let channel = lab.channel(Speaks::Tls).fail_fast(mode).connect_lazy().unwrap();
        assert!(channel.ready(secs(9)).await.is_err());
        lab.mend(&here(), Speaks::Tls);
        channel.reset_backoff();
        sleep(secs(1)).await;
        channel.ready(secs(9)).await.unwrap();
    }
}
