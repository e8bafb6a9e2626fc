//! Until when a model may be used, as every answer of it tells.
//!
//! Law: made once a revision, from the model's card alone; an answer copies it. A model without dates tells nothing. Deliberately absent:
//! refusing anything, which is for rules.

use http::HeaderValue;
use jiff::Timestamp;
use policy_engine::facts::ModelCard;
use policy_engine::vocabulary::Instant;

/// What is told of a model's end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Ending {
    /// `deprecation`: a structured field's date (RFC 9745, 2.1).
    pub(crate) deprecation: Option<HeaderValue>,
    /// `sunset`: an HTTP date (RFC 8594, 3).
    pub(crate) sunset: Option<HeaderValue>,
}

impl Ending {
    /// Of a model with this card.
    pub(super) fn of(card: &ModelCard) -> Self {
        Self {
            deprecation: card.deprecated_from.and_then(structured),
            sunset: card.retired_from.and_then(http_date),
        }
    }
}

/// A date of a structured field (RFC 9651, 3.3.7).
fn structured(at: Instant) -> Option<HeaderValue> {
    HeaderValue::from_str(&format!("@{}", at.0.div_euclid(1_000_000))).ok()
}

/// A date as HTTP has it (RFC 9110, 5.6.7).
fn http_date(at: Instant) -> Option<HeaderValue> {
    let stamp = Timestamp::from_microsecond(at.0).ok()?;
    HeaderValue::from_str(&stamp.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_as_the_headers_have_them() {
        let at = |text: &str| Instant::parse(text).ok();
        // The examples of both standards.
        let card = ModelCard {
            deprecated_from: at("2023-06-30T23:59:59Z"),
            retired_from: at("2018-11-11T23:59:59Z"),
            ..ModelCard::default()
        };
        let Ending { deprecation, sunset } = Ending::of(&card);
        assert_eq!(deprecation.unwrap(), "@1688169599");
        assert_eq!(sunset.unwrap(), "Sun, 11 Nov 2018 23:59:59 GMT");
        assert_eq!(Ending::of(&ModelCard::default()), Ending::default());
    }
}
