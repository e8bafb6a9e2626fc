//! What a node says of itself, as it is shown.
//!
//! Law: what one process said is not shown of another; nothing a node says moves where or who it is, and it takes no more room
//! than `bounds` gives it.

pub(crate) mod bounds;

use policy_engine::vocabulary::Instant;
use proto::admin::{Node, NodeEndpoint, NodeKill, NodeNack, NodeRefusals, NodeTally};
use proto::manifest::SCHEMA;
use proto::sync::{Ack, Hello, Nack, NackCode, Status, Version, Witnessed};

use crate::clock;
use crate::nodes::STEADY;
use crate::registry::hex;

/// Whether a node understands the form of snapshots that is made here.
pub(crate) fn understands(hello: &Hello) -> bool {
    hello.schema == SCHEMA
}

/// It begins a stream, with a certificate that ends then, in seconds since the Unix epoch.
pub(crate) fn hello(view: &mut Node, hello: &Hello, certificate_end: Option<i64>) {
    if view.boot_id != hello.boot_id {
        *view = Node {
            name: std::mem::take(&mut view.name),
            geo: std::mem::take(&mut view.geo),
            last_nack: view.last_nack.take(),
            ahead_epoch: view.ahead_epoch,
            steady_time: view.steady_time.take(),
            ..Node::default()
        };
    }
    view.build = hello.build.clone();
    view.boot_id = hello.boot_id.clone();
    view.node_class = hello.node_class.clone();
    view.schema = hello.schema;
    view.revocation_seq = hello.revocation_seq;
    view.kill_seq = hello.kill_seq;
    view.audit_log_size = hello.audit_log_size;
    let micros = |seconds: i64| clock::timestamp(seconds.saturating_mul(1_000_000));
    view.certificate_expire_time = certificate_end.map(micros);
    view.connect_time = Some(clock::timestamp(clock::now()));
    seen(view, hello.applied.as_ref());
}

/// It answers a heartbeat.
pub(crate) fn status(view: &mut Node, status: Status) {
    seen(view, status.applied.as_ref());
    view.confirm_time = view.last_seen_time;
    view.staleness = status.staleness;
    view.inflight = status.inflight;
    view.clock_offset_ms = status.clock_offset_ms;
    view.persisted = status.persisted;
    view.revocation_seq = status.revocation_seq;
    view.kill_seq = status.kill_seq;
    view.snapshots_alive = status.snapshots_alive;
    let refused = |c: proto::sync::CodeTally| NodeRefusals { code: c.code, requests: c.requests };
    let tally = |t: proto::sync::RevisionTally| NodeTally {
        revision: t.revision,
        requests: t.requests,
        errors: t.errors,
        denials: t.denials,
        digest: hex(&t.digest),
        refusals: t.refusals.into_iter().map(refused).collect(),
    };
    view.tallies = status.tallies.into_iter().map(tally).collect();
    let endpoint = |e: proto::sync::UnusableEndpoint| NodeEndpoint { endpoint: e.endpoint, reason: e.reason };
    view.unusable_endpoints = status.unusable_endpoints.into_iter().map(endpoint).collect();
    view.unusable_endpoint_count = status.unusable_endpoint_count;
    view.earlier_keys = status.earlier_keys;
    let kill = |k: proto::sync::Kill| NodeKill {
        kill: format!("kills/{}", k.id),
        target: k.target,
        resource: k.name,
        mode: k.mode,
    };
    view.earlier_kills = status.earlier_kills.into_iter().map(kill).collect();
}

/// It was shown the audit log.
pub(crate) fn witnessed(view: &mut Node, said: &Witnessed) {
    seen(view, None);
    view.audit_log_size = said.size;
    view.audit_inconsistency.clone_from(&said.inconsistency);
}

/// It enforces a snapshot.
pub(crate) fn ack(view: &mut Node, ack: &Ack) {
    seen(view, ack.applied.as_ref());
    view.persisted = ack.persisted;
}

/// It refuses a snapshot, of this digest where that is known. Where that is too old for it, it enforces none of what is made here since.
pub(crate) fn nack(view: &mut Node, nack: Nack, digest: &[u8]) {
    let code = code(&nack);
    seen(view, nack.running.as_ref());
    if nack.code() == NackCode::StaleRevision {
        view.confirmed_revision = view.confirmed_revision.min(nack.revision.saturating_sub(1)).max(0);
    }
    view.last_nack = Some(NodeNack {
        code,
        revision: nack.revision,
        resource: nack.resource,
        detail: nack.detail,
        create_time: view.last_seen_time,
        digest: hex(digest),
    });
}

/// Why it refuses, as a word; `UNKNOWN_77`, where that is none of ours.
pub(crate) fn code(nack: &Nack) -> String {
    match NackCode::try_from(nack.code) {
        Ok(code) => code.as_str_name().trim_start_matches("NACK_CODE_").to_owned(),
        Err(_) => format!("UNKNOWN_{}", nack.code),
    }
}

/// It was heard, and enforces this.
pub(crate) fn seen(view: &mut Node, applied: Option<&Version>) {
    let now = clock::now();
    view.last_seen_time = Some(proto::convert::timestamp(Instant(now)));
    if stood(view, now) >= STEADY {
        view.steady_time = view.last_seen_time;
    }
    if let Some(version) = applied {
        view.applied_epoch = version.epoch;
        view.applied_revision = version.revision;
        view.applied_digest = hex(&version.digest);
    }
}

/// For how long its stream stands, in microseconds.
fn stood(view: &Node, now: i64) -> i64 {
    view.connect_time.as_ref().map_or(0, |begun| now.saturating_sub(clock::micros(begun)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_steady_by_a_stream_that_stands_and_not_by_how_often_it_comes() {
        let mut view = Node::default();
        let ago = |microseconds: i64| Some(clock::timestamp(clock::now() - microseconds));
        for boot in ["a", "a", "b"] {
            hello(&mut view, &Hello { boot_id: boot.to_owned(), ..Hello::default() }, None);
            status(&mut view, Status::default());
            assert_eq!(view.steady_time, None, "{boot}");
        }
        view.connect_time = ago(STEADY);
        status(&mut view, Status::default());
        let steady = view.steady_time;
        assert!(steady.is_some() && steady == view.last_seen_time);
        // The next process has it from the one before, and a stream of its own to show.
        hello(&mut view, &Hello { boot_id: "c".to_owned(), ..Hello::default() }, None);
        assert_eq!(view.steady_time, steady);
    }
}
