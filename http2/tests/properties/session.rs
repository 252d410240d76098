//! A session without a fault, by chance: a client that does what clients do, and a server that keeps to every
//! rule and to its windows. The model knows what each side may do next.

use std::time::Duration;

use trunkline_http2::{Config, ErrorCode, OpenError};

use crate::support::random::Random;
use crate::support::wire::LARGEST_WINDOW;
use crate::support::{Story, Told, flag, kind, setting};
use crate::track::{Fate, Track};

pub(crate) struct Session<'r> {
    pub(crate) story: Story,
    random: &'r mut Random,
    pub(crate) config: Config,
    pub(crate) tracks: Vec<Track>,
    /// What the server may still send over all streams.
    window: i64,
    /// What streams begin with, as far as the server has acknowledged.
    initial_window: i64,
    unacknowledged: usize,
    pings: Vec<u64>,
    stream_limit: Option<u32>,
    last_stream_id: Option<u32>,
    stalled: bool,
    /// What the server's windows allow the client, as far as nothing overflows.
    granted: i64,
}

impl<'r> Session<'r> {
    pub(crate) fn begin(random: &'r mut Random) -> Self {
        let connection_window = 65_535 + random.below(300_000) as u32;
        let config = Config {
            stream_window: *random.choose(&[100, 20_000, 65_535, 200_000, 1 << 20]),
            connection_window,
            unread_limit: connection_window + random.below(500_000) as u32,
            max_frame_size: 16_384 + random.below(3) as u32 * 5_000,
            send_buffer: 1 + random.below(100_000),
            ..Config::default()
        };
        let mut session = Self {
            story: Story::before_settings(config.clone()),
            random,
            config,
            tracks: Vec::new(),
            window: 65_535,
            initial_window: 65_535,
            unacknowledged: 0,
            pings: Vec::new(),
            stream_limit: None,
            last_stream_id: None,
            stalled: false,
            granted: 65_535,
        };
        session.read_frames();
        session.story.server().settings(&[]);
        session.listen();
        session
    }

    pub(crate) fn step(&mut self) {
        match self.random.below(24) {
            0..=2 => self.open(),
            3..=5 => self.send(),
            6 if self.random.one_in(3) => self.reset(),
            7..=9 => self.release(),
            10 => self.wait(),
            11..=12 => self.update_window(),
            13 => self.change_settings(),
            14 => self.acknowledge(),
            15 => self.chatter(),
            16 if self.random.one_in(30) => self.goaway(),
            _ => {
                self.respond();
                self.listen();
                self.respond();
            }
        }
        self.listen();
    }

    /// All windows open, all is sent, read and ended.
    pub(crate) fn end(&mut self) {
        self.unstall();
        while self.unacknowledged > 0 {
            self.acknowledge();
            self.listen();
        }
        for i in 0..self.tracks.len() {
            let track = &mut self.tracks[i];
            if !track.request_ended && track.fate.is_none() {
                assert!(self.story.send(track.key, b"", true));
                track.request_ended = true;
            }
        }
        let grant = i64::from(LARGEST_WINDOW) - self.granted.max(0);
        self.story.server().window(0, grant as u32);
        for i in 0..self.tracks.len() {
            let (key, fate) = (self.tracks[i].key, self.tracks[i].fate);
            let window = self.story.request(key).window;
            if fate.is_none() && !self.story.request(key).ended {
                let grant = i64::from(LARGEST_WINDOW) - window.max(0);
                self.story.server().window(key, grant as u32);
            }
            self.listen();
            if fate.is_none() {
                let request = self.story.request(key);
                assert!(request.ended, "{} starves with {} left", key.id(), request.window);
                assert!(request.body == self.tracks[i].request, "the body of {} is another", key.id());
                self.finish_response(i);
            }
            self.tracks[i].check_told();
        }
        assert_eq!(self.story.engine().active_streams(), 0);
        for track in &mut self.tracks {
            self.story.release(track.key, track.unread);
        }
        if self.last_stream_id.is_none() && self.stream_limit != Some(0) {
            self.read_frames();
            assert!(self.window >= i64::from(self.config.connection_window / 2), "the server starves");
        }
        self.story.expect_nothing();
    }

