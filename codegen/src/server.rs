//! tonic's server traits, written by tonic's own generator. All that is done here is to hand it services
//! under names that its template can bear.

use crate::names::{self, ServiceNames};
use crate::stub::absolute;

/// On each server module: what lints of the crate around it may object to in tonic's template.
const ALLOWED: &str = "#[allow(clippy::all, clippy::allow_attributes_without_reason, non_camel_case_types, \
                       unused_qualifications, reason = \"tonic wrote this module\")]";

/// tonic's generator.
pub(crate) struct TonicServer(Box<dyn prost_build::ServiceGenerator>);

impl TonicServer {
    pub(crate) fn new() -> Self {
        let builder = tonic_prost_build::configure()
            .build_client(false)
            .build_server(true)
            .build_transport(false)
            .server_mod_attribute(".", ALLOWED);
        Self(builder.service_generator())
    }

    /// Appends the server of `service` to `code`.
    pub(crate) fn generate(
        &mut self,
        mut service: prost_build::Service,
        names: &ServiceNames,
        code: &mut String,
    ) {
        let methods = names::tonic_method_names(&service);
        service.name.clone_from(&names.tonic);
        for (method, name) in service.methods.iter_mut().zip(methods) {
            method.name = name;
            // tonic puts `super::` before what is not absolute, and so before `bool` too.
            method.input_type = absolute(&method.input_type);
            method.output_type = absolute(&method.output_type);
        }
        self.0.generate(service, code);
    }
}
