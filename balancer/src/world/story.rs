//! What happened so far, for the person who reads why a test failed.

use std::collections::VecDeque;
use std::fmt::{self, Write};
use std::time::{Duration, Instant};

use trunkline_proto::{ConnectivityState, Endpoint};

use crate::{Intent, Plan};

/// Lines that are kept: the end of a story explains it.
const MAX_LINES: usize = 200;
/// Names that are written out in one line.
const MAX_NAMES: usize = 12;

/// The last lines of a story.
#[derive(Debug, Default)]
pub(super) struct Story {
    lines: VecDeque<String>,
    forgotten: usize,
}

impl Story {
    pub(super) fn tell(&mut self, at: Duration, what: fmt::Arguments<'_>) {
        if self.lines.len() == MAX_LINES {
            self.lines.pop_front();
            self.forgotten += 1;
        }
        self.lines.push_back(format!("{at:>10.3?}  {what}"));
    }

    /// What the policy decided.
    pub(super) fn decided(&mut self, at: Duration, state: ConnectivityState, plan: &Plan, started: Instant) {
        let mut line = format!("    -> {state}");
        for (word, wanted) in [("connect", Intent::Connect), ("hold", Intent::Hold)] {
            let wished = plan.intents().filter(|(_, intent)| *intent == wanted).map(|(address, _)| address);
            let names = names(wished);
            if !names.is_empty() {
                // Writing to a String cannot fail.
                let _ = write!(line, "; {word} {names}");
            }
        }
        if let Some(time) = plan.wakes_at() {
            let _ = write!(line, "; wake at {:?}", time.saturating_duration_since(started));
        }
        if plan.wants_resolution() {
            line.push_str("; resolve");
        }
        self.tell(at, format_args!("{line}"));
    }
}

impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.forgotten > 0 {
            writeln!(f, "  ({} earlier lines)", self.forgotten)?;
        }
        self.lines.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

/// Servers, each by its addresses.
pub(super) fn endpoints(endpoints: &[Endpoint]) -> String {
    names(endpoints.iter().map(|endpoint| names(endpoint.addresses().iter()).replace(", ", "+")))
}

fn names(items: impl Iterator<Item = impl fmt::Display>) -> String {
    let mut text = String::new();
    let mut count = 0;
    for item in items {
        if count < MAX_NAMES {
            let _ = write!(text, "{}{item}", if count > 0 { ", " } else { "" });
        }
        count += 1;
    }
    if count > MAX_NAMES {
        let _ = write!(text, " and {} more", count - MAX_NAMES);
    }
    text
}
