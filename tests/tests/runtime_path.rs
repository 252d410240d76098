//! Each method of a generated client calls what it is named after, however hard the names are. The runtime is
//! a small one that only remembers, found by `runtime_path`.

/// What generated clients need, remembering instead of calling.
pub mod runtime {
    /// Goes nowhere.
    #[derive(Clone, Debug)]
    pub struct Channel;

    /// As `trunkline::stub`.
    pub mod stub {
        use std::marker::PhantomData;

        /// How a method may be repeated.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Idempotency {
            /// Nothing is known.
            Unknown,
            /// It only looks.
            NoSideEffects,
            /// It may be repeated.
            Idempotent,
        }

        /// One method of a service.
        #[derive(Debug)]
        pub struct MethodDescriptor {
            /// Service and method.
            pub names: [&'static str; 2],
            /// The path of its calls.
            pub path: &'static str,
            /// How it may be repeated.
            pub idempotency: Idempotency,
        }

        impl MethodDescriptor {
            /// A method of which nothing more is known.
            pub const fn new(service: &'static str, method: &'static str, path: &'static str) -> Self {
                Self { names: [service, method], path, idempotency: Idempotency::Unknown }
            }

            /// The same method with what its options say.
            #[must_use]
            pub const fn idempotency(mut self, idempotency: Idempotency) -> Self {
                self.idempotency = idempotency;
                self
            }
        }

        /// A message to send.
        pub trait IntoRequest<T> {}
        impl<T: prost::Message> IntoRequest<T> for T {}

        /// Messages to send.
        pub trait IntoStreamingRequest {
            /// One of them.
            type Message;
        }
        impl<T: prost::Message> IntoStreamingRequest for Vec<T> {
            type Message = T;
        }

        macro_rules! call {
            ($name:ident, $bound:ident $($argument:ident)?) => {
                /// A call of this shape.
                #[derive(Debug)]
                pub struct $name<R> {
                    /// What it calls.
                    pub method: &'static MethodDescriptor,
                    reply: PhantomData<R>,
                }

                impl<R> $name<R> {
                    /// A call that is never made.
                    pub fn new$(<$argument>)?(
                        _: &super::Channel,
                        method: &'static MethodDescriptor,
                        _: impl $bound$(<$argument>)?,
                    ) -> Self {
                        Self { method, reply: PhantomData }
                    }
                }
            };
        }
        call!(UnaryCall, IntoRequest Q);
        call!(ServerStreamingCall, IntoRequest Q);
        call!(ClientStreamingCall, IntoStreamingRequest);
        call!(BidiStreamingCall, IntoStreamingRequest);
    }
}

/// All that was generated from `protos/torture`.
#[deny(warnings, missing_docs)]
pub mod generated {
    include!(concat!(env!("OUT_DIR"), "/runtime_path/mod.rs"));
}

use generated::torture::{services, v1 as torture};
use runtime::Channel;
use runtime::stub::{Idempotency, MethodDescriptor};

fn t() -> torture::T {
    torture::T::default()
}

#[test]
fn methods_that_are_one_in_rust_call_what_they_are_named_after() {
    let client = torture::methods_client::MethodsClient::new(Channel);
    let methods: [&MethodDescriptor; 6] = [
        client.get_thing(t()).method,
        client.get_thing_4(t()).method,
        client.get_thing_5(vec![t()]).method,
        client.get_thing_2(vec![t()]).method,
        client.get_thing_3(t()).method,
        client._1st(vec![t()]).method,
    ];
    assert_eq!(
        methods.map(|method| method.names[1]),
        ["GetThing", "get_thing", "getThing", "GetThing_2", "get_thing_3", "_1st"]
    );
}

#[test]
fn reserved_names_and_keywords_get_an_underscore_or_become_raw() {
    let client = torture::methods_client::MethodsClient::new(Channel);
    let methods: [&MethodDescriptor; 5] = [
        client.new_(t()).method,
        client.clone_(t()).method,
        client.connect_(vec![t()]).method,
        client.r#type(vec![t()]).method,
        client.self_(t()).method,
    ];
    assert_eq!(methods.map(|method| method.names[1]), ["New", "Clone", "Connect", "Type", "Self"]);
    assert_eq!(methods[0].path, "/torture.v1.Methods/New");
    assert_eq!(methods[0].names[0], "torture.v1.Methods");
}

#[test]
fn services_of_any_name_have_a_client() {
    let method = services::t_client::TClient::new(Channel).get(t()).method;
    assert_eq!(method.path, "/torture.services.T/Get");
    assert_eq!(
        torture::http_thing_client_2::HttpThingClient::new(Channel).get(t()).method.names[0],
        "torture.v1.HttpThing"
    );
    assert_eq!(
        generated::bare_service_client::BareServiceClient::new(Channel).get(generated::Bare {}).method.path,
        "/BareService/Get"
    );
}

#[test]
#[expect(deprecated, reason = "the service is deprecated, and that it warns is what is tested")]
fn options_of_methods_are_known() {
    let client = torture::options_client::OptionsClient::new(Channel);
    assert_eq!(client.get(t()).method.idempotency, Idempotency::NoSideEffects);
    assert_eq!(client.put(t()).method.idempotency, Idempotency::Idempotent);
    let client = services::t_client::TClient::new(Channel);
    assert_eq!(client.get(t()).method.idempotency, Idempotency::Unknown);
}

#[test]
fn messages_from_elsewhere_are_named_where_they_are() {
    let client = torture::types_client::TypesClient::new(Channel);
    assert_eq!(client.empty(()).method.names[1], "Empty");
    assert_eq!(client.wrappers(vec![true]).method.names[1], "Wrappers");
    assert_eq!(client.time(prost_types::Timestamp::default()).method.names[1], "Time");
    assert_eq!(client.other(generated::torture::other::r#type::Thing {}).method.names[1], "Other");
    assert_eq!(client.raw(vec![1_u8]).method.names[1], "Raw");
}
