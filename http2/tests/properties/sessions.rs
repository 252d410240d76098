//! Whole sessions without a fault: what is told is what was sent, nobody starves, and all is over at the end.

use crate::session::Session;
use crate::support::random::for_seeds;

#[test]
fn sessions_without_a_fault_tell_and_carry_everything() {
    for_seeds(100, |random| {
        let steps = 20 + random.below(600);
        let mut session = Session::begin(random);
        for _ in 0..steps {
            session.step();
        }
        session.end();
    });
}
