//! How much of the machine others had meanwhile: on a shared one, figures say nothing without it.

use std::fs;

/// Of all cores, in ticks since boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CpuTimes {
    total: u64,
    stolen: u64,
}

impl CpuTimes {
    pub(crate) fn now() -> Option<Self> {
        Self::parse(&fs::read_to_string("/proc/stat").ok()?)
    }

    /// The share of time since `earlier` that the hypervisor gave to others, from 0 to 1.
    pub(crate) fn stolen_since(self, earlier: Self) -> Option<f64> {
        let total = self.total.checked_sub(earlier.total).filter(|total| *total > 0)?;
        Some(self.stolen.saturating_sub(earlier.stolen) as f64 / total as f64)
    }

    fn parse(text: &str) -> Option<Self> {
        let line = text.lines().find_map(|line| line.strip_prefix("cpu "))?;
        // user nice system idle iowait irq softirq steal; the guests after it are part of user and nice.
        let fields: Option<Vec<u64>> =
            line.split_whitespace().take(8).map(|field| field.parse().ok()).collect();
        let fields = fields?;
        Some(Self { total: fields.iter().sum(), stolen: *fields.get(7)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_of_steal_is_told() {
        let before = CpuTimes::parse("cpu  10 0 10 60 0 0 0 20 0 0\ncpu0 1 1 1").unwrap();
        let after = CpuTimes::parse("cpu  20 0 20 100 0 0 0 60 5 0\n").unwrap();
        assert_eq!(after.stolen_since(before), Some(0.4));
        assert_eq!(before.stolen_since(before), None);
    }
}
