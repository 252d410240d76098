//! What to generate, and where to. This is the whole public face of code generation; the rooms behind it know
//! neither files nor cargo.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use prost_build::Module;
use prost_types::{FileDescriptorProto, FileDescriptorSet};

use crate::Error;
use crate::comments;
use crate::files;
use crate::generator::Generator;
use crate::names::Names;

/// Says what to generate from which `.proto` files. Made by [`configure`](crate::configure).
///
/// ```no_run
/// # fn main() -> Result<(), trunkline_codegen::Error> {
/// trunkline_codegen::configure()
///     .build_tonic_server(true)
///     .extern_path(".greeter.v1", "::greeter_messages")
///     .compile(&["proto/greeter.proto"], &["proto"])
/// # }
/// ```
#[derive(Debug)]
pub struct Builder {
    config: prost_build::Config,
    client: bool,
    tonic_server: bool,
    messages: bool,
    runtime: String,
    out_dir: Option<PathBuf>,
    include: Option<PathBuf>,
    descriptors: Option<PathBuf>,
    rerun_if_changed: bool,
}

impl Builder {
    pub(crate) fn new() -> Self {
        Self {
            config: prost_build::Config::new(),
            client: true,
            tonic_server: false,
            messages: true,
            runtime: "::trunkline".to_owned(),
            out_dir: None,
            include: None,
            descriptors: None,
            // Cargo reads directives from build scripts alone, and sets this variable for them alone.
            rerun_if_changed: std::env::var_os("OUT_DIR").is_some(),
        }
    }

    /// Whether to generate a client for each service, in a module `<service>_client`. Default: yes.
    #[must_use]
    pub fn build_client(mut self, yes: bool) -> Self {
        self.client = yes;
        self
    }

    /// Whether to generate tonic's server trait for each service, in a module `<service>_server`. Default:
    /// no.
    ///
    /// The trait is written by `tonic-prost-build` itself. A service that has a name which tonic's code uses
    /// (`T`, `Option`, `Arc`, ...) gets `Service` behind it there: the trait of `T` is `TService`.
    #[must_use]
    pub fn build_tonic_server(mut self, yes: bool) -> Self {
        self.tonic_server = yes;
        self
    }

    /// Whether to generate messages. Default: yes.
    ///
    /// Without them, clients and servers expect the messages of a package beside them, where they are
    /// included: `use` them there. To say instead where they are, see [`extern_path`](Self::extern_path);
    /// packages and messages named there are never generated.
    #[must_use]
    pub fn build_messages(mut self, yes: bool) -> Self {
        self.messages = yes;
        self
    }

    /// Where a package or a message already is in Rust, such as `.google.rpc` at `::google_rpc`: it is used
    /// from there and not generated.
    ///
    /// The Protobuf name begins with a dot, the Rust path with `::` or `crate::`.
    #[must_use]
    pub fn extern_path(mut self, proto: impl Into<String>, rust: impl Into<String>) -> Self {
        self.config.extern_path(proto, rust);
        self
    }

    /// Where generated clients find the runtime (`Channel`, and the module `stub`). Default: `::trunkline`;
    /// another path serves crates that re-export it.
    ///
    /// The path begins with `::` or `crate`; another one is an error of [`compile`](Self::compile).
    #[must_use]
    pub fn runtime_path(mut self, path: impl Into<String>) -> Self {
        self.runtime = path.into();
        self
    }

