//! The house rules as a test: what ARCHITECTURE.md lists as invariants of the structure, held against every
//! file. Each rule is a function of one file, and is shown to catch what it is for.

#![allow(clippy::unwrap_used, reason = "a test that unwraps says where it failed")]

use std::fs;
use std::path::{Path, PathBuf};

/// Longest file, in lines without its tests. Above it, a second purpose is likely inside.
const LONGEST_FILE: usize = 400;

#[test]
fn every_file_keeps_the_rules() {
    let root = root();
    let mut files = Vec::new();
    collect(&root, &mut files);
    assert!(files.len() > 100, "the files were not found: {}", files.len());
    let mut broken = Vec::new();
    for file in &files {
        let path = file.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
        let text = fs::read_to_string(file).unwrap();
        broken.extend(check(&path, &text));
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn architecture_tells_of_every_folder() {
    let root = root();
    let told = fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    let crates = ["proto", "resolver", "balancer", "channel", "codegen", "examples", "tests"];
    let folders = fs::read_dir(root.join("channel/src")).unwrap().map(|entry| entry.unwrap());
    let folders = folders.filter(|entry| entry.file_type().unwrap().is_dir());
    let rooms = folders.map(|entry| format!("`{}/`", entry.file_name().to_str().unwrap()));
    for name in crates.iter().map(|name| format!("`{name}/`")).chain(rooms) {
        assert!(told.contains(&name), "ARCHITECTURE.md does not tell of {name}");
    }
}

/// Both ask to be handed on with what they are for, and cargo packs nothing from outside of a crate's folder.
#[test]
fn every_published_crate_carries_its_licenses() {
    let root = root();
    let mut crates = 0;
    for entry in fs::read_dir(&root).unwrap() {
        let folder = entry.unwrap().path();
        let Ok(manifest) = fs::read_to_string(folder.join("Cargo.toml")) else { continue };
        if manifest.contains("publish = false") {
            continue;
        }
        crates += 1;
        for license in ["LICENSE-MIT", "LICENSE-APACHE"] {
            let carried = fs::read(folder.join(license));
            let carried = carried.unwrap_or_else(|error| panic!("{}: {license}: {error}", folder.display()));
            assert!(carried == fs::read(root.join(license)).unwrap(), "{}: {license}", folder.display());
        }
    }
    assert_eq!(crates, 6);
}

#[test]
fn every_behaviour_names_tests_that_exist() {
    const NUMBERS: [u32; 57] = [
        1, 2, 3, 4, 8, 9, 10, 11, 13, 14, 15, 16, 17, 18, 19, 21, 22, 23, 24, 25, 28, 29, 31, 32, 33, 34, 36,
        37, 38, 39, 44, 51, 52, 59, 61, 62, 64, 65, 66, 77, 78, 82, 88, 89, 90, 91, 92, 93, 94, 95, 98, 99,
        100, 101, 103, 105, 106,
    ];
    let root = root();
    let table = fs::read_to_string(root.join("tests/BEHAVIOURS.md")).unwrap();
    for number in NUMBERS {
        let row = table.lines().find(|line| line.starts_with(&format!("| {number} |")));
        let row = row.unwrap_or_else(|| panic!("there is no row for behaviour {number}"));
        let mut quoted = row.rsplit('|').nth(1).unwrap().split('`').skip(1).step_by(2);
        let mut shown = 0;
        while let (Some(path), Some(name)) = (quoted.next(), quoted.next()) {
            let text = fs::read_to_string(root.join(path))
                .unwrap_or_else(|_| panic!("behaviour {number}: no {path}"));
            // A function, or a row of a table that makes one of each.
            let is_there = [format!("fn {name}("), format!("    {name}: Row {{")];
            assert!(
                is_there.iter().any(|definition| text.contains(definition)),
                "behaviour {number}: {path} has no `{name}`"
            );
            shown += 1;
        }
        assert!(shown > 0, "behaviour {number} is shown by no test");
    }
}

/// Every rule, on one file.
fn check(path: &str, text: &str) -> Vec<String> {
    let rules: [fn(&str, &str) -> Option<String>; 9] = [
        opens_with_its_purpose,
        keeps_to_its_size,
        leaves_nothing_unfinished,
        names_the_engine_only_in_the_transport,
        names_tonic_only_in_the_vocabulary,
        is_pure_where_it_must_be,
        depends_only_downwards,
        may_be_published,
        does_not_sleep_in_tests,
    ];
    rules.iter().filter_map(|rule| rule(path, text)).map(|problem| format!("{path}: {problem}")).collect()
}

fn opens_with_its_purpose(path: &str, text: &str) -> Option<String> {
    let missing = path.ends_with(".rs") && !text.trim_start().starts_with("//!");
    missing.then(|| "does not open with `//!`".to_owned())
}

fn keeps_to_its_size(path: &str, text: &str) -> Option<String> {
    if !path.ends_with(".rs") || is_test(path) {
        return None;
    }
    let lines = without_tests(text).lines().count();
    (lines > LONGEST_FILE).then(|| format!("has {lines} lines without its tests"))
}

fn leaves_nothing_unfinished(path: &str, text: &str) -> Option<String> {
    // Put together here, so that this file does not break its own rule.
    let words = [
        "todo".to_owned() + "!(",
        "unimplemented".to_owned() + "!(",
        "FIX".to_owned() + "ME",
        "XX".to_owned() + "X:",
    ];
    let found = words.into_iter().find(|word| path.ends_with(".rs") && text.contains(word))?;
    Some(format!("contains `{found}`"))
}

fn names_the_engine_only_in_the_transport(path: &str, text: &str) -> Option<String> {
    if !path.ends_with(".rs") || !is_product(path) || path.starts_with("channel/src/transport/") {
        return None;
    }
    line_with(text, &["h2::", "use h2", "extern crate h2"])
}

fn names_tonic_only_in_the_vocabulary(path: &str, text: &str) -> Option<String> {
    let free = path.starts_with("channel/src/vocabulary/") || path.starts_with("codegen/");
    if !path.ends_with(".rs") || !is_product(path) || free {
        return None;
    }
    line_with(text, &["tonic::", "tonic_prost::"])
}

/// No clock, no runtime, no `async` in what is pure.
fn is_pure_where_it_must_be(path: &str, text: &str) -> Option<String> {
    let pure = ["proto/src/", "balancer/src/", "http2/src/", "channel/src/control/"];
    if !path.ends_with(".rs") || is_test(path) || !pure.iter().any(|folder| path.starts_with(folder)) {
        return None;
    }
    let text = without_tests(text);
    // The story that a policy's author tells begins at some time, and there is no other source of an Instant.
    let clock: &[&str] =
        if path.starts_with("balancer/src/world/") { &[] } else { &["Instant::now", "SystemTime::now"] };
    line_with(&text, clock)
        .or_else(|| line_with(&text, &["tokio::", "async fn", "async move", ".await", "thread::"]))
}

/// The diamond: proto below resolver and balancer, these below channel, codegen alone.
fn depends_only_downwards(path: &str, text: &str) -> Option<String> {
    let forbidden: &[&str] = match path {
        "proto/Cargo.toml" => {
            &["tokio", "trunkline-resolver", "trunkline-balancer", "trunkline", "h2", "tonic", "rustls"]
        }
        "balancer/Cargo.toml" => &["tokio", "trunkline-resolver", "trunkline", "h2", "tonic", "rustls"],
        "resolver/Cargo.toml" => &["trunkline-balancer", "trunkline", "h2", "tonic", "rustls"],
        "codegen/Cargo.toml" => {
            &["trunkline-proto", "trunkline-resolver", "trunkline-balancer", "trunkline", "tokio", "h2"]
        }
        "http2/Cargo.toml" => {
            &["trunkline-proto", "trunkline", "tokio", "mio", "socket2", "h2", "hyper", "tonic", "rustls"]
        }
        "channel/Cargo.toml" => &["hyper", "hyper-util", "trunkline-codegen"],
        _ => &[],
    };
    // What wraps the targets for cargo-fuzz is no member of the workspace.
    let is_member = path != "http2/fuzz/Cargo.toml";
    if path.ends_with("/Cargo.toml") && is_member && !text.contains("[lints]\nworkspace = true") {
        return Some("does not take the workspace's lints, which forbid `unsafe`".to_owned());
    }
    let mut section = "";
    for line in text.lines() {
        if line.starts_with('[') {
            section = line;
        }
        let name = line.split(['.', ' ', '=']).next().unwrap_or_default();
        if section == "[dependencies]" && forbidden.contains(&name) {
            return Some(format!("depends on `{name}`"));
        }
    }
    None
}

/// What crates.io refuses a crate for, or shows nothing of it without.
fn may_be_published(path: &str, text: &str) -> Option<String> {
    let package = text.split_once("[package]\n")?.1;
    let package: Vec<_> = package.lines().take_while(|line| !line.starts_with('[')).collect();
    if !path.ends_with("Cargo.toml") || package.contains(&"publish = false") {
        return None;
    }
    let says = |key: &&str| {
        let value = |line: &&str| line.strip_prefix(*key).is_some_and(|rest| rest.starts_with([' ', '.']));
        let empty = format!("{key} = \"\"");
        package.iter().any(|line| value(line) && *line != empty)
    };
    let missing = ["description", "license", "readme", "rust-version"].into_iter().find(|key| !says(key))?;
    Some(format!("is published without `{missing}`"))
}

fn does_not_sleep_in_tests(path: &str, text: &str) -> Option<String> {
    if !path.ends_with(".rs") || path.ends_with("/tidy.rs") {
        return None;
    }
    line_with(text, &["thread::sleep"])
}

/// The first line, comments aside, that names one of `words` as a word of its own.
fn line_with(text: &str, words: &[&str]) -> Option<String> {
    let code = text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"));
    for (number, line) in code {
        for word in words {
            let ends = |at: usize| line[at + word.len()..].chars().next();
            let whole = |at: &usize| {
                word.ends_with(':')
                    || word.ends_with('(')
                    || !ends(*at).is_some_and(|c| c.is_alphanumeric() || c == '_')
            };
            let mut starts = line.match_indices(word).map(|(at, _)| at).filter(whole).map(|at| &line[..at]);
            // `self::h2::` is our own room, and `my_tonic::` another crate.
            let ours = ["self::", "super::", "crate::", "transport::"];
            let alone = |before: &str| {
                !before.ends_with(|c: char| c.is_alphanumeric() || c == '_')
                    && !ours.iter().any(|path| before.ends_with(path))
            };
            if starts.any(|before| alone(before) || word.starts_with('.')) {
                return Some(format!("line {} names `{word}`: {}", number + 1, line.trim()));
            }
        }
    }
    None
}

/// The text up to its unit tests.
fn without_tests(text: &str) -> String {
    text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned()
}

fn is_product(path: &str) -> bool {
    let folders = ["proto/", "resolver/", "balancer/", "http2/src/", "channel/", "codegen/"];
    folders.iter().any(|folder| path.starts_with(folder)) && !is_test(path)
}

fn is_test(path: &str) -> bool {
    path.contains("/tests/")
        || path.ends_with("/tests.rs")
        || path.starts_with("tests/")
        || path.contains("/simulation/")
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() {
            // Generated code answers to its generator.
            if !name.starts_with('.') && !["target", "generated", "golden"].contains(&name) {
                collect(&path, files);
            }
        } else if name.ends_with(".rs") || name == "Cargo.toml" {
            files.push(path);
        }
    }
}

/// What each rule is there to catch, planted.
#[test]
fn what_is_planted_is_found() {
    let file = |body: &str| format!("//! A room.\n{body}\n");
    let manifest = |keys: &[&str]| {
        let keys: String = keys.iter().map(|key| format!("{key} = \"x\"\n")).collect();
        format!("[package]\nrust-version.workspace = true\n{keys}\n[lints]\nworkspace = true\n")
    };
    let planted = [
        ("channel/src/call/a.rs", "fn a() {}".to_owned()),
        ("channel/src/call/a.rs", file("use h2::client;")),
        ("channel/src/driver/a.rs", file("type A = h2::Error;")),
        ("resolver/src/a.rs", file("use tonic::Status;")),
        ("channel/src/call/a.rs", file("fn a() -> tonic::Status {}")),
        ("channel/src/control/a.rs", file("let now = Instant::now();")),
        ("channel/src/control/a.rs", file("let now = std::time::Instant::now();")),
        ("channel/src/control/a.rs", file("use tokio::time;")),
        ("balancer/src/a.rs", file("async fn a() {}")),
        ("proto/src/a.rs", file("a().await;")),
        ("http2/src/a.rs", file("use h2::client;")),
        ("http2/src/connection/a.rs", file("let now = Instant::now();")),
        ("http2/src/a.rs", file("use tokio::io::AsyncRead;")),
        ("http2/src/a.rs", file("std::thread::spawn(a);")),
        ("http2/src/a.rs", file(&"fn a() {}\n".repeat(LONGEST_FILE))),
        ("channel/src/a.rs", file(&["to", "do!()"].concat())),
        ("channel/src/a.rs", file(&"fn a() {}\n".repeat(LONGEST_FILE))),
        ("tests/tests/a.rs", file("std::thread::sleep(a);")),
        ("proto/Cargo.toml", "[dependencies]\ntokio = \"1\"\n\n[lints]\nworkspace = true\n".to_owned()),
        (
            "balancer/Cargo.toml",
            "[dependencies]\ntokio.workspace = true\n\n[lints]\nworkspace = true\n".to_owned(),
        ),
        (
            "resolver/Cargo.toml",
            "[dependencies]\ntrunkline.workspace = true\n\n[lints]\nworkspace = true\n".to_owned(),
        ),
        (
            "http2/Cargo.toml",
            "[dependencies]\ntokio.workspace = true\n\n[lints]\nworkspace = true\n".to_owned(),
        ),
        ("codegen/Cargo.toml", "[dependencies]\n".to_owned()),
        ("http2/Cargo.toml", "[dependencies]\n".to_owned()),
        ("codegen/Cargo.toml", manifest(&["license", "readme"])),
        ("codegen/Cargo.toml", manifest(&["description", "readme"])),
        ("codegen/Cargo.toml", manifest(&["description", "license"])),
        ("codegen/Cargo.toml", manifest(&["description", "license", "readme"]).replace("\"x\"", "\"\"")),
    ];
    for (path, text) in planted {
        assert!(!check(path, &text).is_empty(), "not found in {path}:\n{text}");
    }
    let innocent = [
        ("channel/src/transport/h2/a.rs", file("use h2::client;")),
        ("channel/src/transport/a.rs", file("use self::h2::Driver;")),
        ("channel/src/vocabulary/a.rs", file("use tonic::Status;")),
        ("tests/tests/http2_differential/a.rs", file("use h2::client;")),
        ("http2/tests/limits/a.rs", file("let now = Instant::now();")),
        ("http2/fuzz/Cargo.toml", "[dependencies]\n".to_owned()),
        ("channel/src/driver/a.rs", file("let now = Instant::now();")),
        ("channel/src/control/a.rs", file("// tokio::time would be wrong here")),
        ("codegen/Cargo.toml", manifest(&["description", "license", "readme"])),
        ("tests/Cargo.toml", manifest(&[]).replace("[package]", "[package]\npublish = false")),
        ("proto/Cargo.toml", "[dependencies]\nbytes = \"1\"\n\n[lints]\nworkspace = true\n".to_owned()),
    ];
    for (path, text) in innocent {
        assert_eq!(check(path, &text), Vec::<String>::new(), "{path}");
    }
}
