//! What was measured: kept, compared with what must be reached, printed, written down.

mod chart;
mod figures;
mod goals;
mod table;

use std::fmt;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::arguments::Settings;
use crate::contender::Contender;
use crate::machine::description::Description;
use crate::sample::Sample;
use crate::server::ServerKind;
use crate::statistics;
use crate::workload::Workload;

pub(crate) use self::figures::Figures;

/// One contender in one workload beside one server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Key {
    pub(crate) workload: Workload,
    pub(crate) server: ServerKind,
    pub(crate) contender: Contender,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.workload.name(), self.contender.title())?;
        if self.server == ServerKind::Tonic { write!(f, ", tonic's server") } else { Ok(()) }
    }
}

/// All that is known of one key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Cell {
    pub(crate) key: Key,
    /// In the order of rounds, so that those of other cells belong to the same minute.
    pub(crate) rounds: Vec<Sample>,
    pub(crate) counted: Counted,
}

/// What was counted apart from the rounds, per call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Counted {
    pub(crate) allocations: Option<f64>,
    /// Bytes that were allocated.
    pub(crate) bytes: Option<f64>,
    pub(crate) instructions: Option<f64>,
    pub(crate) system_calls: Option<PerCall>,
    /// Bytes of live heap per idle thing.
    pub(crate) heap: Option<f64>,
    /// Of a request that comes again and again.
    pub(crate) head: Option<Head>,
}

/// How many bytes a request head takes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Head {
    /// On the wire.
    pub(crate) coded: usize,
    /// As literals.
    pub(crate) plain: usize,
}

/// System calls of one call.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct PerCall {
    pub(crate) all: f64,
    pub(crate) writes: f64,
    pub(crate) reads: f64,
}

impl PerCall {
    /// The median of each; `None` of nothing.
    pub(crate) fn median(counts: &[Self]) -> Option<Self> {
        let median = |of: fn(&Self) -> f64| statistics::median(counts.iter().map(of));
        Some(Self {
            all: median(|count| count.all)?,
            writes: median(|count| count.writes)?,
            reads: median(|count| count.reads)?,
        })
    }
}

/// A whole run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) machine: Description,
    pub(crate) rounds: usize,
    pub(crate) millis_per_round: u64,
    /// Of the clients' runtimes, if they are multi-threaded.
    pub(crate) workers: Option<usize>,
    pub(crate) seconds: f64,
    /// The share of the machine's time that the hypervisor gave to others during the rounds, from 0 to 1.
    pub(crate) steal: Option<f64>,
    /// The same of processes on this machine that are not the bench's.
    pub(crate) other_processes: Option<f64>,
    /// Who counted system calls.
    pub(crate) tracer: Option<String>,
    /// What Trunkline's engine alone takes to read a frame, in nanoseconds.
    pub(crate) frame_nanos: Option<f64>,
    pub(crate) cells: Vec<Cell>,
}

impl Report {
    pub(crate) fn new(machine: Description, settings: &Settings) -> Self {
        Self {
            machine,
            rounds: settings.rounds,
            millis_per_round: settings.measured.as_millis() as u64,
            workers: settings.workers,
            seconds: 0.0,
            steal: None,
            other_processes: None,
            tracer: None,
            frame_nanos: None,
            cells: Vec::new(),
        }
    }

    /// The cell of `key`, which is new if need be.
    pub(crate) fn cell(&mut self, key: Key) -> &mut Cell {
        let index = self.cells.iter().position(|cell| cell.key == key).unwrap_or_else(|| {
            self.cells.push(Cell { key, rounds: Vec::new(), counted: Counted::default() });
            self.cells.len() - 1
        });
        &mut self.cells[index]
    }
}

/// On stdout, for people.
pub(crate) fn print(report: &Report) {
    print!("{}", table::render(&Figures::of(report)));
}

/// As `name.json`, for programs, and `name.svg`.
pub(crate) fn write(report: &Report, folder: &Path, name: &str) -> io::Result<()> {
    let figures = Figures::of(report);
    let json = serde_json::json!({
        "report": report,
        "medians": figures.medians(),
        "goals": goals::all(&figures),
    });
    std::fs::create_dir_all(folder)?;
    let path = |kind: &str| folder.join(format!("{name}.{kind}"));
    std::fs::write(path("json"), format!("{}\n", serde_json::to_string_pretty(&json)?))?;
    std::fs::write(path("svg"), chart::render(&figures))?;
    println!("\nwritten: {} and {}", path("json").display(), path("svg").display());
    Ok(())
}
