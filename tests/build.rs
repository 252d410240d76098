//! Generates the code that tests compile and call.

use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let out = PathBuf::from(std::env::var("OUT_DIR")?);

    // Hard names, on a runtime that tests/torture.rs brings along.
    trunkline_codegen::configure()
        .build_tonic_server(true)
        .runtime_path("crate::runtime")
        .out_dir(out.join("torture"))
        .include_file("mod.rs")
        .compile(&["protos/torture/services.proto"], &["protos"])?;
    Ok(())
}
