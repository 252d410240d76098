//! Closing a channel ends every call on it, with a status that says so, and never waits for what cannot end.

use rstest::rstest;
use tokio::time::{Instant, sleep};
use trunkline::Transport::{self, H2, Trunkline};
use trunkline::{Channel, Code, ConnectivityState, FailFast, Origin, Sent, StatusExt};
use trunkline_tests::TestGreeter;
use trunkline_tests::greeter::WatchRequest;
use trunkline_tests::greeter::greeter_client::GreeterClient;
use trunkline_tests::script::{Peer, Setting};

use crate::lab::{Lab, MODES, Speaks, call, hello, here, secs, timed};
use crate::peers::{Peer as Bad, greets, greets_over_tls};

/// What became of a call, and when.
type Ended = (Result<trunkline_tests::greeter::HelloReply, trunkline::Status>, std::time::Duration);

fn start(channel: &Channel, mode: FailFast) -> tokio::task::JoinHandle<Ended> {
    let greeter = GreeterClient::new(channel.clone());
    tokio::spawn(async move { timed(greeter.say_hello(hello()).fail_fast(mode).into_future()).await })
}

fn slow(lab: &Lab, answers_after: u64) -> (TestGreeter, Channel) {
    let greeter = TestGreeter::new("slow").slow(secs(answers_after));
    lab.serve(&here().to_string(), greets(&greeter));
    lab.resolve(&[&here()]);
    (greeter, lab.channel(Speaks::Plaintext).connect_lazy().unwrap())
}

// behaviour 66
#[rstest]
#[tokio::test(start_paused = true)]
async fn calls_in_flight_may_finish_within_the_grace(#[values(H2, Trunkline)] engine: Transport) {
    let lab = Lab::new(engine);
    let (greeter, channel) = slow(&lab, 3);
    let calling = start(&channel, FailFast::Always);
    sleep(secs(1)).await;
    let (report, took) = timed(channel.close(secs(10))).await;
    assert_eq!((report.in_flight, took), (1, secs(2)), "it ends with the last call");
    assert_eq!(calling.await.unwrap().0.unwrap().server, "slow");
    assert_eq!((greeter.finished(), channel.state()), (1, ConnectivityState::Shutdown));
}

// behaviour 66
#[rstest]
#[tokio::test(start_paused = true)]
async fn what_is_left_after_the_grace_is_cut_off_with_a_status_that_says_so(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let lab = Lab::new(engine);
    let (greeter, channel) = slow(&lab, 3600);
    let calling = start(&channel, FailFast::Always);
    let watch = WatchRequest { name: "you".to_owned(), count: 0, interval_ms: 1000 };
    let streaming = tokio::spawn({
        let lab_greeter = GreeterClient::new(channel.clone());
        async move { lab_greeter.watch(watch).await.unwrap().message().await }
    });
    sleep(secs(1)).await;
    let (report, took) = timed(channel.close(secs(10))).await;
    assert_eq!((report.in_flight, took), (2, secs(10)));
    let status = calling.await.unwrap().0.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.message().contains("the channel was closed"), "{status}");
    let report = status.call_report().unwrap();
    assert_eq!((report.origin(), report.sent()), (Origin::Channel, Sent::Maybe));
    let status = streaming.await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.message().contains("the channel was closed"), "{status}");
    sleep(secs(1)).await;
    assert_eq!(greeter.in_flight(), 0);
}

// behaviours 11, 14, 66
#[tokio::test(start_paused = true)]
async fn calls_that_wait_for_a_connection_fail_at_once_in_every_mode() {
    for mode in MODES {
        let lab = Lab::new(Transport::default());
        lab.resolve(&[&here()]);
        lab.network.black_hole(&here().to_string());
        let channel = lab.channel(Speaks::Plaintext).connect_lazy().unwrap();
        let calling = start(&channel, mode);
        sleep(secs(1)).await;
        let (_, took) = timed(channel.close(secs(10))).await;
        assert_eq!(took, secs(0), "the attempt is not waited for");
        let (answer, took) = calling.await.unwrap();
        let status = answer.unwrap_err();
        assert_eq!((status.code(), took), (Code::Unavailable, secs(1)), "{mode:?}");
        assert!(status.message().contains("channel is closed"), "{status}");
        assert_eq!(status.call_report().unwrap().sent(), Sent::No);
    }
}

// behaviours 11, 66
#[tokio::test(start_paused = true)]
async fn neither_a_backoff_nor_a_resolver_without_an_answer_holds_it_up() {
    let lab = Lab::new(Transport::default());
    let unresolved = lab.channel(Speaks::Plaintext).connect_lazy().unwrap();
    let waiting = start(&unresolved, FailFast::Always);
    sleep(secs(1)).await;
    assert_eq!(timed(unresolved.close(secs(10))).await.1, secs(0));
    assert_eq!(waiting.await.unwrap().0.unwrap_err().code(), Code::Unavailable);

    let lab = Lab::new(Transport::default());
    let bad = greets_over_tls(&lab.strangers.issue(&["greeter.test"]), &lab.unheard);
    lab.place(&here(), Bad::Serves(bad)).await;
    lab.resolve(&[&here()]);
    let failing = lab.channel(Speaks::Tls).connect_lazy().unwrap();
    let waiting = start(&failing, FailFast::Never);
    sleep(secs(1)).await;
    assert_eq!(timed(failing.close(secs(10))).await.1, secs(0));
    assert_eq!(waiting.await.unwrap().0.unwrap_err().code(), Code::Unavailable);
    sleep(secs(600)).await;
    assert_eq!(lab.dials(&here()), 1, "nobody dials for a channel that is closed");
}