    fn finish_response(&mut self, i: usize) {
        let track = &mut self.tracks[i];
        if track.response_ended {
            return;
        }
        if !track.head_sent {
            self.story.server().head(track.key);
        }
        self.story.server().trailers(track.key);
        track.response_ended = true;
        self.listen();
    }

    // The client.

    fn open(&mut self) {
        let length = self.length();
        let (body, end) = (self.bytes(length), self.random.one_in(2));
        let is_full = self.stream_limit.is_some_and(|limit| self.open_streams() >= limit as usize);
        match self.story.try_open(&[("x-number", &self.tracks.len().to_string())], &body, end) {
            Ok(key) => {
                assert!(!is_full && self.last_stream_id.is_none());
                self.tracks.push(Track::new(key, self.initial_window, &body, end));
            }
            Err(OpenError::TooManyStreams { .. }) => assert!(is_full),
            Err(OpenError::Draining) => assert!(self.last_stream_id.is_some()),
            Err(other) => panic!("{other}"),
        }
    }

    fn open_streams(&mut self) -> usize {
        let counted = self.story.engine().active_streams();
        // What waits for the socket the server has not seen, and what GOAWAY excludes it does not count.
        if self.stalled || self.last_stream_id.is_some() {
            return counted;
        }
        assert_eq!(counted, self.story.open_streams(), "streams are open, as the server counts them");
        self.story.open_streams()
    }

    fn send(&mut self) {
        let Some(i) = self.choose() else { return };
        let length = self.length();
        let (body, end) = (self.bytes(length), self.random.one_in(4));
        let track = &mut self.tracks[i];
        let sent = self.story.send(track.key, &body, end);
        assert_eq!(sent, track.fate.is_none() && !track.request_ended, "of {}", track.key.id());
        if sent {
            track.request.extend_from_slice(&body);
            track.request_ended |= end;
        }
    }

    fn reset(&mut self) {
        let Some(i) = self.choose() else { return };
        let track = &mut self.tracks[i];
        // With its data still waiting the stream may not be over yet; then the reset counts.
        self.story.reset(track.key, ErrorCode::CANCEL);
        if track.fate.is_none() && !(track.request_ended && track.end_told) {
            track.fate = Some(Fate::ResetHere);
        } else if self.story.has_request(track.key) && self.story.request(track.key).reset.is_some() {
            track.fate = track.fate.or(Some(Fate::ResetHere));
        }
        if self.stalled && track.fate.is_none() {
            // Whether it was over cannot be seen before it is written.
            track.fate = Some(Fate::ResetHere);
        }
    }

    fn release(&mut self) {
        let Some(i) = self.choose() else { return };
        let track = &mut self.tracks[i];
        let bytes = if self.random.one_in(2) { track.unread } else { self.random.below(track.unread + 1) };
        self.story.release(track.key, bytes);
        track.unread -= bytes;
    }

    fn wait(&mut self) {
        match self.random.below(4) {
            0 => {
                self.story.stall();
                self.stalled = true;
            }
            1 => self.unstall(),
            2 => self.story.advance(Duration::from_millis(self.random.below(1_000) as u64)),
            _ if self.stalled => self.story.write(self.random.below(50_000)),
            _ => self.story.rest(),
        }
        self.read_frames();
    }

    fn unstall(&mut self) {
        self.stalled = false;
        self.story.unstall();
        self.read_frames();
    }

    // The server.

