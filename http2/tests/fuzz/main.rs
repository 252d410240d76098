//! The fuzz targets, driven by a seeded mutator for a bounded number of inputs: every input of the corpus, and
//! changed copies of them. The same functions run under cargo-fuzz (`http2/fuzz`).

#![allow(clippy::unwrap_used, reason = "a test that unwraps says where it failed")]

mod mutator;
mod targets;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use mutator::mutate;
use targets::support::random::Random;

/// Changed inputs for each target in one run: some seconds in a debug build.
const INPUTS: u64 = 400;

/// How many inputs a corpus is grown from.
const GROWTH: u64 = 60_000;

type Observe = fn(&[u8]) -> BTreeSet<String>;

#[test]
fn bytes() {
    run("bytes", targets::observe_bytes);
}

#[test]
fn frames() {
    run("frames", targets::observe_frames);
}

#[test]
fn operations() {
    run("operations", targets::observe_operations);
}

fn run(target: &str, observe: Observe) {
    let corpus = corpus(target);
    assert!(!corpus.is_empty(), "the corpus of {target} was not found");
    for input in &corpus {
        observe(input);
    }
    for seed in 0..INPUTS {
        try_one(target, observe, &corpus, seed);
    }
}

fn try_one(target: &str, observe: Observe, corpus: &[Vec<u8>], seed: u64) -> (Vec<u8>, BTreeSet<String>) {
    let input = mutate(&mut Random::new(seed), corpus);
    let guard = SayInput(target, &input);
    let seen = observe(&input);
    std::mem::forget(guard);
    (input, seen)
}

/// Writes the inputs that show something that none before them showed.
#[test]
#[allow(clippy::print_stdout, reason = "what grew is for whoever runs it")]
#[ignore = "writes into the corpus; run it after a change of the engine or of the targets"]
fn grow_the_corpus() {
    let targets: [(&str, Observe); 3] = [
        ("bytes", targets::observe_bytes),
        ("frames", targets::observe_frames),
        ("operations", targets::observe_operations),
    ];
    for (target, observe) in targets {
        let mut corpus = corpus(target);
        corpus.push(Vec::new());
        let mut seen = BTreeSet::new();
        for input in &corpus {
            seen.extend(observe(input));
        }
        for seed in 0..GROWTH {
            let (input, shown) = try_one(target, observe, &corpus, seed);
            if !shown.is_subset(&seen) {
                seen.extend(shown);
                fs::write(folder(target).join(format!("{:04}", corpus.len())), &input).unwrap();
                corpus.push(input);
            }
        }
        println!("{target}: {} inputs show {seen:#?}", corpus.len());
    }
}

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let mut paths: Vec<_> =
        fs::read_dir(folder(target)).unwrap().map(|entry| entry.unwrap().path()).collect();
    // The order of a folder is the machine's.
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

fn folder(target: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(target)
}

struct SayInput<'i>(&'i str, &'i [u8]);

impl Drop for SayInput<'_> {
    #[allow(clippy::print_stderr, reason = "a test that fails says what it failed with")]
    fn drop(&mut self) {
        eprintln!("target {} failed with {:?}", self.0, self.1);
    }
}
