//! The `grpc-timeout` header: how long the server still has. It is apart because it is written anew for every
//! attempt of a call, and read once for calls that come from a stub which wrote it itself.

use std::time::Duration;

use http::HeaderValue;

/// Eight digits are all that the header may have (gRPC PROTOCOL-HTTP2, "TimeoutValue").
const LARGEST: u32 = 99_999_999;
const MOST_DIGITS: usize = 8;

/// Units and their nanoseconds, finest first.
const UNITS: [(u8, u128); 6] = [
    (b'n', 1),
    (b'u', 1_000),
    (b'm', 1_000_000),
    (b'S', 1_000_000_000),
    (b'M', 60 * 1_000_000_000),
    (b'H', 3_600 * 1_000_000_000),
];

/// A header value that is not `1` to `99999999` with one of the units `H M S m u n`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("grpc-timeout must be one to eight digits and one of the units H, M, S, m, u, n")]
pub struct InvalidTimeout;

/// The header value for `timeout`.
///
/// It is in the finest unit whose eight digits hold it, rounded up to that unit, so the server never gives up
/// before the caller does, and waits longer by less than one part in 100 000 (or 1 ns). It is never zero,
/// which the header cannot say: whoever has no time left does not send. Beyond 99999999 hours, it is 99999999
/// hours.
///
/// The value is marked sensitive, which to HPACK means "never index": it differs in every call, and would
/// push what repeats out of the table.
pub fn encode(timeout: Duration) -> HeaderValue {
    let mut header = HeaderValue::from_bytes(Text::new(timeout).as_bytes())
        .expect("digits and a letter are a header value");
    header.set_sensitive(true);
    header
}

/// What [`encode`] writes, without a header value to hold it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text {
    bytes: [u8; MOST_DIGITS + 1],
    /// Where the first digit is.
    start: usize,
}

impl Text {
    /// The text for `timeout`.
    pub fn new(timeout: Duration) -> Self {
        let (value, unit) = value_and_unit(timeout);
        let digits = eight_digits(value);
        let mut bytes = [unit; MOST_DIGITS + 1];
        bytes[..MOST_DIGITS].copy_from_slice(&digits.map(|digit| b'0' + digit));
        // What is not zero begins at the first digit that is not; of zero, one digit is left.
        let zeros = u64::from_le_bytes(digits).trailing_zeros() as usize / 8;
        Self { bytes, start: zeros.min(MOST_DIGITS - 1) }
    }

    /// The digits and the unit.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[self.start..]
    }
}

/// The decimal digits of `value`, which has at most eight, the first one first.
fn eight_digits(value: u32) -> [u8; MOST_DIGITS] {
    debug_assert!(value <= LARGEST);
    // In one register: two numbers of four digits, then four of two, then eight of one. Each division of all of them is
    // a multiplication by a reciprocal that is exact for so few digits.
    let fours = u64::from(value / 10_000) | u64::from(value % 10_000) << 32;
    let hundreds = ((fours * 10_486) >> 20) & 0x0000_007f_0000_007f;
    let twos = hundreds | (fours - hundreds * 100) << 16;
    let tens = ((twos * 103) >> 10) & 0x000f_000f_000f_000f;
    let ones = tens | (twos - tens * 10) << 8;
    ones.to_le_bytes()
}

/// The number and the unit: the finest whose eight digits hold it, rounded up.
fn value_and_unit(timeout: Duration) -> (u32, u8) {
    // Deadlines between a tenth of a second and a minute and a half are what nearly all calls have, and what
    // needs no wide division.
    if timeout.as_secs() < 99 && timeout >= Duration::from_millis(100) {
        let micros = timeout.as_secs() as u32 * 1_000_000 + timeout.subsec_nanos().div_ceil(1_000);
        return (micros, b'u');
    }
    let nanoseconds = timeout.as_nanos().max(1);
    UNITS
        .into_iter()
        .map(|(unit, length)| (nanoseconds.div_ceil(length), unit))
        .find_map(|(value, unit)| Some((u32::try_from(value).ok().filter(|value| *value <= LARGEST)?, unit)))
        .unwrap_or((LARGEST, b'H'))
}

