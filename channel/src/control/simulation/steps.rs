//! What may happen in a story, drawn one after another; and how every story ends: quietly, with one server
//! that answers.

use std::time::Duration;

use rand::RngExt;
use rand::seq::{IndexedRandom, SliceRandom};
use trunkline_proto::{Address, Attributes, ConnectError, Endpoint, Phase, Weight};
use trunkline_resolver::{Resolution, ResolveError};

use super::calls::Stage as CallStage;
use super::dials::Stage;
use super::policies::{POLICIES, policy, sound_policy};
use super::world::World;
use crate::control::{DialNews, Event, Usage};

/// Long enough for the longest backoff with its jitter, and a dial after it that takes its time.
const TAIL: Duration = Duration::from_secs(400);

impl World {
    /// One thing happens, and some time passes.
    pub(super) fn step(&mut self) {
        match self.chance.random_range(0..100) {
            0..12 => self.resolve(),
            12..34 => self.finish_a_dial(),
            34..40 => self.break_a_connection(),
            40..45 => self.drain_a_connection(),
            45..49 => self.late_news(),
            49..70 => self.call(),
            70..82 => self.answer_a_call(),
            82..84 => self.drop_a_call(),
            84..86 => self.configure(),
            86..87 => {
                self.spacing.clear();
                self.happen(Event::ResetBackoff);
            }
            87..88 => self.happen(Event::Wake),
            88..89 => self.lose_runtime(),
            89..90 => {
                let hours = self.chance.random_range(1..=3);
                self.jump(Duration::from_secs(3600 * hours));
            }
            90..91 => {
                self.calls.clear();
                self.last_ended = Some(self.now);
                self.pass(self.idle_timeout);
            }
            _ => self.finish_what_was_hung_up(),
        }
        let time = match self.chance.random_range(0..10) {
            0..4 => Duration::ZERO,
            4..7 => Duration::from_millis(self.chance.random_range(1..300)),
            7..9 => Duration::from_millis(self.chance.random_range(300..3000)),
            _ => Duration::from_secs(self.chance.random_range(3..60)),
        };
        self.pass(time);
    }

    /// From here on nothing is broken any more, except that only one server is up. Every call that waits must
    /// end.
    pub(super) fn quiet_tail(&mut self) {
        self.tell("(the quiet tail)".to_owned());
        let index = self.chance.random_range(0..POLICIES);
        self.happen(Event::Configure(sound_policy(index)));
        let up = self.addresses.choose(&mut self.chance).expect("there is an address").clone();
        self.begin_call(false, None);
        self.begin_call(false, None);
        self.resolver.is_asked = true;
        let end = self.now + TAIL;
        while self.now < end {
            self.quiet_moment(&up);
            self.pass(Duration::from_secs(2));
        }
        assert!(self.calls.is_empty(), "calls wait although {up} is up: {:?}", self.calls);
    }

    /// The channel is closed, and all that it had ends.
    pub(super) fn end(&mut self) {
        self.begin_call(false, None);
        let grace = self.chance.random_bool(0.5).then(|| Duration::from_secs(5));
        self.is_closed = true;
        self.happen(Event::Close { deadline: grace.map(|grace| self.now + grace) });
        self.pass(Duration::from_secs(1));
        if grace.is_none() {
            for id in self.dials.ids(|_| true) {
                self.lose(id, ConnectError::new(Phase::Http2, "closed"));
            }
        }
        self.pass(Duration::from_secs(30));
        assert!(self.plane.is_finished(), "never finishes: {:?}", self.dials);
        self.begin_call(false, None);
        self.calls.retain(|call| call.is_waiting());
        assert!(self.calls.is_empty(), "a call waits on a closed channel");
    }

    fn quiet_moment(&mut self, up: &Address) {
        if self.resolver.is_running && self.resolver.is_asked {
            self.resolver.is_asked = false;
            let endpoints = self.addresses.clone().into_iter().map(Endpoint::new).collect();
            self.answer(endpoints);
        }
        for id in self.dials.ids(|dial| dial.is_dialling()) {
            let Some(dial) = self.dials.running.get(&id) else { continue };
            if dial.address == *up {
                self.connect(id);
            } else {
                self.fail(id, refused());
            }
        }
        self.finish_what_was_hung_up();
        for index in (0..self.calls.len()).rev() {
            self.answer_call(index);
        }
    }

