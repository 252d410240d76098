//! From `.proto` files on disk to Rust files on disk, as build scripts do it.

use std::fs;
use std::path::Path;

use tempfile::TempDir;
use trunkline_codegen::{Builder, Error, configure};

const PROTOS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/protos");
const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/library.v1.rs");

fn library(builder: Builder) -> String {
    let out = tempfile::tempdir().expect("there is a place for temporary files");
    builder
        .out_dir(out.path())
        .compile(&[Path::new(PROTOS).join("library.proto")], &[PROTOS])
        .expect("the file is correct");
    fs::read_to_string(out.path().join("library.v1.rs")).expect("each package has its file")
}

/// Compiles `main.proto` of these files.
fn compile(files: &[(&str, &str)], builder: Builder) -> Result<TempDir, Error> {
    let folder = tempfile::tempdir().expect("there is a place for temporary files");
    for (name, text) in files {
        fs::write(folder.path().join(name), format!("syntax = \"proto3\";\n{text}"))
            .expect("the folder is ours");
    }
    builder
        .out_dir(folder.path())
        .compile(&[folder.path().join("main.proto")], &[folder.path()])
        .map(|()| folder)
}

fn error(files: &[(&str, &str)], builder: Builder) -> String {
    compile(files, builder).expect_err("the files are wrong").to_string()
}

/// What is generated, to be read by people. `TRUNKLINE_WRITE_GENERATED=1` writes it anew.
#[test]
fn a_client_reads_as_the_golden_file_does() {
    let code = library(configure());
    if std::env::var_os("TRUNKLINE_WRITE_GENERATED").is_some() {
        fs::write(GOLDEN, &code).unwrap();
    }
    assert_eq!(code, fs::read_to_string(GOLDEN).unwrap());
}

#[test]
fn each_part_is_generated_only_if_it_is_wished() {
    let parts = |builder| {
        let code = library(builder);
        ["pub struct Book", "mod library_client", "mod library_server"].map(|part| code.contains(part))
    };
    assert_eq!(parts(configure()), [true, true, false]);
    assert_eq!(parts(configure().build_tonic_server(true)), [true, true, true]);
    assert_eq!(parts(configure().build_client(false).build_tonic_server(true)), [true, false, true]);
    assert_eq!(parts(configure().build_client(false)), [true, false, false]);
    assert_eq!(parts(configure().build_messages(false)), [false, true, false]);
}

#[test]
fn messages_may_be_elsewhere() {
    let code = library(configure().extern_path(".library.v1", "::books::v1"));
    assert!(!code.contains("pub struct Book"));
    assert!(code.contains("::trunkline::stub::IntoRequest<::books::v1::Book>"));
    let code = library(configure().build_messages(false));
    assert!(code.contains("::trunkline::stub::IntoRequest<super::Book>"));
}

#[test]
fn the_runtime_may_be_elsewhere() {
    let code = library(configure().runtime_path("crate::rpc::trunkline"));
    assert!(code.contains("channel: crate::rpc::trunkline::Channel"));
    assert!(!code.replace("crate::rpc::trunkline", "").contains("trunkline"));
    let main = [("main.proto", "")];
    for path in ["trunkline", "super::trunkline", "", "crates::x"] {
        let text = error(&main, configure().runtime_path(path));
        assert_eq!(
            text,
            format!("runtime path `{path}` is not absolute: it must begin with `::` or `crate`")
        );
    }
}

/// As the documentation of `compile_protos` says that several packages are to be included.
#[test]
fn packages_find_each_other_by_the_modules_of_their_names() {
    let files = [
        (
            "main.proto",
            "package shop.v1; import \"money.proto\"; message Price { money.v1.Money money = 1; }",
        ),
        ("money.proto", "package money.v1; message Money {}"),
    ];
    let folder = compile(&files, configure().include_file("protos.rs")).unwrap();
    let read = |name| fs::read_to_string(folder.path().join(name)).unwrap();
    assert!(read("shop.v1.rs").contains("Option<super::super::money::v1::Money>"));
    assert!(read("money.v1.rs").contains("pub struct Money"));
    let words = read("protos.rs");
    let modules = words.lines().map(str::trim).filter(|line| !line.starts_with("//")).collect::<String>();
    assert_eq!(
        modules,
        "pub mod money {pub mod v1 {include!(\"money.v1.rs\");}}pub mod shop {pub mod v1 {include!(\"shop.v1.rs\");}}"
    );
}

#[test]
fn options_of_prost_reach_the_messages() {
    let text = "message M { bytes b = 1; }";
    let builder = configure().bytes(".").type_attribute(".", "#[derive(PartialOrd)]").prost(|prost| {
        prost.field_attribute("M.b", "#[doc(hidden)]");
    });
    let folder = compile(&[("main.proto", text)], builder).unwrap();
    let code = fs::read_to_string(folder.path().join("_.rs")).unwrap();
    for part in ["::prost::bytes::Bytes", "PartialOrd", "#[doc(hidden)]"] {
        assert!(code.contains(part), "no {part} in {code}");
    }
}

