//! Random stories: what a person would not think of. The seed is the whole story, so each can be told again.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use trunkline_proto::{ConnectivityState, Endpoint};

use super::{World, address, ms, secs};

/// Few, so that they meet often.
const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];
const TIMES_MS: [u64; 6] = [1, 100, 250, 1000, 10_000, 130_000];
/// In which [`World::mend`] expects the policy to be of use again: more than the longest backoff and every
/// delay.
const MEND_SECONDS: u64 = 200;

impl World {
    /// Leads the policy through `steps` random events: answers of the resolver, dials that succeed or fail,
    /// losses, calls, time, several of these at once. The laws are checked at each.
    #[track_caller]
    pub fn wander(&mut self, seed: u64, steps: usize) {
        let mut chance = StdRng::seed_from_u64(seed);
        for _ in 0..steps {
            if chance.random_ratio(1, 8) {
                let count = chance.random_range(2..5);
                self.together(|world| (0..count).for_each(|_| world.step(&mut chance)));
            } else {
                self.step(&mut chance);
            }
        }
    }

    /// From here on every server is up and each dial succeeds at once. Panics unless the policy, to which
    /// calls keep coming, is Ready and picks within 200 s, without any news of the resolver after the first.
    #[track_caller]
    pub fn mend(&mut self) {
        self.resolve(NAMES);
        for _ in 0..MEND_SECONDS {
            self.connect_all();
            if self.connectivity() == ConnectivityState::Ready {
                self.picks(1);
                return;
            }
            self.pick();
            self.connect_all();
            self.advance(secs(1));
        }
        self.stop(format_args!("not Ready after {MEND_SECONDS} s in which every dial succeeded"));
    }

    #[track_caller]
    fn connect_all(&mut self) {
        while let Some(name) = self.dialling().first().cloned() {
            self.ready(&name);
        }
    }

    #[track_caller]
    fn step(&mut self, chance: &mut StdRng) {
        let dialling = self.dialling().choose(chance).cloned();
        let connected = self.connected().choose(chance).cloned();
        match (chance.random_range(0..16), dialling, connected) {
            (0, ..) => self.resolve(random_endpoints(chance)),
            (1, ..) => self.resolve(self.endpoints.clone()),
            (2, ..) if chance.random_ratio(1, 3) => self.resolve_empty("no addresses"),
            (2, ..) => self.resolve_error("SERVFAIL"),
            (3, ..) if chance.random_ratio(1, 4) => self.reset_backoff(),
            (3, ..) => self.update(),
            (4..7, Some(name), _) => self.ready(&name),
            (7..9, Some(name), _) => self.fail(&name),
            (9, Some(name), _) => self.fail_permanently(&name),
            (10, _, Some(name)) => self.lose(&name),
            (11, _, Some(name)) => self.lose_young(&name),
            // One that drains already has been told so.
            (12, _, Some(name)) if !self.dialling().contains(&name) => self.drain(&name),
            // Of several things at once, time is none: that what is due has happened is part of how things
            // are.
            (13, ..) if !self.together => self.advance(ms(*TIMES_MS.choose(chance).unwrap_or(&1))),
            // A call may come at any time, but it sees only pickers that are out.
            _ if !self.together => drop(self.pick()),
            _ => {}
        }
    }
}

fn random_endpoints(chance: &mut StdRng) -> Vec<Endpoint> {
    let count = chance.random_range(1..5);
    let mut some = || {
        let addresses = chance.random_range(1..3);
        let addresses: Vec<_> =
            (0..addresses).filter_map(|_| NAMES.choose(chance).map(|name| address(name))).collect();
        Endpoint::from_addresses(addresses)
    };
    (0..count).filter_map(|_| some()).collect()
}
