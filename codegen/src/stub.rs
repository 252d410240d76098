//! Our own clients, as text. Every name is an absolute path or begins at `super`, and every item is in a
//! module of its own, so whatever the `.proto` calls its things, nothing is shadowed.

use prost_build::{Comments, Method, Service};
use prost_types::method_options::IdempotencyLevel;

use crate::names::{ServiceNames, method_names};

/// The module with the client of `service`, over the runtime at the path `runtime`.
pub(crate) fn client(service: &Service, names: &ServiceNames, runtime: &str) -> String {
    let full_name = full_name(service);
    let ServiceNames { module, client, .. } = names;
    // On the module, since a use of the deprecated type within would warn.
    let deprecated = deprecated(service.options.deprecated());
    let docs = docs(
        &service.comments,
        &format!("A client of `{full_name}`. Cheap to clone; clones share the channel."),
    );
    let unused = match service.methods.is_empty() {
        true => "#[allow(dead_code, reason = \"the service has no methods\")]",
        false => "",
    };
    let methods: String = service
        .methods
        .iter()
        .zip(method_names(service))
        .map(|(method, name)| client_method(service, method, &name, runtime))
        .collect();
    format!(
        "
/// The client of `{full_name}`.
#[allow(clippy::all, reason = \"names and comments are the .proto file's\")]
{deprecated}
pub mod {module} {{
{docs}
    #[derive(::core::clone::Clone, ::core::fmt::Debug)]
    pub struct {client} {{
        {unused}
        channel: {runtime}::Channel,
    }}

    impl {client} {{
        /// A client whose calls go over `channel`.
        pub fn new(channel: {runtime}::Channel) -> Self {{
            Self {{ channel }}
        }}
{methods}
    }}
}}
"
    )
}

/// The path of a message, as prost gives it, without names that a message could have taken: those of
/// primitive types, which stand for the wrappers in google.protobuf.
pub(crate) fn absolute(path: &str) -> String {
    match path {
        "bool" | "i32" | "i64" | "u32" | "u64" | "f32" | "f64" => format!("::core::primitive::{path}"),
        _ => path.to_owned(),
    }
}

/// The path of a message from within a module beside it.
fn from_within(path: &str) -> String {
    match absolute(path) {
        path if path == "()" || path.starts_with("::") || path.starts_with("crate::") => path,
        path => format!("super::{path}"),
    }
}

fn client_method(service: &Service, method: &Method, name: &str, runtime: &str) -> String {
    let Method { proto_name, .. } = method;
    let full_name = full_name(service);
    let path = format!("/{full_name}/{proto_name}");
    let (request, reply) = (from_within(&method.input_type), from_within(&method.output_type));
    let (shape, call) = match (method.client_streaming, method.server_streaming) {
        (false, false) => ("Unary call", "UnaryCall"),
        (false, true) => ("Server streaming call", "ServerStreamingCall"),
        (true, false) => ("Client streaming call", "ClientStreamingCall"),
        (true, true) => ("Bidirectional streaming call", "BidiStreamingCall"),
    };
    let request = match method.client_streaming {
        false => format!("{runtime}::stub::IntoRequest<{request}>"),
        true => format!("{runtime}::stub::IntoStreamingRequest<Message = {request}>"),
    };
    let idempotency = match method.options.idempotency_level() {
        IdempotencyLevel::IdempotencyUnknown => String::new(),
        IdempotencyLevel::NoSideEffects => {
            format!(".idempotency({runtime}::stub::Idempotency::NoSideEffects)")
        }
        IdempotencyLevel::Idempotent => format!(".idempotency({runtime}::stub::Idempotency::Idempotent)"),
    };
    let docs = docs(&method.comments, &format!("{shape} of `{path}`."));
    // In a deprecated module everything is; said twice, its own use of the channel would warn.
    let deprecated = deprecated(method.options.deprecated() && !service.options.deprecated());
    // The descriptor lives in the function, so descriptors cannot meet.
    format!(
        "
{docs}
        {deprecated}
        pub fn {name}(&self, request: impl {request}) -> {runtime}::stub::{call}<{reply}> {{
            static METHOD: {runtime}::stub::MethodDescriptor =
                {runtime}::stub::MethodDescriptor::new({full_name:?}, {proto_name:?}, {path:?}){idempotency};
            {runtime}::stub::{call}::new(&self.channel, &METHOD, request)
        }}
"
    )
}

/// The service as paths name it.
fn full_name(service: &Service) -> String {
    match service.package.as_str() {
        "" => service.proto_name.clone(),
        package => format!("{package}.{}", service.proto_name),
    }
}

/// The comments of the `.proto`, then what every item of this kind says.
fn docs(comments: &Comments, last: &str) -> String {
    let mut docs = String::new();
    let comments = Comments { leading_detached: Vec::new(), ..comments.clone() };
    comments.append_with_indent(0, &mut docs);
    if !docs.is_empty() {
        docs.push_str("///\n");
    }
    docs + "/// " + last
}

