//! What became of resources, told for people: a line each, and a count.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use super::field::{list, text};
use super::rollouts::planned;

/// Whether what is told was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mood {
    /// It was.
    Done,
    /// It was only tried.
    Tried,
    /// It waits for somebody's approval.
    Proposed,
}

impl Mood {
    /// What becomes of a resource: past, or as it would be.
    fn word(self, change: String) -> String {
        match (self, change.as_str()) {
            (Self::Done, _) | (_, "unchanged") => change,
            (_, "created") => "would create".to_owned(),
            (_, "updated") => "would update".to_owned(),
            (_, "deleted") => "would delete".to_owned(),
            _ => format!("would be {change}"),
        }
    }
}

/// Whether an answer's `changes` change anything.
pub(super) fn any(answer: &Value) -> bool {
    list(answer, "changes")
        .iter()
        .any(|change| !["unchanged", "absent"].contains(&text(change, "change").as_str()))
}

/// Tells an answer's `changes` and `revision`.
pub(super) fn told(answer: &Value, mood: Mood) -> String {
    let mut told = String::new();
    let mut counts = BTreeMap::new();
    let width = if mood == Mood::Done { 10 } else { 13 };
    for change in list(answer, "changes") {
        let (what, name) = (mood.word(text(change, "change")), text(change, "name"));
        let width = width.max(what.len().saturating_add(1));
        told.push_str(&format!("{what:<width$}{name}\n"));
        *counts.entry(what).or_insert(0_usize) += 1;
    }
    // Of what is only tried, how it would be taken to the nodes.
    if mood != Mood::Done && !list(answer, "stages").is_empty() {
        told.push_str("by stages:\n");
        told.push_str(&planned(list(answer, "stages"), Timestamp::UNIX_EPOCH));
    }
    // `would create 2`, and `2 created`.
    let counted = |(what, count): (&String, &usize)| match what.starts_with("would") {
        true => format!("{what} {count}"),
        false => format!("{count} {what}"),
    };
    let counts: Vec<String> = counts.iter().map(counted).collect();
    let end = match answer.get("revision").and_then(Value::as_i64).unwrap_or_default() {
        _ if mood == Mood::Tried => "dry run, nothing was changed".to_owned(),
        _ if mood == Mood::Proposed && text(answer, "proposal").is_empty() => "nothing to propose".to_owned(),
        _ if mood == Mood::Proposed => "proposed, nothing was changed".to_owned(),
        0 => "no new revision".to_owned(),
        revision => format!("revision {revision}"),
    };
    format!("{told}{}; {end}\n", counts.join(", "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_change_is_told_and_counted() {
        let change = |change: &str, name: &str| json!({"kind": "Team", "name": name, "change": change});
        let mut answer = json!({"revision": 7, "changes": [
            change("created", "tenants/a/teams/x"), change("unchanged", "roles/r"), change("created", "models/m"),
        ]});
        assert_eq!(
            told(&answer, Mood::Done),
            "created   tenants/a/teams/x\nunchanged roles/r\ncreated   models/m\n2 created, 1 unchanged; revision 7\n"
        );
        assert_eq!(
            told(&answer, Mood::Tried),
            "would create tenants/a/teams/x\nunchanged    roles/r\nwould create models/m\n\
             1 unchanged, would create 2; dry run, nothing was changed\n"
        );
        let absent = json!({"changes": [change("absent", "rules/j")]});
        assert!(told(&absent, Mood::Tried).starts_with("would be absent rules/j\n"));
        assert!(told(&answer, Mood::Proposed).ends_with("; nothing to propose\n"));
        answer["proposal"] = json!("proposals/1");
        assert!(told(&answer, Mood::Proposed).ends_with("would create 2; proposed, nothing was changed\n"));
        answer["stages"] = json!([{"geo": "eu", "share": 0, "state": "pending"}, {"geo": "eu", "share": 100, "state": "pending"}]);
        assert!(!told(&answer, Mood::Done).contains("stages"));
        let tried = told(&answer, Mood::Tried);
        let stages = "by stages:\n  eu    canary  pending\n  eu    100 %   pending\n1 unchanged";
        assert!(tried.contains(stages), "{tried}");
        answer["revision"].take();
        assert!(told(&answer, Mood::Done).ends_with("2 created, 1 unchanged; no new revision\n"));
    }
}
