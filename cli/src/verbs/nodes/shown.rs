//! Nodes as people read them: a line each, or all there is of one.

use serde_json::Value;

use crate::output::plain;
use crate::output::table::{cell, table};
use crate::verbs::field::text;

/// Milliseconds by which a node's clock may be off before that is worth a word.
const OFF: i64 = 60_000;

/// Where the line stands among the columns: after the revision.
const LINE: usize = 4;

/// Runtimes that a healthy node holds at most.
const HELD: i64 = 8;

/// A line a node; `wide` ones hold what is seldom asked. While a rollout is on its way, which line of succession each follows is no such
/// thing: a revision may be two contents then.
pub(super) fn list(nodes: &[Value], wide: bool) -> String {
    let mut headings =
        vec!["name", "geo", "state", "revision", "lag", "staleness", "health", "build", "last refusal"];
    let forked = !wide && nodes.iter().any(rolls_out);
    if wide {
        headings.extend([
            "confirmed",
            "in flight",
            "clock ms",
            "line",
            "revocations",
            "kills",
            "form",
            "class",
            "certificate ends",
            "last seen",
        ]);
    }
    if forked {
        headings.insert(LINE, "line");
    }
    let rows = nodes.iter().map(|node| {
        let mut row = row(node, wide);
        if forked {
            row.insert(LINE, cell(node.get("line")));
        }
        row
    });
    table(&headings, rows)
}

/// Whether a node has more than the store, which was restored then: how far it is behind means nothing.
fn is_ahead(node: &Value) -> bool {
    let place = |epoch: &str, revision: &str| (number(node, epoch), number(node, revision));
    let (applied, head) = (place("appliedEpoch", "appliedRevision"), place("headEpoch", "headRevision"));
    let ahead = number(node, "aheadEpoch");
    head.0 > 0 && (applied > head || (ahead > 0 && ahead >= head.0))
}

/// Whether a rollout is on its way, as far as a node tells.
fn rolls_out(node: &Value) -> bool {
    number(node, "candidateRevision") > 0
}

/// How far behind a node is; of one that never came, nothing. What a node has all of is named where that is not the candidate.
fn lag(node: &Value) -> String {
    let lag = number(node, "lag");
    match cell(node.get("state")).as_str() {
        "awaited" => "-".to_owned(),
        _ if is_ahead(node) => "ahead".to_owned(),
        _ if rolls_out(node) && lag == 0 && cell(node.get("line")) != "candidate" => "0(stable)".to_owned(),
        _ => lag.to_string(),
    }
}

fn row(node: &Value, wide: bool) -> Vec<String> {
    let field = |name: &str| cell(node.get(name));
    let count = |name: &str| number(node, name).to_string();
    let refusal = node.get("lastNack").map_or_else(
        || "-".to_owned(),
        |nack| format!("{} at revision {}", cell(nack.get("code")), cell(nack.get("revision"))),
    );
    let mut row: Vec<String> = vec![field("name"), field("geo"), state(node), count("appliedRevision")];
    row.extend([lag(node), field("staleness"), health(node), field("build"), refusal]);
    if wide {
        let confirmed = match node.get("confirmTime") {
            Some(_) => format!("{} s ago", number(node, "confirmedAgeSeconds")),
            None => "-".to_owned(),
        };
        row.extend([confirmed, count("inflight"), count("clockOffsetMs"), field("line")]);
        row.extend([field("revocations"), field("kills"), count("schema"), field("nodeClass")]);
        row.extend([field("certificateExpireTime"), field("lastSeenTime")]);
    }
    row
}

/// What has become of a node: what it says, unless it was revoked or is drained.
fn state(node: &Value) -> String {
    if node.get("revokeTime").is_some() {
        return "revoked".to_owned();
    }
    let state = cell(node.get("state"));
    let Some(drain) = node.get("drain") else { return state };
    let word = if drain.get("doneTime").is_some() { "drained" } else { "draining" };
    if state == "connected" { word.to_owned() } else { format!("{state}, {word}") }
}

