//! What runs in a client process: one contender, one workload, on tokio's current-thread runtime. All
//! contenders implement [`Echo`], so the loops that ask, compare and count are the same for all of them.

mod bare;
mod echo;
mod failure;
mod flood;
mod idle;
mod load;
mod memory;
mod own;
mod payloads;
mod raw_h2;
mod stopwatch;
mod tally;
#[cfg(test)]
mod tests;
mod tickets;
mod tonic_stub;
mod unary;

use self::bare::Bare;
use self::echo::{Echo, Target};
use self::own::Own;
use self::raw_h2::RawH2;
use self::tonic_stub::{TonicOverTonic, TonicOverTrunkline};
use crate::contender::Contender;
use crate::counts::CountAllocations;
use crate::sample::{Order, Sample};
use crate::workload::Shape;

/// Does what is ordered.
pub(crate) fn run(order: &Order, count: Option<CountAllocations>) -> Sample {
    match order.contender {
        Contender::Own | Contender::OwnOnH2 => contend::<Own>(order, count),
        Contender::TonicStub | Contender::TonicStubOnH2 => contend::<TonicOverTrunkline>(order, count),
        Contender::Tonic => contend::<TonicOverTonic>(order, count),
        Contender::RawH2 => contend::<RawH2>(order, count),
        Contender::Bare => contend::<Bare>(order, count),
        Contender::H2load => Sample::failed("h2load is a program of its own"),
    }
}

fn contend<E: Echo>(order: &Order, count: Option<CountAllocations>) -> Sample {
    let target = Target { server: order.server, contender: order.contender, deadline: order.deadline };
    match order.workload.shape() {
        Shape::Unary { threads, .. } => load::measure::<E>(order, &target, threads, count),
        Shape::Flood { .. } => load::measure::<E>(order, &target, 1, count),
        Shape::IdleStreams { count: streams } => memory::of_streams::<E>(order, &target, streams, count),
        Shape::IdleConnections { count: connections } => {
            memory::of_connections::<E>(order, &target, connections, count)
        }
    }
}
