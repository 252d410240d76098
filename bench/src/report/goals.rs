//! What must be reached, and whether it is.

use serde::Serialize;

use crate::contender::Contender;
use crate::sample::Sample;
use crate::statistics::median;
use crate::workload::Workload;

use super::Cell;
use super::figures::{self, Figures, failures, ratio};

/// Fewer cores than this, and a second client thread takes the server's.
const CORES_FOR_TWO: usize = 4;

/// One figure with its bound.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Goal {
    pub(super) figure: &'static str,
    pub(super) bound: Bound,
    /// On Trunkline's own engine.
    pub(super) own: Option<f64>,
    /// On the h2 crate.
    pub(super) on_h2: Option<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

impl Bound {
    pub(super) fn is_kept(self, value: f64) -> bool {
        match self {
            Self::AtLeast(least) => value >= least,
            Self::AtMost(most) => value <= most,
        }
    }
}

/// Who is held against the goals.
#[derive(Clone, Copy)]
struct Ours {
    own: Contender,
    stub: Contender,
}

/// All goals, with what was measured.
pub(super) fn all(figures: &Figures<'_>) -> Vec<Goal> {
    let engine = goals(figures, Ours { own: Contender::Own, stub: Contender::TonicStub });
    let h2 = goals(figures, Ours { own: Contender::OwnOnH2, stub: Contender::TonicStubOnH2 });
    let join = |((figure, bound, own), (_, _, on_h2))| Goal { figure, bound, own, on_h2 };
    engine.into_iter().zip(h2).map(join).collect()
}

fn goals(figures: &Figures<'_>, ours: Ours) -> Vec<(&'static str, Bound, Option<f64>)> {
    use Bound::{AtLeast, AtMost};
    use Workload::{
        Alone, FloodFramed, FloodPacked, Hundred, IdleConnections, IdleStreams, Large, LargeEight, Thousand,
        TwoThreads,
    };

    let cell = |workload, contender| figures.beside_responder(workload, contender);
    let own = |workload| cell(workload, ours.own);
    let against = |workload, contender, peer, figure: fn(&Sample) -> f64| {
        ratio(cell(workload, contender)?, cell(workload, peer)?, figure)
    };
    let rate_to = |workload, peer| against(workload, ours.own, peer, Sample::rate);
    let between = |a, b, figure: fn(&Sample) -> f64| ratio(own(a)?, own(b)?, figure);
    let counted = |workload, what: fn(&Cell) -> Option<f64>| own(workload).and_then(what);

    let frame_nanos = figures.report().frame_nanos.filter(|_| ours.own == Contender::Own);
    let two_threads = if figures.report().machine.cores >= CORES_FOR_TWO {
        let scaled = between(TwoThreads, Hundred, Sample::rate);
        ("two threads, two connections / one: rate", AtLeast(1.7), scaled)
    } else {
        let dearer = between(TwoThreads, Hundred, Sample::cpu_micros);
        ("two threads, two connections / one: CPU per call", AtMost(1.1), dearer)
    };
    vec![
        ("w2 own stub / tonic", AtLeast(8.0), rate_to(Hundred, Contender::Tonic)),
        ("w2 own stub / h2load", AtLeast(1.5), rate_to(Hundred, Contender::H2load)),
        ("w3 own stub / tonic", AtLeast(12.0), rate_to(Thousand, Contender::Tonic)),
        ("w3 own stub / w2 own stub", AtLeast(0.9), between(Thousand, Hundred, Sample::rate)),
        ("w1 p50 own stub / tonic", AtMost(0.5), against(Alone, ours.own, Contender::Tonic, figures::p50)),
        ("w1 p50 above bare frames, own stub / tonic", AtMost(0.5), above_bare(figures, ours.own)),
        ("w1 writes per call", AtMost(1.01), counted(Alone, |cell| Some(cell.counted.system_calls?.writes))),
        ("w2 tonic stub / tonic", AtLeast(3.0), against(Hundred, ours.stub, Contender::Tonic, Sample::rate)),
        ("w2 allocations per call, own stub", AtMost(6.0), counted(Hundred, |cell| cell.counted.allocations)),
        ("w2 bytes allocated per call", AtMost(1024.0), counted(Hundred, |cell| cell.counted.bytes)),
        ("w4 packed own stub / raw h2", AtLeast(1.0), rate_to(FloodPacked, Contender::RawH2)),
        ("w4 one frame per message own stub / tonic", AtLeast(2.0), rate_to(FloodFramed, Contender::Tonic)),
        ("w4 streams that failed", AtMost(0.0), lost_streams(own(FloodPacked), own(FloodFramed))),
        (
            "w5 system calls per call",
            AtMost(25.0),
            counted(Large, |cell| Some(cell.counted.system_calls?.all)),
        ),
        ("w5 8 in flight own stub / tonic", AtLeast(1.3), rate_to(LargeEight, Contender::Tonic)),
        ("w6 bytes resident per idle stream", AtMost(0.6 * 1024.0), resident(own(IdleStreams))),
        ("w6 bytes resident per idle connection", AtMost(24.0 * 1024.0), resident(own(IdleConnections))),
        two_threads,
        ("repeated request head, share of its literals", AtMost(0.1), counted(Hundred, repeated_head)),
        ("nanoseconds to read a frame's head, engine", AtMost(20.0), frame_nanos),
    ]
}

