//! What the log is told: changes, once each, whatever the number of calls.

use std::time::Duration;

use rstest::rstest;
use tokio::time::sleep;
use tracing::Level;
use trunkline::Transport::{self, H2, Trunkline};
use trunkline::balancer::RoundRobin;
use trunkline::{Code, FailFast};
use trunkline_tests::{LogCapture, MemoryServer, Network, Port, TestGreeter, ms};

use crate::asking::{failed, greet, greeter, hello, loopback};

const CALLS: usize = 10_000;

#[tokio::test(start_paused = true)]
async fn ten_thousand_failing_calls_leave_at_most_ten_records() {
    let log = LogCapture::start(Level::TRACE);
    let network = Network::new(Transport::default());
    let channel = network.channel(&["a"]).connect_lazy().unwrap();
    // Over ten hours, so that hundreds of attempts fail too.
    for _ in 0..CALLS {
        failed(&greet(&channel).await, Code::Unavailable);
        sleep(ms(3_600)).await;
    }
    assert!(network.dials("a").len() > 200);
    let records = log.records();
    assert!(!records.is_empty() && records.len() <= 10, "{records:#?}");
}

#[tokio::test]
async fn over_sockets_ten_thousand_failing_calls_leave_at_most_ten_records() {
    let log = LogCapture::start(Level::TRACE);
    let port = Port::reserve();
    let channel = loopback(Transport::default(), &[port.address()]).connect_lazy().unwrap();
    for _ in 0..CALLS {
        failed(&greet(&channel).await, Code::Unavailable);
    }
    let records = log.records();
    assert!(!records.is_empty() && records.len() <= 10, "{records:#?}");
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_calls_that_wait_in_vain_leave_at_most_ten_records() {
    let log = LogCapture::start(Level::TRACE);
    let network = Network::new(Transport::default());
    let channel = network.channel(&["a"]).fail_fast(FailFast::Never).connect_lazy().unwrap();
    for _ in 0..CALLS {
        let result = greeter(&channel).say_hello(hello("you")).timeout(ms(100)).await;
        let report = failed(&result, Code::DeadlineExceeded);
        assert!(report.to_string().contains("connection refused"), "{report}");
    }
    assert!(log.records().len() <= 10, "{:#?}", log.records());
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_server_that_goes_down_and_comes_back_is_one_warning_and_one_return(
    #[values(H2, Trunkline)] engine: Transport,
) {
    let network = Network::new(engine);
    let _a = MemoryServer::start(&network, "a", &TestGreeter::new("a"));
    let b = MemoryServer::start(&network, "b", &TestGreeter::new("b"));
    let channel = network.channel(&["a", "b"]).balancer(RoundRobin).connect_lazy().unwrap();
    for _ in 0..4 {
        greet(&channel).await.unwrap();
    }
    let log = LogCapture::start(Level::DEBUG);
    b.kill();
    sleep(Duration::from_secs(300)).await;
    let warnings = |log: &LogCapture| {
        log.records().into_iter().filter(|record| record.contains("WARN")).collect::<Vec<_>>()
    };
    let down = warnings(&log);
    assert_eq!(down.len(), 1, "{:#?}", log.records());
    assert!(down[0].contains("address=b") && down[0].contains("connection refused"), "{}", down[0]);

    let _b = MemoryServer::start(&network, "b", &TestGreeter::new("b"));
    sleep(Duration::from_secs(300)).await;
    assert_eq!(warnings(&log).len(), 1, "{:#?}", log.records());
    let returns = log.records().into_iter().filter(|record| record.contains("to=READY")).count();
    assert_eq!(returns, 1, "{:#?}", log.records());
}
