//! In which order an engine may tell of a stream, whatever its server does.

use std::collections::HashMap;

use super::support::Told;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Opened,
    Begun,
    /// The response is complete.
    Ended,
    /// Neither side has anything more to say.
    Over,
}

#[derive(Default)]
pub(super) struct Grammar(HashMap<u32, State>);

impl Grammar {
    pub(super) fn opened(&mut self, stream: u32) {
        assert_eq!(self.0.insert(stream, State::Opened), None, "{stream} is opened twice");
    }

    pub(super) fn reset_here(&mut self, stream: u32) {
        self.0.insert(stream, State::Over);
    }

    /// Streams that cannot be active any more.
    pub(super) fn surely_over(&self) -> usize {
        self.0.values().filter(|state| **state == State::Over).count()
    }

    pub(super) fn hear(&mut self, told: &Told) {
        let Some(stream) = told.stream() else { return };
        let state = self.0.entry(stream).or_insert(State::Opened);
        let next = match (&told, *state) {
            (Told::Head { end: false, .. }, State::Opened) => State::Begun,
            (Told::Head { end: true, .. }, State::Opened) => State::Ended,
            (Told::Data { end: false, data, .. }, State::Begun) if !data.is_empty() => State::Begun,
            (Told::Data { end: true, .. } | Told::Trailers { .. }, State::Begun) => State::Ended,
            (
                Told::Reset { .. } | Told::NotProcessed { .. } | Told::Violation { .. },
                State::Opened | State::Begun,
            ) => State::Over,
            (Told::Writable { .. }, State::Opened | State::Begun | State::Ended) => *state,
            (told, state) => panic!("{told:?} after {state:?}"),
        };
        *state = next;
    }
}
