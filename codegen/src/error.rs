//! What can go wrong between `.proto` and Rust, told so that a failing build script needs no further digging.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why no code was generated.
///
/// `Debug` is the same text as `Display`, since that is what cargo shows of a build script that returns an
/// error.
#[non_exhaustive]
pub enum Error {
    /// A `.proto` file cannot be found, read or understood.
    Proto {
        /// The file that is wrong; it may be one that was imported.
        file: String,
        /// Where in it and why.
        source: protox::Error,
    },
    /// A file is neither of proto2 nor of proto3: editions are not supported.
    Syntax {
        /// The file, as the descriptors call it.
        file: String,
        /// What it says that its syntax is.
        syntax: String,
    },
    /// The folders to look for `.proto` files in cannot be used.
    Includes(protox::Error),
    /// No `.proto` file was named.
    NothingToCompile,
    /// The path of the runtime is not absolute: it must begin with `::` or `crate`.
    RuntimePath(String),
    /// What the builder was told contradicts itself, such as two places for one package.
    Prost(io::Error),
    /// There is no folder to write to: neither `out_dir` was called nor is `OUT_DIR` set, as cargo does for
    /// build scripts.
    NoOutDir,
    /// Writing failed.
    Write {
        /// The file or folder that was written to.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // The debug form of protox's errors is their long one, with line, column and an excerpt.
            Self::Proto { file, source } => write!(f, "{file}: {source:?}"),
            Self::Syntax { file, syntax } => {
                write!(
                    f,
                    "{file}: syntax `{syntax}` is not supported: only proto2 and proto3 are, and no editions"
                )
            }
            Self::Includes(source) => write!(f, "include folders: {source:?}"),
            Self::NothingToCompile => f.write_str("no .proto file to compile"),
            Self::RuntimePath(path) => {
                write!(f, "runtime path `{path}` is not absolute: it must begin with `::` or `crate`")
            }
            Self::Prost(source) => source.fmt(f),
            Self::NoOutDir => f.write_str("OUT_DIR is not set; outside of build scripts, call out_dir"),
            Self::Write { path, source } => write!(f, "{}: {source}", path.display()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Proto { source, .. } | Self::Includes(source) => Some(source),
            Self::Prost(source) | Self::Write { source, .. } => Some(source),
            Self::Syntax { .. } | Self::NothingToCompile | Self::RuntimePath(_) | Self::NoOutDir => None,
        }
    }
}
