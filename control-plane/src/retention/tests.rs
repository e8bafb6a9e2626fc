//! What goes by a retention, what a hold keeps, and what is left of what went.

use prost::Message as _;
use proto::admin::{AuditEvent, Hold, HoldSpec};
use proto::pruned::{PRUNE_EVENTS, PRUNE_SEGMENTS, told_by};

use super::prune::{Pruner, Round};
use super::*;
use crate::act::{Act, encoded};
use crate::store::{Event, HoldRow, LoggedEvent, Page, SegmentRow};

const DAY: i64 = 86_400_000_000;
const CANARY: &str = "canary-of-a-payload";

struct House {
    store: Store,
    home: tempfile::TempDir,
    pruner: Pruner,
}

async fn house() -> House {
    let home = tempfile::tempdir().unwrap();
    let store = Store::open(&home.path().join("store.db")).await.unwrap();
    House { store, home, pruner: Pruner::default() }
}

impl House {
    async fn logs(&self, action: &str, resource: &str, at: i64) {
        let act = Act {
            resource: resource.to_owned(),
            reason: CANARY.to_owned(),
            ..Act::of_system(&format!("chancery.admin.v1.{action}"))
        };
        let body = Box::new(move |seq| encoded(act.event("ok", 0, at), seq));
        self.store.log(&Event { created_at: at, revision: 0, body }).await.unwrap();
    }

    async fn keeps(&self, class: &str, geo: &str, (keep, effective_at): (&str, i64)) {
        let spec = RetentionSpec {
            class: class.to_owned(),
            geo: geo.to_owned(),
            keep: keep.to_owned(),
            reason: "policy 7".to_owned(),
        };
        let (name, spec) = checked(spec).unwrap();
        let effective_time = Some(clock::timestamp(effective_at));
        let set = Retention {
            name: format!("retentions/{name}"),
            spec: Some(spec),
            effective_time,
            ..Retention::default()
        };
        let row = RetentionRow { name, body: set.encode_to_vec(), effective_at };
        let act = Act::of_system("chancery.admin.v1.RetentionsService/SetRetention");
        let told = (set.name.as_str(), proto::pruned::retention_told(&set));
        let event = crate::act::told_aside(act, told, (None, Some(&row.body)), 0);
        self.store.set_retention(&row, &event).await.unwrap();
    }

    async fn holds(&self, name: &str, spec: HoldSpec) {
        let hold = Hold { name: format!("holds/{name}"), spec: Some(spec), ..Hold::default() };
        let row = HoldRow { name: name.to_owned(), body: hold.encode_to_vec(), released_at: None };
        let act = Act::of_system("chancery.admin.v1.HoldsService/CreateHold");
        let told = (hold.name.as_str(), proto::pruned::hold_told(&hold));
        let event = crate::act::told_aside(act, told, (None, Some(&row.body)), 0);
        assert!(self.store.place_hold(&row, &event).await.unwrap());
    }

    async fn releases(&self, name: &str) {
        let row = HoldRow { released_at: Some(1), ..self.store.hold(name).await.unwrap().unwrap() };
        let act = Act::of_system("chancery.admin.v1.HoldsService/ReleaseHold");
        let name = format!("holds/{name}");
        let event = crate::act::changed_aside(act, &name, (Some(&row.body), None), 0);
        self.store.release_hold(&row, &event).await.unwrap();
    }

    async fn round(&mut self, now: i64) -> (usize, usize) {
        let Round { events, segments } = self.pruner.round(&self.store, now).await.unwrap();
        (events, segments)
    }

    async fn all(&self) -> Vec<LoggedEvent> {
        let mut all = self.store.events(Page { before: None, size: 10_000 }).await.unwrap();
        all.reverse();
        all
    }

    async fn pruned(&self) -> Vec<i64> {
        self.all().await.iter().filter(|event| event.pruned_by.is_some()).map(|event| event.seq).collect()
    }

