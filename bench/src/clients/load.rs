//! Runs callers and measures them: first a while that does not count, then one that does.

use std::sync::{Barrier, Mutex, PoisonError};
use std::thread;

use tokio::runtime::{self, Runtime};

use super::echo::{Echo, Target};
use super::stopwatch::Stopwatch;
use super::tally::Tally;
use super::tickets::Tickets;
use super::{flood, unary};
use crate::counts::CountAllocations;
use crate::echo::FloodRequest;
use crate::machine::affinity;
use crate::sample::{Extent, Order, Sample};
use crate::workload::Shape;

/// With many calls in flight each 16th is timed: reading the clock twice would be a visible part of a call.
const SAMPLED_OF_MANY: u64 = 16;

/// The workload on `threads` threads, each with a runtime and a client of its own.
pub(super) fn measure<E: Echo>(
    order: &Order,
    target: &Target,
    threads: usize,
    count: Option<CountAllocations>,
) -> Sample {
    let (together, total) = (Barrier::new(threads + 1), Mutex::new(Tally::default()));
    // What is counted is allocations, and the list of times would be some.
    let timed = count.is_none();
    thread::scope(|scope| {
        for index in 0..threads {
            let core = order.cores.get(index).copied();
            let (together, total) = (&together, &total);
            scope.spawn(move || {
                affinity::pin(core);
                let runtime = runtime(order.workers);
                let echo = runtime.block_on(E::connect(target));
                let run = |extent| match &echo {
                    Ok(echo) => runtime.block_on(phase(echo, order.workload.shape(), extent, timed)),
                    Err(failure) => {
                        let mut tally = Tally::default();
                        tally.failed(failure);
                        tally
                    }
                };
                run(share(order.warm_up, threads));
                together.wait();
                // Now the stopwatch is started.
                together.wait();
                let tally = run(share(order.measured, threads));
                together.wait();
                total.lock().unwrap_or_else(PoisonError::into_inner).add(tally);
            });
        }
        together.wait();
        let stopwatch = Stopwatch::start(count);
        together.wait();
        together.wait();
        stopwatch.stop()
    })(total.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// A runtime of so many workers, or of the thread that enters it.
pub(super) fn runtime(workers: Option<usize>) -> Runtime {
    let builder = match workers {
        Some(workers) => runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build(),
        None => runtime::Builder::new_current_thread().enable_all().build(),
    };
    builder.expect("a process can have an epoll instance, and threads")
}

async fn phase<E: Echo>(echo: &E, shape: Shape, extent: Extent, timed: bool) -> Tally {
    let tickets = Tickets::new(extent);
    let callers: Vec<_> = match shape {
        Shape::Unary { in_flight, size, .. } => {
            let sampled = match (timed, in_flight) {
                (false, _) => u64::MAX,
                (true, 0..=8) => 1,
                (true, _) => SAMPLED_OF_MANY,
            };
            let call = || tokio::spawn(unary::call(echo.clone(), tickets.clone(), size, sampled));
            (0..in_flight).map(|_| call()).collect()
        }
        Shape::Flood { count, size, packed } => {
            let request = FloodRequest { count, size, packed };
            vec![tokio::spawn(flood::call(echo.clone(), tickets.clone(), request))]
        }
        Shape::IdleStreams { .. } | Shape::IdleConnections { .. } => Vec::new(),
    };
    if let Extent::For(time) = extent {
        tokio::time::sleep(time).await;
        tickets.close();
    }
    let mut total = Tally::default();
    for caller in callers {
        total.add(caller.await.expect("callers do not panic and are not aborted"));
    }
    total
}

fn share(extent: Extent, threads: usize) -> Extent {
    match extent {
        Extent::For(time) => Extent::For(time),
        Extent::Calls(calls) => Extent::Calls(calls / threads as u64),
    }
}