#[test]
fn all_that_was_read_may_be_kept_for_reflection() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("descriptors.bin");
    compile(&[("main.proto", "package kept;")], configure().file_descriptor_set_path(&path)).unwrap();
    let bytes = fs::read(path).unwrap();
    assert!(bytes.windows(10).any(|window| window == b"main.proto"));
}

#[test]
fn the_folder_of_the_descriptors_is_made_as_the_others_are() {
    let folder = tempfile::tempdir().unwrap();
    let (out, beside) = (folder.path().join("out"), folder.path().join("beside/descriptors.bin"));
    for path in [out.join("descriptors.bin"), beside] {
        let builder = configure().out_dir(&out).file_descriptor_set_path(&path);
        builder.compile(&[Path::new(PROTOS).join("library.proto")], &[PROTOS]).unwrap();
        assert!(path.exists(), "no {}", path.display());
    }
}

#[test]
fn descriptors_of_another_compiler_are_as_good() {
    let folder = tempfile::tempdir().unwrap();
    let proto = Path::new(PROTOS).join("library.proto");
    let descriptors = protox::compile([proto], [PROTOS]).unwrap();
    configure().out_dir(folder.path()).compile_descriptors(descriptors).unwrap();
    assert_eq!(fs::read_to_string(folder.path().join("library.v1.rs")).unwrap(), library(configure()));
}

#[test]
fn descriptors_of_an_edition_are_an_error_that_names_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let proto = Path::new(PROTOS).join("library.proto");
    let mut descriptors = protox::compile([proto], [PROTOS]).unwrap();
    let library = descriptors.file.last_mut().unwrap();
    library.syntax = Some("editions".to_owned());
    let error = configure().out_dir(folder.path()).compile_descriptors(descriptors).unwrap_err();
    assert!(matches!(error, Error::Syntax { .. }));
    assert_eq!(
        error.to_string(),
        "library.proto: syntax `editions` is not supported: only proto2 and proto3 are, and no editions"
    );

    let proto = folder.path().join("edition.proto");
    fs::write(&proto, "edition = \"2023\";\nmessage M {}\n").unwrap();
    let error = configure().out_dir(folder.path()).compile(&[&proto], &[folder.path()]).unwrap_err();
    assert!(error.to_string().starts_with("edition.proto: "), "{error}");
}

#[test]
fn files_that_did_not_change_are_not_written_again() {
    let folder = tempfile::tempdir().unwrap();
    let compile = || {
        let descriptors = folder.path().join("descriptors.bin");
        let builder = configure().out_dir(folder.path()).include_file("all.rs");
        let builder = builder.file_descriptor_set_path(descriptors);
        builder.compile(&[Path::new(PROTOS).join("library.proto")], &[PROTOS]).unwrap();
        ["library.v1.rs", "all.rs", "descriptors.bin"]
            .map(|name| fs::metadata(folder.path().join(name)).unwrap().modified().unwrap())
    };
    assert_eq!(compile(), compile());
}

#[test]
fn an_error_says_which_file_and_where() {
    let text = error(&[("main.proto", "message {")], configure());
    assert!(text.starts_with("main.proto:") && text.contains("main.proto:2:9"), "{text}");
    let text = error(&[("main.proto", "import \"absent.proto\";")], configure());
    assert!(text.contains("main.proto") && text.contains("absent.proto"), "{text}");
    let files = [("main.proto", "import \"other.proto\";"), ("other.proto", "message M { Absent a = 1; }")];
    let text = error(&files, configure());
    assert!(text.starts_with("other.proto:") && text.contains("Absent"), "{text}");
}

#[test]
fn a_file_that_is_missing_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let error = configure().out_dir(folder.path()).compile(&["absent.proto"], &[folder.path()]).unwrap_err();
    assert!(error.to_string().contains("absent.proto"), "{error}");
    assert_eq!(format!("{error:?}"), error.to_string());
    let nothing: [&str; 0] = [];
    let error = configure().compile(&nothing, &["."]).unwrap_err();
    assert!(matches!(error, Error::NothingToCompile));
}

#[test]
fn outside_of_build_scripts_a_folder_must_be_named() {
    // Cargo sets OUT_DIR for this test only if the crate had a build script.
    let proto = Path::new(PROTOS).join("library.proto");
    assert!(matches!(trunkline_codegen::compile_protos(proto), Err(Error::NoOutDir)));
}

#[test]
fn two_places_for_one_package_are_an_error() {
    let builder = configure().extern_path(".a", "::b").extern_path(".a", "::c");
    let text = error(&[("main.proto", "package a;")], builder);
    assert!(text.contains(".a"), "{text}");
}