/// What is wrong with a node that is there, in few words; `ok` where nothing is.
fn health(node: &Value) -> String {
    let there = matches!(cell(node.get("state")).as_str(), "connected" | "incompatible");
    if node.get("revokeTime").is_some() || !there {
        return "-".to_owned();
    }
    let mut wrong = Vec::new();
    let others = list_of(node, "otherBootIds");
    if others > 0 {
        let others =
            if others == 1 { "another process".to_owned() } else { format!("{others} other processes") };
        wrong.push(format!("duplicate: {others} with its certificate"));
    }
    let applied = (number(node, "appliedEpoch"), number(node, "appliedRevision"));
    if is_ahead(node) {
        wrong.push(format!(
            "ahead of the store, at epoch {}: was it restored? (revisions bump-epoch)",
            applied.0.max(number(node, "aheadEpoch"))
        ));
    }
    if applied.1 == 0 {
        wrong.push("no policy".to_owned());
    }
    if let Some(nack) = node.get("lastNack")
        && cell(nack.get("code")) == "CRASH_LOOP"
        && number(nack, "revision") > applied.1
    {
        wrong.push(format!("crash loop at revision {}", number(nack, "revision")));
    }
    let withheld = text(node, "withheld");
    if !withheld.is_empty() {
        wrong.push(format!("nothing newer can be sent to it: {withheld}"));
    }
    if !cell(node.get("auditInconsistency")).trim_matches('-').is_empty() {
        wrong.push("AUDIT_INCONSISTENT: it has seen another audit log (nodes get)".to_owned());
    }
    let unusable = number(node, "unusableEndpointCount");
    if unusable > 0 {
        wrong.push(format!("{unusable} {} unusable", if unusable == 1 { "endpoint" } else { "endpoints" }));
    }
    let has_policy = number(node, "appliedRevision") > 0 && node.get("confirmTime").is_some();
    if has_policy && node.get("persisted").and_then(Value::as_bool) != Some(true) {
        wrong.push("policy not on disk".to_owned());
    }
    let off = number(node, "clockOffsetMs");
    if off.abs() > OFF {
        wrong.push(format!("clock off by {} s", off / 1000));
    }
    let held = number(node, "snapshotsAlive");
    if held > HELD {
        wrong.push(format!("{held} runtimes held"));
    }
    let (keys, kills) = (number(node, "earlierKeys"), list_of(node, "earlierKills"));
    if keys > 0 || kills > 0 {
        wrong.push(format!("{keys} keys and {kills} kills of an earlier epoch hold on"));
    }
    if wrong.is_empty() { "ok".to_owned() } else { wrong.join(", ") }
}

/// Everything that is known of one node, a field a line; of a list, a member a line.
pub(super) fn one(node: &Value) -> String {
    let fields = node.as_object().into_iter().flatten();
    let rows = fields.flat_map(|(name, value)| match value {
        Value::Array(members) => members.iter().map(|member| vec![plain(name), cell(Some(member))]).collect(),
        value => vec![vec![plain(name), cell(Some(value))]],
    });
    let rows: Vec<Vec<String>> = rows.chain([vec!["health".to_owned(), health(node)]]).collect();
    table(&["field", "value"], rows)
}

/// How many members a list has, which is not written where it has none.
fn list_of(node: &Value, name: &str) -> usize {
    node.get(name).and_then(Value::as_array).map_or(0, Vec::len)
}

