//! Generates the Greeter's messages, its client for Trunkline's channels and its server for tonic.

fn main() -> Result<(), trunkline_codegen::Error> {
    trunkline_codegen::configure().build_tonic_server(true).compile(&["protos/greeter.proto"], &["protos"])
}
