//! The target `hpack_decode` of `src/hpack/fuzzing.rs` under cargo-fuzz, which sets the `cfg` that it is compiled for.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| trunkline_http2::fuzzing::hpack_decode(input));