    async fn segment(&self, geo: &str, number: u8, sealed_at: i64) {
        let row = SegmentRow {
            place: 0,
            hash: [number; 32],
            geo: geo.to_owned(),
            node: format!("{geo}-1"),
            boot_id: "b".to_owned(),
            seqs: (1, 2),
            count: 2,
            previous: [0; 32],
            ended: "full".to_owned(),
            sealed_at,
            anchored_at: 0,
            audit_seq: 0,
            pruned: None,
        };
        let act = Act::of_system("chancery.sync.v1.Sync/Anchor");
        let event = |_: &[SegmentRow]| {
            let act = act.clone();
            Event {
                created_at: sealed_at,
                revision: 0,
                body: Box::new(move |seq| encoded(act.event("ok", 0, sealed_at), seq)),
            }
        };
        self.store.anchor(&[row], sealed_at, event).await.unwrap();
    }

    async fn to_go(&self, geo: &str) -> Vec<u8> {
        let rows = self.store.segments_to_go(geo, (0, 100)).await.unwrap();
        rows.iter().map(|row| row.hash[0]).collect()
    }
}

#[tokio::test]
async fn what_is_over_goes_and_its_hash_its_place_and_its_proof_stay() {
    let mut house = house().await;
    for (action, at) in [
        ("TeamsService/GetTeam", 0),
        ("TeamsService/CreateTeam", DAY),
        ("TeamsService/ListTeams", 2 * DAY),
        ("KillsService/CreateKill", 3 * DAY),
        ("TeamsService/GetTeam", 8 * DAY),
    ] {
        house.logs(action, "tenants/acme/teams/a", at).await;
    }
    let (before, root) = (house.all().await, house.store.tree_head().await.unwrap());
    assert_eq!(house.round(10 * DAY).await, (0, 0), "without a retention nothing goes");
    house.keeps("reads", "", ("7d", 9 * DAY)).await;
    assert_eq!(house.round(9 * DAY - 1).await, (0, 0), "its grace is not over");
    assert_eq!(house.round(10 * DAY).await, (2, 0));
    assert_eq!(house.pruned().await, [1, 3]);
    let after = house.all().await;
    for (before, after) in before.iter().zip(&after) {
        assert_eq!((before.seq, before.hash, before.prev_hash), (after.seq, after.hash, after.prev_hash));
        assert_eq!(after.body.is_empty(), after.pruned_by.is_some());
    }
    assert_eq!(house.store.root_at(root.size).await.unwrap(), Some(root.root));
    let told = AuditEvent::decode(after.last().unwrap().body.as_slice()).unwrap();
    assert_eq!((told.action.as_str(), told.actor.as_str()), (PRUNE_EVENTS, "system"));
    assert_eq!(told_by(&told), Some(vec![(1, 1), (3, 3)]));
    assert_eq!((proto::pruned::retention(&told), told.reason.as_str()), ("retentions/reads", "kept for 7d"));
    assert_eq!(after[0].pruned_by, Some(told.sequence));
    assert_eq!(house.round(10 * DAY).await, (0, 0), "once");

    house.keeps("changes", "", ("1d", 0)).await;
    assert_eq!(house.round(100 * DAY).await, (2, 0), "the last read, and the change: proof of the log stays");
    assert_eq!(house.pruned().await, [1, 2, 3, 5]);
    assert_eq!(house.round(10_000 * DAY).await, (0, 0));
}

#[tokio::test]
async fn what_went_is_in_no_file_of_the_store() {
    let mut house = house().await;
    for number in 0..300 {
        house.logs("TeamsService/GetTeam", &format!("tenants/acme/teams/{number}"), 0).await;
    }
    let found = |home: &std::path::Path| {
        let files =
            std::fs::read_dir(home).unwrap().map(|entry| std::fs::read(entry.unwrap().path()).unwrap());
        files.filter(|bytes| memchr::memmem::find(bytes, CANARY.as_bytes()).is_some()).count()
    };
    assert!(found(house.home.path()) > 0);
    house.keeps("reads", "", ("1s", 0)).await;
    assert_eq!(house.round(DAY).await, (300, 0));
    assert_eq!(found(house.home.path()), 0);
}

