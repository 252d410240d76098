//! What idle streams and connections hold.

use bytes::Bytes;

use super::echo::{Echo, Target};
use super::failure::Failure;
use super::load::runtime;
use crate::counts::CountAllocations;
use crate::machine::{affinity, resident};
use crate::sample::{Memory, Order, Sample};

/// How often other tasks get their turn before memory is read: whatever they have to put away is put away.
const TURNS: usize = 1000;

/// Memory per open bidirectional call.
pub(super) fn of_streams<E: Echo>(
    order: &Order,
    target: &Target,
    count: usize,
    allocations: Option<CountAllocations>,
) -> Sample {
    measure(order, count, allocations, async |held: &mut Held| {
        let mut echo = E::connect(target).await?;
        let mut idle = Vec::with_capacity(count + 1);
        for number in 0..=count as u64 {
            // The first one is there before: it brings what all share, the program's own pages among it.
            if number == 1 {
                held.begin().await;
            }
            let first = body(number);
            let (reply, stream) = echo.chat(first.clone()).await?;
            if reply != first {
                return Err(Failure::Reply("another message came back"));
            }
            idle.push(stream);
        }
        held.end().await;
        drop(idle);
        Ok(())
    })
}

/// Memory per connection that has served a call.
pub(super) fn of_connections<E: Echo>(
    order: &Order,
    target: &Target,
    count: usize,
    allocations: Option<CountAllocations>,
) -> Sample {
    measure(order, count, allocations, async |held: &mut Held| {
        let mut idle = Vec::with_capacity(count + 1);
        for number in 0..=count {
            // The first one is there before: it brings what all share.
            if number == 1 {
                held.begin().await;
            }
            let mut echo = E::connect(target).await?;
            exchange(&mut echo, number as u64).await?;
            idle.push(echo);
        }
        held.end().await;
        drop(idle);
        Ok(())
    })
}

/// Memory before and after.
struct Held {
    count: Option<CountAllocations>,
    before: Option<Reading>,
    after: Option<Reading>,
}

#[derive(Clone, Copy)]
struct Reading {
    resident: u64,
    heap: Option<u64>,
}

impl Held {
    async fn begin(&mut self) {
        self.before = self.read().await;
    }

    async fn end(&mut self) {
        self.after = self.read().await;
    }

    async fn read(&self) -> Option<Reading> {
        for _ in 0..TURNS {
            tokio::task::yield_now().await;
        }
        let heap = self.count.map(|count| count().live);
        Some(Reading { resident: resident::bytes()?, heap })
    }
}

fn measure(
    order: &Order,
    things: usize,
    count: Option<CountAllocations>,
    work: impl AsyncFnOnce(&mut Held) -> Result<(), Failure>,
) -> Sample {
    affinity::pin(order.cores.first().copied());
    let mut held = Held { count, before: None, after: None };
    if let Err(failure) = runtime(order.workers).block_on(work(&mut held)) {
        return Sample::failed(failure);
    }
    let each = |before: u64, after: u64| (after as f64 - before as f64) / things as f64;
    let memory = held.before.zip(held.after).map(|(before, after)| Memory {
        resident: each(before.resident, after.resident),
        heap: before.heap.zip(after.heap).map(|(before, after)| each(before, after)),
    });
    Sample { calls: things as u64, memory, ..Sample::default() }
}

async fn exchange<E: Echo>(echo: &mut E, number: u64) -> Result<(), Failure> {
    let body = body(number);
    let reply = echo.say(body.clone()).await?;
    if reply == body { Ok(()) } else { Err(Failure::Reply("another body came back")) }
}

fn body(number: u64) -> Bytes {
    Bytes::copy_from_slice(&[number.to_be_bytes(); 4].concat())
}
