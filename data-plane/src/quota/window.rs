//! The periods of budgets: when one starts afresh.
//!
//! Calendar periods begin on the tenant's own clock, daylight-saving changes included: a day of 23 or 25 hours is one
//! day. Others are aligned to the Unix epoch, so that every node of every geo agrees on them without talking.

use std::time::Duration;

use jiff::{Timestamp, Zoned, civil::Date, tz::TimeZone};

/// When a budget starts afresh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Period {
    /// Every so often, counted from the Unix epoch; below 1 µs counts as 1 µs.
    Every(Duration),
    /// With the calendar of a time zone.
    Calendar {
        /// With what of it.
        unit: Unit,
        /// The tenant's time zone.
        zone: TimeZone,
    },
}

/// A unit of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// At every full hour of the zone's wall clock; always 60 minutes, also where the clocks change.
    Hour,
    /// At the first instant of every day, which is not midnight where a change of the clocks skips it.
    Day,
    /// At the first instant of every month.
    Month,
}

/// What of a period can be compared without asking a calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cadence {
    Every(Duration),
    Each(Unit),
}

/// One period: from `start` until just before `end`, in µs since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) start: i64,
    pub(super) end: i64,
}

const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;

impl Period {
    pub(super) fn cadence(&self) -> Cadence {
        match self {
            Self::Every(per) => Cadence::Every(*per),
            Self::Calendar { unit, .. } => Cadence::Each(*unit),
        }
    }

    /// The period that `now` (µs since the Unix epoch) lies in.
    ///
    /// Outside the years that calendars cover, a calendar period falls back to its nominal length, so that a clock that
    /// is out of its mind never unlocks a budget for good.
    pub(super) fn window(&self, now: i64) -> Window {
        match self {
            Self::Every(per) => aligned(now, i64::try_from(per.as_micros()).unwrap_or(i64::MAX)),
            Self::Calendar { unit, zone } => calendar(*unit, zone, now).unwrap_or_else(|| match unit {
                Unit::Hour => aligned(now, HOUR),
                Unit::Day => aligned(now, DAY),
                Unit::Month => aligned(now, 30 * DAY),
            }),
        }
    }
}

fn aligned(now: i64, per: i64) -> Window {
    let per = per.max(1);
    let start = now.saturating_sub(now.rem_euclid(per));
    Window { start, end: start.saturating_add(per) }
}

fn calendar(unit: Unit, zone: &TimeZone, now: i64) -> Option<Window> {
    let local = Timestamp::from_microsecond(now).ok()?.to_zoned(zone.clone());
    match unit {
        Unit::Hour => {
            let offset = i64::from(local.offset().seconds()).checked_mul(1_000_000)?;
            let hour = aligned(now.checked_add(offset)?, HOUR);
            Some(Window { start: hour.start.checked_sub(offset)?, end: hour.end.checked_sub(offset)? })
        }
        Unit::Day => between(local.date(), local.date().tomorrow().ok()?, zone),
        Unit::Month => {
            let next = local.date().last_of_month().tomorrow().ok()?;
            between(local.date().first_of_month(), next, zone)
        }
    }
}

fn between(first: Date, next: Date, zone: &TimeZone) -> Option<Window> {
    Some(Window { start: begins(first, zone)?, end: begins(next, zone)? })
}

