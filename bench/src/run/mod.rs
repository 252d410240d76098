//! The process that runs the others: it measures in interleaved rounds, then counts, then reports.

mod callgrind;
mod cores;
mod counted;
mod h2load;
mod plan;
mod process;
mod rounds;
mod system_calls;

use std::time::{Duration, Instant};

use crate::AnyError;
use crate::arguments::Settings;
use crate::machine::description::Description;
use crate::machine::others::CpuTimes;
use crate::report::{self, Report};

use self::cores::Cores;
use self::rounds::Bench;

/// A short run begins nothing after this, so that it ends within a minute.
const SHORT: Duration = Duration::from_secs(50);

/// Measures what is asked for, prints it and writes it down.
pub(crate) fn measure(settings: &Settings) -> Result<(), AnyError> {
    let (began, times) = (Instant::now(), CpuTimes::now());
    let cores = Cores::of_this(settings.workers);
    let mut bench = Bench {
        settings,
        cores: &cores,
        until: settings.short.then(|| began + SHORT),
        report: Report::new(Description::of_this(cores.count()), settings),
    };
    bench.rounds()?;
    // Of the rounds alone: counts do not depend on it, and are taken with what is busy itself.
    let taken = CpuTimes::now().zip(times).and_then(|(now, then)| now.taken_since(then));
    bench.report.steal = taken.map(|taken| taken.steal);
    bench.report.other_processes = taken.map(|taken| taken.processes);
    if settings.counts {
        // What was timed is not to be lost for it.
        if let Err(error) = bench.count() {
            eprintln!("\nnot all was counted: {error}");
        }
    }
    let mut report = bench.report;
    report.seconds = began.elapsed().as_secs_f64();
    report::print(&report);
    report::write(&report, &settings.out, &settings.name)?;
    Ok(())
}