#[tokio::test]
async fn a_hold_beats_a_retention_until_it_is_released() {
    let mut house = house().await;
    for tenant in ["acme", "rival"] {
        house.logs("TeamsService/GetTeam", &format!("tenants/{tenant}/teams/a"), 0).await;
    }
    house.segment("eu", 1, 0).await;
    house.keeps("reads", "", ("1s", 0)).await;
    house.keeps("decisions", "", ("1s", 0)).await;
    let of_acme = HoldSpec { tenant: "tenants/acme".to_owned(), ..HoldSpec::default() };
    house.holds("all", HoldSpec::default()).await;
    assert_eq!(house.round(DAY).await, (0, 0));
    house.holds("acme", of_acme).await;
    house.releases("all").await;
    assert_eq!(house.round(DAY).await, (1, 0), "a segment has records of many tenants");
    assert_eq!(house.pruned().await, [2]);
    house.releases("acme").await;
    assert_eq!(house.round(DAY).await, (1, 1));
    assert_eq!((house.pruned().await, house.to_go("eu").await), (vec![1, 2], vec![1]));
}

#[tokio::test]
async fn what_was_decided_by_other_holds_or_another_retention_is_not_done() {
    let house = house().await;
    house.logs("TeamsService/GetTeam", "tenants/acme/teams/a", 0).await;
    house.keeps("reads", "", ("1s", 0)).await;
    let retention = house.store.retention("reads").await.unwrap().unwrap();
    let basis = crate::store::Basis { retention, holds: Vec::new() };
    let event = || Event { created_at: 0, revision: 0, body: Box::new(|seq| vec![1, seq as u8]) };
    let before = house.all().await.len();
    house.holds("late", HoldSpec::default()).await;
    assert!(!house.store.prune_events(&basis, &[1], &event()).await.unwrap());
    house.releases("late").await;
    house.keeps("reads", "", ("400d", 0)).await;
    assert!(!house.store.prune_events(&basis, &[1], &event()).await.unwrap());
    assert_eq!((house.all().await.len(), house.pruned().await), (before + 3, vec![]), "nor is it told");
}

#[tokio::test]
async fn segments_go_by_their_geo_and_by_the_later_of_both_clocks() {
    let mut house = house().await;
    house.segment("eu", 1, 0).await;
    house.segment("us", 2, 0).await;
    house.segment("eu", 3, 5 * DAY).await;
    house.keeps("decisions", "", ("2d", 0)).await;
    house.keeps("decisions", "us", ("2d", 100 * DAY)).await;
    assert_eq!(house.round(4 * DAY).await, (0, 1), "of `us` its own says, once it is in effect");
    assert_eq!((house.to_go("eu").await, house.to_go("us").await), (vec![1], vec![]));
    let told = house.all().await.pop().unwrap();
    let told = AuditEvent::decode(told.body.as_slice()).unwrap();
    assert_eq!((told.action.as_str(), told.resource.as_str()), (PRUNE_SEGMENTS, "decisionSegments"));
    let change = &told.changes[0];
    let said = (change.name.as_str(), change.change.as_str(), change.before_digest.as_str());
    assert_eq!(said, ("geos/eu/nodes/eu-1/decisionSegments/b.1-2", "pruned", "01".repeat(32).as_str()));

    // Whose word counts that they are gone.
    let gone = async |geo: &str, counts: bool| {
        house.store.segments_are_gone((geo, &[[1; 32]]), 7, |_| counts).await.unwrap();
        house.to_go("eu").await
    };
    assert_eq!(gone("us", true).await, [1], "not of another geo");
    assert_eq!(gone("eu", false).await, [1]);
    assert_eq!(gone("eu", true).await, [0_u8; 0]);
    let page = Page { before: None, size: 9 };
    let rows = house.store.segments(("eu", ""), page).await.unwrap();
    assert_eq!(
        rows[1].pruned.map(|pruned| (pruned.audit_seq, pruned.done_at)),
        Some((told.sequence, Some(7)))
    );
    assert_eq!(house.round(101 * DAY).await, (0, 2));
}

