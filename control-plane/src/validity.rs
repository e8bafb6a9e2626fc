//! Until when certificates are good, told in time.
//!
//! Law: of a certificate only the end of its validity is read (RFC 5280, 4.1.2.5); one whose end can't be read is told of by no
//! number. Absent on purpose: trust, which TLS decides.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::clock;

/// How long before its end a certificate is warned of.
const SOON: i64 = 14 * DAY;

/// Seconds of a day; also how often it is looked again.
const DAY: i64 = 24 * 60 * 60;

/// A certificate by what it is for, and when it ends, in seconds since the Unix epoch.
pub(crate) type End = (&'static str, i64);

/// Warns of each that ends soon, once a day until `stop`.
pub(crate) async fn watch(ends: Vec<End>, stop: CancellationToken) {
    let mut turn = tokio::time::interval(Duration::from_secs(DAY.unsigned_abs()));
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = turn.tick() => {}
        }
        for (certificate, days) in ending(&ends, clock::now().div_euclid(1_000_000)) {
            tracing::warn!(
                certificate,
                days,
                "a certificate ends soon: put another in its place and start again"
            );
        }
    }
}

/// Those that end soon, with the whole days they still have.
fn ending(ends: &[End], now: i64) -> Vec<End> {
    let left = ends.iter().map(|(certificate, end)| (*certificate, end.saturating_sub(now)));
    left.filter(|(_, left)| *left < SOON)
        .map(|(certificate, left)| (certificate, left.div_euclid(DAY)))
        .collect()
}

/// When a certificate ends, in seconds since the Unix epoch; `None` where the DER is not a certificate's.
pub(crate) fn not_after(der: &[u8]) -> Option<i64> {
    let (_, certificate, _) = element(der)?;
    let (_, signed, _) = element(certificate)?;
    let (tag, _, after_version) = element(signed)?;
    let mut rest = if tag == VERSION { after_version } else { signed };
    // Serial number, algorithm and issuer.
    for _ in 0..3 {
        rest = element(rest)?.2;
    }
    let (_, validity, _) = element(rest)?;
    let (_, _, rest) = element(validity)?;
    let (tag, time, _) = element(rest)?;
    instant(tag, std::str::from_utf8(time).ok()?)
}

/// The tag of the version, which may be left out.
const VERSION: u8 = 0xa0;

/// The tag of a time whose year has two digits; those from 50 on are of the last century.
const UTC_TIME: u8 = 0x17;

/// An element of DER: its tag, its content, and what comes after it.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = der.split_first()?;
    let (length, rest) = rest.split_first()?;
    let (length, rest) = match length.checked_sub(0x80) {
        None => (usize::from(*length), rest),
        Some(bytes @ 1..=4) => {
            let (length, rest) = rest.split_at_checked(usize::from(bytes))?;
            (length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
        Some(_) => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((*tag, content, rest))
}

fn instant(tag: u8, text: &str) -> Option<i64> {
    let digits = text.strip_suffix('Z')?;
    let (year, rest) = digits.split_at_checked(if tag == UTC_TIME { 2 } else { 4 })?;
    let year: i16 = year.parse().ok()?;
    let year = match (tag, year) {
        (UTC_TIME, 50..) => year.checked_add(1900)?,
        (UTC_TIME, _) => year.checked_add(2000)?,
        _ => year,
    };
    let part = |at: usize| rest.get(at..at.checked_add(2)?)?.parse::<i8>().ok();
    let [month, day, hour, minute, second] = [part(0)?, part(2)?, part(4)?, part(6)?, part(8)?];
    let time = jiff::civil::DateTime::new(year, month, day, hour, minute, second, 0).ok()?;
    Some(jiff::tz::Offset::UTC.to_timestamp(time).ok()?.as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(year: i32) -> Vec<u8> {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(vec!["a.test".to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(year, 3, 1);
        params.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn the_end_is_read_whatever_its_century_and_nothing_breaks_on_what_is_no_certificate() {
        assert_eq!(not_after(&certificate(2027)), Some(1_803_859_200));
        assert_eq!(not_after(&certificate(2070)), Some(3_160_857_600), "a time of four digits");
        let whole = certificate(2027);
        for end in 0..whole.len() {
            let cut: &[u8] = &whole[..end];
            assert_eq!(not_after(cut), None, "{end}");
        }
        assert_eq!(instant(UTC_TIME, "500101000000Z"), Some(-631_152_000));
        assert_eq!((instant(UTC_TIME, "27é"), instant(UTC_TIME, "271301000000Z")), (None, None));
    }

    #[test]
    fn what_ends_within_two_weeks_is_told_with_its_days() {
        let ends = [("a", 100 * DAY), ("b", 13 * DAY + 5), ("c", -5)];
        assert_eq!(ending(&ends, 0), [("b", 13), ("c", -1)]);
    }
}
