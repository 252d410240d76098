//! No comment of a `.proto` becomes a doctest, by the judgement of rustdoc itself.

#![allow(clippy::unwrap_used, reason = "a test that unwraps says where it failed")]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use trunkline_codegen::configure;

/// Lines that open, close, continue or resemble blocks of code, as they stand behind the slashes.
const LINES: [&str; 14] = [
    "",
    " prose",
    " # heading",
    " ---",
    "     spaces",
    " \ttab",
    " ```",
    " ~~~",
    " ```rust",
    " - ```",
    " > ```",
    "   ```",
    " -     item",
    "       deep",
];

#[test]
fn no_three_lines_of_a_comment_become_a_doctest() {
    let mut proto = "enum E {\n".to_owned();
    let all = || LINES.iter().enumerate();
    for ((i, first), (j, second), (k, third)) in
        all().flat_map(|a| all().flat_map(move |b| all().map(move |c| (a, b, c))))
    {
        let number = (i * LINES.len() + j) * LINES.len() + k;
        writeln!(proto, "//{first}\n//{second}\n//{third}\n//\n//{second}\nV{number} = {number};").unwrap();
    }
    proto.push('}');
    assert_no_doctests(&proto, LINES.len().pow(3));
}

#[test]
fn no_comment_of_a_service_becomes_a_doctest() {
    let mut proto = "message M {}\n".to_owned();
    for (i, first) in LINES.iter().enumerate() {
        for (j, second) in LINES.iter().enumerate() {
            writeln!(proto, "//{first}\n//{second}\nservice S{i}x{j} {{").unwrap();
            writeln!(proto, "//{second}\n//{first}\nrpc Get(M) returns (M); //{first}\n}}").unwrap();
        }
    }
    assert_no_doctests(&proto, LINES.len().pow(2));
}

/// Generates all that can be from `proto`, and has rustdoc look for doctests in what is documented, which
/// must be at least `items`.
#[track_caller]
fn assert_no_doctests(proto: &str, items: usize) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("main.proto");
    fs::write(&path, format!("syntax = \"proto3\";\n{proto}")).unwrap();
    let builder = configure().build_tonic_server(true).out_dir(folder.path());
    builder.compile(&[path], &[folder.path()]).unwrap();
    let code = fs::read_to_string(folder.path().join("_.rs")).unwrap();
    let (documentation, documented) = documentation(&code);
    assert!(documented >= items, "only {documented} items are documented");

    assert_eq!(doctests(folder.path(), "/// ```\n/// x\n/// ```\nmod planted {}"), 1);
    assert_eq!(doctests(folder.path(), &documentation), 0);
}

/// The documentation of `code` on as many empty modules, since the code itself needs crates to compile with.
fn documentation(code: &str) -> (String, usize) {
    let (mut text, mut count) = (String::new(), 0);
    let mut lines = code.lines().map(str::trim_start).peekable();
    while let Some(line) = lines.next() {
        if line.starts_with("///") {
            writeln!(text, "{line}").unwrap();
            if lines.peek().is_none_or(|next| !next.starts_with("///")) {
                writeln!(text, "pub mod m{count} {{}}").unwrap();
                count += 1;
            }
        }
    }
    (text, count)
}

/// How many doctests rustdoc finds in `code`; those that it would ignore are doctests too.
fn doctests(folder: &Path, code: &str) -> usize {
    let path = folder.join("lib.rs");
    fs::write(&path, code).unwrap();
    let rustdoc = std::env::var_os("RUSTDOC").unwrap_or_else(|| "rustdoc".into());
    let output = Command::new(rustdoc)
        .args(["--edition", "2024", "--test", "--test-args", "--list"])
        .arg(&path)
        .output()
        .expect("rustdoc is beside cargo");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    text.lines().filter(|line| line.ends_with(": test")).count()
}
