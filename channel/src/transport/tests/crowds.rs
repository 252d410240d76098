//! Many calls from many threads at once, some of which give up, on engines that share nothing but their seam.

use std::task::Waker;
use std::time::Duration;

use bytes::Bytes;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use rstest::rstest;
use tokio::task::JoinSet;

use super::fixture::*;
use crate::transport::{Connection, Reply, RequestHead};

const CALLERS: u64 = 32;
const CALLS: usize = 60;

/// One caller: calls of several kinds, a third of which it gives up somewhere on the way.
async fn calls(connection: Connection, mut random: StdRng) -> usize {
    let mut answered = 0;
    for _ in 0..CALLS {
        let size = random.random_range(0..20_000);
        let body: Bytes = (0..size).map(|index| u8::try_from(index % 251).unwrap()).collect();
        let reply = if random.random_bool(0.5) { Reply::Whole } else { Reply::Stream };
        let head = RequestHead { reply, ..head() };
        let slot = connection.reserve().await.unwrap();
        let whole = random.random_bool(0.5);
        let first = if whole { body.clone() } else { Bytes::new() };
        let mut stream = slot.start(head, first.into(), whole, Waker::noop()).unwrap();
        if let Some(mut sender) = stream.take_sender() {
            let (early, late) = body.split_at(body.len() / 2);
            sender.send(Bytes::copy_from_slice(early), false).unwrap();
            if random.random_bool(0.3) {
                // The sender goes with its stream.
                continue;
            }
            ready_to_send(&mut sender).await.unwrap();
            sender.send(Bytes::copy_from_slice(late), true).unwrap();
        }
        match random.random_range(0..6) {
            0 => continue,
            1 => {
                event(&mut stream).await;
                continue;
            }
            2 => tokio::task::yield_now().await,
            _ => {}
        }
        assert_eq!(answer(&mut stream).await, (body.to_vec(), "0".to_owned()));
        answered += 1;
    }
    answered
}

/// Through a pipe that holds so many bytes, to a server that has so few streams and so little window for each.
async fn crowd(engine: Transport, pipe: usize, limit: u32, window: u32) {
    // Who is never woken waits for ever, which is a failure like others.
    let passing = pass(engine, pipe, limit, window);
    tokio::time::timeout(Duration::from_secs(300), passing).await.expect("somebody waits in vain");
}

async fn pass(engine: Transport, pipe: usize, limit: u32, window: u32) {
    let (mut dial, io) = Dial::begin_narrow(engine, pipe).await;
    serve_echo_to(io, limit, window);
    let connection = dial.ready().await;
    let mut callers = JoinSet::new();
    for seed in 0..CALLERS {
        callers.spawn(calls(connection.clone(), StdRng::seed_from_u64(seed)));
    }
    let answered: usize = callers.join_all().await.into_iter().sum();
    // How many give up is the seeds' to say, and not how the threads fall.
    assert!(answered > usize::try_from(CALLERS).unwrap() * CALLS / 3, "{answered}");
    assert!(connection.is_open() && dial.no_news());
    // Those that were given up a moment ago are on their way out.
    while streams(&connection) > 0 {
        tokio::task::yield_now().await;
    }
}

const WIDE: (usize, u32, u32) = (64 << 20, u32::MAX, 65_535);
const NARROW: (usize, u32, u32) = (700, u32::MAX, 65_535);
const FEW: (usize, u32, u32) = (20_000, 5, 65_535);
const SHUT: (usize, u32, u32) = (100_000, 20, 1_000);

#[rstest]
#[tokio::test]
async fn nothing_is_lost_in_a_crowd_on_one_thread(
    #[values(H2, Trunkline)] engine: Transport,
    #[values(WIDE, NARROW, FEW, SHUT)] (pipe, limit, window): (usize, u32, u32),
) {
    crowd(engine, pipe, limit, window).await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_lost_in_a_crowd_on_four_threads(
    #[values(H2, Trunkline)] engine: Transport,
    #[values(WIDE, NARROW, FEW, SHUT)] (pipe, limit, window): (usize, u32, u32),
) {
    crowd(engine, pipe, limit, window).await;
}
