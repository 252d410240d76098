//! What a server's stream must be.

use super::echo::Echo;
use super::failure::Failure;
use super::tally::Tally;
use super::tickets::Tickets;
use crate::echo::FloodRequest;

/// Streams one after the other.
pub(super) async fn call<E: Echo>(mut echo: E, tickets: Tickets, request: FloodRequest) -> Tally {
    let mut tally = Tally::default();
    while !tally.is_hopeless() && tickets.take().is_some() {
        let mut expected = Expected::new(request);
        let ended = echo.flood(&mut expected).await.and_then(|()| expected.is_complete());
        tally.count(expected.next, ended);
    }
    tally
}

/// The messages that are still to come: numbered from 0.
#[derive(Debug)]
pub(super) struct Expected {
    request: FloodRequest,
    next: u64,
    filling: Vec<u8>,
}

impl Expected {
    fn new(request: FloodRequest) -> Self {
        Self { request, next: 0, filling: vec![b'.'; (request.size as usize).saturating_sub(8)] }
    }

    pub(super) fn request(&self) -> FloodRequest {
        self.request
    }

    /// Holds the next message against what it must be.
    pub(super) fn take(&mut self, body: &[u8]) -> Result<(), Failure> {
        let Some((number, filling)) = body.split_first_chunk() else {
            return Err(Failure::Reply("a message of the stream has no number"));
        };
        if u64::from_be_bytes(*number) != self.next || filling != self.filling {
            return Err(Failure::Reply("a message of the stream is another one"));
        }
        self.next += 1;
        Ok(())
    }

    fn is_complete(&self) -> Result<(), Failure> {
        let complete = self.next == self.request.count;
        complete.then_some(()).ok_or(Failure::Reply("the stream ended early, or late"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_count_only_in_order_and_whole() {
        let mut expected = Expected::new(FloodRequest { count: 2, size: 10, packed: true });
        let message = |number: u64| [&number.to_be_bytes()[..], b".."].concat();
        assert!(expected.take(&message(1)).is_err());
        expected.take(&message(0)).unwrap();
        assert!(expected.take(&message(0)).is_err());
        assert!(expected.take(&message(1)[..9]).is_err());
        assert!(expected.is_complete().is_err());
        expected.take(&message(1)).unwrap();
        expected.is_complete().unwrap();
    }
}