/// What a client adds to the exchange itself, of which most is the kernel's and waking two processes, to what tonic's
/// channel adds: the median of the rounds' ratios. Rounds in which tonic's channel was no slower than bare frames say
/// nothing.
fn above_bare(figures: &Figures<'_>, own: Contender) -> Option<f64> {
    let rounds = |contender| {
        let cell = figures.beside_responder(Workload::Alone, contender)?;
        Some(cell.rounds.iter().map(figures::p50))
    };
    let (own, tonic, bare) = (rounds(own)?, rounds(Contender::Tonic)?, rounds(Contender::Bare)?);
    let added = own.zip(tonic).zip(bare).map(|((own, tonic), bare)| (own - bare, tonic - bare));
    median(added.filter(|(_, tonic)| *tonic > 0.0).map(|(own, tonic)| own.max(0.0) / tonic))
}

fn lost_streams(packed: Option<&Cell>, framed: Option<&Cell>) -> Option<f64> {
    Some((failures(packed?) + failures(framed?)) as f64)
}

fn repeated_head(cell: &Cell) -> Option<f64> {
    let head = cell.counted.head?;
    Some(head.coded as f64 / head.plain as f64)
}

fn resident(cell: Option<&Cell>) -> Option<f64> {
    figures::middle(cell?, figures::resident)
}

#[cfg(test)]
mod tests {
    use super::super::figures::tests::{cell, report};
    use super::*;
    use crate::sample::Latency;

    #[test]
    fn a_goal_is_held_against_both_engines() {
        let report = report(vec![
            cell(Workload::Hundred, Contender::Own, &[900]),
            cell(Workload::Hundred, Contender::OwnOnH2, &[200]),
            cell(Workload::Hundred, Contender::Tonic, &[100]),
        ]);
        let goals = all(&Figures::of(&report));
        let goal = &goals[0];
        assert_eq!((goal.own, goal.on_h2), (Some(9.0), Some(2.0)));
        assert!(goal.bound.is_kept(9.0) && !goal.bound.is_kept(2.0));
    }

    #[test]
    fn what_clients_add_to_bare_frames_is_compared_in_rounds_that_say_something() {
        let alone = |contender, p50s: &[f64]| {
            let mut cell = cell(Workload::Alone, contender, &vec![1; p50s.len()]);
            for (sample, p50) in cell.rounds.iter_mut().zip(p50s) {
                sample.latency = Some(Latency { p50: *p50, p99: *p50 });
            }
            cell
        };
        let report = report(vec![
            alone(Contender::Own, &[110.0, 90.0, 130.0]),
            alone(Contender::Tonic, &[140.0, 99.0, 140.0]),
            alone(Contender::Bare, &[100.0, 100.0, 120.0]),
        ]);
        let goals = all(&Figures::of(&report));
        let goal = goals.iter().find(|goal| goal.figure.contains("bare frames")).unwrap();
        assert_eq!(goal.own, Some((0.25 + 0.5) / 2.0));
    }

    #[test]
    fn what_was_not_measured_is_neither_reached_nor_missed() {
        let report = report(Vec::new());
        assert!(all(&Figures::of(&report)).iter().all(|goal| goal.own.is_none() && goal.on_h2.is_none()));
    }

    #[test]
    fn with_two_cores_two_threads_are_judged_by_cpu() {
        let report = report(vec![
            cell(Workload::Hundred, Contender::Own, &[100]),
            cell(Workload::TwoThreads, Contender::Own, &[100]),
        ]);
        let goals = all(&Figures::of(&report));
        let goal = goals.iter().find(|goal| goal.figure.starts_with("two threads")).unwrap();
        assert_eq!((goal.own, goal.bound), (Some(1.0), Bound::AtMost(1.1)));
    }
}