fn deprecated(yes: bool) -> &'static str {
    if yes { "#[deprecated]" } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost_types::{MethodOptions, ServiceOptions};

    fn method(name: &str) -> Method {
        Method {
            name: name.to_lowercase(),
            proto_name: name.to_owned(),
            comments: comments(&[]),
            input_type: "In".to_owned(),
            output_type: "super::other::Out".to_owned(),
            input_proto_type: ".p.In".to_owned(),
            output_proto_type: ".other.Out".to_owned(),
            options: MethodOptions::default(),
            client_streaming: false,
            server_streaming: false,
        }
    }

    fn comments(lines: &[&str]) -> Comments {
        let leading = lines.iter().map(|line| (*line).to_owned()).collect();
        Comments { leading_detached: vec![vec![" apart".to_owned()]], leading, trailing: Vec::new() }
    }

    fn service(methods: Vec<Method>) -> Service {
        Service {
            name: "S".to_owned(),
            proto_name: "S".to_owned(),
            package: "p".to_owned(),
            comments: comments(&[]),
            methods,
            options: ServiceOptions::default(),
        }
    }

    /// The client's code without its white space, so that tests read like the code and not like its layout.
    fn code(service: &Service) -> String {
        let names = ServiceNames {
            module: "s_client".to_owned(),
            client: "SClient".to_owned(),
            tonic: "S".to_owned(),
        };
        client(service, &names, "::trunkline").split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[track_caller]
    fn assert_has(code: &str, part: &str) {
        assert!(code.contains(part), "no `{part}` in {code}");
    }

    #[test]
    fn a_unary_method_is_a_call_over_the_channel() {
        assert_has(
            &code(&service(vec![method("Get")])),
            "/// Unary call of `/p.S/Get`. pub fn get(&self, request: impl ::trunkline::stub::IntoRequest<super::In>) -> \
             ::trunkline::stub::UnaryCall<super::super::other::Out> { \
             static METHOD: ::trunkline::stub::MethodDescriptor = \
             ::trunkline::stub::MethodDescriptor::new(\"p.S\", \"Get\", \"/p.S/Get\"); \
             ::trunkline::stub::UnaryCall::new(&self.channel, &METHOD, request) }",
        );
    }

    #[test]
    fn each_shape_has_its_call() {
        let shape = |client_streaming, server_streaming| {
            code(&service(vec![Method { client_streaming, server_streaming, ..method("Get") }]))
        };
        assert_has(&shape(false, true), "IntoRequest<super::In>) -> ::trunkline::stub::ServerStreamingCall<");
        let streaming =
            "impl ::trunkline::stub::IntoStreamingRequest<Message = super::In>) -> ::trunkline::stub::";
        assert_has(&shape(true, false), &format!("{streaming}ClientStreamingCall<"));
        assert_has(&shape(true, true), &format!("{streaming}BidiStreamingCall<"));
    }

    #[test]
    fn options_become_attributes_and_idempotency() {
        let mut get = method("Get");
        get.options.set_idempotency_level(IdempotencyLevel::NoSideEffects);
        get.options.deprecated = Some(true);
        let mut put = method("Put");
        put.options.set_idempotency_level(IdempotencyLevel::Idempotent);
        let mut service = service(vec![get, put]);
        let code = {
            let alone = code(&service);
            assert_has(&alone, "#[deprecated] pub fn get");
            service.options.deprecated = Some(true);
            code(&service)
        };
        assert_has(&code, "#[deprecated] pub mod s_client");
        assert!(!code.contains("#[deprecated] pub fn"));
        assert_has(&code, "\"/p.S/Get\").idempotency(::trunkline::stub::Idempotency::NoSideEffects);");
        assert_has(&code, "\"/p.S/Put\").idempotency(::trunkline::stub::Idempotency::Idempotent);");
    }

    #[test]
    fn comments_become_documentation_but_those_that_stand_apart_do_not() {
        let mut service = service(vec![Method { comments: comments(&[" Gets it."]), ..method("Get") }]);
        service.comments = comments(&["No space", " [brackets] and https://a.b"]);
        let code = code(&service);
        assert_has(&code, "/// No space /// \\[brackets\\] and <https://a.b> /// /// A client of `p.S`.");
        assert_has(&code, "/// Gets it. /// /// Unary call of `/p.S/Get`.");
        assert!(!code.contains("apart"));
    }

    #[test]
    fn a_service_without_a_package_has_a_short_path() {
        let mut service = service(vec![method("Get")]);
        service.package = String::new();
        assert_has(&code(&service), "MethodDescriptor::new(\"S\", \"Get\", \"/S/Get\")");
    }

    #[test]
    fn types_are_named_from_within_a_module_beside_them() {
        let table = [
            ("In", "super::In"),
            ("super::other::Out", "super::super::other::Out"),
            ("r#type::In", "super::r#type::In"),
            ("()", "()"),
            ("bool", "::core::primitive::bool"),
            ("::prost_types::Timestamp", "::prost_types::Timestamp"),
            ("crate::messages::In", "crate::messages::In"),
        ];
        for (from, to) in table {
            assert_eq!(from_within(from), to);
        }
    }
}
