//! A resolver that follows a registry which pushes its changes.

use std::collections::HashMap;
use std::net::SocketAddr;

use tokio::sync::watch;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::WatchStream;
use trunkline::resolver::{
    Resolution, ResolveError, Resolver, ResolverBuilder, ResolverOptions, Target, TargetError, watching,
};

/// The servers of every service.
pub type Services = HashMap<String, Vec<SocketAddr>>;

/// `registry:greeter` is what the registry has under that name.
#[derive(Debug)]
pub struct Registry(pub watch::Receiver<Services>);

impl ResolverBuilder for Registry {
    fn scheme(&self) -> &str {
        "registry"
    }

    fn build(&self, target: &Target, _: &ResolverOptions) -> Result<Box<dyn Resolver>, TargetError> {
        let name = target.endpoint().to_owned();
        let answers = WatchStream::new(self.0.clone()).map(move |services| {
            let servers =
                services.get(&name).ok_or_else(|| ResolveError::new(format!("no service {name}")))?;
            Ok(Resolution::from_addresses(servers.iter().copied()))
        });
        Ok(watching(answers))
    }
}
