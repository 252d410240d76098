//! Generates Rust from `.proto` files for [Trunkline](https://docs.rs/trunkline): messages (by prost),
//! clients for its channels, and, if asked for, the server traits of tonic. It needs no `protoc`: the files
//! are read by protox.
//!
//! Four lines of `build.rs`:
//!
//! ```no_run
//! fn main() -> Result<(), trunkline_codegen::Error> {
//!     // Reads proto/greeter.proto; files that it imports are looked for beside it.
//!     trunkline_codegen::compile_protos("proto/greeter.proto")
//! }
//! ```
//!
//! Each package becomes one file in `OUT_DIR`, named after it. Include it where its module should be:
//!
//! ```ignore
//! pub mod greeter {
//!     trunkline::include_proto!("greeter.v1");
//! }
//! use greeter::{HelloRequest, greeter_client::GreeterClient};
//! ```
//!
//! If it imports files of other packages, these need modules too: see [`compile_protos`]. For anything beyond
//! that, see [`configure`].
//!
//! # Names
//!
//! Generated clients name everything by absolute paths, so no message or service can be in their way. Methods
//! are in snake case; keywords become raw (`r#type`) or, where that is impossible, get an underscore
//! (`self_`), and so do `new`, `clone` and `connect`. Of two methods that become the same in snake case, the
//! later one gets a number (`get_thing_2`). Modules that would meet another one of their package get a number
//! as well.
//!
//! The crate that includes a generated file depends on `trunkline` and `prost`; on `prost-types` if its
//! `.proto` files use well-known types that have no counterpart in Rust; on `tonic` and `tonic-prost` if it
//! asks for servers.
//!
//! # What it does not do yet
//!
//! Files are of proto2 or proto3. Editions (`edition = "2023";`) are not supported: neither protox nor prost
//! knows them. Such a file is an [`Error`] that names it.

mod builder;
mod comments;
mod error;
mod files;
mod generator;
mod names;
mod server;
mod stub;

pub use builder::Builder;
pub use error::Error;

/// The version of prost that generates the messages, for [`Builder::prost`].
pub use prost_build;

/// A builder with the defaults: messages and clients, no servers.
pub fn configure() -> Builder {
    Builder::new()
}

/// Generates messages and clients of one `.proto` file into `OUT_DIR`. Files that it imports are looked for
/// in the folder that it lies in.
///
/// # Several packages
///
/// What it imports of other packages is generated too, except for well-known types: one file per package.
/// These find each other by the modules that their packages' names make, so that all must be included, each in
/// its own. If `shop.v1` imports `money.v1`:
///
/// ```ignore
/// pub mod shop {
///     pub mod v1 {
///         trunkline::include_proto!("shop.v1");
///     }
/// }
/// pub mod money {
///     pub mod v1 {
///         trunkline::include_proto!("money.v1");
///     }
/// }
/// ```
///
/// [`Builder::include_file`] writes these modules, for as many packages as there are. In `build.rs`:
///
/// ```no_run
/// fn main() -> Result<(), trunkline_codegen::Error> {
///     trunkline_codegen::configure()
///         .include_file("protos.rs")
///         .compile(&["proto/shop.proto"], &["proto"])
/// }
/// ```
///
/// And then, where all of them should be:
///
/// ```ignore
/// pub mod protos {
///     include!(concat!(env!("OUT_DIR"), "/protos.rs"));
/// }
/// use protos::{money::v1::Money, shop::v1::shop_client::ShopClient};
/// ```
///
/// # Errors
///
/// As [`Builder::compile`].
pub fn compile_protos(proto: impl AsRef<std::path::Path>) -> Result<(), Error> {
    let proto = proto.as_ref();
    let folder = match proto.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => std::path::Path::new("."),
    };
    configure().compile(&[proto], &[folder])
}
