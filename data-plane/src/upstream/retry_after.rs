//! When a vendor wants to be asked again.
//!
//! Law: the finest of what the vendor says, never more than a day; nonsense counts as silence. Deliberately absent: waiting, and how far
//! a vendor is believed.

use std::time::Duration;

use http::{HeaderMap, HeaderName, header};
use jiff::{SignedDuration, Timestamp, fmt::rfc2822::DateTimeParser};

/// The longest a vendor is believed.
pub(super) const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// `retry-after-ms` (OpenAI, Azure), else `retry-after` in seconds or as a date (RFC 9110, 10.2.3).
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let millis = text("retry-after-ms").and_then(seconds).map(|millis| millis / 1000.0);
    let after = text(header::RETRY_AFTER.as_str());
    let wait = millis.or_else(|| after.and_then(seconds)).or_else(|| after.and_then(until))?;
    Some(Duration::from_secs_f64(wait.min(LONGEST.as_secs_f64())))
}

/// For how long the vendor takes no further request, where an answer says that it was the last for now: OpenAI tells a duration such as
/// `6m0s`, Anthropic a time (RFC 3339).
pub(crate) fn spent(headers: &HeaderMap) -> Option<Duration> {
    static TOLD: [(HeaderName, HeaderName); 2] = [
        (
            HeaderName::from_static("x-ratelimit-remaining-requests"),
            HeaderName::from_static("x-ratelimit-reset-requests"),
        ),
        (
            HeaderName::from_static("anthropic-ratelimit-requests-remaining"),
            HeaderName::from_static("anthropic-ratelimit-requests-reset"),
        ),
    ];
    let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let (_, reset) = TOLD.iter().find(|(remaining, _)| text(remaining) == Some("0"))?;
    let reset = text(reset)?;
    let told = seconds(reset).and_then(|seconds| SignedDuration::try_from_secs_f64(seconds).ok());
    let told = told.or_else(|| reset.parse().ok());
    let told = told.or_else(|| Some(reset.parse::<Timestamp>().ok()?.duration_since(Timestamp::now())))?;
    Some(Duration::try_from(told).ok()?.min(LONGEST))
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

    #[test]
    fn what_is_spent_is_told_by_a_duration_or_a_time() {
        let of = |remaining: &str, reset: &str, names: [&'static str; 2]| {
            let mut headers = HeaderMap::new();
            headers.insert(names[0], remaining.parse().unwrap());
            headers.insert(names[1], reset.parse().unwrap());
            spent(&headers)
        };
        let openai = ["x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"];
        for (reset, millis) in
            [("20ms", 20), ("6m0s", 360_000), ("1h2m3s", 3_723_000), ("7", 7000), ("1.5s", 1500)]
        {
            assert_eq!(of("0", reset, openai), Some(Duration::from_millis(millis)), "{reset}");
        }
        assert_eq!(of("1", "6m0s", openai), None, "something is left");
        for nonsense in ["soon", "", "-5s", "NaN"] {
            assert_eq!(of("0", nonsense, openai), None, "{nonsense}");
        }
        let anthropic = ["anthropic-ratelimit-requests-remaining", "anthropic-ratelimit-requests-reset"];
        assert_eq!(of("0", "2999-01-01T00:00:00Z", anthropic), Some(LONGEST));
        assert_eq!(of("0", "2001-01-01T00:00:00Z", anthropic), None, "it is over");
        assert_eq!(spent(&HeaderMap::new()), None);
    }
}