    fn resolve(&mut self) {
        if !self.resolver.is_running {
            // One that was on its way when the resolver was stopped.
            let late = Resolution::from_addresses(self.addresses.clone());
            return self.happen(Event::Resolved(Ok(late)));
        }
        self.resolver.is_asked = false;
        let mut endpoints = self.endpoints.clone();
        match self.chance.random_range(0..10) {
            0 => return self.happen(Event::Resolved(Err(ResolveError::new("SERVFAIL")))),
            1 => endpoints.clear(),
            2 => {}
            3..5 => endpoints.truncate(self.chance.random_range(0..=self.endpoints.len())),
            5 if self.chance.random_bool(0.5) => {
                // Two servers turn out to be one.
                let joined = endpoints.split_off(endpoints.len().saturating_sub(2));
                let addresses = joined.iter().flat_map(Endpoint::addresses).cloned();
                endpoints.extend(Endpoint::from_addresses(addresses));
            }
            5 => {
                let weight = Weight(self.chance.random_range(1..9));
                if let Some(last) = endpoints.pop() {
                    endpoints.push(last.with_attributes(Attributes::new().with(weight)));
                }
            }
            6 => endpoints = self.addresses.iter().cloned().map(Endpoint::new).collect(),
            7 => endpoints.shuffle(&mut self.chance),
            _ => {
                let many = self.chance.random_range(1..=self.addresses.len());
                let drawn = self.addresses.sample(&mut self.chance, many);
                endpoints = drawn.cloned().map(Endpoint::new).collect();
            }
        }
        self.answer(endpoints);
    }

    fn answer(&mut self, endpoints: Vec<Endpoint>) {
        for endpoint in &endpoints {
            for address in endpoint.addresses() {
                self.spacing.entry(address.clone()).or_default().resolved(endpoint);
            }
        }
        self.endpoints.clone_from(&endpoints);
        self.happen(Event::Resolved(Ok(Resolution::new(endpoints))));
    }

    fn finish_a_dial(&mut self) {
        let Some(id) = self.draw(self.dials.ids(|dial| dial.is_dialling())) else { return };
        match self.chance.random_range(0..20) {
            0..12 => self.connect(id),
            12..16 => self.fail(id, refused()),
            16..18 => self.fail(id, ConnectError::new(Phase::Tls, "unknown issuer").permanent()),
            // A black hole: it ends at its deadline.
            _ => {}
        }
    }

    fn break_a_connection(&mut self) {
        let Some(id) = self.draw(self.dials.ids(|dial| dial.stage != Stage::Dialling)) else { return };
        if self.chance.random_bool(0.3) {
            self.pass(Duration::from_secs(200));
        }
        self.lose(id, ConnectError::new(Phase::Http2, "connection reset"));
    }

    fn drain_a_connection(&mut self) {
        let Some(id) = self.draw(self.dials.ids(|dial| dial.is_open())) else { return };
        if self.chance.random_bool(0.3) {
            self.pass(Duration::from_secs(11));
        }
        self.drain(id);
    }

    /// What an old dial says must not be taken for news of another.
    fn late_news(&mut self) {
        let hung_up = self.dials.ids(|dial| dial.is_hung_up && dial.stage == Stage::Dialling);
        if let Some(id) = self.draw(hung_up) {
            return self.connect(id);
        }
        let Some(id) = self.draw(self.dials.ended.clone()) else { return };
        let (cause, usage) = (refused(), Usage { answered: true, last_used: Some(self.now) });
        let news = match self.chance.random_range(0..4) {
            0 => DialNews::Connected(id),
            1 => DialNews::Failed(cause),
            2 => DialNews::Draining { cause, usage },
            _ => DialNews::Lost { cause, usage },
        };
        self.happen(Event::Dial(id, news));
    }

    fn call(&mut self) {
        let seconds = self.chance.random_range(1..30);
        let deadline = self.chance.random_bool(0.5).then(|| self.now + Duration::from_secs(seconds));
        let is_fail_fast = self.chance.random_bool(0.5);
        self.begin_call(is_fail_fast, deadline);
    }

    fn answer_a_call(&mut self) {
        let in_flight = |index: &usize| matches!(self.calls[*index].stage, CallStage::InFlight(_));
        let in_flight = (0..self.calls.len()).filter(in_flight).collect();
        if let Some(index) = self.draw(in_flight) {
            self.answer_call(index);
        }
    }

    fn answer_call(&mut self, index: usize) {
        if let CallStage::InFlight(id) = self.calls[index].stage {
            let dial = self.dials.running.get_mut(&id).expect("its call would have ended with it");
            dial.usage.answered = true;
            self.calls[index].stage = CallStage::Ended;
            self.tell(format!("a call on {id:?} is answered"));
            self.forget_ended_calls();
        }
    }

    fn drop_a_call(&mut self) {
        if let Some(index) = self.draw((0..self.calls.len()).collect()) {
            self.calls[index].stage = CallStage::Ended;
            self.forget_ended_calls();
        }
    }

    fn configure(&mut self) {
        let index = self.chance.random_range(0..POLICIES);
        self.happen(Event::Configure(policy(index)));
    }

    fn finish_what_was_hung_up(&mut self) {
        for id in self.dials.ids(|dial| dial.is_hung_up) {
            let cause = ConnectError::new(Phase::Http2, "closed");
            let is_connected = self.dials.running.get(&id).is_some_and(|dial| dial.stage != Stage::Dialling);
            if is_connected { self.lose(id, cause) } else { self.fail(id, cause) }
        }
    }

    fn draw<T: Copy>(&mut self, from: Vec<T>) -> Option<T> {
        from.choose(&mut self.chance).copied()
    }
}

fn refused() -> ConnectError {
    ConnectError::new(Phase::Connect, "connection refused")
}
