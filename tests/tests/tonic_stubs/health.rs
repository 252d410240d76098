//! The published client of tonic-health, against its server.

use rstest::rstest;
use tonic::transport::Server;
use tonic_health::ServingStatus;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus as Answer;
use tonic_health::pb::health_client::HealthClient;
use trunkline::Transport::{self, H2, Trunkline};
use trunkline::{Channel, Code};
use trunkline_tests::Network;

#[rstest]
#[tokio::test(start_paused = true)]
async fn the_published_health_client_checks_and_watches(#[values(H2, Trunkline)] engine: Transport) {
    let (reporter, service) = tonic_health::server::health_reporter();
    reporter.set_service_status("greeter", ServingStatus::Serving).await;
    let network = Network::new(engine);
    tokio::spawn(Server::builder().add_service(service).serve_with_incoming(network.listen("a")));
    let channel = network.channel(&["a"]).connect_lazy().unwrap();
    let mut client: HealthClient<Channel> = HealthClient::new(channel);

    let answer = client.check(about("greeter")).await.unwrap().into_inner();
    assert_eq!(answer.status(), Answer::Serving);
    let status = client.check(about("nobody")).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);

    let mut answers = client.watch(about("greeter")).await.unwrap().into_inner();
    assert_eq!(answers.message().await.unwrap().unwrap().status(), Answer::Serving);
    reporter.set_service_status("greeter", ServingStatus::NotServing).await;
    assert_eq!(answers.message().await.unwrap().unwrap().status(), Answer::NotServing);
}

fn about(service: &str) -> HealthCheckRequest {
    HealthCheckRequest { service: service.to_owned() }
}
