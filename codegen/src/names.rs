//! Which Rust names services and methods get. Two things named apart in a `.proto` may become one name in
//! Rust, or meet a name that is already there; all of these meetings are settled here, before a line is
//! generated.

use std::collections::{HashMap, HashSet};

use heck::{ToSnakeCase, ToUpperCamelCase};
use prost_types::{FileDescriptorSet, ServiceDescriptorProto};

/// Names that tonic's server template uses unqualified. A trait of that name would shadow them.
const TONIC_WORDS: [&str; 33] = [
    "Arc",
    "B",
    "BoxFuture",
    "BoxStream",
    "Body",
    "Box",
    "Bytes",
    "Clone",
    "CompressionEncoding",
    "Context",
    "Default",
    "EnabledCompressionEncodings",
    "Err",
    "F",
    "From",
    "Future",
    "GrpcMethod",
    "InterceptedService",
    "Into",
    "None",
    "Ok",
    "Option",
    "Pin",
    "Poll",
    "Result",
    "Self",
    "Send",
    "Service",
    "Some",
    "StdError",
    "String",
    "Sync",
    "T",
];

/// Methods of every generated client, or of what it derives: methods of a service keep clear of them.
const CLIENT_METHODS: [&str; 3] = ["new", "clone", "connect"];

/// The names of all services of one compilation.
#[derive(Debug)]
pub(crate) struct Names {
    /// By package and name of the service, as the `.proto` says them.
    services: HashMap<(String, String), ServiceNames>,
}

/// The names of one service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServiceNames {
    /// Module of the client.
    pub(crate) module: String,
    /// The client's type.
    pub(crate) client: String,
    /// What tonic is told that the service is called; its trait, server and module derive from it.
    pub(crate) tonic: String,
}

impl Names {
    /// Plans the names of all services in `descriptors`.
    pub(crate) fn plan(descriptors: &FileDescriptorSet) -> Self {
        let mut taken = modules_of_messages_and_packages(descriptors);
        let mut services = HashMap::new();
        for file in &descriptors.file {
            let taken = taken.entry(module_of(file.package())).or_default();
            for service in &file.service {
                let names = plan_service(service, taken);
                services.insert((file.package().to_owned(), service.name().to_owned()), names);
            }
        }
        Self { services }
    }

    /// The names of `service`, which was among the descriptors.
    pub(crate) fn of(&self, service: &prost_build::Service) -> &ServiceNames {
        let key = (service.package.clone(), service.proto_name.clone());
        self.services
            .get(&key)
            .expect("services are planned from the descriptors that they are generated from")
    }
}

/// The names of a service's methods, in order: those that prost gives, each only once, and none of the
/// client's own.
pub(crate) fn method_names(service: &prost_build::Service) -> Vec<String> {
    let wished = |method: &prost_build::Method| match method.name.as_str() {
        "" => "unnamed".to_owned(),
        name if CLIENT_METHODS.contains(&name) => format!("{name}_"),
        name => name.to_owned(),
    };
    distinct(service.methods.iter().map(wished).collect())
}

/// The names of a service's methods for tonic's trait, where `new` and its like are in nobody's way.
pub(crate) fn tonic_method_names(service: &prost_build::Service) -> Vec<String> {
    let wished = |method: &prost_build::Method| match method.name.as_str() {
        "" => "unnamed".to_owned(),
        name => name.to_owned(),
    };
    distinct(service.methods.iter().map(wished).collect())
}

/// The first to wish for a name gets it; a later one gets a number that nobody wished for.
fn distinct(wished: Vec<String>) -> Vec<String> {
    let all: HashSet<String> = wished.iter().cloned().collect();
    let mut given = HashSet::new();
    let mut names = Vec::with_capacity(wished.len());
    for wish in wished {
        let free = |name: &String| !given.contains(name) && (*name == wish || !all.contains(name));
        let name = numbered(&wish).find(free).expect("numbers do not end");
        given.insert(name.clone());
        names.push(name);
    }
    names
}