/// What a header value says. Zero is accepted, although gRPC does not write it: stubs do.
///
/// # Errors
///
/// [`InvalidTimeout`] if it is anything but one to eight digits and a unit.
pub fn parse(header: &HeaderValue) -> Result<Duration, InvalidTimeout> {
    let (unit, digits) = header.as_bytes().split_last().ok_or(InvalidTimeout)?;
    if digits.is_empty() || digits.len() > MOST_DIGITS || !digits.iter().all(u8::is_ascii_digit) {
        return Err(InvalidTimeout);
    }
    let value = digits.iter().fold(0_u64, |value, digit| value * 10 + u64::from(digit - b'0'));
    match unit {
        b'n' => Ok(Duration::from_nanos(value)),
        b'u' => Ok(Duration::from_micros(value)),
        b'm' => Ok(Duration::from_millis(value)),
        b'S' => Ok(Duration::from_secs(value)),
        b'M' => Ok(Duration::from_secs(value * 60)),
        b'H' => Ok(Duration::from_secs(value * 3_600)),
        _ => Err(InvalidTimeout),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(timeout: Duration) -> String {
        encode(timeout).to_str().unwrap().to_owned()
    }

    fn read(header: &'static str) -> Result<Duration, InvalidTimeout> {
        parse(&HeaderValue::from_static(header))
    }

    #[test]
    fn the_finest_unit_that_holds_it_is_used() {
        assert_eq!(text(Duration::from_nanos(99_999_999)), "99999999n");
        assert_eq!(text(Duration::from_nanos(100_000_000)), "100000u");
        assert_eq!(text(Duration::from_millis(300)), "300000u");
        assert_eq!(text(Duration::from_secs(1)), "1000000u");
        assert_eq!(text(Duration::from_secs(100)), "100000m");
        assert_eq!(text(Duration::from_secs(100_000)), "100000S");
        assert_eq!(text(Duration::from_secs(100_000_000)), "1666667M");
        assert_eq!(text(Duration::from_secs(60 * 100_000_000)), "1666667H");
    }

    #[test]
    fn it_rounds_up_and_never_to_zero() {
        assert_eq!(text(Duration::ZERO), "1n");
        assert_eq!(text(Duration::from_nanos(1)), "1n");
        assert_eq!(text(Duration::from_nanos(100_000_001)), "100001u");
        assert_eq!(text(Duration::from_nanos(99_999_999_001)), "100000m");
    }

    #[test]
    fn digits_are_those_that_anybody_would_write() {
        // The halves do not meet, so each may be tried by itself.
        for half in 0..10_000 {
            for value in [half, half * 10_000, half * 10_001] {
                let digits: String =
                    eight_digits(value).map(|digit| char::from(b'0' + digit)).iter().collect();
                assert_eq!(digits, format!("{value:08}"));
            }
        }
    }

    #[test]
    fn what_no_eight_digits_hold_is_the_longest_that_they_do() {
        assert_eq!(text(Duration::from_secs(3_600 * 99_999_999)), "99999999H");
        assert_eq!(text(Duration::from_secs(3_600 * 99_999_999 + 1)), "99999999H");
        assert_eq!(text(Duration::MAX), "99999999H");
    }

    #[test]
    fn what_is_written_reads_back_as_no_less_and_hardly_more() {
        let mut nanoseconds = 1_u64;
        while let Some(next) = nanoseconds.checked_mul(7) {
            let timeout = Duration::from_nanos(nanoseconds);
            let back = parse(&encode(timeout)).unwrap();
            assert!(back >= timeout, "{timeout:?} became {back:?}");
            assert!(back - timeout <= timeout / 100_000 + Duration::from_nanos(1), "{timeout:?}, {back:?}");
            nanoseconds = next + 1;
        }
    }

    #[test]
    fn every_unit_is_read_at_its_extremes() {
        assert_eq!(read("99999999n"), Ok(Duration::from_nanos(99_999_999)));
        assert_eq!(read("99999999u"), Ok(Duration::from_micros(99_999_999)));
        assert_eq!(read("99999999m"), Ok(Duration::from_millis(99_999_999)));
        assert_eq!(read("99999999S"), Ok(Duration::from_secs(99_999_999)));
        assert_eq!(read("99999999M"), Ok(Duration::from_secs(99_999_999 * 60)));
        assert_eq!(read("99999999H"), Ok(Duration::from_secs(99_999_999 * 3_600)));
        assert_eq!(read("0n"), Ok(Duration::ZERO));
    }

    #[test]
    fn anything_else_is_refused() {
        for header in
            ["", "1", "S", "100000000n", "-1S", "+1S", "1.5S", " 1S", "1S ", "1 S", "1s", "1h", "1SS", "0x1S"]
        {
            assert_eq!(read(header), Err(InvalidTimeout), "{header:?}");
        }
        assert_eq!(parse(&HeaderValue::from_bytes(b"1\xff").unwrap()), Err(InvalidTimeout));
    }

    #[test]
    fn the_value_is_never_indexed() {
        assert!(encode(Duration::from_secs(1)).is_sensitive());
    }
}
