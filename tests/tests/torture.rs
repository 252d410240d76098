//! Clients and tonic servers of a `.proto` full of hard names compile without a warning, and what they make
//! can be moved and shared as applications need it.

use std::fmt::Debug;
use std::future::{Future, IntoFuture};

use generated::torture::{services, v1 as torture};
use trunkline::Channel;

/// All that was generated from `protos/torture`.
#[deny(warnings, missing_docs)]
pub mod generated {
    include!(concat!(env!("OUT_DIR"), "/torture/mod.rs"));
}

fn channel() -> Channel {
    Channel::builder("ipv4:127.0.0.1:1").plaintext().connect_lazy().expect("the target is correct")
}

#[test]
fn a_client_fits_a_struct_a_static_and_an_arc() {
    fn fits<T: Clone + Debug + Send + Sync + Unpin + 'static>(_: &T) {}
    fits(&services::t_client::TClient::new(channel()));
    fits(&torture::methods_client::MethodsClient::new(channel()));
}

#[test]
fn calls_of_every_shape_are_futures_that_may_be_spawned() {
    fn spawnable<F: Future + Send + 'static>(_: impl IntoFuture<IntoFuture = F>) {}
    let client = torture::methods_client::MethodsClient::new(channel());
    let requests = || tokio_stream::iter([torture::T::default()]);
    spawnable(client.new_(torture::T::default()));
    spawnable(client.clone_(torture::T::default()));
    spawnable(client.connect_(requests()));
    spawnable(client.r#type(requests()));
}

#[test]
fn servers_of_services_that_tonic_would_mistake_are_renamed_and_serve_the_same_paths() {
    let names = [
        services::t_service_server::SERVICE_NAME,
        services::t_service2_server::SERVICE_NAME,
        services::option_service_server::SERVICE_NAME,
        torture::http_thing2_server::SERVICE_NAME,
        generated::bare_service_server::SERVICE_NAME,
    ];
    assert_eq!(
        names,
        [
            "torture.services.T",
            "torture.services.TService",
            "torture.services.Option",
            "torture.v1.HttpThing",
            "BareService"
        ]
    );
}
