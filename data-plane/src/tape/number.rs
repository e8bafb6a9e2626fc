//! Numbers as somebody may read them: which are long enough to be a card's or a telephone's, and how they are written in full.
//!
//! Law: what is long is said by a number's whole part, sign and leading zeros left out, so that the fractions of an embedding
//! are never long. Deliberately absent: arithmetic; a number is its digits.

use std::borrow::Cow;

/// The fewest digits of the whole part of a long number.
const LONG: usize = 7;

/// The most digits that are written in full; more are nobody's number.
const FULL: usize = 24;

/// Whether a number (of RFC 8259's grammar) has a whole part of [`LONG`] digits or more.
pub(crate) fn is_long(raw: &[u8]) -> bool {
    raw.len() >= LONG && Parts::of(raw).is_some_and(|parts| parts.whole() >= LONG as i64)
}

/// A number without sign and exponent, and without a fraction of zeros; as it is where that is no whole number, or too long a one.
pub(crate) fn in_full(raw: &[u8]) -> Cow<'_, str> {
    let as_written = Cow::Borrowed(std::str::from_utf8(raw).unwrap_or_default());
    let Some(parts) = Parts::of(raw) else { return as_written };
    let Some(whole) = usize::try_from(parts.whole()).ok().filter(|whole| *whole <= FULL) else {
        return as_written;
    };
    let digits: String = parts.digits().map(char::from).skip_while(|digit| *digit == '0').collect();
    let (full, fraction) = digits.split_at(whole.min(digits.len()));
    if fraction.bytes().any(|digit| digit != b'0') {
        return as_written;
    }
    Cow::Owned(format!("{full:0<whole$}"))
}

/// The parts of a number.
struct Parts<'n> {
    integer: &'n [u8],
    fraction: &'n [u8],
    exponent: i64,
}

impl<'n> Parts<'n> {
    fn of(raw: &'n [u8]) -> Option<Self> {
        let raw = raw.strip_prefix(b"-").unwrap_or(raw);
        let at = raw.iter().position(|byte| matches!(byte, b'e' | b'E'));
        let (mantissa, exponent) = raw.split_at(at.unwrap_or(raw.len()));
        let exponent = std::str::from_utf8(exponent.get(1..).unwrap_or(b"0")).ok()?;
        let point = mantissa.iter().position(|byte| *byte == b'.').unwrap_or(mantissa.len());
        let (integer, fraction) = mantissa.split_at(point);
        Some(Self {
            integer,
            fraction: fraction.get(1..).unwrap_or_default(),
            exponent: exponent.parse().ok()?,
        })
    }

    /// Every digit, first to last.
    fn digits(&self) -> impl Iterator<Item = u8> {
        self.integer.iter().chain(self.fraction).copied()
    }

    /// How many digits of the whole part are not leading zeros, the exponent applied; zero or less for a fraction.
    fn whole(&self) -> i64 {
        let leading = self.digits().take_while(|digit| *digit == b'0').count() as i64;
        (self.integer.len() as i64).saturating_add(self.exponent).saturating_sub(leading)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_long_by_their_whole_part_and_read_in_full() {
        for (written, read) in [
            ("4111111111111111", "4111111111111111"),
            ("-4111111111111111", "4111111111111111"),
            ("4111111111111111.0", "4111111111111111"),
            ("4111111111111111.000", "4111111111111111"),
            ("4.111111111111111e15", "4111111111111111"),
            ("4.111111111111111E+15", "4111111111111111"),
            ("0.4111111111111111e16", "4111111111111111"),
            ("41111111111111110e-1", "4111111111111111"),
            ("4111111111111111e0", "4111111111111111"),
            ("1e6", "1000000"),
            ("1234567.25", "1234567.25"),
            ("4111111111111111.5", "4111111111111111.5"),
            ("1e99", "1e99"),
            ("1e99999999999999999999", "1e99999999999999999999"),
        ] {
            assert_eq!(in_full(written.as_bytes()), read, "{written}");
        }
        for long in ["1234567", "-1234567", "1234567.5", "1.2345678e6", "4111111111111111e-2", "1e15000000"] {
            assert!(is_long(long.as_bytes()), "{long}");
        }
        for short in
            ["123456", "-123456", "0.12345678", "1.23456789e-5", "1e6", "123456.789", "0.00000001", "-0"]
        {
            assert!(!is_long(short.as_bytes()), "{short}");
        }
    }
}
