//! What became of resources, told for people: a line each, and a count.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use super::field::{list, text};
use super::rollouts::planned;

/// Tells an answer's `changes` and `revision`.
pub(super) fn told(answer: &Value, dry_run: bool) -> String {
    let mut told = String::new();
    let mut counts = BTreeMap::new();
    for change in list(answer, "changes") {
        let (what, name) = (text(change, "change"), text(change, "name"));
        told.push_str(&format!("{what:<10}{name}\n"));
        *counts.entry(what).or_insert(0_usize) += 1;
    }
    // Of what is only tried, how it would be taken to the nodes.
    if dry_run && !list(answer, "stages").is_empty() {
        told.push_str("by stages:\n");
        told.push_str(&planned(list(answer, "stages"), Timestamp::UNIX_EPOCH));
    }
    let counts: Vec<String> = counts.iter().map(|(what, count)| format!("{count} {what}")).collect();
    let end = match answer.get("revision").and_then(Value::as_i64).unwrap_or_default() {
        _ if dry_run => "dry run, nothing was changed".to_owned(),
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
            told(&answer, false),
            "created   tenants/a/teams/x\nunchanged roles/r\ncreated   models/m\n2 created, 1 unchanged; revision 7\n"
        );
        assert!(told(&answer, true).ends_with("; dry run, nothing was changed\n"));
        answer["stages"] = json!([{"geo": "eu", "share": 0, "state": "pending"}, {"geo": "eu", "share": 100, "state": "pending"}]);
        assert!(!told(&answer, false).contains("stages"));
        let tried = told(&answer, true);
        assert!(
            tried.contains("by stages:\n  eu    canary  pending\n  eu    100 %   pending\n2 created"),
            "{tried}"
        );
        answer["revision"].take();
        assert!(told(&answer, false).ends_with("2 created, 1 unchanged; no new revision\n"));
    }
}
