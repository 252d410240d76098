//! Medians over rounds, and ratios of what was measured side by side.

use serde::Serialize;

use crate::contender::Contender;
use crate::sample::Sample;
use crate::server::ServerKind;
use crate::statistics::median;
use crate::workload::Workload;

use super::{Cell, Key, Report};

/// A report, asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figures<'a>(&'a Report);

/// One cell in figures.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Medians {
    pub(super) workload: &'static str,
    pub(super) server: &'static str,
    pub(super) contender: &'static str,
    /// Calls or messages per second.
    pub(super) rate: Option<f64>,
    /// To tonic's channel, as the median of the rounds' ratios.
    pub(super) rate_to_tonic: Option<f64>,
    pub(super) p50_micros: Option<f64>,
    pub(super) p99_micros: Option<f64>,
    pub(super) cpu_micros: Option<f64>,
    /// How many times as much tonic's channel takes. On a busy machine it says more than the rate.
    pub(super) cpu_of_tonic: Option<f64>,
    /// The share of time that the server was busy.
    pub(super) server_busy: Option<f64>,
    pub(super) resident_bytes: Option<f64>,
    /// Over all rounds.
    pub(super) failures: u64,
}

impl<'a> Figures<'a> {
    pub(crate) fn of(report: &'a Report) -> Self {
        Self(report)
    }

    pub(super) fn report(&self) -> &'a Report {
        self.0
    }

    pub(super) fn cell(
        &self,
        workload: Workload,
        server: ServerKind,
        contender: Contender,
    ) -> Option<&'a Cell> {
        let key = Key { workload, server, contender };
        self.0.cells.iter().find(|cell| cell.key == key)
    }

    /// The cell beside the cheap responder.
    pub(super) fn beside_responder(&self, workload: Workload, contender: Contender) -> Option<&'a Cell> {
        self.cell(workload, ServerKind::Responder, contender)
    }

    pub(super) fn medians(&self) -> Vec<Medians> {
        self.0.cells.iter().map(|cell| self.medians_of(cell)).collect()
    }

    pub(super) fn medians_of(&self, cell: &Cell) -> Medians {
        let Key { workload, server, contender } = cell.key;
        let tonic = self.cell(workload, server, Contender::Tonic);
        let times = workload.is_timed();
        Medians {
            workload: workload.name(),
            server: server.name(),
            contender: contender.name(),
            rate: middle(cell, Sample::rate).filter(|_| times),
            rate_to_tonic: tonic.and_then(|tonic| ratio(cell, tonic, Sample::rate)).filter(|_| times),
            p50_micros: middle(cell, p50),
            p99_micros: middle(cell, |sample| sample.latency.map_or(f64::NAN, |latency| latency.p99)),
            cpu_micros: middle(cell, Sample::cpu_micros).filter(|_| times),
            cpu_of_tonic: tonic.and_then(|tonic| ratio(tonic, cell, Sample::cpu_micros)).filter(|_| times),
            server_busy: middle(cell, |sample| sample.server_busy.unwrap_or(f64::NAN)),
            resident_bytes: middle(cell, resident),
            failures: failures(cell),
        }
    }
}

/// The median of one figure over rounds.
pub(super) fn middle(cell: &Cell, figure: fn(&Sample) -> f64) -> Option<f64> {
    median(cell.rounds.iter().map(figure))
}

/// The median over rounds of the ratio of one figure in `a` to that in `b`.
pub(super) fn ratio(a: &Cell, b: &Cell, figure: fn(&Sample) -> f64) -> Option<f64> {
    median(a.rounds.iter().zip(&b.rounds).map(|(a, b)| figure(a) / figure(b)))
}

pub(super) fn p50(sample: &Sample) -> f64 {
    sample.latency.map_or(f64::NAN, |latency| latency.p50)
}

pub(super) fn resident(sample: &Sample) -> f64 {
    sample.memory.map_or(f64::NAN, |memory| memory.resident)
}

pub(super) fn failures(cell: &Cell) -> u64 {
    cell.rounds.iter().map(|sample| sample.failures).sum()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::machine::description::Description;
    use crate::report::Counted;

    /// Rounds of one second with so many calls each.
    pub(in crate::report) fn cell(workload: Workload, contender: Contender, calls: &[u64]) -> Cell {
        let sample =
            |calls: &u64| Sample { calls: *calls, seconds: 1.0, cpu_seconds: 1.0, ..Sample::default() };
        let key = Key { workload, server: ServerKind::Responder, contender };
        Cell { key, rounds: calls.iter().map(sample).collect(), counted: Counted::default() }
    }

    pub(in crate::report) fn report(cells: Vec<Cell>) -> Report {
        let machine = Description {
            cpu: "a <CPU>".into(),
            cores: 2,
            kernel: "6".into(),
            commit: "abc".into(),
            versions: vec![("h2".into(), "0.4".into())],
        };
        let (steal, tracer) = (Some(0.25), Some("perf".into()));
        Report {
            machine,
            rounds: 3,
            millis_per_round: 1000,
            workers: None,
            seconds: 9.0,
            steal,
            other_processes: Some(0.125),
            tracer,
            frame_nanos: None,
            cells,
        }
    }

    #[test]
    fn ratios_are_of_what_was_measured_side_by_side() {
        // The host was ten times faster in the last round.
        let own = cell(Workload::Hundred, Contender::Own, &[200, 300, 2000]);
        let tonic = cell(Workload::Hundred, Contender::Tonic, &[100, 100, 1000]);
        assert_eq!(ratio(&own, &tonic, Sample::rate), Some(2.0));
    }

    #[test]
    fn a_round_without_a_result_does_not_count() {
        let own = cell(Workload::Hundred, Contender::Own, &[200, 0, 200]);
        let tonic = cell(Workload::Hundred, Contender::Tonic, &[100, 0, 100]);
        assert_eq!(ratio(&own, &tonic, Sample::rate), Some(2.0));
    }
}
