//! One of those that call: the next call begins when the one before has ended, and its reply was compared.

use std::time::Instant;

use super::echo::Echo;
use super::failure::Failure;
use super::payloads::Payloads;
use super::tally::Tally;
use super::tickets::Tickets;

/// Calls until there are no more tickets. Each `sampled`-th call is timed.
pub(super) async fn call<E: Echo>(mut echo: E, tickets: Tickets, size: u32, sampled: u64) -> Tally {
    let mut tally = Tally::default();
    let mut payloads = Payloads::new(size as usize);
    while !tally.is_hopeless() {
        let Some(number) = tickets.take() else { break };
        let body = payloads.next(number);
        let began = number.is_multiple_of(sampled).then(Instant::now);
        let answered = echo.say(body.clone()).await;
        if let Some(began) = began {
            tally.took(began.elapsed());
        }
        let compared = answered.and_then(|reply| {
            if reply == body { Ok(()) } else { Err(Failure::Reply("another body came back")) }
        });
        tally.count(u64::from(compared.is_ok()), compared);
    }
    tally
}
