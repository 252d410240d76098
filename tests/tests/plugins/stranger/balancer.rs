//! A policy that keeps every server connected, and sends all calls to the first that is: the others are hot
//! spares.

use trunkline::ConnectivityState::{Connecting, Ready, TransientFailure};
use trunkline::balancer::{
    Balancer, BalancerConfig, BalancerState, Failure, FixedPicker, Input, Plan, Steady,
};

/// For `ChannelBuilder::balancer`.
pub fn hot_spares() -> BalancerConfig {
    BalancerConfig::new("hot_spares", Default::default(), |_seed| HotSpares::default())
}

#[derive(Default)]
struct HotSpares(Steady);

impl Balancer for HotSpares {
    fn update(&mut self, input: &Input<'_>, plan: &mut Plan) -> BalancerState {
        let servers = || input.endpoints.iter().flat_map(|endpoint| endpoint.addresses());
        servers().for_each(|address| plan.connect(address));
        if let Some(first) = servers().find(|address| input.status(address).state == Ready) {
            return self.0.say(Ready, FixedPicker::Ready(first.clone()));
        }
        let errors: Vec<_> = servers().filter_map(|address| input.status(address).error.cloned()).collect();
        if errors.len() < servers().count() || input.resolution == 0 {
            return self.0.say(Connecting, FixedPicker::Queue);
        }
        let failure = match input.endpoints {
            [] => Failure::no_endpoints(input.resolver_error),
            _ => Failure::unavailable("neither a server nor a spare can be reached", errors),
        };
        self.0.say(TransientFailure, FixedPicker::Fail(failure))
    }
}
