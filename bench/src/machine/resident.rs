//! Resident memory.

use std::fs;

/// Of this process, in bytes. `smaps_rollup` walks the pages; the counters of `/proc/self/status` lag behind.
pub(crate) fn bytes() -> Option<u64> {
    let text = fs::read_to_string("/proc/self/smaps_rollup").ok()?;
    parse(&text)
}

fn parse(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("Rss:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib << 10)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_line_is_found() {
        let text = "55d-7ff ---p 00000000 00:00 0  [rollup]\nRss:                1308 kB\nPss: 7 kB\n";
        assert_eq!(super::parse(text), Some(1308 << 10));
        assert_eq!(super::parse(""), None);
    }
}