/// `name`, `name_2`, `name_3` and so on. A raw name needs no `r#` once it has a number.
fn numbered(name: &str) -> impl Iterator<Item = String> + '_ {
    let bare = name.trim_start_matches("r#");
    std::iter::once(name.to_owned()).chain((2_usize..).map(move |number| format!("{bare}_{number}")))
}

fn plan_service(service: &ServiceDescriptorProto, taken: &mut HashSet<String>) -> ServiceNames {
    let camel = match service.name().to_upper_camel_case() {
        name if name.is_empty() => "Unnamed".to_owned(),
        name if name.starts_with(|c: char| c.is_ascii_digit()) => format!("_{name}"),
        name => name,
    };
    let module = format!("{}_client", snake(&camel));
    let module = numbered(&module).find(|name| !taken.contains(name)).expect("numbers do not end");
    taken.insert(module.clone());

    let base = if shadows_tonic(&camel, service) { format!("{camel}Service") } else { camel.clone() };
    let more = (2_usize..).map(|number| format!("{base}{number}"));
    let free = |name: &String| !shadows_tonic(name, service) && !taken.contains(&tonic_module(name));
    let tonic = std::iter::once(base.clone()).chain(more).find(free).expect("numbers do not end");
    taken.insert(tonic_module(&tonic));

    ServiceNames { module, client: format!("{camel}Client"), tonic }
}

/// Whether a trait called `name`, or the server that tonic derives from it, would shadow what tonic's code
/// for this service means by that name. For a method `Get` that code has a type `GetSvc`.
fn shadows_tonic(name: &str, service: &ServiceDescriptorProto) -> bool {
    let server = format!("{name}Server");
    let mut types = service.method.iter().map(|method| format!("{}Svc", method.name()));
    TONIC_WORDS.contains(&name) || types.any(|of_method| of_method == name || of_method == server)
}

/// The module that tonic puts a server in: an underscore before each capital but the first.
fn tonic_module(name: &str) -> String {
    let mut module = String::new();
    for (index, c) in name.char_indices() {
        if index > 0 && c.is_ascii_uppercase() {
            module.push('_');
        }
        module.push(c.to_ascii_lowercase());
    }
    module + "_server"
}

/// `name` in snake case, as prost writes it: the underscore before a digit, which snake case drops, is what
/// makes it a name.
fn snake(name: &str) -> String {
    match name.to_snake_case() {
        name if name.starts_with(|c: char| c.is_ascii_digit()) => format!("_{name}"),
        name => name,
    }
}

/// The Rust module of a package, as prost nests them.
fn module_of(package: &str) -> String {
    package.split('.').map(snake).collect::<Vec<_>>().join(".")
}

