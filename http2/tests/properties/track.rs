//! A model of one stream: what either side sent, and what the engine told of it.

use trunkline_http2::StreamKey;

use crate::support::Told;

pub(crate) struct Track {
    pub(crate) key: StreamKey,
    /// What the client handed over.
    pub(crate) request: Vec<u8>,
    pub(crate) request_ended: bool,
    /// What the server sent.
    pub(crate) head_sent: bool,
    pub(crate) response: Vec<u8>,
    pub(crate) response_ended: bool,
    /// What the server may still send.
    pub(crate) window: i64,
    /// What was told.
    pub(crate) head_told: bool,
    pub(crate) told: Vec<u8>,
    pub(crate) end_told: bool,
    /// Told and not released.
    pub(crate) unread: usize,
    pub(crate) fate: Option<Fate>,
}

/// Why a stream ended otherwise than by both of its ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    ResetHere,
    ResetThere,
    NotProcessed,
}

impl Track {
    pub(crate) fn new(key: StreamKey, window: i64, request: &[u8], request_ended: bool) -> Self {
        Self {
            key,
            request: request.to_vec(),
            request_ended,
            head_sent: false,
            response: Vec::new(),
            response_ended: false,
            window,
            head_told: false,
            told: Vec::new(),
            end_told: false,
            unread: 0,
            fate: None,
        }
    }

    /// An event of this stream, which must follow from those before it.
    pub(crate) fn hear(&mut self, told: &Told) {
        assert!(!self.end_told, "{told:?} after the end");
        assert_ne!(self.fate, Some(Fate::ResetHere), "{told:?} after our own reset");
        match told {
            Told::Head { .. } => {
                assert!(!self.head_told, "a second {told:?}");
                self.head_told = true;
            }
            Told::Data { data, end, .. } => {
                assert!(self.head_told, "{told:?} before a head");
                assert!(!data.is_empty() || *end, "empty data that ends nothing");
                self.told.extend_from_slice(data);
                self.unread += data.len();
            }
            Told::Trailers { .. } => assert!(self.head_told, "{told:?} before a head"),
            Told::Reset { .. } => assert_eq!(self.fate, Some(Fate::ResetThere), "{told:?}"),
            Told::NotProcessed { .. } => assert_eq!(self.fate, Some(Fate::NotProcessed), "{told:?}"),
            other => panic!("{other:?} in a session without a fault"),
        }
        self.end_told = told.is_last();
        assert!(self.response.starts_with(&self.told), "what is told is not what was sent");
    }

    /// After all is said: what was told is what was sent.
    pub(crate) fn check_told(&self) {
        let id = self.key.id();
        if self.fate.is_none() || self.response_ended {
            assert_eq!(self.told.len(), self.response.len(), "all of {id} is told");
        }
        let has_end = match self.fate {
            Some(Fate::ResetHere) => return,
            Some(_) => true,
            None => self.response_ended,
        };
        assert_eq!(self.end_told, has_end, "the end of {id} is told, {:?}", self.fate);
    }
}
