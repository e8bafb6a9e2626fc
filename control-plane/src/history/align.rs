//! Two versions of a list, side by side: which member is which.
//!
//! Law: the order of both is kept, so that a member that moved is told as one that went and one that came. Members are the same where
//! they are equal, or of the same name where all of both lists have names of their own; between those, as many as went are taken for as
//! many as came, one for one.

use std::collections::BTreeSet;

use serde_json::Value;

/// What names a member of a list, the most telling first.
const NAMES: [&str; 9] = ["name", "id", "endpoint", "detect", "role", "principal", "team", "model", "action"];

/// Comparisons at most; longer lists are taken apart only at their ends.
const MOST: usize = 1_000_000;

/// One step along both lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// A member of both, by its place in each.
    Both(usize, usize),
    /// One that is only in the first.
    Gone(usize),
    /// One that is only in the second.
    Come(usize),
}

/// The field by which every member of both lists is named, each by another name.
pub(super) fn named_by(before: &[Value], after: &[Value]) -> Option<&'static str> {
    let names = |list: &[Value], field: &str| {
        let names: Option<BTreeSet<String>> =
            list.iter().map(|member| Some(member.get(field)?.as_str()?.to_owned())).collect();
        names.is_some_and(|names| names.len() == list.len() && names.iter().all(|name| is_plain(name)))
    };
    NAMES.into_iter().find(|field| names(before, field) && names(after, field))
}

/// Whether a name may stand in a path as it is.
pub(super) fn is_plain(name: &str) -> bool {
    let word = |c: char| c.is_alphanumeric() || "_-+~@./:*".contains(c);
    !name.is_empty() && name.len() <= 128 && name.chars().all(word)
}

/// The steps along two lists.
pub(super) fn align(before: &[Value], after: &[Value]) -> Vec<Step> {
    let field = named_by(before, after);
    let same = |a: &Value, b: &Value| match field {
        Some(field) => a.get(field) == b.get(field),
        None => a == b,
    };
    let start = before.iter().zip(after).take_while(|(a, b)| same(a, b)).count();
    let rest = (before.get(start..).unwrap_or_default(), after.get(start..).unwrap_or_default());
    let end = rest.0.iter().rev().zip(rest.1.iter().rev()).take_while(|(a, b)| same(a, b)).count();
    let middle = |list: &'_ [Value]| list.len().saturating_sub(end);
    let (left, right) = (middle(rest.0), middle(rest.1));
    let (left, right) = (rest.0.get(..left).unwrap_or_default(), rest.1.get(..right).unwrap_or_default());
    let mut pairs: Vec<(usize, usize)> = (0..start).map(|at| (at, at)).collect();
    pairs.extend(
        common(left, right, same)
            .into_iter()
            .map(|(i, j)| (i.saturating_add(start), j.saturating_add(start))),
    );
    let ends = (0..end).rev();
    pairs.extend(ends.map(|back| {
        let last = |list: &[Value]| list.len().saturating_sub(back).saturating_sub(1);
        (last(before), last(after))
    }));
    filled(&pairs, (before.len(), after.len()))
}

/// The longest run of pairs that are the same, in order.
fn common(a: &[Value], b: &[Value], same: impl Fn(&Value, &Value) -> bool) -> Vec<(usize, usize)> {
    if a.is_empty() || b.is_empty() || a.len().saturating_mul(b.len()) > MOST {
        return Vec::new();
    }
    // `longest[i][j]`: how many pairs there are from `a[i]` and `b[j]` on.
    let mut longest = vec![vec![0_usize; b.len().saturating_add(1)]; a.len().saturating_add(1)];
    let at = |longest: &[Vec<usize>], i: usize, j: usize| {
        longest.get(i).and_then(|row| row.get(j)).copied().unwrap_or_default()
    };
    for (i, left) in a.iter().enumerate().rev() {
        for (j, right) in b.iter().enumerate().rev() {
            let best = match same(left, right) {
                true => at(&longest, i.saturating_add(1), j.saturating_add(1)).saturating_add(1),
                false => at(&longest, i.saturating_add(1), j).max(at(&longest, i, j.saturating_add(1))),
            };
            if let Some(cell) = longest.get_mut(i).and_then(|row| row.get_mut(j)) {
                *cell = best;
            }
        }
    }
    let (mut i, mut j, mut pairs) = (0_usize, 0_usize, Vec::new());
    while let (Some(left), Some(right)) = (a.get(i), b.get(j)) {
        let (down, across) = (at(&longest, i.saturating_add(1), j), at(&longest, i, j.saturating_add(1)));
        if same(left, right) {
            pairs.push((i, j));
            (i, j) = (i.saturating_add(1), j.saturating_add(1));
        } else if down >= across {
            i = i.saturating_add(1);
        } else {
            j = j.saturating_add(1);
        }
    }
    pairs
}

/// Every step, with what lies between the pairs.
fn filled(pairs: &[(usize, usize)], lengths: (usize, usize)) -> Vec<Step> {
    let (mut i, mut j, mut steps) = (0_usize, 0_usize, Vec::new());
    for (next_i, next_j) in pairs.iter().copied().chain([lengths]) {
        if next_i.saturating_sub(i) == next_j.saturating_sub(j) {
            steps.extend((i..next_i).zip(j..next_j).map(|(i, j)| Step::Both(i, j)));
        } else {
            steps.extend((i..next_i).map(Step::Gone));
            steps.extend((j..next_j).map(Step::Come));
        }
        if (next_i, next_j) != lengths {
            steps.push(Step::Both(next_i, next_j));
        }
        (i, j) = (next_i.saturating_add(1), next_j.saturating_add(1));
    }
    steps
}
