//! The control plane with real policies in a world that a seed makes up: servers that refuse, hang, vanish
//! and drain, a resolver that changes its mind, calls that come and go. After every step the world is
//! compared with what must hold whatever happened.
//!
//! `TRUNKLINE_SIMULATION_SEEDS` sets how many stories are played (200 by default),
//! `TRUNKLINE_SIMULATION_SEED` plays one again and prints it.

mod calls;
mod dials;
mod invariants;
mod policies;
mod spacing;
mod steps;
mod words;
mod world;

use std::env;
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread;

use world::World;

const SEEDS: u64 = 200;
const STEPS: usize = 500;

/// Of a story that fails, so many lines are printed.
const LAST_LINES: usize = 80;

#[test]
fn whatever_happens_no_invariant_breaks_and_every_call_ends() {
    if let Some(seed) = number("TRUNKLINE_SIMULATION_SEED") {
        play(seed);
        return;
    }
    let seeds = number("TRUNKLINE_SIMULATION_SEEDS").unwrap_or(SEEDS);
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    thread::scope(|scope| {
        let play_all =
            |first: usize| (first as u64..seeds).step_by(threads).for_each(|seed| drop(play(seed)));
        let players: Vec<_> = (0..threads).map(|first| scope.spawn(move || play_all(first))).collect();
        for player in players {
            player.join().unwrap_or_else(|panic| resume_unwind(panic));
        }
    });
}

#[test]
fn the_same_seed_tells_the_same_story() {
    for seed in [3, 14, 159] {
        assert_eq!(play(seed), play(seed));
    }
}

fn number(variable: &str) -> Option<u64> {
    env::var(variable).ok()?.parse().ok()
}

/// Plays one story and returns it.
fn play(seed: u64) -> Vec<String> {
    let mut world = World::new(seed);
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        for _ in 0..STEPS {
            world.step();
        }
        world.quiet_tail();
        world.end();
    }));
    let story = world.into_story();
    if let Err(panic) = outcome {
        let from = story.len().saturating_sub(LAST_LINES);
        println!("seed {seed} broke an invariant; the end of its story:\n{}", story[from..].join("\n"));
        resume_unwind(panic);
    }
    story
}