#[tokio::test]
async fn nothing_of_an_event_but_its_body_can_be_changed_and_that_once() {
    let mut house = house().await;
    house.logs("TeamsService/GetTeam", "a", 0).await;
    house.logs("TeamsService/CreateTeam", "b", 0).await;
    for refused in [
        "UPDATE audit_event SET body = X'', pruned_by = 1 WHERE seq = 1",
        "UPDATE audit_event SET body = X'', pruned_by = 1 WHERE seq = 2",
        "UPDATE audit_event SET body = X'', pruned_by = 9 WHERE seq = 1",
        "UPDATE audit_event SET body = X'01', pruned_by = 2 WHERE seq = 1",
        "UPDATE audit_event SET body = X'' WHERE seq = 1",
        "UPDATE audit_event SET pruned_by = 2 WHERE seq = 1",
        "UPDATE audit_event SET body = X'', pruned_by = 2, hash = X'' WHERE seq = 1",
        "UPDATE audit_event SET body = X'', pruned_by = 2, created_at = 9 WHERE seq = 1",
        "INSERT INTO audit_event VALUES (3, 0, 0, X'', X'', X'', 2)",
    ] {
        let error = house.store.pragma(refused).await.unwrap_err();
        assert!(error.to_string().contains("append-only"), "{refused}: {error}");
    }
    house.keeps("reads", "", ("1s", 0)).await;
    assert_eq!(house.round(DAY).await, (1, 0));
    for refused in [
        "UPDATE audit_event SET pruned_by = 2 WHERE seq = 1",
        "UPDATE audit_event SET body = X'00', pruned_by = NULL WHERE seq = 1",
    ] {
        assert!(house.store.pragma(refused).await.unwrap_err().to_string().contains("append-only"));
    }
}

#[tokio::test]
async fn a_long_log_goes_part_by_part() {
    let mut house = house().await;
    for number in 0..1_100 {
        let action = if number % 2 == 0 { "TeamsService/GetTeam" } else { "TeamsService/CreateTeam" };
        house.logs(action, "tenants/acme/teams/a", number).await;
    }
    house.keeps("reads", "", ("1s", 0)).await;
    assert_eq!(house.round(DAY).await, (550, 0));
    let tells = |event: &&LoggedEvent| {
        AuditEvent::decode(event.body.as_slice()).is_ok_and(|event| event.action == PRUNE_EVENTS)
    };
    let all = house.all().await;
    assert_eq!(all.iter().filter(|event| event.pruned_by.is_none()).filter(tells).count(), 2);
}

#[tokio::test]
async fn an_event_of_the_future_holds_up_nothing_but_itself() {
    let mut house = house().await;
    for at in [0, 900 * DAY, DAY, 2 * DAY] {
        house.logs("TeamsService/GetTeam", "tenants/acme/teams/a", at).await;
    }
    house.keeps("reads", "", ("7d", 0)).await;
    assert_eq!(house.round(20 * DAY).await, (3, 0));
    assert_eq!(house.pruned().await, [1, 3, 4]);
    // One that is over a moment after those behind it is waited for.
    house.logs("TeamsService/GetTeam", "tenants/acme/teams/a", 20 * DAY + 9).await;
    house.logs("TeamsService/GetTeam", "tenants/acme/teams/a", 20 * DAY).await;
    assert_eq!(house.round(27 * DAY + 5).await, (1, 0));
    assert_eq!(house.round(27 * DAY + 10).await, (1, 0));
    assert_eq!(house.round(1_000 * DAY).await, (1, 0), "and then it is over");
}

#[tokio::test]
async fn what_a_geos_own_kept_goes_by_that_of_all_after_a_grace() {
    let mut house = house().await;
    house.segment("eu", 1, 0).await;
    house.keeps("decisions", "", ("1d", 0)).await;
    house.keeps("decisions", "eu", ("400d", 0)).await;
    assert_eq!(house.round(10 * DAY).await, (0, 0));
    let act = Act::of_system("chancery.admin.v1.RetentionsService/DeleteRetention");
    let event = crate::act::changed_aside(act, "retentions/decisions-eu", (Some(b""), None), 0);
    assert!(house.store.delete_retention(("decisions-eu", 11 * DAY), &event).await.unwrap());
    assert_eq!(house.round(11 * DAY - 1).await, (0, 0), "whoever sees it may say otherwise until then");
    house.keeps("decisions", "eu", ("400d", 0)).await;
    assert_eq!(house.round(12 * DAY).await, (0, 0));
    let act = Act::of_system("chancery.admin.v1.RetentionsService/DeleteRetention");
    let event = crate::act::changed_aside(act, "retentions/decisions-eu", (Some(b""), None), 0);
    assert!(house.store.delete_retention(("decisions-eu", 13 * DAY), &event).await.unwrap());
    assert_eq!((house.round(13 * DAY - 1).await, house.round(13 * DAY).await), ((0, 0), (0, 1)));
}