fn begins(day: Date, zone: &TimeZone) -> Option<i64> {
    let midnight: Zoned = day.to_zoned(zone.clone()).ok()?;
    Some(midnight.start_of_day().ok()?.timestamp().as_microsecond())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_microsecond()
    }

    fn zone(name: &str) -> TimeZone {
        TimeZone::get(name).unwrap()
    }

    fn window(unit: Unit, name: &str, now: &str) -> (String, String) {
        let window = Period::Calendar { unit, zone: zone(name) }.window(at(now));
        let text = |at| Timestamp::from_microsecond(at).unwrap().to_string();
        (text(window.start), text(window.end))
    }

    #[test]
    fn a_day_in_berlin_follows_the_clocks() {
        let day = |now| window(Unit::Day, "Europe/Berlin", now);
        let utc = |from: &str, to: &str| (from.to_string(), to.to_string());
        assert_eq!(day("2026-01-15T12:00:00Z"), utc("2026-01-14T23:00:00Z", "2026-01-15T23:00:00Z"));
        // 23 hours: the clocks go forward at 01:00Z.
        assert_eq!(day("2026-03-29T00:59:59Z"), utc("2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"));
        assert_eq!(day("2026-03-29T21:59:59Z"), utc("2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"));
        // 25 hours: the clocks go back at 01:00Z.
        assert_eq!(day("2026-10-24T22:00:00Z"), utc("2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"));
        assert_eq!(day("2026-10-25T22:59:59Z"), utc("2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"));
    }

    #[test]
    fn a_month_in_berlin_begins_there() {
        let month = |now| window(Unit::Month, "Europe/Berlin", now);
        let utc = |from: &str, to: &str| (from.to_string(), to.to_string());
        assert_eq!(month("2026-02-28T22:59:59Z"), utc("2026-01-31T23:00:00Z", "2026-02-28T23:00:00Z"));
        assert_eq!(month("2026-02-28T23:00:00Z"), utc("2026-02-28T23:00:00Z", "2026-03-31T22:00:00Z"));
        assert_eq!(month("2024-02-29T12:00:00Z"), utc("2024-01-31T23:00:00Z", "2024-02-29T23:00:00Z"));
        assert_eq!(month("2026-12-31T23:00:00Z"), utc("2026-12-31T23:00:00Z", "2027-01-31T23:00:00Z"));
    }

    #[test]
    fn a_day_without_a_midnight_still_begins_once() {
        // Beirut skipped 00:00 to 01:00 on 2022-03-27.
        let (start, end) = window(Unit::Day, "Asia/Beirut", "2022-03-27T10:00:00Z");
        assert_eq!((start.as_str(), end.as_str()), ("2022-03-26T22:00:00Z", "2022-03-27T21:00:00Z"));
    }

    #[test]
    fn an_hour_is_the_zones_own() {
        let (start, end) = window(Unit::Hour, "Asia/Kolkata", "2026-06-01T00:10:00Z");
        assert_eq!((start.as_str(), end.as_str()), ("2026-05-31T23:30:00Z", "2026-06-01T00:30:00Z"));
        // Both of the hours that are called 02:00 when the clocks go back.
        let first = window(Unit::Hour, "Europe/Berlin", "2026-10-25T00:30:00Z");
        let second = window(Unit::Hour, "Europe/Berlin", "2026-10-25T01:30:00Z");
        assert_eq!(first.1, second.0);
    }

    #[test]
    fn clocks_out_of_range_have_a_period_too() {
        let month = Period::Calendar { unit: Unit::Month, zone: zone("Europe/Berlin") };
        for now in [i64::MIN, i64::MAX - 1] {
            let window = month.window(now);
            assert!(window.start <= now && now < window.end, "{now}: {window:?}");
        }
    }

    proptest! {
        #[test]
        fn periods_tile_time(
            now in -2_000_000_000_i64..8_000_000_000,
            unit in prop_oneof![Just(Unit::Hour), Just(Unit::Day), Just(Unit::Month)],
            name in prop_oneof![
                Just("Europe/Berlin"), Just("America/Sao_Paulo"), Just("Australia/Lord_Howe"), Just("UTC"),
            ],
        ) {
            let period = Period::Calendar { unit, zone: zone(name) };
            let now = now * 1_000_000;
            let window = period.window(now);
            prop_assert!(window.start <= now && now < window.end);
            if unit != Unit::Hour {
                prop_assert_eq!(period.window(window.start), window);
                prop_assert_eq!(period.window(window.end - 1), window);
                prop_assert_eq!(period.window(window.end).start, window.end);
            }
        }

        #[test]
        fn fixed_periods_tile_time(now in any::<i32>(), per in 1_u64..100_000) {
            let period = Period::Every(Duration::from_micros(per));
            let window = period.window(i64::from(now));
            prop_assert!(window.start <= i64::from(now) && i64::from(now) < window.end);
            prop_assert_eq!(period.window(window.end).start, window.end);
        }
    }
}
