//! Generates the code that tests compile and call.

use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let out = PathBuf::from(std::env::var("OUT_DIR")?);

    // What the test servers serve.
    trunkline_codegen::configure()
        .build_tonic_server(true)
        .compile(&["../examples/protos/greeter.proto"], &["../examples/protos"])?;

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