    fn respond(&mut self) {
        let Some(i) = self.choose() else { return };
        let track = &mut self.tracks[i];
        let key = track.key;
        if !self.story.has_request(key) || track.response_ended {
            return;
        }
        if track.fate.is_some_and(|fate| fate != Fate::ResetHere) {
            return;
        }
        if !track.head_sent {
            match self.random.below(12) {
                0 => drop(self.story.server().headers(key, &[(":status", "103")], false)),
                1 if track.fate.is_none() => {
                    self.story.server().rst_stream(key, ErrorCode::REFUSED_STREAM);
                    track.fate = Some(Fate::ResetThere);
                }
                2 => {
                    self.story.server().only_trailers(key);
                    (track.head_sent, track.response_ended) = (true, true);
                }
                _ => {
                    self.story.server().head(key);
                    track.head_sent = true;
                }
            }
            return;
        }
        match self.random.below(16) {
            0 => {
                self.story.server().trailers(key);
                track.response_ended = true;
            }
            1 if track.fate.is_none() && self.random.one_in(3) => {
                self.story.server().rst_stream(key, ErrorCode::INTERNAL_ERROR);
                track.fate = Some(Fate::ResetThere);
            }
            _ => self.respond_data(i),
        }
    }

    fn respond_data(&mut self, i: usize) {
        let length = self.length();
        let padding = if self.random.one_in(5) { Some(self.random.byte()) } else { None };
        let overhead = padding.map_or(0, |padding| 1 + i64::from(padding));
        let track = &self.tracks[i];
        let room = track.window.min(self.window).min(i64::from(self.config.max_frame_size)) - overhead;
        if room < 0 {
            return;
        }
        let data = self.bytes((room as usize).min(length));
        let end = self.random.one_in(20);
        let track = &mut self.tracks[i];
        let flags = if end { flag::END_STREAM } else { 0 };
        let server = self.story.server();
        match padding {
            None => server.frame(kind::DATA, flags, track.key, &data),
            Some(padding) => {
                let payload = crate::support::server::padded(&data, padding);
                server.frame(kind::DATA, flags | flag::PADDED, track.key, payload)
            }
        };
        let used = data.len() as i64 + overhead;
        track.window -= used;
        self.window -= used;
        if track.fate.is_none() {
            track.response.extend_from_slice(&data);
        }
        track.response_ended = end;
    }

    fn update_window(&mut self) {
        let increment = 1 + self.random.below(100_000) as u32;
        if self.random.one_in(3) {
            self.granted += i64::from(increment);
            self.story.server().window(0, increment);
            return;
        }
        let Some(i) = self.choose() else { return };
        let key = self.tracks[i].key;
        if self.story.has_request(key) && self.story.request(key).window < 1 << 28 {
            self.story.server().window(key, increment);
        }
    }

    fn change_settings(&mut self) {
        let mut settings = Vec::new();
        if self.random.one_in(2) {
            settings.push((setting::INITIAL_WINDOW_SIZE, self.random.below(200_000) as u32));
        }
        if self.random.one_in(3) {
            settings.push((setting::MAX_FRAME_SIZE, 16_384 + self.random.below(50_000) as u32));
        }
        if self.random.one_in(3) {
            settings.push((setting::HEADER_TABLE_SIZE, self.random.below(6_000) as u32));
        }
        if self.random.one_in(4) {
            settings.push((setting::MAX_CONCURRENT_STREAMS, self.random.below(30) as u32));
        }
        self.story.server().settings(&settings);
    }

    fn acknowledge(&mut self) {
        if self.unacknowledged == 0 {
            return;
        }
        self.unacknowledged -= 1;
        self.story.server().settings_ack();
        // The first are those that say something.
        let by = i64::from(self.config.stream_window) - self.initial_window;
        self.initial_window += by;
        self.tracks.iter_mut().for_each(|track| track.window += by);
    }

    fn chatter(&mut self) {
        let opaque = self.random.next();
        match self.random.below(7) {
            0 => drop(self.story.server().ping(opaque)),
            1 => drop(self.story.server().frame(0xfa, 0xff, 0, b"unknown")),
            2 => drop(self.story.server().priority(1 + 2 * self.random.below(50) as u32, 0)),
            3 => {
                self.story.probe();
            }
            4 => {
                self.story.ping(opaque);
            }
            5 if !self.pings.is_empty() => {
                let opaque = self.pings.swap_remove(self.random.below(self.pings.len()));
                self.story.server().pong(opaque);
            }
            _ => {}
        }
    }

