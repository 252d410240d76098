//! Instructions per call, by valgrind's callgrind: the difference of two runs, so that what a process does
//! once is not in it.

use std::time::Duration;

use crate::sample::Order;

use super::process::{self, ProcessError};

/// Calls before those that count.
pub(super) const WARM_UP: u64 = 300;

const CALLS: u64 = 1000;

/// Code runs some fifty times slower there, and deadlines are to be of no matter.
const DEADLINE: Duration = Duration::from_secs(100);

/// For an order that is carried out there.
pub(super) fn be_patient(order: &mut Order) {
    (order.deadline, order.patience) = (DEADLINE, 2 * DEADLINE);
}

/// Instructions per call of what `order` orders for a number of calls.
pub(super) fn instructions(order: impl Fn(u64) -> Order) -> Result<f64, ProcessError> {
    let once = run(&order(CALLS))?;
    let twice = run(&order(2 * CALLS))?;
    Ok((twice - once) / CALLS as f64)
}

fn run(order: &Order) -> Result<f64, ProcessError> {
    let log = std::env::temp_dir().join(format!("trunkline-bench-{}.callgrind", std::process::id()));
    let words = [
        "valgrind".to_owned(),
        "--tool=callgrind".to_owned(),
        "--callgrind-out-file=/dev/null".to_owned(),
        format!("--log-file={}", log.display()),
    ];
    let ended = process::client_under(&words, &process::this()?, order);
    let text = std::fs::read_to_string(&log).unwrap_or_default();
    // A log too many in the folder for temporary files harms nobody.
    let _left = std::fs::remove_file(&log);
    let failed = |text: String| ProcessError::Failed { program: "valgrind".into(), text };
    if let Some(failure) = ended?.first_failure {
        return Err(failed(failure));
    }
    collected(&text).ok_or_else(|| failed(text))
}

/// The line `==12== Collected : 34`.
fn collected(log: &str) -> Option<f64> {
    let line = log.lines().find_map(|line| line.split_once("Collected : "))?;
    line.1.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_count_is_found_in_the_log() {
        let log = "==7== Callgrind, a call-graph\n==7== Events    : Ir\n==7== Collected : 12345\n";
        assert_eq!(super::collected(log), Some(12345.0));
    }
}
