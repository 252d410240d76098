//! What prost calls for each service while it writes a package: our client and tonic's server, on the same
//! compile.

use crate::names::Names;
use crate::server::TonicServer;
use crate::stub;

/// Writes clients, servers or both behind the messages of their package.
pub(crate) struct Generator {
    names: Names,
    /// Path of the runtime, if clients are wished.
    runtime: Option<String>,
    server: Option<TonicServer>,
}

impl Generator {
    /// A generator, or `None` if there is nothing to generate for services: prost expects that a generator
    /// writes something.
    pub(crate) fn new(names: Names, runtime: Option<String>, tonic_server: bool) -> Option<Self> {
        let server = tonic_server.then(TonicServer::new);
        (runtime.is_some() || server.is_some()).then_some(Self { names, runtime, server })
    }
}

impl prost_build::ServiceGenerator for Generator {
    fn generate(&mut self, service: prost_build::Service, code: &mut String) {
        let names = self.names.of(&service);
        if let Some(runtime) = &self.runtime {
            code.push_str(&stub::client(&service, names, runtime));
        }
        if let Some(server) = &mut self.server {
            server.generate(service, names, code);
        }
    }
}
