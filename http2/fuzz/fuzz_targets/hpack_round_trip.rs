//! The target `hpack_round_trip` of `src/hpack/fuzzing.rs` under cargo-fuzz, which sets the `cfg` that it is compiled for.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| trunkline_http2::fuzzing::hpack_round_trip(input));