    fn goaway(&mut self) {
        let newest = self.tracks.iter().filter(|track| self.story.has_request(track.key)).count();
        let limit = self.last_stream_id.unwrap_or(u32::MAX >> 1);
        let last = if newest == 0 { 0 } else { self.tracks[self.random.below(newest)].key.id() }.min(limit);
        self.last_stream_id = Some(last);
        for track in self.tracks.iter_mut().filter(|track| track.key.id() > last && track.fate.is_none()) {
            if !(track.request_ended && track.end_told && !self.stalled) {
                track.fate = Some(Fate::NotProcessed);
            }
        }
        self.story.server().goaway(last, ErrorCode::NO_ERROR, b"chance");
    }

    // The model.

    /// Reads what was told and written, and compares it with what is known.
    fn listen(&mut self) {
        assert!(!self.story.is_over(), "{:?}", self.story.engine());
        for told in std::mem::take(&mut self.story.told) {
            match told {
                Told::StreamLimit(limit) => self.stream_limit = limit,
                Told::Writable { .. } | Told::GoAway { .. } | Told::Pong(_) => {}
                Told::SettingsReceived | Told::SettingsAcknowledged => {}
                told => {
                    let id = told.stream().unwrap_or_else(|| panic!("{told:?} was not to be expected"));
                    let track = self.tracks.iter_mut().find(|track| track.key.id() == id);
                    track.unwrap_or_else(|| panic!("{told:?} of no stream")).hear(&told);
                }
            }
        }
        self.read_frames();
        let unread: usize = self.tracks.iter().map(|track| track.unread).sum();
        let most = i64::from(self.config.unread_limit);
        assert!(unread as i64 + self.window <= most, "{unread} are unread, {} may come", self.window);
        self.check_streams_do_not_starve();
    }

    fn read_frames(&mut self) {
        for frame in self.story.take_frames() {
            match frame.kind {
                kind::WINDOW_UPDATE if frame.stream == 0 => self.window += i64::from(frame.number_at(0)),
                kind::WINDOW_UPDATE => {
                    let track = self.tracks.iter_mut().find(|track| track.key.id() == frame.stream);
                    track.unwrap().window += i64::from(frame.number_at(0));
                }
                kind::SETTINGS if !frame.has(flag::ACK) => self.unacknowledged += 1,
                kind::PING if !frame.has(flag::ACK) => {
                    self.pings.push(u64::from_be_bytes(frame.payload.try_into().unwrap()));
                }
                _ => {}
            }
        }
    }

    /// Whoever has read everything has given at least half of the window back.
    fn check_streams_do_not_starve(&self) {
        let in_force = self.initial_window == i64::from(self.config.stream_window);
        if self.stalled || !in_force {
            return;
        }
        for track in self.tracks.iter().filter(|track| track.unread == 0) {
            let goes_on = track.fate.is_none() && track.head_sent && !track.response_ended;
            let least = i64::from(self.config.stream_window.div_ceil(2));
            assert!(!goes_on || track.window >= least, "{} has {} left", track.key.id(), track.window);
        }
    }

    // Chance.

    fn choose(&mut self) -> Option<usize> {
        let count = self.tracks.len();
        // The newest are where something happens.
        let from = if self.random.one_in(4) { 0 } else { count.saturating_sub(8) };
        (count > 0).then(|| from + self.random.below(count - from))
    }

    fn length(&mut self) -> usize {
        match self.random.below(6) {
            0 => 0,
            1 => self.random.below(10),
            2 => self.random.below(1_000),
            3 => 500 + self.random.below(30),
            4 => 1_000 + self.random.below(50),
            _ => self.random.below(40_000),
        }
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        let start = self.random.byte();
        (0..length).map(|i| start.wrapping_add((i / 7) as u8)).collect()
    }
}
