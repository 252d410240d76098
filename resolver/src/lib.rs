//! How Trunkline finds servers: from a [`Target`] such as `dns:///greeter.prod:443` to the endpoints behind
//! it.
//!
//! A [`Resolver`] watches one target and is polled for its next [`Resolution`]. Nobody writes one by hand:
//! [`polling`] looks again and again, [`watching`] follows a stream, [`fixed`] knows one answer. A
//! [`ResolverBuilder`] makes resolvers for one scheme, and a [`ResolverRegistry`] is the set of schemes that
//! a channel knows.
//!
//! A scheme of one's own is one type:
//!
//! ```
//! use trunkline_proto::{Address, Endpoint};
//! use trunkline_resolver::{
//!     PollingOptions, Resolution, ResolveError, Resolver, ResolverBuilder, ResolverOptions, ResolverRegistry, Target,
//!     TargetError, polling,
//! };
//!
//! /// `file:///etc/greeters`: one address per line, read again when it is due.
//! struct File;
//!
//! impl ResolverBuilder for File {
//!     fn scheme(&self) -> &str {
//!         "file"
//!     }
//!
//!     fn build(&self, target: &Target, options: &ResolverOptions) -> Result<Box<dyn Resolver>, TargetError> {
//!         let path = target.path().to_owned();
//!         Ok(polling(PollingOptions::new(options), move || {
//!             let text = std::fs::read_to_string(&path);
//!             async move {
//!                 let parse = |line: &str| line.parse().map(Address::tcp).map(Endpoint::new);
//!                 let endpoints: Result<Vec<_>, _> = text?.lines().map(parse).collect();
//!                 endpoints.map(Resolution::new).map_err(|error| ResolveError::new("not an address").caused_by(error))
//!             }
//!         }))
//!     }
//! }
//!
//! let registry = ResolverRegistry::default().with(File);
//! let target = registry.parse("file:///etc/greeters")?;
//! assert_eq!(target.path(), "/etc/greeters");
//! # Ok::<(), TargetError>(())
//! ```

mod target;

mod resolution;
mod resolver;

mod fixed;
mod merged;
mod polling;
mod timer;
mod watching;

mod guarded;
mod names;
mod registry;
mod schemes;

#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use fixed::fixed;
pub use polling::{PollingOptions, ZeroInterval, polling};
pub use registry::ResolverRegistry;
pub use resolution::{Resolution, ResolveError};
pub use resolver::{Resolver, ResolverBuilder, ResolverOptions};
#[cfg(feature = "dns")]
pub use schemes::dns::Dns;
pub use target::{
    Host, HostError, HostPort, MAX_TARGET_BYTES, Target, TargetError, TargetPart, TransportHint,
};
pub use watching::watching;
