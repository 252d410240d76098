//! An application on tonic's channel.

use crate::greeter::HelloRequest;
use crate::greeter::greeter_client::GreeterClient;

pub(super) async fn greet(url: String) -> Result<String, Box<dyn std::error::Error>> {
    let channel = tonic::transport::Channel::from_shared(url)?.connect_lazy();
    let mut client = GreeterClient::new(channel);
    let reply = client.say_hello(HelloRequest { name: "Ada".to_owned() }).await?;
    Ok(reply.into_inner().message)
}
