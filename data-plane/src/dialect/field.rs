//! Fields by type, and the faults that name them.
//!
//! Law: `null` is as good as absent, as the dialect has it; anything else of the wrong type is refused by name.

use thiserror::Error;

use super::chat::Raw;
use crate::tape::{Fault, Kind, Malformed, Value};

/// Why a body was refused, and by which field.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum BodyFault {
    /// Not JSON that we read; the byte offset is told.
    #[error("{fault} (at byte {at})")]
    Malformed {
        /// What is wrong.
        fault: Fault,
        /// Where it shows.
        at: usize,
    },
    /// A field that must be there is not.
    #[error("`{0}` is missing")]
    Missing(String),
    /// A field of another type, or outside its range.
    #[error("`{field}` must be {expected}")]
    Invalid {
        /// The field's path.
        field: String,
        /// What it must be.
        expected: &'static str,
    },
}

impl BodyFault {
    /// A wrong value in a field of this path.
    pub(crate) fn wrong(field: impl Into<String>, expected: &'static str) -> Self {
        Self::Invalid { field: field.into(), expected }
    }

    /// The same fault, of a field within `outer`.
    pub(crate) fn within(self, outer: &str) -> Self {
        let join = |field: String| match field.as_str() {
            "" => outer.to_owned(),
            field => format!("{outer}.{field}"),
        };
        match self {
            Self::Missing(field) => Self::Missing(join(field)),
            Self::Invalid { field, expected } => Self::Invalid { field: join(field), expected },
            malformed @ Self::Malformed { .. } => malformed,
        }
    }

    /// The path of the field, where there is one.
    pub(crate) fn field(&self) -> Option<&str> {
        match self {
            Self::Malformed { fault: Fault::Duplicate(name), .. } => Some(name),
            Self::Malformed { .. } => None,
            Self::Missing(field) | Self::Invalid { field, .. } => {
                Some(field).filter(|f| !f.is_empty()).map(|f| &**f)
            }
        }
    }
}

impl From<Malformed> for BodyFault {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed { fault: malformed.fault, at: malformed.at }
    }
}

/// Whether there is a value at all.
pub(crate) fn given(value: Value<'_>) -> bool {
    value.kind() != Kind::Null
}

/// A boolean, or `None` for `null`.
pub(crate) fn boolean(field: &str, value: Value<'_>) -> Result<Option<bool>, BodyFault> {
    match value.kind() {
        Kind::True => Ok(Some(true)),
        Kind::False => Ok(Some(false)),
        Kind::Null => Ok(None),
        _ => Err(BodyFault::wrong(field, "a boolean")),
    }
}

/// A whole number within bounds, or `None` for `null`.
pub(crate) fn whole(
    field: &str,
    value: Value<'_>,
    within: std::ops::RangeInclusive<u64>,
    expected: &'static str,
) -> Result<Option<u64>, BodyFault> {
    match value.kind() {
        Kind::Null => Ok(None),
        _ => value
            .whole()
            .filter(|n| within.contains(n))
            .map(Some)
            .ok_or_else(|| BodyFault::wrong(field, expected)),
    }
}

/// Checks that a value is a number within bounds, or `null`.
pub(crate) fn number(
    field: &str,
    value: Value<'_>,
    within: std::ops::RangeInclusive<f64>,
    expected: &'static str,
) -> Result<(), BodyFault> {
    let written = || std::str::from_utf8(value.raw()).ok()?.parse::<f64>().ok();
    let is_number = value.kind() == Kind::Number;
    if !given(value) || is_number && written().is_some_and(|number| within.contains(&number)) {
        Ok(())
    } else {
        Err(BodyFault::wrong(field, expected))
    }
}

/// Checks that a value is of one of these kinds, or `null`.
pub(crate) fn kind(
    field: &str,
    value: Value<'_>,
    kinds: &[Kind],
    expected: &'static str,
) -> Result<(), BodyFault> {
    if !given(value) || kinds.contains(&value.kind()) {
        Ok(())
    } else {
        Err(BodyFault::wrong(field, expected))
    }
}

/// A member that is there, and not `null`.
pub(crate) fn member<'t>(of: Value<'t>, name: &str) -> Option<Value<'t>> {
    of.get(name).filter(|value| given(*value))
}

/// What a member says, where it is a string.
pub(crate) fn text(of: Value<'_>, name: &str) -> Option<String> {
    of.get(name).filter(|value| value.kind() == Kind::String).map(|value| value.text().into_owned())
}

/// JSON as it stands.
pub(crate) fn raw(value: Value<'_>) -> Raw {
    String::from_utf8_lossy(value.raw()).into()
}

/// A string; empty for `null`.
pub(crate) fn string(field: &str, value: Value<'_>) -> Result<String, BodyFault> {
    kind(field, value, &[Kind::String], "a string")?;
    Ok(value.text().into_owned())
}
