//! Instants and lengths of time, as inputs: nothing here reads a clock.
//!
//! Law: an instant is a count since the Unix epoch, so that a recorded decision replays with the instant it had.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use thiserror::Error;

/// Microseconds since the Unix epoch, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(pub i64);

/// A non-negative length of time, in microseconds; written `250ms`, `2s`, `10m`, `1h`, `7d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration(pub i64);

/// The window of a limit: a sliding length, or a calendar unit in the tenant's time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Period {
    /// A sliding window.
    Sliding(Duration),
    /// A calendar day.
    Day,
    /// A calendar month.
    Month,
}

/// Why a text is not a time.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SpanError {
    /// Not an integer and a unit.
    #[error("`{0}` is not a duration such as `250ms`, `2s`, `10m`, `1h` or `7d`")]
    Duration(String),
    /// Neither a date nor an RFC 3339 instant.
    #[error("`{0}` is not a date (`2026-01-01`) or an RFC 3339 instant")]
    Instant(String),
}

fn shown(text: &str) -> String {
    text.chars().take(64).flat_map(char::escape_default).collect()
}

impl Instant {
    /// Reads a date (midnight UTC at its beginning) or an RFC 3339 instant.
    pub fn parse(text: &str) -> Result<Self, SpanError> {
        let error = || SpanError::Instant(shown(text));
        if let Ok(stamp) = text.parse::<Timestamp>() {
            return Ok(Self(stamp.as_microsecond()));
        }
        let date: Date = text.parse().map_err(|_| error())?;
        let midnight = date.to_zoned(TimeZone::UTC).map_err(|_| error())?;
        Ok(Self(midnight.timestamp().as_microsecond()))
    }

    /// This instant a length later, saturating.
    pub fn plus(self, by: Duration) -> Self {
        Self(self.0.saturating_add(by.0))
    }
}

impl fmt::Display for Instant {
    /// A date where the instant is a midnight UTC, else RFC 3339.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DAY: i64 = 86_400_000_000;
        let stamp = Timestamp::from_microsecond(self.0).unwrap_or_default();
        if self.0 % DAY == 0 {
            write!(f, "{}", stamp.to_zoned(TimeZone::UTC).date())
        } else {
            write!(f, "{stamp}")
        }
    }
}

/// The units of a duration, largest first, with their length in microseconds.
const UNITS: [(&str, i64); 6] = [
    ("d", 86_400_000_000),
    ("h", 3_600_000_000),
    ("m", 60_000_000),
    ("s", 1_000_000),
    ("ms", 1_000),
    ("us", 1),
];

impl FromStr for Duration {
    type Err = SpanError;
    fn from_str(text: &str) -> Result<Self, SpanError> {
        let error = || SpanError::Duration(shown(text));
        let at = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(error)?;
        let (number, unit) = text.split_at_checked(at).ok_or_else(error)?;
        let number: i64 = number.parse().map_err(|_| error())?;
        let (_, length) = UNITS.iter().find(|(u, _)| *u == unit).ok_or_else(error)?;
        number.checked_mul(*length).map(Self).ok_or_else(error)
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = UNITS.iter().find(|(_, length)| self.0 != 0 && self.0 % length == 0);
        let (unit, length) = fits.copied().unwrap_or(("s", 1_000_000));
        write!(f, "{}{unit}", self.0 / length)
    }
}

impl FromStr for Period {
    type Err = SpanError;
    fn from_str(text: &str) -> Result<Self, SpanError> {
        match text {
            "day" => Ok(Self::Day),
            "month" => Ok(Self::Month),
            "hour" => Ok(Self::Sliding(Duration(3_600_000_000))),
            other => match other.parse()? {
                Duration(0) => Err(SpanError::Duration(shown(text))),
                length => Ok(Self::Sliding(length)),
            },
        }
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sliding(length) => length.fmt(f),
            Self::Day => f.write_str("day"),
            Self::Month => f.write_str("month"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_instants_read_back() {
        for text in ["250ms", "2s", "10m", "1h", "7d", "0s"] {
            assert_eq!(text.parse::<Duration>().unwrap().to_string(), text);
        }
        for bad in ["", "1", "s", "-1s", "1.5s", "1 s", "99999999999999d"] {
            assert!(bad.parse::<Duration>().is_err(), "{bad}");
        }
        for text in ["2018-05-25", "2026-01-01T12:30:00Z"] {
            assert_eq!(Instant::parse(text).unwrap().to_string(), text);
        }
        assert!(Instant::parse("25/05/2018").is_err());
        assert!("0s".parse::<Period>().is_err());
    }
}
