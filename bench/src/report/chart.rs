//! The report as a picture: one panel of bars per workload, written by hand, since that is all it takes.

use std::fmt::Write;

use crate::contender::Contender;
use crate::server::ServerKind;
use crate::workload::Workload;

use super::Cell;
use super::figures::{self, Figures, middle};
use crate::sample::Sample;

const WIDTH: u32 = 760;
const MARGIN: u32 = 20;
const LABELS: u32 = 170;
const VALUES: u32 = 150;
const BAR: u32 = 16;
const STEP: u32 = 22;
const PANEL_HEAD: u32 = 34;

/// What a panel shows.
struct Panel {
    title: &'static str,
    unit: &'static str,
    bars: Vec<(Contender, f64)>,
}

/// The whole picture.
pub(super) fn render(figures: &Figures<'_>) -> String {
    let panels = panels(figures);
    let height_of = |panel: &Panel| PANEL_HEAD + STEP * panel.bars.len() as u32;
    let height = 70 + panels.iter().map(height_of).sum::<u32>() + MARGIN;
    let mut svg = String::new();
    // Writing to a string does not fail.
    let _infallible = head(&mut svg, figures, height).and_then(|()| {
        let mut top = 70;
        for drawn in &panels {
            panel(&mut svg, drawn, top)?;
            top += height_of(drawn);
        }
        writeln!(svg, "</svg>")
    });
    svg
}

fn panels(figures: &Figures<'_>) -> Vec<Panel> {
    type Shown = (Workload, &'static str, &'static str, fn(&Sample) -> f64);
    let shown: [Shown; 8] = [
        (Workload::Alone, "W1: unary 32 B, 1 in flight: p50, less is better", "us", figures::p50),
        (Workload::Hundred, "W2: unary 32 B, 100 in flight", "calls/s", Sample::rate),
        (Workload::Thousand, "W3: unary 32 B, 1000 in flight", "calls/s", Sample::rate),
        (Workload::FloodPacked, "W4: server streaming, packed", "messages/s", Sample::rate),
        (Workload::FloodFramed, "W4: server streaming, one frame per message", "messages/s", Sample::rate),
        (Workload::LargeEight, "W5: unary 1 MiB, 8 in flight", "calls/s", Sample::rate),
        (Workload::IdleStreams, "W6: memory per idle stream, less is better", "B", figures::resident),
        (Workload::IdleConnections, "W6: memory per idle connection, less is better", "B", figures::resident),
    ];
    let panel = |(workload, title, unit, figure): Shown| {
        let is_shown =
            |cell: &&Cell| cell.key.workload == workload && cell.key.server == ServerKind::Responder;
        let cells = figures.report().cells.iter().filter(is_shown);
        let mut bars: Vec<_> =
            cells.filter_map(|cell| Some((cell.key.contender, middle(cell, figure)?))).collect();
        bars.sort_by_key(|(contender, _)| *contender);
        Panel { title, unit, bars }
    };
    shown.into_iter().map(panel).filter(|panel| !panel.bars.is_empty()).collect()
}

fn head(svg: &mut String, figures: &Figures<'_>, height: u32) -> std::fmt::Result {
    let report = figures.report();
    writeln!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
         height=\"{height}\" font-family=\"system-ui, sans-serif\" font-size=\"13\">"
    )?;
    writeln!(svg, "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>")?;
    text(svg, MARGIN, 28, "start", "600", "gRPC clients over loopback, one core each for client and server")?;
    let steal = report.steal.map_or_else(String::new, |steal| format!(", steal {:.0} %", steal * 100.0));
    let machine = &report.machine;
    let under = format!(
        "{}, {} cores, medians of {} rounds{steal}, {}",
        machine.cpu, machine.cores, report.rounds, machine.commit
    );
    text(svg, MARGIN, 48, "start", "400", &under)
}

fn panel(svg: &mut String, panel: &Panel, top: u32) -> std::fmt::Result {
    text(svg, MARGIN, top + 22, "start", "600", panel.title)?;
    let longest = panel.bars.iter().map(|(_, value)| *value).fold(0.0, f64::max);
    let room = f64::from(WIDTH - 2 * MARGIN - LABELS - VALUES);
    for (index, (contender, value)) in panel.bars.iter().enumerate() {
        let y = top + PANEL_HEAD + STEP * index as u32;
        let share = if longest > 0.0 { (value / longest).max(0.0) } else { 0.0 };
        let (x, length) = (MARGIN + LABELS, share * room);
        text(svg, x - 8, y + 13, "end", "400", contender.title())?;
        let fill = colour(*contender);
        writeln!(
            svg,
            "<rect x=\"{x}\" y=\"{y}\" width=\"{:.1}\" height=\"{BAR}\" rx=\"2\" fill=\"{fill}\"/>",
            length.max(1.0)
        )?;
        let end = x + length.ceil() as u32 + 6;
        text(svg, end, y + 13, "start", "400", &format!("{} {}", short(*value), panel.unit))?;
    }
    Ok(())
}

fn text(svg: &mut String, x: u32, y: u32, anchor: &str, weight: &str, text: &str) -> std::fmt::Result {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    writeln!(
        svg,
        "<text x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\" font-weight=\"{weight}\" fill=\"#1f2933\">{text}</text>"
    )
}

/// Ours are blue, the darker the more of it is ours; others are grey.
fn colour(contender: Contender) -> &'static str {
    match contender {
        Contender::Own => "#1d4ed8",
        Contender::OwnOnH2 => "#60a5fa",
        Contender::TonicStub => "#0f766e",
        Contender::TonicStubOnH2 => "#5eead4",
        Contender::Tonic => "#b45309",
        Contender::RawH2 => "#9ca3af",
        Contender::Bare => "#e5e7eb",
        Contender::H2load => "#d1d5db",
    }
}

/// Three digits, more or less.
fn short(value: f64) -> String {
    match value {
        1e6.. => format!("{:.2}M", value / 1e6),
        1e4.. => format!("{:.0}k", value / 1e3),
        100.0.. => format!("{value:.0}"),
        _ => format!("{value:.1}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::figures::tests::{cell, report};
    use super::*;

    #[test]
    fn a_picture_has_a_bar_per_contender_and_is_well_formed() {
        let report = report(vec![
            cell(Workload::Hundred, Contender::Own, &[900_000]),
            cell(Workload::Hundred, Contender::Tonic, &[100_000]),
        ]);
        let svg = render(&Figures::of(&report));
        assert_eq!(svg.matches("rx=\"2\"").count(), 2);
        assert!(svg.contains("900k calls/s"), "{svg}");
        // What is not ours is escaped.
        assert!(svg.contains("a &lt;CPU>") || svg.contains("a &lt;CPU&gt;"), "{svg}");
        assert_eq!(svg.matches("<text").count(), svg.matches("</text>").count());
        assert!(svg.trim_end().ends_with("</svg>"));
    }

    #[test]
    fn numbers_are_short() {
        let written = [1_234_567.0, 43_210.0, 999.6, 12.34].map(short);
        assert_eq!(written, ["1.23M", "43k", "1000", "12.3"]);
    }
}
