//! The generated messages that are checked in are what their `.proto` files say. Here, because generating
//! needs build-time crates that `trunkline-proto` must not know.
//!
//! After a change of a `.proto` file or of prost, `TRUNKLINE_WRITE_GENERATED=1 cargo test -p trunkline-tests
//! --test generated` writes them anew.

use std::fs;
use std::path::{Path, PathBuf};

/// The files under `proto/protos` that messages are generated from, each with the file under
/// `proto/src/generated`.
const FILES: [(&str, &str); 2] =
    [("grpc/health/v1/health.proto", "grpc.health.v1.rs"), ("grpc/testing/interop.proto", "grpc.testing.rs")];

#[test]
fn the_generated_messages_that_are_checked_in_are_fresh() {
    let proto = Path::new(env!("CARGO_MANIFEST_DIR")).join("../proto");
    let checked_in = proto.join("src/generated");
    let fresh = generate(&proto.join("protos"));
    for (_, name) in FILES {
        let fresh = fs::read_to_string(fresh.path().join(name)).expect("every package gives a file");
        let path = checked_in.join(name);
        if std::env::var_os("TRUNKLINE_WRITE_GENERATED").is_some() {
            fs::write(&path, fresh).expect("the checkout can be written to");
            continue;
        }
        let old = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            old == fresh,
            "{} is stale: run TRUNKLINE_WRITE_GENERATED=1 cargo test -p trunkline-tests --test generated",
            path.display()
        );
    }

    // Nothing lies beside them that no longer comes from anywhere.
    let mut names: Vec<_> = fs::read_dir(checked_in)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, FILES.map(|(_, name)| name));
}

fn generate(protos: &Path) -> tempfile::TempDir {
    let files: Vec<PathBuf> = FILES.iter().map(|(file, _)| protos.join(file)).collect();
    let descriptors = protox::compile(&files, [protos]).expect("the .proto files are correct");
    let out = tempfile::tempdir().expect("there is a place for temporary files");
    prost_build::Config::new().out_dir(out.path()).compile_fds(descriptors).expect("prost accepts them");
    out
}
