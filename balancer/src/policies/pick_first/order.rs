//! In which order addresses are tried. Pure arithmetic on a list, apart from the machine that tries them.

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::net::IpAddr;

use indexmap::{IndexMap, IndexSet};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use trunkline_proto::{Address, Endpoint, Weight};

/// The addresses of `endpoints` in the order of trying them: endpoints shuffled if there is a `shuffle` seed,
/// flattened, without duplicates, families in turn (gRFC A61, A113).
pub(super) fn order(endpoints: &[Endpoint], shuffle: Option<u64>) -> Vec<Address> {
    let mut endpoints: Vec<_> = endpoints.iter().collect();
    if let Some(seed) = shuffle {
        endpoints = shuffled(endpoints, seed);
    }
    interleave(endpoints.into_iter().flat_map(Endpoint::addresses).collect())
}

/// Each endpoint draws `u^(1/weight)` and the highest draw comes first (gRFC A113): with equal weights a
/// plain shuffle.
fn shuffled(endpoints: Vec<&Endpoint>, seed: u64) -> Vec<&Endpoint> {
    let mut chance = StdRng::seed_from_u64(seed);
    let mut drawn: Vec<_> = endpoints
        .into_iter()
        .map(|endpoint| {
            let weight = endpoint.attributes.get::<Weight>().map_or(1, |weight| weight.0);
            // The logarithm of the draw: the same order, without underflow. Weight 0 draws minus infinity:
            // the last.
            (chance.random::<f64>().ln() / f64::from(weight), endpoint)
        })
        .collect();
    drawn.sort_by(|(one, _), (other, _)| other.partial_cmp(one).unwrap_or(Ordering::Equal));
    drawn.into_iter().map(|(_, endpoint)| endpoint).collect()
}

#[derive(PartialEq, Eq, Hash)]
enum Family {
    V4,
    V6,
    Other,
}

/// One address of each family in turn, beginning with the family of the first (gRFC A61, after RFC 8305
/// section 4).
fn interleave(addresses: IndexSet<&Address>) -> Vec<Address> {
    let mut families: IndexMap<Family, VecDeque<&Address>> = IndexMap::new();
    let count = addresses.len();
    for address in addresses {
        families.entry(family(address)).or_default().push_back(address);
    }
    let mut ordered = Vec::with_capacity(count);
    while ordered.len() < count {
        ordered.extend(families.values_mut().filter_map(VecDeque::pop_front).cloned());
    }
    ordered
}

fn family(address: &Address) -> Family {
    match address.socket_addr().map(|socket| socket.ip().to_canonical()) {
        Some(IpAddr::V4(_)) => Family::V4,
        Some(IpAddr::V6(_)) => Family::V6,
        None => Family::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trunkline_proto::Attributes;

    fn endpoint(addresses: &[&str]) -> Endpoint {
        let address = |text: &&str| match text.parse() {
            Ok(socket) => Address::tcp(socket),
            Err(_) => Address::other(*text),
        };
        Endpoint::from_addresses(addresses.iter().map(address)).unwrap()
    }

    fn texts(addresses: &[Address]) -> Vec<String> {
        addresses.iter().map(Address::to_string).collect()
    }

    // behaviour 25
    #[test]
    fn families_take_turns_beginning_with_that_of_the_first_address() {
        let endpoints = [
            endpoint(&["[::1]:1", "[::2]:1", "[::3]:1"]),
            endpoint(&["1.1.1.1:1", "unix"]),
            endpoint(&["2.2.2.2:1"]),
        ];
        let expected = ["[::1]:1", "1.1.1.1:1", "unix", "[::2]:1", "2.2.2.2:1", "[::3]:1"];
        assert_eq!(texts(&order(&endpoints, None)), expected);
    }

    #[test]
    fn an_ipv4_address_in_ipv6_clothes_is_ipv4() {
        let endpoints = [endpoint(&["1.1.1.1:1", "[::ffff:2.2.2.2]:1", "[::1]:1"])];
        assert_eq!(texts(&order(&endpoints, None)), ["1.1.1.1:1", "[::1]:1", "[::ffff:2.2.2.2]:1"]);
    }

    // behaviour 28
    #[test]
    fn an_address_that_is_named_twice_is_tried_once() {
        let endpoints = [endpoint(&["a", "b", "a"]), endpoint(&["b", "c"])];
        assert_eq!(texts(&order(&endpoints, None)), ["a", "b", "c"]);
    }

    // behaviour 28
    #[test]
    fn a_shuffle_moves_endpoints_whole_and_is_decided_by_its_seed() {
        let endpoints: Vec<_> =
            (0..10).map(|n| endpoint(&[&format!("{n}-first"), &format!("{n}-second")])).collect();
        let one = order(&endpoints, Some(1));
        assert_eq!(one, order(&endpoints, Some(1)));
        assert_ne!(one, order(&endpoints, Some(2)));
        for pair in texts(&one).chunks(2) {
            assert_eq!(pair[0].replace("first", "second"), pair[1]);
        }
    }

    #[test]
    fn a_server_comes_first_in_proportion_to_its_weight() {
        let weighted =
            |name, weight| endpoint(&[name]).with_attributes(Attributes::new().with(Weight(weight)));
        let endpoints = [weighted("one", 1), weighted("three", 3), weighted("never", 0)];
        let first = |seed| order(&endpoints, Some(seed))[0].to_string();
        let firsts: Vec<_> = (0..4000).map(first).collect();
        let count = |name| firsts.iter().filter(|first| *first == name).count();
        assert_eq!(count("never"), 0);
        assert!((2850..3150).contains(&count("three")), "{} of 4000", count("three"));
    }
}
