//! When a call fails for want of a connection, and what it says.

use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use trunkline_balancer::{CallInfo, Failure, FixedPicker, PickResult, Picker};
use trunkline_proto::wire;

use super::{Answer, Rig, refused, untrusted};
use crate::stub::UnaryCall;
use crate::transport::Connection;
use crate::{Code, FailFast, Origin, Request, Sent, StatusExt};

const A_WHILE: Duration = Duration::from_secs(60);

/// The code that a call of this mode ends with under this failure, and whether it waited.
async fn outcome(rig: &Rig, failure: &Failure, mode: FailFast) -> (Code, bool) {
    rig.publish_failure(failure.clone());
    let began = tokio::time::Instant::now();
    let status = rig.say("hello").timeout(A_WHILE).fail_fast(mode).await.unwrap_err();
    (status.code(), began.elapsed() >= A_WHILE)
}

// behaviours 61, 62
#[tokio::test(start_paused = true)]
async fn each_mode_waits_as_it_says() {
    let rig = Rig::new();
    let retryable = Failure::unavailable("all failed", [untrusted(), refused()]);
    let permanent = Failure::unavailable("all failed", [untrusted()]);
    let (at_once, waited) = ((Code::Unavailable, false), (Code::DeadlineExceeded, true));
    assert_eq!(outcome(&rig, &retryable, FailFast::Always).await, at_once);
    assert_eq!(outcome(&rig, &retryable, FailFast::Permanent).await, waited);
    assert_eq!(outcome(&rig, &retryable, FailFast::Never).await, waited);
    assert_eq!(outcome(&rig, &permanent, FailFast::Always).await, at_once);
    assert_eq!(outcome(&rig, &permanent, FailFast::Permanent).await, at_once);
    assert_eq!(outcome(&rig, &permanent, FailFast::Never).await, waited);
}

#[tokio::test]
async fn a_failure_says_all_in_one_line_and_in_its_report() {
    let rig = Rig::new();
    rig.publish_failure(Failure::unavailable("all failed", [untrusted()]));
    let status = rig.say("hello").await.unwrap_err();
    assert_eq!(
        status.message(),
        "static:127.0.0.1:1 (b): TLS: certificate signed by unknown issuer [permanent; 1 of 1 addresses failed]"
    );
    let report = status.call_report().unwrap();
    assert!(report.is_permanent());
    assert_eq!((report.origin(), report.sent()), (Origin::Channel, Sent::No));
    assert_eq!(report.cause().map(|cause| cause.message()), Some("certificate signed by unknown issuer"));
}

// behaviour 44
#[tokio::test]
async fn a_drop_fails_whatever_the_call_says_and_forbidden_codes_are_internal() {
    let rig = Rig::new();
    for (said, heard) in
        [(wire::Code::NotFound, Code::Internal), (wire::Code::Unavailable, Code::Unavailable)]
    {
        rig.publish(FixedPicker::Drop(Failure::new(said, "dropped")).shared(), &[]);
        let status = rig.say("hello").fail_fast(FailFast::Never).await.unwrap_err();
        assert_eq!(status.code(), heard);
        assert!(status.message().contains("dropped"), "{status}");
    }
}

#[derive(Debug)]
struct Panicking;

impl Picker for Panicking {
    fn pick(&self, _: &CallInfo<'_>) -> PickResult<'_> {
        panic!("oh dear")
    }
}

#[tokio::test]
async fn a_picker_that_panics_fails_its_call_and_nothing_else() {
    let rig = Rig::new();
    rig.publish(Arc::new(Panicking), &[]);
    let status = rig.say("hello").await.unwrap_err();
    assert_eq!(status.code(), Code::Internal);
    assert!(status.message().contains("oh dear"), "{status}");
    let (connection, mut server) = Connection::memory();
    rig.publish_ready("a", &connection);
    let call = tokio::spawn(rig.say("hello").into_future());
    server.accept().await.reply("ok");
    call.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_request_that_cannot_be_sent_fails_without_a_connection() {
    let rig = Rig::with(|builder| builder.max_send_message_size(10));
    let status = rig.say("far more than ten bytes").await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert!(status.message().contains("limit is 10 bytes"), "{status}");

    let mut request = Request::new("hello".to_owned());
    request.metadata_mut().insert("grpc-internal", "x".parse().unwrap());
    let status = UnaryCall::<String>::new::<String>(&rig.channel, &super::METHOD, request).await.unwrap_err();
    assert_eq!(status.code(), Code::Internal);
    assert!(status.message().contains("grpc-internal"), "{status}");
    assert_eq!(status.call_report().unwrap().sent(), Sent::No);
}

#[test]
fn a_call_outside_of_a_runtime_says_what_is_missing() {
    let rig = Rig::new();
    rig.publish_queue([]);
    let mut call = Box::pin(rig.say("hello").into_future());
    let mut cx = Context::from_waker(Waker::noop());
    let Poll::Ready(Err(status)) = call.as_mut().poll(&mut cx) else {
        panic!("it cannot go on without a runtime");
    };
    assert!(status.message().contains("no tokio runtime"), "{status}");
}