    /// The folder to write to; it is made if it is not there. Default: the environment variable `OUT_DIR`.
    #[must_use]
    pub fn out_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.out_dir = Some(folder.into());
        self
    }

    /// Also writes a file of this name beside the others that includes them all, each package in modules as
    /// its name says. Default: none.
    ///
    /// Without it, packages that use each other's messages must be included in such modules by hand. Both are
    /// shown at [`compile_protos`](crate::compile_protos).
    #[must_use]
    pub fn include_file(mut self, name: impl Into<PathBuf>) -> Self {
        self.include = Some(name.into());
        self
    }

    /// Also writes all that was read as a `google.protobuf.FileDescriptorSet`, for reflection. Default: not.
    ///
    /// The folder that `path` is in is made if it is not there. Like all files, it keeps its time if it did
    /// not change.
    #[must_use]
    pub fn file_descriptor_set_path(mut self, path: impl Into<PathBuf>) -> Self {
        self.descriptors = Some(path.into());
        self
    }

    /// Whether to print `cargo:rerun-if-changed` for each file that was read. Default: in build scripts only.
    #[must_use]
    pub fn emit_rerun_if_changed(mut self, yes: bool) -> Self {
        self.rerun_if_changed = yes;
        self
    }

    /// Puts an attribute on the messages, enums and oneofs that `path` names; `.` names all.
    #[must_use]
    pub fn type_attribute(mut self, path: impl AsRef<str>, attribute: impl AsRef<str>) -> Self {
        self.config.type_attribute(path, attribute);
        self
    }

    /// Puts an attribute on the messages that `path` names; `.` names all.
    #[must_use]
    pub fn message_attribute(mut self, path: impl AsRef<str>, attribute: impl AsRef<str>) -> Self {
        self.config.message_attribute(path, attribute);
        self
    }

    /// Puts an attribute on the fields that `path` names; `.` names all.
    #[must_use]
    pub fn field_attribute(mut self, path: impl AsRef<str>, attribute: impl AsRef<str>) -> Self {
        self.config.field_attribute(path, attribute);
        self
    }

    /// Makes `bytes` fields under `path` into `bytes::Bytes`, which received messages fill without copying.
    /// Default: `Vec<u8>`.
    #[must_use]
    pub fn bytes(mut self, path: impl AsRef<str>) -> Self {
        self.config.bytes([path]);
        self
    }

    /// Changes whatever else prost can be told about messages. The service generator and all that concerns
    /// reading and writing files are this builder's; what is set of them here has no effect.
    #[must_use]
    pub fn prost(mut self, change: impl FnOnce(&mut prost_build::Config)) -> Self {
        change(&mut self.config);
        self
    }

    /// Reads `protos`, looking for them and for what they import in `includes`, and writes one file per
    /// package.
    ///
    /// # Errors
    ///
    /// An [`Error`] that names the file which is missing or wrong, or could not be written.
    pub fn compile(self, protos: &[impl AsRef<Path>], includes: &[impl AsRef<Path>]) -> Result<(), Error> {
        if protos.is_empty() {
            return Err(Error::NothingToCompile);
        }
        let mut compiler = protox::Compiler::new(includes).map_err(Error::Includes)?;
        compiler.include_source_info(true).include_imports(true);
        for proto in protos.iter().map(AsRef::as_ref) {
            if self.rerun_if_changed {
                emit_rerun_if_changed(proto);
            }
            compiler.open_file(proto).map_err(|source| {
                let file = source.file().map_or_else(|| proto.display().to_string(), str::to_owned);
                Error::Proto { file, source }
            })?;
        }
        if self.rerun_if_changed {
            // Imports; those that protox brings along have no path.
            let paths: BTreeSet<_> = compiler.files().filter_map(|file| file.path()).collect();
            paths.into_iter().for_each(emit_rerun_if_changed);
        }
        if let Some(path) = &self.descriptors {
            files::write_descriptors(path, &compiler.encode_file_descriptor_set())?;
        }
        self.compile_descriptors(compiler.file_descriptor_set())
    }

    /// Generates from descriptors that something else has read, such as `protoc`. With comments in them
    /// (protoc's `--include_source_info`), the code is documented.
    ///
    /// # Errors
    ///
    /// As [`compile`](Self::compile); [`Error::Syntax`] names a file of an edition, which `protoc` can read.
    pub fn compile_descriptors(mut self, mut descriptors: FileDescriptorSet) -> Result<(), Error> {
        if !(self.runtime.starts_with("::") || self.runtime.split("::").next() == Some("crate")) {
            return Err(Error::RuntimePath(self.runtime));
        }
        let out_dir = self.out_dir.or_else(|| std::env::var_os("OUT_DIR").map(PathBuf::from));
        let out_dir = out_dir.ok_or(Error::NoOutDir)?;
        descriptors.file.iter().try_for_each(check_syntax)?;

        comments::tame(&mut descriptors);
        let names = Names::plan(&descriptors);
        if !self.messages {
            keep_services(&mut descriptors);
        }
        let runtime = self.client.then_some(self.runtime);
        if let Some(generator) = Generator::new(names, runtime, self.tonic_server) {
            self.config.service_generator(Box::new(generator));
        }
        let files = descriptors.file.into_iter();
        let files = files.map(|file| (Module::from_protobuf_package_name(file.package()), file));
        let packages = self.config.generate(files.collect()).map_err(Error::Prost)?;
        files::write(&packages, &out_dir, self.include.as_deref())
    }
}

/// Of another syntax than these, prost makes a panic. None is proto2, from before there was a choice.
fn check_syntax(file: &FileDescriptorProto) -> Result<(), Error> {
    match file.syntax.as_deref() {
        None | Some("proto2" | "proto3") => Ok(()),
        Some(syntax) => Err(Error::Syntax { file: file.name().to_owned(), syntax: syntax.to_owned() }),
    }
}

fn keep_services(descriptors: &mut FileDescriptorSet) {
    descriptors.file.retain(|file| !file.service.is_empty());
    for file in &mut descriptors.file {
        file.message_type.clear();
        file.enum_type.clear();
        file.extension.clear();
    }
}

#[expect(clippy::print_stdout, reason = "cargo reads directives from a build script's standard output")]
fn emit_rerun_if_changed(path: &Path) {
    println!("cargo:rerun-if-changed={}", path.display());
}