/// Modules that are there anyway, by the module that they are in: prost makes one for what is nested in a
/// message, and one for each part of a package's name.
fn modules_of_messages_and_packages(descriptors: &FileDescriptorSet) -> HashMap<String, HashSet<String>> {
    let mut taken: HashMap<String, HashSet<String>> = HashMap::new();
    for file in &descriptors.file {
        let package = module_of(file.package());
        let messages = file.message_type.iter().map(|message| snake(message.name()));
        taken.entry(package.clone()).or_default().extend(messages);
        let mut inner = package.as_str();
        while let Some((outer, part)) = inner.rsplit_once('.') {
            taken.entry(outer.to_owned()).or_default().insert(part.to_owned());
            inner = outer;
        }
        taken.entry(String::new()).or_default().insert(inner.to_owned());
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost_types::{DescriptorProto, FileDescriptorProto, MethodDescriptorProto};

    fn file(package: &str, messages: &[&str], services: &[(&str, &[&str])]) -> FileDescriptorProto {
        let message = |name: &&str| DescriptorProto { name: Some((*name).to_owned()), ..Default::default() };
        let method =
            |name: &&str| MethodDescriptorProto { name: Some((*name).to_owned()), ..Default::default() };
        let service = |(name, methods): &(&str, &[&str])| ServiceDescriptorProto {
            name: Some((*name).to_owned()),
            method: methods.iter().map(method).collect(),
            ..Default::default()
        };
        FileDescriptorProto {
            package: Some(package.to_owned()),
            message_type: messages.iter().map(message).collect(),
            service: services.iter().map(service).collect(),
            ..Default::default()
        }
    }

    fn planned(files: Vec<FileDescriptorProto>, package: &str, service: &str) -> [String; 3] {
        let names = Names::plan(&FileDescriptorSet { file: files });
        let ServiceNames { module, client, tonic } =
            names.services[&(package.to_owned(), service.to_owned())].clone();
        [module, client, tonic]
    }

    fn methods(names: &[&str]) -> Vec<String> {
        distinct(names.iter().map(|name| (*name).to_owned()).collect())
    }

    #[test]
    fn an_ordinary_service_gets_the_ordinary_names() {
        let files = vec![file("greeter.v1", &["HelloRequest"], &[("Greeter", &["SayHello"])])];
        assert_eq!(planned(files, "greeter.v1", "Greeter"), ["greeter_client", "GreeterClient", "Greeter"]);
    }

    #[test]
    fn a_service_that_tonics_code_would_mistake_is_renamed_for_tonic_alone() {
        let files =
            || vec![file("p", &[], &[("T", &[]), ("TService", &[]), ("GetSvc", &["Get"]), ("Self", &[])])];
        assert_eq!(planned(files(), "p", "T"), ["t_client", "TClient", "TService"]);
        assert_eq!(planned(files(), "p", "TService"), ["t_service_client", "TServiceClient", "TService2"]);
        assert_eq!(planned(files(), "p", "GetSvc"), ["get_svc_client", "GetSvcClient", "GetSvcService"]);
        assert_eq!(planned(files(), "p", "Self"), ["self_client", "SelfClient", "SelfService"]);
    }

    #[test]
    fn services_that_become_one_name_are_numbered() {
        let files =
            || vec![file("p", &[], &[("Greeter", &[])]), file("p", &[], &[("greeter", &[]), ("_", &[])])];
        assert_eq!(planned(files(), "p", "Greeter"), ["greeter_client", "GreeterClient", "Greeter"]);
        assert_eq!(planned(files(), "p", "greeter"), ["greeter_client_2", "GreeterClient", "Greeter2"]);
        assert_eq!(planned(files(), "p", "_"), ["unnamed_client", "UnnamedClient", "Unnamed"]);
    }

    #[test]
    fn a_digit_in_front_gets_an_underscore() {
        let files = || vec![file("p", &["_2BarClient"], &[("_1Foo", &[]), ("_2_bar", &[])])];
        assert_eq!(planned(files(), "p", "_1Foo"), ["_1foo_client", "_1fooClient", "_1foo"]);
        assert_eq!(planned(files(), "p", "_2_bar"), ["_2bar_client_2", "_2BarClient", "_2Bar"]);
        let files = vec![file("p", &[], &[("_3", &[])]), file("p._3_client", &[], &[])];
        assert_eq!(planned(files, "p", "_3"), ["_3_client_2", "_3Client", "_3"]);
    }

    #[test]
    fn modules_of_messages_and_packages_are_not_met() {
        let files = || {
            vec![
                file("p", &["AClient", "AServer"], &[("A", &[]), ("B", &[])]),
                file("p.b_client.x", &[], &[]),
                file("", &[], &[("P", &[])]),
            ]
        };
        assert_eq!(planned(files(), "p", "A"), ["a_client_2", "AClient", "A2"]);
        assert_eq!(planned(files(), "p", "B"), ["b_client_2", "BClient", "BService"]);
        assert_eq!(planned(files(), "", "P"), ["p_client", "PClient", "P"]);
    }

    #[test]
    fn methods_that_become_one_name_are_numbered_around_the_others() {
        assert_eq!(
            methods(&["get_foo", "get_foo", "get_foo_2", "r#type", "r#type"]),
            ["get_foo", "get_foo_3", "get_foo_2", "r#type", "type_2"]
        );
    }

    #[test]
    fn tonics_module_names_are_known() {
        assert_eq!(tonic_module("Greeter"), "greeter_server");
        assert_eq!(tonic_module("HttpGreeter2"), "http_greeter2_server");
    }
}