/// A number, which is not written where it is none.
fn number(node: &Value, name: &str) -> i64 {
    node.get(name).and_then(Value::as_i64).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn node() -> Value {
        json!({"name": "nodes/eu-1", "geo": "eu", "state": "connected", "appliedRevision": 6, "lag": 2,
            "staleness": "fresh", "build": "0.1.0", "persisted": true, "confirmTime": "2026-01-01T00:00:00Z",
            "confirmedAgeSeconds": 3})
    }

    #[test]
    fn a_nodes_refusal_and_its_health_are_seen_in_the_list() {
        let mut sick = node();
        sick["lastNack"] = json!({"code": "VALIDATION", "revision": 7});
        sick["unusableEndpointCount"] = json!(1);
        sick["clockOffsetMs"] = json!(-75_000);
        sick["persisted"] = json!(false);
        let shown = list(&[node(), sick], false);
        let lines: Vec<&str> = shown.lines().collect();
        assert!(lines[1].split_whitespace().eq([
            "nodes/eu-1",
            "eu",
            "connected",
            "6",
            "2",
            "fresh",
            "ok",
            "0.1.0",
            "-"
        ]));
        assert!(lines[2].contains("1 endpoint unusable, policy not on disk, clock off by -75 s"), "{shown}");
        assert!(lines[2].ends_with("VALIDATION at revision 7"), "{shown}");
    }

    #[test]
    fn a_node_without_policy_one_in_a_crash_loop_and_one_that_nothing_is_sent_to_are_not_well() {
        let mut node = node();
        node["withheld"] = json!("no space left on the disk of the store");
        assert_eq!(health(&node), "nothing newer can be sent to it: no space left on the disk of the store");
        let new = json!({"state": "connected", "withheld": node["withheld"]});
        assert_eq!(
            health(&new),
            "no policy, nothing newer can be sent to it: no space left on the disk of the store"
        );
        node["withheld"] = json!("");
        node["lastNack"] = json!({"code": "CRASH_LOOP", "revision": 7});
        assert_eq!(health(&node), "crash loop at revision 7");
        // It enforces that, or a later one, by now.
        for revision in [7, 8] {
            node["appliedRevision"] = json!(revision);
            assert_eq!(health(&node), "ok");
        }
    }

    #[test]
    fn while_a_rollout_is_on_its_way_the_list_tells_who_has_the_candidate() {
        let on = |line: &str, lag: i64| {
            let mut node = node();
            (node["line"], node["lag"], node["candidateRevision"]) = (json!(line), json!(lag), json!(6));
            node
        };
        let shown = list(&[on("candidate", 0), on("stable", 0), on("stable", 1)], false);
        let columns =
            |row: &str| row.split_whitespace().map(str::to_owned).collect::<Vec<_>>()[3..6].to_vec();
        let columns: Vec<_> = shown.lines().map(columns).collect();
        let expected = [
            ["REVISION", "LINE", "LAG"],
            ["6", "candidate", "0"],
            ["6", "stable", "0(stable)"],
            ["6", "stable", "1"],
        ];
        assert_eq!(columns, expected, "{shown}");
        assert!(!list(&[node()], false).contains("LINE"));
        assert_eq!(list(&[on("stable", 0)], true).matches("LINE").count(), 1);
    }

    #[test]
    fn of_a_node_that_never_came_no_lag_is_told() {
        let awaited = json!({"name": "nodes/a", "geo": "eu", "state": "awaited", "lag": 9});
        assert_eq!(row(&awaited, false)[4], "-");
    }

    #[test]
    fn two_processes_with_one_certificate_are_seen_in_the_list_and_named_of_the_node() {
        let mut node = node();
        node["otherBootIds"] = json!(["b-1"]);
        assert_eq!(health(&node), "duplicate: another process with its certificate");
        let shown = one(&node);
        assert!(shown.lines().any(|line| line.split_whitespace().eq(["otherBootIds", "b-1"])), "{shown}");
        node["otherBootIds"] = json!(["b-1", "b-2"]);
        assert_eq!(health(&node), "duplicate: 2 other processes with its certificate");
    }

    #[test]
    fn a_drain_is_seen_in_the_list_and_all_of_it_of_one_node() {
        let mut node = node();
        node["drain"] =
            json!({"actor": "platform/root", "reason": "a new kernel", "createTime": "2026-01-01T00:00:00Z"});
        assert_eq!((state(&node).as_str(), health(&node).as_str()), ("draining", "ok"));
        (node["drain"]["doneTime"], node["drain"]["cut"]) = (json!("2026-01-01T00:00:09Z"), json!(2));
        assert_eq!(state(&node), "drained");
        let shown = one(&node);
        for part in ["cut=2", "actor=platform/root", "reason=a new kernel", "createTime=2026-01-01T00:00:00Z"]
        {
            assert!(shown.contains(part), "{part}: {shown}");
        }
        node["state"] = json!("disconnected");
        assert_eq!(state(&node), "disconnected, drained");
    }

    #[test]
    fn a_node_that_is_ahead_of_a_restored_store_and_what_holds_on_there_are_seen_in_the_list() {
        let mut node = node();
        (node["appliedEpoch"], node["headEpoch"], node["headRevision"]) = (json!(1), json!(1), json!(4));
        assert!(health(&node).starts_with("ahead of the store, at epoch 1: "), "{}", health(&node));
        node["headEpoch"] = json!(2);
        assert_eq!(health(&node), "ok");
        (node["headEpoch"], node["headRevision"], node["aheadEpoch"]) = (json!(1), json!(99), json!(1));
        assert!(health(&node).starts_with("ahead of the store, at epoch 1: "), "{}", health(&node));
        node["headEpoch"] = json!(2);
        assert_eq!(health(&node), "ok");
        node["earlierKills"] = json!([{"kill": "kills/x"}]);
        assert_eq!(health(&node), "0 keys and 1 kills of an earlier epoch hold on");
    }

    #[test]
    fn a_node_that_has_seen_another_audit_log_is_seen_in_the_list_and_says_which() {
        let mut node = node();
        assert_eq!(health(&node), "ok");
        node["auditInconsistency"] = json!("the audit log was rolled back: it is 2 events");
        assert_eq!(health(&node), "AUDIT_INCONSISTENT: it has seen another audit log (nodes get)");
        assert!(one(&node).contains("the audit log was rolled back: it is 2 events"));
    }

    #[test]
    fn of_a_node_that_is_not_there_no_health_is_told() {
        for (state, shown) in [("disconnected", "-"), ("awaited", "-"), ("incompatible", "no policy")] {
            assert_eq!(health(&json!({"state": state, "unusableEndpointCount": 0})), shown);
        }
        let revoked = json!({"state": "disconnected", "revokeTime": "2026-01-01T00:00:00Z"});
        assert_eq!((state(&revoked).as_str(), health(&revoked).as_str()), ("revoked", "-"));
    }

    #[test]
    fn wide_lines_and_one_node_tell_the_rest() {
        let wide = list(&[node()], true);
        assert!(
            wide.lines().next().unwrap().contains("CERTIFICATE ENDS") && wide.contains("3 s ago"),
            "{wide}"
        );
        let standing = json!({"line": "candidate", "kills": "held", "revocations": "behind"});
        let words = row(&standing, true);
        assert_eq!(words[12..15], ["candidate", "behind", "held"], "{words:?}");
        let mut sick = node();
        sick["unusableEndpoints"] = json!([{"endpoint": "endpoints/a", "reason": "no credential"}]);
        let shown = one(&sick);
        assert!(shown.contains("endpoint=endpoints/a,reason=no credential"), "{shown}");
        assert!(
            shown.lines().any(|line| line.split_whitespace().eq(["confirmedAgeSeconds", "3"])),
            "{shown}"
        );
    }
}
