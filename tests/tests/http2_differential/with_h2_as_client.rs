//! The same bytes of a server, to our engine and to h2's client. Both must make the same of them, or the table in
//! `http2/DIFFERENCES.md` must have a row for the script that says what each makes of it, and why ours is right.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::outcome::differences;
use crate::{our_view, scripts, their_view};

#[tokio::test(start_paused = true)]
async fn both_clients_make_the_same_of_a_server_but_for_the_named_differences() {
    let mut rows = rows();
    let mut names = BTreeSet::new();
    let mut wrong = Vec::new();
    for script in scripts::all() {
        let name = script.name;
        assert!(names.insert(name), "two scripts are called {name}");
        let (ours, theirs) = differences(&our_view::run(&script), &their_view::run(&script).await);
        let row = rows.remove(name);
        match row {
            None if ours == theirs => {}
            Some(_) if ours == theirs => wrong.push(format!("`{name}` no longer differs")),
            Some(row) if row == (ours.clone(), theirs.clone()) => {}
            _ => wrong.push(format!("missing or wrong:\n| `{name}` | {ours} | {theirs} | |")),
        }
    }
    wrong.extend(rows.keys().map(|name| format!("`{name}` has a row, but there is no such script")));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What the table says of each script: our outcome and h2's.
fn rows() -> BTreeMap<String, (String, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../http2/DIFFERENCES.md");
    let table = fs::read_to_string(path).unwrap();
    let rows = table.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        assert!(cells.len() == 6 && !cells[4].is_empty(), "no row with a reason: {row}");
        (cells[1].trim_matches('`').to_owned(), (cells[2].to_owned(), cells[3].to_owned()))
    })
    .collect()
}
