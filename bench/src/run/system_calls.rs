//! System calls per call, by perf (which slows nothing down) or else by strace.

use std::path::Path;

use crate::report::PerCall;
use crate::sample::Order;

use super::process::{self, ProcessError};

const WRITES: [&str; 4] = ["write", "writev", "sendto", "sendmsg"];
const READS: [&str; 4] = ["read", "readv", "recvfrom", "recvmsg"];

/// Who counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tracer {
    Perf,
    Strace,
}

/// Counts of one process.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct SystemCalls {
    all: f64,
    writes: f64,
    reads: f64,
}

impl Tracer {
    /// The one that can be used here.
    pub(super) fn installed() -> Option<Self> {
        // Whether perf may count these is known only once it has tried.
        let mut trial = std::process::Command::new("perf");
        trial.args(["stat", "-e", "raw_syscalls:sys_enter", "true"]);
        if trial.output().is_ok_and(|output| output.status.success()) {
            return Some(Self::Perf);
        }
        process::is_installed("strace").then_some(Self::Strace)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Perf => "perf",
            Self::Strace => "strace",
        }
    }

    /// The system calls of a client that does what is ordered.
    pub(super) fn count(self, order: &Order) -> Result<SystemCalls, ProcessError> {
        let log = std::env::temp_dir().join(format!("trunkline-bench-{}.calls", std::process::id()));
        let ended = process::client_under(&self.words(&log), &process::this()?, order);
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        // A log too many in the folder for temporary files harms nobody.
        let _left = std::fs::remove_file(&log);
        let failed = |text: String| ProcessError::Failed { program: self.name().into(), text };
        if let Some(failure) = ended?.first_failure {
            return Err(failed(failure));
        }
        let calls = match self {
            Self::Perf => perf(&text),
            Self::Strace => strace(&text),
        };
        if calls.all > 0.0 { Ok(calls) } else { Err(failed(text)) }
    }

    fn words(self, log: &Path) -> Vec<String> {
        let log = log.display().to_string();
        let words: &[&str] = match self {
            Self::Perf => {
                let named = WRITES.iter().chain(&READS).map(|name| format!("syscalls:sys_enter_{name}"));
                let events: Vec<String> =
                    ["raw_syscalls:sys_enter".to_owned()].into_iter().chain(named).collect();
                return ["perf", "stat", "-x,", "-o", &log, "-e", &events.join(",")]
                    .map(str::to_owned)
                    .to_vec();
            }
            Self::Strace => &["strace", "-f", "-c", "-o", &log],
        };
        words.iter().map(|word| (*word).to_owned()).collect()
    }
}

impl SystemCalls {
    pub(super) fn minus(self, other: Self) -> Self {
        Self {
            all: self.all - other.all,
            writes: self.writes - other.writes,
            reads: self.reads - other.reads,
        }
    }

    pub(super) fn per_call(self, calls: f64) -> PerCall {
        PerCall { all: self.all / calls, writes: self.writes / calls, reads: self.reads / calls }
    }

    fn add(&mut self, name: &str, count: f64) {
        if WRITES.contains(&name) {
            self.writes += count;
        }
        if READS.contains(&name) {
            self.reads += count;
        }
    }
}

/// Lines as `123,,syscalls:sys_enter_read,...`.
fn perf(text: &str) -> SystemCalls {
    let mut calls = SystemCalls::default();
    for line in text.lines() {
        let mut fields = line.split(',');
        let (Some(count), Some(event)) = (fields.next(), fields.nth(1)) else { continue };
        let Ok(count) = count.parse() else { continue };
        match event.strip_prefix("syscalls:sys_enter_") {
            Some(name) => calls.add(name, count),
            None => calls.all += count,
        }
    }
    calls
}

/// Lines as `96.00 0.014 14 1000 12 read`: share, seconds, microseconds per call, calls, errors if any, name.
fn strace(text: &str) -> SystemCalls {
    let mut calls = SystemCalls::default();
    for line in text.lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [_, _, _, count, .., name] = fields.as_slice() else { continue };
        let Ok(count) = count.parse() else { continue };
        if *name != "total" {
            calls.all += count;
            calls.add(name, count);
        }
    }
    calls
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_perf_writes_is_understood() {
        let text = "# started on\n\n100,,raw_syscalls:sys_enter,5,100.00,,\n30,,syscalls:sys_enter_writev,5,100.00,,\n20,,syscalls:sys_enter_recvfrom,5,100.00,,\n<not supported>,,syscalls:sys_enter_read,0,100.00,,\n";
        assert_eq!(perf(text), SystemCalls { all: 100.0, writes: 30.0, reads: 20.0 });
    }

    #[test]
    fn what_strace_writes_is_understood() {
        let text = "\
% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 60.00    0.000100           1       100           writev
 30.00    0.000050           1        50        12 recvfrom
 10.00    0.000010           1        25           epoll_wait
------ ----------- ----------- --------- --------- ----------------
100.00    0.000160                   175        12 total
";
        assert_eq!(strace(text), SystemCalls { all: 175.0, writes: 100.0, reads: 50.0 });
    }
}
