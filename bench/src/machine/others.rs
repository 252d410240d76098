//! How much of the machine others had meanwhile: on a shared one, figures say nothing without it.

use std::fs;

use super::usage;

/// Ticks of the clock of `/proc`, whatever the kernel's own clock is (`man 5 proc`).
pub(crate) const TICKS_PER_SECOND: f64 = 100.0;

/// A moment, and what was done until then.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct CpuTimes {
    /// Of all cores, in ticks since boot.
    total: u64,
    busy: u64,
    stolen: u64,
    /// Of this process and of those it has waited for, in seconds.
    ours: f64,
}

/// Shares of all cores' time, from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Taken {
    /// By the hypervisor, for other machines.
    pub(crate) steal: f64,
    /// By processes that are not of the bench.
    pub(crate) processes: f64,
}

impl CpuTimes {
    pub(crate) fn now() -> Option<Self> {
        let ours = usage::cpu_seconds() + usage::cpu_seconds_of_children();
        Self::parse(&fs::read_to_string("/proc/stat").ok()?, ours)
    }

    /// What others had since `earlier`.
    pub(crate) fn taken_since(self, earlier: Self) -> Option<Taken> {
        let total = self.total.checked_sub(earlier.total).filter(|total| *total > 0)? as f64;
        let ours = (self.ours - earlier.ours) * TICKS_PER_SECOND;
        let others = self.busy.saturating_sub(earlier.busy) as f64 - ours;
        Some(Taken {
            steal: self.stolen.saturating_sub(earlier.stolen) as f64 / total,
            processes: others.max(0.0) / total,
        })
    }

    fn parse(text: &str, ours: f64) -> Option<Self> {
        let line = text.lines().find_map(|line| line.strip_prefix("cpu "))?;
        // The guests that follow are part of user and nice.
        let fields: Option<Vec<u64>> =
            line.split_whitespace().take(8).map(|field| field.parse().ok()).collect();
        let [user, nice, system, idle, iowait, irq, softirq, stolen] = *fields?.as_slice() else {
            return None;
        };
        let busy = user + nice + system + irq + softirq;
        Some(Self { total: busy + idle + iowait + stolen, busy, stolen, ours })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_of_others_are_told() {
        let before = CpuTimes::parse("cpu  10 0 10 60 0 0 0 20 0 0\ncpu0 1 1 1", 1.0).unwrap();
        let after = CpuTimes::parse("cpu  20 0 30 90 0 0 0 60 5 0\n", 1.2).unwrap();
        assert_eq!(after.total - before.total, 100);
        let taken = after.taken_since(before).unwrap();
        assert_eq!(taken.steal, 0.4);
        assert!((taken.processes - 0.1).abs() < 1e-9, "{taken:?}");
        assert_eq!(before.taken_since(after), None);
    }
}
