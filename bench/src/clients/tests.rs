//! Every contender beside every server, over real sockets: what they ask for is what they get.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::thread;
use std::time::Duration;

use super::run;
use crate::contender::Contender;
use crate::responder;
use crate::sample::{Extent, Order, Sample};
use crate::workload::Workload;

/// Calls of each. Enough that heads repeat and windows are given back.
const CALLS: u64 = 20;

fn responder() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    // It ends with the process.
    thread::spawn(move || responder::serve(&listener));
    address
}

fn sample(contender: Contender, workload: Workload, calls: u64) -> Sample {
    let order = Order {
        contender,
        workload,
        server: responder(),
        cores: Vec::new(),
        workers: None,
        warm_up: Extent::Calls(0),
        measured: Extent::Calls(calls),
        deadline: Duration::from_secs(100),
        patience: Duration::MAX,
    };
    run(&order, None)
}

fn contenders() -> impl Iterator<Item = Contender> {
    let is_client = |contender: &Contender| !matches!(contender, Contender::H2load | Contender::Bare);
    Contender::ALL.into_iter().filter(is_client)
}

#[test]
fn small_and_large_calls_come_back_as_they_went() {
    for contender in contenders() {
        for workload in [Workload::Alone, Workload::Hundred, Workload::LargeEight, Workload::TwoThreads] {
            let sample = sample(contender, workload, CALLS);
            let ended = (sample.calls, sample.first_failure);
            assert_eq!(ended, (CALLS, None), "{contender:?} {workload:?}");
        }
    }
}

#[test]
fn bare_frames_bring_back_what_they_took_along() {
    let sample = sample(Contender::Bare, Workload::Alone, CALLS);
    assert_eq!((sample.calls, sample.first_failure), (CALLS, None));
}

#[test]
fn idle_streams_and_connections_are_opened() {
    for contender in contenders() {
        for workload in [Workload::IdleStreams, Workload::IdleConnections] {
            let failure = sample(contender, workload, 0).first_failure;
            assert_eq!(failure, None, "{contender:?} {workload:?}");
        }
    }
}

#[test]
fn streams_arrive_whole() {
    // In debug builds 100 000 messages take their time, so one contender of each kind has to do.
    for contender in [Contender::OwnOnH2, Contender::RawH2] {
        let sample = sample(contender, Workload::FloodPacked, 1);
        assert_eq!((sample.calls, sample.first_failure), (100_000, None), "{contender:?}");
    }
}
