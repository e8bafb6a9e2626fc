//! A revision as a command line names it: `12`, `revisions/12`, `head`, `head~1`, so long ago, a date or an instant.

use std::time::SystemTime;

use super::instant::{From, moment};

/// The revision that is meant, as the control plane reads it.
pub(super) fn meant(text: &str, now: SystemTime) -> String {
    moment(text, (now, From::Ago)).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn a_length_is_so_long_ago_and_what_is_no_time_is_the_control_planes_to_read() {
        let now = UNIX_EPOCH + Duration::from_secs(86_400);
        for (text, asked) in [
            ("12", "12"),
            ("revisions/12", "revisions/12"),
            ("head~1", "head~1"),
            ("1h30m", "1970-01-01T22:30:00Z"),
            ("2026-01-31", "2026-01-31T00:00:00Z"),
            ("2026-01-31T08:00:00+01:00", "2026-01-31T08:00:00+01:00"),
            ("junk", "junk"),
        ] {
            assert_eq!(meant(text, now), asked);
        }
    }
}
