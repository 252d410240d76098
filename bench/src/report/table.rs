//! The report as text.

use std::fmt::Write;

use crate::server::ServerKind;
use crate::workload::{Shape, Workload};

use super::Cell;
use super::figures::{Figures, Medians};
use super::goals::{self, Bound, Goal};

/// All of it.
pub(super) fn render(figures: &Figures<'_>) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _infallible = preamble(&mut text, figures).and_then(|()| {
        for server in ServerKind::ALL {
            for workload in Workload::ALL {
                group(&mut text, figures, workload, server)?;
            }
        }
        goals_table(&mut text, figures)
    });
    text
}

fn preamble(text: &mut String, figures: &Figures<'_>) -> std::fmt::Result {
    let report = figures.report();
    let machine = &report.machine;
    let versions: Vec<String> =
        machine.versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
    writeln!(
        text,
        "{} ({} cores), Linux {}, commit {}",
        machine.cpu, machine.cores, machine.kernel, machine.commit
    )?;
    writeln!(text, "{}", versions.join(", "))?;
    if let Some(workers) = report.workers {
        writeln!(text, "clients on tokio's multi-thread runtime with {workers} worker(s), not pinned")?;
    }
    let share = |share: Option<f64>| number(share.map(|share| share * 100.0), 1) + " %";
    writeln!(
        text,
        "medians of {} interleaved rounds of {} ms; meanwhile steal {}, other processes {}; {:.0} s in all",
        report.rounds,
        report.millis_per_round,
        share(report.steal),
        share(report.other_processes),
        report.seconds
    )
}

fn group(
    text: &mut String,
    figures: &Figures<'_>,
    workload: Workload,
    server: ServerKind,
) -> std::fmt::Result {
    let is_of_group = |cell: &&Cell| cell.key.workload == workload && cell.key.server == server;
    let mut cells: Vec<&Cell> = figures.report().cells.iter().filter(is_of_group).collect();
    cells.sort_by_key(|cell| cell.key.contender);
    if cells.is_empty() {
        return Ok(());
    }
    let beside = if server == ServerKind::Tonic { ", beside tonic's server" } else { "" };
    writeln!(text, "\n{}: {}{beside}", workload.name(), workload.title())?;
    let header = match workload.shape() {
        Shape::Unary { .. } | Shape::Flood { .. } => HEADER_OF_TIMES,
        Shape::IdleStreams { .. } | Shape::IdleConnections { .. } => HEADER_OF_MEMORY,
    };
    writeln!(text, "{header}")?;
    for cell in cells {
        let medians = figures.medians_of(cell);
        if workload.is_timed() {
            row_of_times(text, cell, &medians)?;
        } else {
            row_of_memory(text, cell, &medians)?;
        }
        if let Some(failure) = cell.rounds.iter().find_map(|sample| sample.first_failure.as_ref()) {
            writeln!(text, "    {} failures, the first: {failure}", medians.failures)?;
        }
    }
    Ok(())
}

const HEADER_OF_TIMES: &str = "                              per s  x tonic   p50 us   p99 us  CPU us  tonic's  srv %  \
                               allocs    bytes   instr head B  syscalls  writes";
const HEADER_OF_MEMORY: &str = "                           resident B       heap B";

fn row_of_times(text: &mut String, cell: &Cell, medians: &Medians) -> std::fmt::Result {
    let counted = &cell.counted;
    writeln!(
        text,
        "  {:22} {:>10} {:>8} {:>8} {:>8} {:>7} {:>8} {:>6} {:>7} {:>8} {:>7} {:>6} {:>9} {:>7}",
        cell.key.contender.title(),
        number(medians.rate, 0),
        number(medians.rate_to_tonic, 2),
        number(medians.p50_micros, 1),
        number(medians.p99_micros, 1),
        number(medians.cpu_micros, 2),
        times(medians.cpu_of_tonic),
        number(medians.server_busy.map(|share| share * 100.0), 0),
        number(counted.allocations, 1),
        number(counted.bytes, 0),
        number(counted.instructions, 0),
        number(counted.head.map(|head| head.coded as f64), 0),
        number(counted.system_calls.map(|calls| calls.all), 2),
        number(counted.system_calls.map(|calls| calls.writes), 2),
    )
}

fn row_of_memory(text: &mut String, cell: &Cell, medians: &Medians) -> std::fmt::Result {
    writeln!(
        text,
        "  {:22} {:>12} {:>12}",
        cell.key.contender.title(),
        number(medians.resident_bytes, 0),
        number(cell.counted.heap, 0),
    )
}

fn goals_table(text: &mut String, figures: &Figures<'_>) -> std::fmt::Result {
    writeln!(
        text,
        "\nfigure                                                  must be    own engine          h2"
    )?;
    for Goal { figure, bound, own, on_h2 } in goals::all(figures) {
        let (sign, limit) = match bound {
            Bound::AtLeast(least) => ("≥", least),
            Bound::AtMost(most) => ("≤", most),
        };
        let limit = format!("{sign} {limit}");
        let judged = |value: Option<f64>| {
            value.map_or_else(
                || "-".to_owned(),
                |value| {
                    let verdict = if bound.is_kept(value) { "ok" } else { "NO" };
                    format!("{} {verdict}", number(Some(value), 2))
                },
            )
        };
        writeln!(text, "  {figure:50} {limit:>10} {:>13} {:>13}", judged(own), judged(on_h2))?;
    }
    Ok(())
}

fn times(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2}x"))
}

fn number(value: Option<f64>, decimals: usize) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.decimals$}"))
}

#[cfg(test)]
mod tests {
    use super::super::figures::tests::{cell, report};
    use super::*;
    use crate::contender::Contender;

    #[test]
    fn a_report_shows_figures_failures_and_verdicts() {
        let mut broken = cell(Workload::Hundred, Contender::RawH2, &[50]);
        broken.rounds[0].failures = 2;
        broken.rounds[0].first_failure = Some("GOAWAY".into());
        let report = report(vec![
            cell(Workload::Hundred, Contender::Own, &[900]),
            cell(Workload::Hundred, Contender::Tonic, &[100]),
            broken,
        ]);
        let text = render(&Figures::of(&report));
        for expected in [
            "steal 25.0 %, other processes 12.5 %",
            "900     9.00",
            "2 failures, the first: GOAWAY",
            "9.00 ok",
        ] {
            assert!(text.contains(expected), "`{expected}` is not in\n{text}");
        }
    }
}
