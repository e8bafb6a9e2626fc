//! Until when a model may be used, as a vendor says it and as a card has it.
//!
//! Law: a model ends with the last of what serves it. What a vendor says without a date holds from the day on which it was seen, and is
//! not moved by being seen again.

use policy_engine::vocabulary::Instant;
use serde_json::Value;

/// From when on a model is discouraged, and from when on it is gone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Lifecycle {
    pub(super) deprecated: Option<Since>,
    pub(super) retired: Option<Since>,
}

/// Since when something holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Since {
    /// From then on, as the vendor says.
    At(Instant),
    /// For as long as it was seen.
    Seen,
}

impl Lifecycle {
    /// Of a model that a vendor's list has.
    pub(super) fn of(model: &Value) -> Self {
        let flag = model.get("deprecated").and_then(Value::as_bool).unwrap_or_default();
        Self {
            deprecated: at(model, "deprecateTime").or(flag.then_some(Since::Seen)),
            retired: at(model, "retireTime"),
        }
    }

    /// Of one that a vendor's list has no more.
    pub(super) fn gone() -> Self {
        Self { deprecated: None, retired: Some(Since::Seen) }
    }

    /// Of a model that several serve: it ends where all do, with the last of them.
    pub(super) fn of_all(all: &[Self]) -> Self {
        let last = |of: fn(&Self) -> Option<Since>| {
            let each = all.iter().map(of).collect::<Option<Vec<_>>>()?;
            each.into_iter().max()
        };
        Self { deprecated: last(|one| one.deprecated), retired: last(|one| one.retired) }
    }

    /// Whether it is discouraged or gone by now.
    pub(super) fn is_over(self, now: Instant) -> bool {
        [self.deprecated, self.retired].into_iter().flatten().any(|since| match since {
            Since::At(at) => at <= now,
            Since::Seen => true,
        })
    }
}

impl Since {
    /// What a field of a card becomes; `None`: it is right as it is.
    pub(super) fn changes(self, told: Option<&str>, now: Instant) -> Option<String> {
        let told = told.and_then(|text| Instant::parse(text).ok());
        match (self, told) {
            (Self::At(at), told) if told != Some(at) => Some(at.to_string()),
            (Self::Seen, told) if told.is_none_or(|told| told > now) => Some(day(now).to_string()),
            _ => None,
        }
    }
}

/// The first instant of a day, in UTC.
fn day(at: Instant) -> Instant {
    const DAY: i64 = 86_400_000_000;
    Instant(at.0.div_euclid(DAY).saturating_mul(DAY))
}

fn at(model: &Value, field: &str) -> Option<Since> {
    let text = model.get(field)?.as_str()?;
    Instant::parse(text).ok().map(Since::At)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn instant(text: &str) -> Instant {
        Instant::parse(text).unwrap()
    }

    #[test]
    fn a_model_ends_with_the_last_of_what_serves_it() {
        let until = |day: &str| Lifecycle::of(&json!({ "retireTime": format!("{day}T00:00:00Z") }));
        let both = Lifecycle::of_all(&[until("2026-01-01"), until("2027-01-01")]);
        assert_eq!(both.retired, Some(Since::At(instant("2027-01-01"))));
        assert_eq!(Lifecycle::of_all(&[until("2026-01-01"), Lifecycle::default()]), Lifecycle::default());
        assert_eq!(Lifecycle::of_all(&[until("2027-01-01"), Lifecycle::gone()]).retired, Some(Since::Seen));
        assert_eq!(Lifecycle::of_all(&[]).retired, None);
    }

    #[test]
    fn what_was_seen_is_dated_once() {
        let now = instant("2026-11-23T12:00:00Z");
        let seen = |told| Since::Seen.changes(told, now);
        assert_eq!(seen(None).as_deref(), Some("2026-11-23"));
        assert_eq!(seen(Some("2026-11-22")), None);
        assert_eq!(seen(Some("2027-01-01")).as_deref(), Some("2026-11-23"));
        let at = |told| Since::At(instant("2027-01-01")).changes(told, now);
        assert_eq!((at(None).as_deref(), at(Some("2027-01-01T00:00:00Z"))), (Some("2027-01-01"), None));
        assert_eq!(at(Some("2026-01-01")).as_deref(), Some("2027-01-01"));
        let over = |model: Value| Lifecycle::of(&model).is_over(now);
        assert!(over(json!({"deprecated": true})) && over(json!({"retireTime": "2026-01-01T00:00:00Z"})));
        assert!(!over(json!({})) && !over(json!({"deprecateTime": "2027-01-01T00:00:00Z"})));
    }
}
