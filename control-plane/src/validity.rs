//! Until when certificates are good, told in time.
//!
//! Law: of a certificate only its validity and its serial number are read (RFC 5280, 4.1.2.2 and 4.1.2.5); one whose end can't be read is told of by no
//! number. Absent on purpose: trust, which TLS decides.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::registry::hex;

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
    Some(validity(der)?.1)
}

/// When a certificate begins and when it ends, likewise.
pub(crate) fn validity(der: &[u8]) -> Option<(i64, i64)> {
    let (_, certificate) = x509_parser::parse_x509_certificate(der).ok()?;
    let validity = certificate.validity();
    Some((validity.not_before.timestamp(), validity.not_after.timestamp()))
}

/// A certificate's serial number, lower-case hexadecimal; empty where the DER is not a certificate's.
pub(crate) fn serial(der: &[u8]) -> String {
    let read = x509_parser::parse_x509_certificate(der);
    read.map(|(_, certificate)| hex(certificate.raw_serial())).unwrap_or_default()
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
        for (year, end) in [(1950, -626_054_400), (2027, 1_803_859_200), (2070, 3_160_857_600)] {
            assert_eq!(not_after(&certificate(year)), Some(end), "{year}");
        }
        let whole = certificate(2027);
        assert!((0..whole.len()).all(|end| not_after(whole.split_at(end).0).is_none()));
    }

    #[test]
    fn what_ends_within_two_weeks_is_told_with_its_days() {
        let ends = [("a", 100 * DAY), ("b", 13 * DAY + 5), ("c", -5)];
        assert_eq!(ending(&ends, 0), [("b", 13), ("c", -1)]);
    }
}
