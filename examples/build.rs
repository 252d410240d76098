//! Generates the Greeter and the service that implementations of gRPC test each other with: messages, our client, tonic's
//! server and, to show that it runs on our channels too, the client that tonic itself generates.

use std::error::Error;
use std::path::PathBuf;

/// Where `trunkline-proto` has the messages of the interop service.
const MESSAGES: (&str, &str) = (".grpc.testing", "::trunkline_proto::testing");

fn main() -> Result<(), Box<dyn Error>> {
    trunkline_codegen::configure()
        .build_tonic_server(true)
        .compile(&["protos/greeter.proto"], &["protos"])?;
    tonics_client("protos/greeter.proto", "protos", (".greeter.v1", "crate::greeter"))?;
    interop()
}

fn interop() -> Result<(), Box<dyn Error>> {
    let (file, folder) = ("../proto/protos/grpc/testing/interop.proto", "../proto/protos");
    let (package, messages) = MESSAGES;
    trunkline_codegen::configure()
        .build_tonic_server(true)
        .extern_path(package, messages)
        .compile(&[file], &[folder])?;
    tonics_client(file, folder, MESSAGES)
}

/// The client that tonic generates, over messages that are there already.
fn tonics_client(file: &str, folder: &str, messages: (&str, &str)) -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(std::env::var("OUT_DIR")?).join("tonic");
    std::fs::create_dir_all(&out)?;
    tonic_prost_build::configure()
        .build_server(false)
        .build_transport(false)
        .extern_path(messages.0, messages.1)
        .out_dir(out)
        .compile_fds(protox::compile([file], [folder])?)?;
    Ok(())
}
