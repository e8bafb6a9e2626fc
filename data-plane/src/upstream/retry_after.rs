//! When a vendor wants to be asked again.
//!
//! Law: the finest of what the vendor says, never more than a day; nonsense counts as silence. Deliberately absent:
//! waiting, and the vendors' `x-ratelimit-*` headers.

use std::time::Duration;

use http::{HeaderMap, header};
use jiff::{Timestamp, fmt::rfc2822::DateTimeParser};

/// The longest a vendor is believed.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// `retry-after-ms` (OpenAI, Azure), else `retry-after` in seconds or as a date (RFC 9110, 10.2.3).
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let millis = text("retry-after-ms").and_then(seconds).map(|millis| millis / 1000.0);
    let after = text(header::RETRY_AFTER.as_str());
    let wait = millis.or_else(|| after.and_then(seconds)).or_else(|| after.and_then(until))?;
    Some(Duration::from_secs_f64(wait.min(LONGEST.as_secs_f64())))
}

/// A finite number that is not negative; vendors send fractions too.
fn seconds(text: &str) -> Option<f64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    text.parse::<f64>().ok().filter(|number| plain && number.is_finite())
}

fn until(text: &str) -> Option<f64> {
    let date = DateTimeParser::new().relaxed_weekday(true).parse_timestamp(text).ok()?;
    Some(date.duration_since(Timestamp::now()).as_secs_f64().max(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&'static str, &str)]) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, value.parse().unwrap());
        }
        retry_after(&headers)
    }

    #[test]
    fn seconds_fractions_milliseconds_and_dates_are_understood() {
        assert_eq!(of(&[("retry-after", "7")]), Some(Duration::from_secs(7)));
        assert_eq!(of(&[("retry-after", " 0.5 ")]), Some(Duration::from_millis(500)));
        assert_eq!(of(&[("retry-after", "7"), ("retry-after-ms", "250")]), Some(Duration::from_millis(250)));
        assert_eq!(of(&[("retry-after", "Wed, 21 Oct 2015 07:28:00 GMT")]), Some(Duration::ZERO));
        let far = of(&[("retry-after", "Fri, 31 Dec 2199 23:59:59 GMT")]);
        assert_eq!(far, Some(LONGEST));
    }

    #[test]
    fn nonsense_is_silence_and_greed_is_capped() {
        for text in ["", "soon", "-1", "1e400", "NaN", "inf", "."] {
            assert_eq!(of(&[("retry-after", text)]), None, "{text}");
        }
        assert_eq!(of(&[("retry-after", "99999999999999999999999999")]), Some(LONGEST));
    }
}