#[tokio::test]
async fn nothing_goes_by_what_the_log_does_not_tell() {
    let mut house = house().await;
    house.logs("TeamsService/GetTeam", "tenants/acme/teams/a", 0).await;
    house.keeps("reads", "", ("1s", 0)).await;
    // As an earlier build logged it.
    let row = house.store.retention("reads").await.unwrap().unwrap();
    let act = Act::of_system("chancery.admin.v1.RetentionsService/SetRetention");
    let event = crate::act::changed_aside(act, "retentions/reads", (None, Some(&row.body)), 0);
    house.store.set_retention(&row, &event).await.unwrap();
    assert_eq!(house.round(DAY).await, (0, 0));
    house.keeps("reads", "", ("1s", 0)).await;
    assert_eq!(house.round(DAY).await, (1, 0));
}

/// Writes what whoever has the store's file can write: an event that tells that another was pruned.
async fn forges(store: &Store, (retention, target): (&str, i64), at: i64) {
    let act = Act {
        resource: "auditEvents".to_owned(),
        approvals: vec![retention.to_owned()],
        ..Act::of_system(PRUNE_EVENTS)
    };
    let changes = proto::pruned::changes(&[target]);
    let body = move |seq| encoded(AuditEvent { changes: changes.clone(), ..act.event("ok", 0, at) }, seq);
    store.log(&Event { created_at: at, revision: 0, body: Box::new(body) }).await.unwrap();
    let by = store.audit_size().await.unwrap();
    let hide = format!("UPDATE audit_event SET body = X'', pruned_by = {by} WHERE seq = {target}");
    store.pragma(Box::leak(hide.into_boxed_str())).await.unwrap();
}

#[tokio::test]
async fn what_the_log_does_not_allow_is_not_signed_for() {
    let sealer = crate::seal::Sealer::new(&[7; 32]).unwrap();
    for (retention, target) in [("retentions/changes", 1), ("retentions/reads", 4)] {
        let mut house = house().await;
        for at in [0, 0, 99, 99, 99] {
            house.logs("TeamsService/GetTeam", "tenants/acme/teams/a", at * DAY).await;
        }
        house.keeps("reads", "", ("50d", 0)).await;
        house.logs("TeamsService/CreateTeam", "tenants/acme/teams/a", 99 * DAY).await;
        assert_eq!(house.round(100 * DAY).await, (2, 0));
        let checkpoints = crate::checkpoints::Checkpoints::open(&house.store, &sealer, 0).await.unwrap();
        let signed = checkpoints.now().await.unwrap().unwrap();
        forges(&house.store, (retention, target + 2), 100 * DAY).await;
        assert!(checkpoints.now().await.is_err() && checkpoints.is_broken(), "{retention}");
        // Nor by a start, nor with more that is well.
        house.logs("TeamsService/GetTeam", "tenants/acme/teams/a", 100 * DAY).await;
        let again = crate::checkpoints::Checkpoints::open(&house.store, &sealer, 0).await.unwrap();
        assert!(again.is_broken() && checkpoints.now().await.is_err());
        assert_eq!(again.watch().borrow().as_ref().map(|newest| newest.size), Some(signed.size));
    }
}

#[test]
fn what_a_retention_may_say() {
    let of = |class: &str, geo: &str, keep: &str| {
        let spec = RetentionSpec {
            class: class.to_owned(),
            geo: geo.to_owned(),
            keep: keep.to_owned(),
            reason: String::new(),
        };
        checked(spec).map(|(name, _)| name).map_err(|(field, _)| field)
    };
    assert_eq!(of("reads", "", "400d"), Ok("reads".to_owned()));
    assert_eq!(of("decisions", "", "1s"), Ok("decisions".to_owned()));
    assert_eq!(of("decisions", "eu", "3660d"), Ok("decisions-eu".to_owned()));
    assert_eq!(of("everything", "", "1d"), Err("class"));
    assert_eq!(of("reads", "eu", "1d"), Err("geo"));
    assert_eq!(of("decisions", "a/b", "1d"), Err("geo"));
    for keep in ["1y", "1w"] {
        let why = proto::convert::retention(keep).unwrap_err();
        assert!(
            why.contains(keep) && why.contains("`1s` to `3660d`") && why.contains("a year `365d`"),
            "{why}"
        );
    }
    for keep in ["", "0s", "500ms", "3661d", "soon"] {
        assert_eq!(of("reads", "", keep), Err("keep"), "{keep}");
    }
}
