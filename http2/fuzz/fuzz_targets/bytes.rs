//! The target `bytes` of `tests/fuzz/targets.rs` under cargo-fuzz.

#![no_main]

#[allow(dead_code, reason = "this program runs one of the targets")]
#[path = "../../tests/fuzz/targets.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|input: &[u8]| targets::bytes(input));
