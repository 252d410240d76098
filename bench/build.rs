//! Generates the echo service: messages, our client and tonic's server, and, on the same messages, the client
//! that tonic generates.

use std::error::Error;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn Error>> {
    trunkline_codegen::configure()
        .build_tonic_server(true)
        .bytes(".")
        .compile(&["proto/echo.proto"], &["proto"])?;

    let out = PathBuf::from(std::env::var("OUT_DIR")?).join("tonic");
    std::fs::create_dir_all(&out)?;
    tonic_prost_build::configure()
        .build_server(false)
        .extern_path(".bench.v1", "crate::echo")
        .out_dir(out)
        .compile_fds(protox::compile(["echo.proto"], ["proto"])?)?;
    Ok(())
}
