//! A time as a command line names it: how long from now or ago, a date, or an instant; and a length, in the same words.
//!
//! Law: whatever is none of these is refused here, with an example of each.

use std::time::{SystemTime, UNIX_EPOCH};

use policy_engine::vocabulary::{Duration, Instant};

use super::failure::Failure;
use crate::output::plain;

/// Microseconds of a second.
const SECOND: i64 = 1_000_000;

/// Which way from now a length goes.
#[derive(Debug, Clone, Copy)]
pub(super) enum From {
    /// After now.
    Now,
    /// Before now.
    Ago,
}

/// A date as its first instant in UTC; anything else as it is, for the control plane to read.
pub(super) fn instant(text: &str) -> String {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    if digits && text.len() == 10 { format!("{text}T00:00:00Z") } else { text.to_owned() }
}

/// An instant as the control plane takes one; that of a midnight is written as a date elsewhere.
pub(super) fn rfc_3339(at: Instant) -> String {
    instant(&at.to_string())
}

/// The instant that is meant: so long from now, or as it is written.
pub(super) fn moment(text: &str, (now, from): (SystemTime, From)) -> Result<String, Failure> {
    let now = since_epoch(now);
    match (length(text), from) {
        (Some(length), From::Now) => Ok(rfc_3339(Instant(now.saturating_add(length)))),
        (Some(length), From::Ago) => Ok(rfc_3339(Instant(now.saturating_sub(length)))),
        (None, _) => read(text).map(|_| instant(text)),
    }
}

/// The length that is meant, as the control plane reads one: as it is written, or until then.
pub(super) fn lasting(text: &str, now: SystemTime) -> Result<String, Failure> {
    if text.parse::<Duration>().is_ok() {
        return Ok(text.to_owned());
    }
    let length = match length(text) {
        Some(length) => length,
        None => read(text)?.saturating_sub(since_epoch(now)),
    };
    match length / SECOND {
        seconds if seconds > 0 => Ok(format!("{seconds}s")),
        _ => Err(Failure::Input(format!("`{}` is over already", plain(text)))),
    }
}

/// Microseconds of a length such as `2h` or `1h30m`; `None` where it is none.
pub(super) fn length(text: &str) -> Option<i64> {
    let mut rest = text;
    let mut whole: i64 = 0;
    while !rest.is_empty() {
        let unit = rest.find(|c: char| !c.is_ascii_digit())?;
        let end = rest
            .get(unit..)?
            .find(|c: char| c.is_ascii_digit())
            .map_or(rest.len(), |end| unit.saturating_add(end));
        let (part, after) = rest.split_at_checked(end)?;
        let Duration(length) = part.parse().ok()?;
        whole = whole.checked_add(length)?;
        rest = after;
    }
    (!text.is_empty()).then_some(whole)
}

/// A date or an instant, in microseconds since the Unix epoch.
fn read(text: &str) -> Result<i64, Failure> {
    let read = Instant::parse(text).map(|Instant(at)| at);
    read.map_err(|_| {
        Failure::Input(format!(
            "`{}` is no time: a length such as `1h30m`, a date such as `2026-12-31` or an instant such as \
             `2026-12-31T08:00:00Z` is meant",
            plain(text)
        ))
    })
}

fn since_epoch(now: SystemTime) -> i64 {
    i64::try_from(now.duration_since(UNIX_EPOCH).unwrap_or_default().as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_its_first_instant_and_an_instant_is_itself() {
        assert_eq!(instant("2026-01-31"), "2026-01-31T00:00:00Z");
        for text in ["2026-01-31T10:00:00+01:00", "2026-1-31", "2026-01-3x", "tomorrow"] {
            assert_eq!(instant(text), text);
        }
    }

    #[test]
    fn a_time_is_a_length_a_date_or_an_instant_and_a_length_is_either_too() {
        let now = UNIX_EPOCH + std::time::Duration::from_secs(86_400);
        let from = |text: &str, from| moment(text, (now, from)).unwrap();
        assert_eq!(from("1h30m", From::Now), "1970-01-02T01:30:00Z");
        assert_eq!(from("1h30m", From::Ago), "1970-01-01T22:30:00Z");
        assert_eq!(from("24h", From::Ago), "1970-01-01T00:00:00Z");
        assert_eq!(from("2026-12-31", From::Now), "2026-12-31T00:00:00Z");
        assert_eq!(from("2026-12-31T08:00:00+01:00", From::Ago), "2026-12-31T08:00:00+01:00");
        let lasts = |text: &str| lasting(text, now).unwrap();
        assert_eq!(
            (lasts("30m"), lasts("1h30m"), lasts("1970-01-03")),
            ("30m".into(), "5400s".into(), "86400s".into())
        );
        for bad in ["", "h", "1h30", "90", "1h 30m", "soon", "2026-13-01"] {
            let told = [moment(bad, (now, From::Now)).unwrap_err(), lasting(bad, now).unwrap_err()];
            for told in told.map(|failure| failure.to_string()) {
                assert!(told.contains("`1h30m`") && told.contains("`2026-12-31T08:00:00Z`"), "{told}");
            }
        }
        assert!(lasting("1970-01-01", now).unwrap_err().to_string().contains("over already"));
    }
}
