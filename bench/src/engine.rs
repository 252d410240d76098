//! Trunkline's engine alone: what it takes to read the smallest of frames.

use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use trunkline_http2::{Config, Connection, ConnectionError};

use crate::statistics::median;

/// Frames that are read at once. The engine takes some ten thousand useless ones in a burst, and a thousand per
/// second, so the time that it is told goes on in between.
const FRAMES: usize = 5_000;
const BETWEEN: Duration = Duration::from_secs(60);

/// The median is taken of so many bursts.
const BURSTS: usize = 200;

/// An empty frame of a kind that nobody knows, which is to be ignored (RFC 9113, 5.5): its head is all there is
/// to it.
const FRAME: [u8; 9] = [0, 0, 0, 0xfe, 0, 0, 0, 0, 0];
const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];

/// Nanoseconds per frame: its head is parsed, checked against what may come now, and passed over.
pub(crate) fn frame_nanos() -> Result<f64, ConnectionError> {
    let mut now = Instant::now();
    let mut connection = Connection::new(Config::default(), now);
    connection.receive(now, &mut BytesMut::from(&SETTINGS[..]))?;
    let frames = FRAME.repeat(FRAMES);
    let mut nanos = Vec::with_capacity(BURSTS);
    for _ in 0..BURSTS {
        let mut input = BytesMut::from(frames.as_slice());
        now += BETWEEN;
        let began = Instant::now();
        connection.receive(now, black_box(&mut input))?;
        nanos.push(began.elapsed().as_nanos() as f64 / FRAMES as f64);
    }
    Ok(median(nanos).unwrap_or(f64::NAN))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_engine_reads_all_of_it() {
        assert!(super::frame_nanos().unwrap() > 0.0);
    }
}
