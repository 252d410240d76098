//! Generates the code that tests compile and call.

use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let out = PathBuf::from(std::env::var("OUT_DIR")?);

    // What the test servers serve.
    trunkline_codegen::configure()
        .build_tonic_server(true)
        .compile(&["../examples/protos/greeter.proto"], &["../examples/protos"])?;

    // The same service as tonic's own generator writes it, messages and all, for tests/tonic_stubs.
    let tonic_alone = out.join("tonic_alone");
    std::fs::create_dir_all(&tonic_alone)?;
    tonic_prost_build::configure()
        .build_server(false)
        .out_dir(tonic_alone)
        .compile_fds(protox::compile(["greeter.proto"], ["../examples/protos"])?)?;

    // The greeter's client as tonic itself generates it, on the same messages.
    let tonic = out.join("tonic");
    std::fs::create_dir_all(&tonic)?;
    tonic_prost_build::configure()
        .build_server(false)
        .build_transport(false)
        .extern_path(".greeter.v1", "::trunkline_tests::greeter")
        .out_dir(tonic)
        .compile_fds(protox::compile(["greeter.proto"], ["../examples/protos"])?)?;

    // Hard names, on Trunkline and tonic.
    trunkline_codegen::configure()
        .build_tonic_server(true)
        .out_dir(out.join("torture"))
        .include_file("mod.rs")
        .compile(&["protos/torture/services.proto"], &["protos"])?;

    // The same on a runtime that tests/runtime_path.rs brings along.
    trunkline_codegen::configure()
        .runtime_path("crate::runtime")
        .out_dir(out.join("runtime_path"))
        .include_file("mod.rs")
        .compile(&["protos/torture/services.proto"], &["protos"])?;
    Ok(())
}
