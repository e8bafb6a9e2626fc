//! Replacing what was found by numbered placeholders such as `[EMAIL_1]`.
//!
//! Law: the same value keeps its number throughout a request, and no number is given that the caller's own text already uses.
//! Where findings overlap the earlier wins, then the longer; what the loser has beyond it gets a placeholder of its own, so that
//! nothing found is ever left standing. Findings that are only reported shadow none that are masked. What stands where JSON has a
//! number is replaced as a string, so that a text which was JSON is JSON still.
//! Absent on purpose: putting values back, and deciding which action holds.

mod json;
#[cfg(test)]
mod tests;
mod weave;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use thiserror::Error;

use super::detect::{Finding, WORD_LABEL, What};
use super::normalise::{folded_lower, spelled};
use crate::decision::Actions;
use crate::vocabulary::{Entity, MaskAction};
pub(super) use weave::{Stretch, Weave};

/// What happens to a kind of finding; nothing when it is of no interest.
pub(super) fn action(actions: &Actions, what: What) -> Option<MaskAction> {
    match what {
        What::Entity(entity) => actions.on(entity),
        What::Word(list) => actions.on_words(list),
    }
}

/// The first finding that must not pass at all.
pub fn blocked(findings: &[Finding], actions: &Actions) -> Option<Finding> {
    findings.iter().copied().find(|finding| action(actions, finding.what) == Some(MaskAction::Block))
}

/// A text holds something that must not pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("content of type {what} is blocked")]
pub struct Blocked {
    /// What it is.
    pub what: What,
}

/// The numbering of one request: every span of it, and every choice of its answer, share one.
#[derive(Debug, Default)]
pub struct Masker {
    numbers: BTreeMap<(&'static str, String), u32>,
    last: BTreeMap<&'static str, u32>,
    taken: BTreeSet<(&'static str, u32)>,
}

impl Masker {
    /// Nothing numbered yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps clear of the placeholders a text already holds. Call it on every span before the first is masked.
    pub fn reserve(&mut self, text: &str) {
        for (at, _) in text.match_indices('[') {
            let rest = text.get(at + 1..).unwrap_or_default();
            let labels = Entity::ALL.iter().map(|entity| entity.as_str()).chain([WORD_LABEL]);
            for label in labels {
                let number =
                    rest.strip_prefix(label).and_then(|rest| rest.strip_prefix('_')).and_then(leading_number);
                self.taken.extend(number.map(|number| (label, number)));
            }
        }
    }

    /// How many different values have a number.
    pub fn values(&self) -> usize {
        self.numbers.len()
    }

    fn placeholder(&mut self, what: What, value: &str, out: &mut String) {
        let label = what.label();
        let key = (label, same_value(what, value));
        let number = match self.numbers.get(&key) {
            Some(number) => *number,
            None => {
                let last = self.last.entry(label).or_default();
                *last += 1;
                while self.taken.contains(&(label, *last)) {
                    *last += 1;
                }
                self.numbers.insert(key, *last);
                *last
            }
        };
        // Writing to a string cannot fail.
        let _ = write!(out, "[{label}_{number}]");
    }
}

fn leading_number(text: &str) -> Option<u32> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    text.get(..digits)?.parse().ok()
}

/// The form in which two spellings of one value are equal.
fn same_value(what: What, value: &str) -> String {
    let folded = spelled(folded_lower(value));
    match what {
        What::Entity(Entity::Email) => folded,
        What::Entity(_) => folded.chars().filter(char::is_ascii_alphanumeric).collect(),
        What::Word(_) => folded.split_whitespace().collect::<Vec<_>>().join(" "),
    }
}

/// A whole text with its findings (as [`super::Detectors::scan`] gave them) replaced as `actions` say; borrowed when none is.
///
/// # Errors
/// When a finding is to be blocked.
pub fn apply<'t>(
    text: &'t str,
    findings: &[Finding],
    actions: &Actions,
    masker: &mut Masker,
) -> Result<Cow<'t, str>, Blocked> {
    if let Some(finding) = blocked(findings, actions) {
        return Err(Blocked { what: finding.what });
    }
    if findings.iter().all(|finding| action(actions, finding.what) != Some(MaskAction::Mask)) {
        return Ok(Cow::Borrowed(text));
    }
    let mut out = String::with_capacity(text.len());
    let mut weave = Weave::default();
    weave.replace(&Stretch { text, at: 0 }, findings, actions, (masker, &mut out))?;
    weave.pass(&Stretch { text, at: 0 }, text.len(), &mut out);
    Ok(Cow::Owned(out))
}
