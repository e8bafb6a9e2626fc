//! `decisions segments`: what nodes have told the control plane of their segments, where it is anchored, and what is missing between.

use clap::Args;
use policy_engine::vocabulary::Instant;
use proto::segment::{DOMAIN, Ended, Found, Manifest, NOTHING, Trail, unhex};
use serde_json::Value;

use super::super::Shown;
use super::super::failure::Failure;
use super::super::field::{list, unmatched};
use super::gap;
use crate::client::Client;
use crate::output;
use crate::output::table::{cell, table};

/// How many are listed at most: as many as a page may be asked for.
const MOST: usize = i32::MAX as usize;

/// Which are listed.
#[derive(Debug, Args)]
pub(crate) struct Segments {
    /// Only of nodes in this geo.
    #[arg(long)]
    geo: Option<String>,
    /// Only of the node with this id.
    #[arg(long)]
    node: Option<String>,
    #[command(flatten)]
    shown: Shown,
}

impl Segments {
    pub(super) async fn run(&self, client: &Client) -> Result<(), Failure> {
        let asked = [("geo", &self.geo), ("node", &self.node)];
        let query: Vec<_> = asked.iter().filter_map(|(key, value)| Some((*key, (*value).clone()?))).collect();
        let reply = client.some("decisionSegments", (&query, MOST), "decisionSegments").await?;
        unmatched(list(&reply.json, "decisionSegments"), &query, self.shown);
        self.shown.print(&reply, || listed(&reply.json));
        Ok(())
    }
}

/// The segments, and what is missing between them as far as was told.
fn listed(answer: &Value) -> String {
    let rows = list(answer, "decisionSegments");
    let row = |segment: &Value| {
        let field = |name: &str| cell(segment.get(name));
        let hash: String = field("manifestHash").chars().take(16).collect();
        let seqs = format!("{}-{}", field("firstSeq"), field("lastSeq"));
        let node = field("node").trim_start_matches("geos/").replacen("/nodes/", "/", 1);
        let mut row = vec![node, field("bootId"), seqs, field("count"), field("ended"), field("sealTime")];
        row.extend([
            hash,
            field("auditEvent").trim_start_matches("auditEvents/").to_owned(),
            pruned(segment),
        ]);
        row
    };
    let headings =
        ["node", "process", "seqs", "records", "ended", "sealed", "manifest", "audit event", "pruned"];
    let mut text = table(&headings, rows.iter().map(row));
    let mut trail = Trail::default();
    rows.iter().filter_map(found).for_each(|found| trail.add(found));
    let walked = trail.walk();
    for fault in &walked.faults {
        text += &format!("invalid: {}\n", output::plain(&fault.why));
    }
    for missing in &walked.gaps {
        text += &format!("gap: {}\n", output::plain(&gap(missing)));
    }
    text
}

/// By what its records go, and whether they are gone.
fn pruned(segment: &Value) -> String {
    let field = |name: &str| cell(segment.get(name));
    if segment.get("pruneEvent").is_none() {
        return "-".to_owned();
    }
    let how = if segment.get("pruneDoneTime").is_some() { "" } else { ", not told to be gone yet" };
    let event = field("pruneEvent").trim_start_matches("auditEvents/").to_owned();
    format!("under {} at {} (event {event}){how}", field("retention"), field("pruneTime"))
}

/// A segment as far as the control plane knows it: nothing of its lines.
fn found(segment: &Value) -> Option<Found> {
    let text = |name: &str| segment.get(name).and_then(Value::as_str).unwrap_or_default();
    let number = |name: &str| segment.get(name).and_then(Value::as_u64).unwrap_or_default();
    let (geo, node) = text("node").strip_prefix("geos/")?.split_once("/nodes/")?;
    let sealed = Instant::parse(text("sealTime")).ok()?;
    let manifest = Manifest {
        format: DOMAIN.to_owned(),
        node: node.to_owned(),
        geo: geo.to_owned(),
        boot_id: text("bootId").to_owned(),
        first_seq: number("firstSeq"),
        last_seq: number("lastSeq"),
        count: number("count"),
        sha256: NOTHING,
        chain: NOTHING,
        previous: unhex(text("previousHash").as_bytes())?,
        first_revision: 0,
        last_revision: 0,
        from: sealed,
        until: sealed,
        sealed,
        ended: if text("ended") == "shutdown" { Ended::Shutdown } else { Ended::Time },
        torn: 0,
    };
    Some(Found { hash: unhex(text("manifestHash").as_bytes())?, manifest, missing: Vec::new() })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn segments_are_listed_with_what_is_missing_between_them() {
        let hash = |byte: &str| byte.repeat(32);
        let segment = |own: &str, before: &str, (boot, first, last): (&str, u64, u64), ended: &str| {
            json!({"name": format!("decisionSegments/{}", hash(own)), "node": "geos/eu/nodes/eu-1", "bootId": boot,
                "firstSeq": first, "lastSeq": last, "count": last - first + 1, "manifestHash": hash(own),
                "previousHash": hash(before), "sealTime": format!("2026-11-22T10:00:{own}Z"), "ended": ended,
                "auditEvent": "auditEvents/7"})
        };
        let answer = json!({"decisionSegments": [
            segment("03", "02", ("b", 1, 4), "shutdown"),
            segment("01", "00", ("a", 1, 10), "full"),
            segment("02", "01", ("a", 11, 12), "recovered"),
        ]});
        let text = listed(&answer);
        assert!(
            text.contains("eu/eu-1") && text.contains("11-12") && text.contains("0303030303030303"),
            "{text}"
        );
        let gaps: Vec<_> = text.lines().filter(|line| line.starts_with("gap")).collect();
        assert_eq!(gaps.len(), 1, "{text}");
        assert!(gaps[0].starts_with("gap: eu/eu-1 a seq 13 and after: the process was ended"), "{text}");
    }
}