// behaviour 66
#[rstest]
#[tokio::test(start_paused = true)]
async fn calls_in_the_queue_of_a_full_connection_fail_without_being_sent(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let lab = Lab::new(engine);
    lab.resolve(&[&here()]);
    let mut incoming = lab.network.listen(&here().to_string());
    let channel = lab.channel(Speaks::Plaintext).connect_lazy().unwrap();
    let first = start(&channel, FailFast::Always);
    let mut peer = Peer::new(incoming.accept().await);
    peer.greet(&[(Setting::MAX_CONCURRENT_STREAMS, 1)]).await;
    let request = peer.request().await;
    let queued = start(&channel, FailFast::Never);
    sleep(secs(1)).await;
    let closing = tokio::spawn({
        let channel = channel.clone();
        async move { timed(channel.close(secs(10))).await }
    });
    let (answer, took) = queued.await.unwrap();
    let status = answer.unwrap_err();
    assert_eq!((status.code(), took), (Code::Unavailable, secs(1)), "{status}");
    assert_eq!(status.call_report().unwrap().sent(), Sent::No);
    peer.respond(request.stream, b"", "0").await;
    first.await.unwrap().0.unwrap();
    assert_eq!(closing.await.unwrap().1, secs(0));
}

// behaviour 66
#[rstest]
#[tokio::test(start_paused = true)]
async fn a_closed_channel_stays_closed(#[values(H2, Trunkline)] engine: Transport) {
    let lab = Lab::new(engine);
    let (_greeter, channel) = slow(&lab, 0);
    call(&channel, secs(5)).await.unwrap();
    channel.close(secs(1)).await;
    let began = Instant::now();
    for mode in MODES {
        let status = start(&channel, mode).await.unwrap().0.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable, "{mode:?}");
        assert!(status.message().contains("channel is closed"), "{status}");
    }
    channel.wake();
    channel.reset_backoff();
    assert!(channel.ready(secs(5)).await.is_err());
    assert_eq!(channel.close(secs(5)).await.in_flight, 0);
    assert_eq!((began.elapsed(), channel.state()), (secs(0), ConnectivityState::Shutdown));
    assert_eq!(lab.dials(&here()), 1);
}

// behaviour 66
#[tokio::test(start_paused = true)]
async fn a_channel_that_was_never_used_closes_too() {
    let lab = Lab::new(Transport::default());
    let channel = lab.channel(Speaks::Plaintext).connect_lazy().unwrap();
    assert_eq!(timed(channel.close(secs(5))).await.1, secs(0));
    assert_eq!(call(&channel, secs(5)).await.unwrap_err().code(), Code::Unavailable);
}

// behaviour 66
#[rstest]
#[tokio::test(start_paused = true)]
async fn a_grace_without_end_lasts_as_long_as_the_calls_do(#[values(H2, Trunkline)] engine: Transport) {
    let lab = Lab::new(engine);
    let (_greeter, channel) = slow(&lab, 3600);
    let calling = start(&channel, FailFast::Always);
    sleep(secs(1)).await;
    assert_eq!(timed(channel.close(std::time::Duration::MAX)).await.1, secs(3599));
    assert_eq!(calling.await.unwrap().0.unwrap().server, "slow");
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn whoever_stops_waiting_for_the_close_does_not_stop_it(#[values(H2, Trunkline)] engine: Transport) {
    let lab = Lab::new(engine);
    let (_greeter, channel) = slow(&lab, 3600);
    let calling = start(&channel, FailFast::Always);
    sleep(secs(1)).await;
    assert!(tokio::time::timeout(secs(1), channel.close(secs(10))).await.is_err());
    let (answer, took) = calling.await.unwrap();
    assert_eq!((answer.unwrap_err().code(), took), (Code::Unavailable, secs(11)));
    sleep(secs(1)).await;
    assert_eq!(channel.state(), ConnectivityState::Shutdown);
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_second_close_may_be_less_patient(#[values(H2, Trunkline)] engine: Transport) {
    let lab = Lab::new(engine);
    let (_greeter, channel) = slow(&lab, 3600);
    let calling = start(&channel, FailFast::Always);
    sleep(secs(1)).await;
    let patient = tokio::spawn({
        let channel = channel.clone();
        async move { timed(channel.close(secs(600))).await.1 }
    });
    sleep(secs(1)).await;
    assert_eq!(timed(channel.close(secs(2))).await.1, secs(2));
    assert_eq!(patient.await.unwrap(), secs(3));
    assert_eq!(calling.await.unwrap().1, secs(4));
}
