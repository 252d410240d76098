//! CPU time.

use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::sys::time::TimeVal;

use super::others::TICKS_PER_SECOND;

/// User and system time of this process, in seconds.
pub(crate) fn cpu_seconds() -> f64 {
    seconds(UsageWho::RUSAGE_SELF)
}

/// The same of the processes that this one has started and that have ended.
pub(crate) fn cpu_seconds_of_children() -> f64 {
    seconds(UsageWho::RUSAGE_CHILDREN)
}

/// The same of the process with this id, in steps of the kernel's clock (10 ms).
pub(crate) fn cpu_seconds_of(process: u32) -> Option<f64> {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name, in parentheses, may hold anything.
    let (_, fields) = text.rsplit_once(')')?;
    let times = fields.split_whitespace().skip(11).take(2).map(|field| field.parse::<f64>().ok());
    Some(times.sum::<Option<f64>>()? / TICKS_PER_SECOND)
}

fn seconds(who: UsageWho) -> f64 {
    let in_seconds = |time: TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    let sum = |usage: Usage| in_seconds(usage.user_time()) + in_seconds(usage.system_time());
    getrusage(who).map_or(f64::NAN, sum)
}
