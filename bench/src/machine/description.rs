//! What the figures were taken on, and of.

use std::fs;
use std::process::Command;

use serde::{Deserialize, Serialize};

/// Of the machine and of what is measured.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Description {
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    pub(crate) kernel: String,
    /// Of the repository, with a `+` if it is changed.
    pub(crate) commit: String,
    /// Names and versions, as Cargo.lock has them.
    pub(crate) versions: Vec<(String, String)>,
}

/// Packages whose versions matter.
const PACKAGES: [&str; 6] = ["trunkline", "h2", "tonic", "hyper", "tokio", "prost"];

impl Description {
    pub(crate) fn of_this(cores: usize) -> Self {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = cpuinfo.lines().find(|line| line.starts_with("model name"));
        let cpu = model.and_then(|line| line.split(": ").nth(1)).unwrap_or("unknown").to_owned();
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned();
        let mut versions = versions(include_str!("../../../Cargo.lock"));
        if let Some(h2load) = said("h2load", &["--version"]) {
            versions.push(("h2load".to_owned(), h2load));
        }
        Self { cpu, cores, kernel, commit: commit(), versions }
    }
}

fn commit() -> String {
    let folder = env!("CARGO_MANIFEST_DIR");
    let commit = said("git", &["-C", folder, "rev-parse", "--short=12", "HEAD"]);
    let changed = said("git", &["-C", folder, "status", "--porcelain", "--", "..", ":!results"]);
    let mark = if changed.is_some_and(|files| !files.is_empty()) { "+" } else { "" };
    commit.map_or_else(|| "unknown".to_owned(), |commit| commit + mark)
}

/// What a program says, if it is there and succeeds.
fn said(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn versions(lock: &str) -> Vec<(String, String)> {
    let version = |package: &str| {
        let entry =
            lock.split("[[package]]").find(|entry| entry.contains(&format!("name = \"{package}\"\n")))?;
        let line = entry.lines().find_map(|line| line.strip_prefix("version = "))?;
        Some((package.to_owned(), line.trim_matches('"').to_owned()))
    };
    PACKAGES.iter().filter_map(|package| version(package)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_those_of_the_lock_file() {
        let lock = "[[package]]\nname = \"h2\"\nversion = \"0.4.20\"\n\n[[package]]\nname = \"h2-other\"\nversion = \"1.0.0\"\n";
        assert_eq!(versions(lock), [("h2".to_owned(), "0.4.20".to_owned())]);
    }
}
