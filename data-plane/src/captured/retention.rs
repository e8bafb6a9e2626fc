//! Until when content is kept, and what goes when that is over.
//!
//! A file says by its name until when: `DAY/TENANT/UNTIL-ID.captured`, where `DAY` is the day (UTC) of `UNTIL`, in seconds since the Unix
//! epoch. All that is in it may go by then: it has lines of one tenant, kept for equally long, of a minute or so.
//!
//! Law: what is over goes, wherever it came from, unless something holds it; whoever would hold content answers [`Holds`]. What has no such
//! name is left alone. Deliberately absent: deleting (`ship`), and clocks.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use policy_engine::vocabulary::{Instant, Name};
use proto::captured::ENDING;

/// Microseconds of a second.
const SECOND: i64 = 1_000_000;

/// A file's name, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    /// Whose content is in it.
    pub(crate) tenant: Name,
    /// Until when it is kept.
    pub(crate) until: Instant,
}

/// Who may hold content though its time is over.
pub(crate) trait Holds: Send + Sync {
    /// Whether a file is held.
    fn is_held(&self, file: &Named) -> bool;
}

#[cfg(test)]
impl Holds for () {
    fn is_held(&self, _: &Named) -> bool {
        false
    }
}

impl Named {
    /// Reads a name, from its day on.
    pub(crate) fn read(name: &str) -> Option<Self> {
        let (of_day, rest) = name.split_once('/')?;
        let (tenant, file) = rest.split_once('/')?;
        let (until, _) = file.strip_suffix(ENDING)?.strip_suffix('.')?.split_once('-')?;
        let until = Instant(until.parse::<i64>().ok()?.checked_mul(SECOND)?);
        (day(until) == of_day).then_some(Self { tenant: tenant.parse().ok()?, until })
    }

    /// Whether it is to go.
    pub(crate) fn goes(&self, now: Instant, holds: &dyn Holds) -> bool {
        self.until <= now && !holds.is_held(self)
    }
}

/// The name of a file, by when it is over, without what ends it.
pub(super) fn name(until: Instant, tenant: &Name, id: &str) -> String {
    format!("{}/{tenant}/{:011}-{id}", day(until), seconds(until))
}

/// The first whole second at or after an instant.
pub(super) fn whole(until: Instant) -> Instant {
    Instant(seconds(Instant(until.0.saturating_add(SECOND - 1))).saturating_mul(SECOND))
}

fn seconds(instant: Instant) -> i64 {
    instant.0.div_euclid(SECOND)
}

/// The day of an instant, as names have it.
pub(crate) fn day(instant: Instant) -> String {
    let stamp = Timestamp::from_microsecond(instant.0).unwrap_or(Timestamp::MAX);
    let date: Date = stamp.to_zoned(TimeZone::UTC).date();
    date.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_when_it_is_over_and_nothing_else_is_one() {
        let (tenant, until) = ("acme".parse().unwrap(), Instant(1_767_225_601_000_000));
        let name = name(until, &tenant, "0198-id");
        assert_eq!(name, "2026-01-01/acme/01767225601-0198-id");
        let read = Named::read(&format!("{name}.captured")).unwrap();
        assert_eq!(read, Named { tenant: tenant.clone(), until });
        for none in [
            "2026-01-01/acme/01767225601-0198-id.open",
            "2026-01-02/acme/01767225601-0198-id.captured",
            "2026-01-01/acme/x-0198-id.captured",
            "acme/01767225601-0198-id.captured",
            "2026-01-01/acme/01767225601.captured",
            "2026-01-01/acme/more/01767225601-0198-id.captured",
            "",
        ] {
            assert_eq!(Named::read(none), None, "{none}");
        }
        assert_eq!(whole(Instant(until.0 - 1)), until);
        assert_eq!(whole(until), until);
    }

    #[test]
    fn what_is_over_goes_unless_it_is_held() {
        struct Acmes;
        impl Holds for Acmes {
            fn is_held(&self, file: &Named) -> bool {
                file.tenant.as_str() == "acme"
            }
        }
        let of = |tenant: &str| Named { tenant: tenant.parse().unwrap(), until: Instant(7) };
        assert_eq!([6, 7, 8].map(|now| of("acme").goes(Instant(now), &())), [false, true, true]);
        assert_eq!(["acme", "rival"].map(|tenant| of(tenant).goes(Instant(8), &Acmes)), [false, true]);
    }
}
