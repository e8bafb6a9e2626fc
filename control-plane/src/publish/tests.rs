//! Publishing: atomic, judged, audited, and the same after opening again.

use bytes::Bytes;
use policy_engine::vocabulary::{Id, Kind};
use prost::Message;
use proto::admin::{AuditEvent, Endpoint, EndpointSpec, Provider, ProviderSpec, Tenant, TenantSpec};

use super::*;
use crate::govern;
use crate::store::{Page, chained};

pub(crate) struct Fixture {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) publisher: Publisher,
}

pub(crate) async fn opened(dir: &std::path::Path) -> Result<Publisher, OpenError> {
    let store = Store::open(&dir.join("store.db")).await?;
    Publisher::open(store, Arc::new(Sealer::new(&[7; 32]).unwrap()), Upstream::default()).await
}

pub(crate) async fn fixture() -> Fixture {
    let dir = tempfile::tempdir().unwrap();
    let publisher = opened(dir.path()).await.unwrap();
    Fixture { dir, publisher }
}

fn id(name: &str) -> Id {
    Id::platform(name.parse().unwrap())
}

fn tenant(name: &str, display: &str) -> (Kind, Id, Option<Bytes>) {
    let spec = TenantSpec { display_name: display.into(), currency: "USD".into(), ..Default::default() };
    (Kind::Tenant, id(name), Some(Tenant { spec: Some(spec), ..Default::default() }.encode_to_vec().into()))
}

fn endpoint(name: &str, provider: &str) -> (Kind, Id, Option<Bytes>) {
    let spec = EndpointSpec { provider: provider.into(), upstream_model: "m".into(), ..Default::default() };
    (
        Kind::Endpoint,
        id(name),
        Some(Endpoint { spec: Some(spec), ..Default::default() }.encode_to_vec().into()),
    )
}

fn provider(name: &str) -> (Kind, Id, Option<Bytes>) {
    let spec = ProviderSpec { adapter: "simulated".into(), ..Default::default() };
    (
        Kind::Provider,
        id(name),
        Some(Provider { spec: Some(spec), ..Default::default() }.encode_to_vec().into()),
    )
}

async fn publish(
    publisher: &Publisher,
    wanted: Vec<(Kind, Id, Option<Bytes>)>,
) -> Result<Outcome, ChangeError> {
    let plan = move |published: &Published, gate: &Gate| {
        let mut plan = Plan::default();
        for (kind, id, bytes) in wanted {
            let before = published.registry.get(kind, &id).map(AsRef::as_ref);
            let after = match bytes {
                Some(bytes) => Some(
                    govern::prepare_encoded(govern::Raw { kind, id: &id, encoded: &bytes, before }, gate)
                        .map_err(ChangeError::Faults)?
                        .bytes,
                ),
                None => None,
            };
            plan.changes.push(Change { kind, id, after });
        }
        Ok(plan)
    };
    publisher.publish(Act::of_system("test"), Mode::Commit, plan).await
}

/// Publishes a tenant.
pub(crate) async fn tenant_named(publisher: &Publisher, name: &str) {
    publish(publisher, vec![tenant(name, name)]).await.unwrap();
}

async fn events(publisher: &Publisher) -> Vec<AuditEvent> {
    let mut logged = publisher.store().events(Page { before: None, size: 100 }).await.unwrap();
    logged.reverse();
    let mut prev = [0; 32];
    for event in &logged {
        assert_eq!(event.hash, chained(&prev, &event.body));
        prev = event.hash;
    }
    logged.iter().map(|event| AuditEvent::decode(event.body.as_slice()).unwrap()).collect()
}

#[tokio::test]
async fn a_change_is_published_with_its_event_and_seen_by_watchers() {
    let Fixture { publisher, .. } = &fixture().await;
    let mut watch = publisher.watch();
    let outcome = publish(publisher, vec![tenant("acme", "Acme")]).await.unwrap();
    assert!(outcome.changed && watch.has_changed().unwrap());
    let seen = watch.borrow_and_update().clone();
    assert_eq!((seen.head.revision, seen.digest), (1, outcome.published.digest));
    assert_eq!(seen.facts.tenants[&id("acme")].display_name, "Acme");
    let events = events(publisher).await;
    assert_eq!(events.len(), 1);
    assert_eq!((events[0].revision, events[0].outcome.as_str()), (1, "ok"));
    assert_eq!(
        (events[0].changes[0].name.as_str(), events[0].changes[0].change.as_str()),
        ("tenants/acme", "created")
    );
}

#[tokio::test]
async fn what_changes_nothing_makes_no_revision() {
    let Fixture { publisher, .. } = &fixture().await;
    publish(publisher, vec![tenant("acme", "Acme")]).await.unwrap();
    let again =
        publish(publisher, vec![tenant("acme", "Acme"), (Kind::Tenant, id("none"), None)]).await.unwrap();
    assert!(!again.changed);
    assert!(again.effects.iter().all(|(_, _, effect)| *effect == Effect::Unchanged));
    assert_eq!((publisher.current().head.revision, events(publisher).await.len()), (1, 1));
}

#[tokio::test]
async fn a_fault_leaves_nothing_and_every_fault_is_told() {
    let Fixture { publisher, .. } = &fixture().await;
    publish(publisher, vec![provider("p"), endpoint("e", "p")]).await.unwrap();
    let before = publisher.current();
    let bad = vec![tenant("new", "New"), endpoint("x", "gone"), endpoint("y", "away")];
    let Err(ChangeError::Faults(faults)) = publish(publisher, bad).await else { panic!("published") };
    assert_eq!(faults.len(), 2, "{faults:?}");
    let referenced = publish(publisher, vec![(Kind::Provider, id("p"), None)]).await;
    assert!(matches!(referenced, Err(ChangeError::Faults(f)) if f[0].id == id("e")));
    assert!(Arc::ptr_eq(&before, &publisher.current()));
    assert_eq!(publisher.store().head().await.unwrap(), before.head);
    assert_eq!(events(publisher).await.len(), 1);
}

#[tokio::test]
async fn after_opening_again_everything_is_as_it_was() {
    let fixture = fixture().await;
    publish(&fixture.publisher, vec![provider("p"), endpoint("e", "p"), tenant("acme", "Acme")])
        .await
        .unwrap();
    publish(&fixture.publisher, vec![(Kind::Endpoint, id("e"), None)]).await.unwrap();
    let before = fixture.publisher.current();
    fixture.publisher.store().close().await;
    let again = opened(fixture.dir.path()).await.unwrap().current();
    assert_eq!((again.head, again.digest), (before.head, before.digest));
    assert_eq!(again.facts, before.facts);
}

#[tokio::test]
async fn a_store_that_does_not_compile_is_refused_with_what_is_wrong() {
    let fixture = fixture().await;
    publish(&fixture.publisher, vec![provider("p"), endpoint("e", "p")]).await.unwrap();
    // Somebody edits the store behind our back: the provider ends, the endpoint that needs it stays.
    fixture.publisher.store().close().await;
    let path = fixture.dir.path().join("store.db");
    let pool = sqlx::SqlitePool::connect(&format!("sqlite://{}", path.display())).await.unwrap();
    sqlx::query("UPDATE resource_version SET until_revision = 1 WHERE kind = 'Provider'")
        .execute(&pool)
        .await
        .unwrap();
    pool.close().await;
    let error = opened(fixture.dir.path()).await.unwrap_err().to_string();
    assert!(error.contains("endpoints/e") && error.contains("spec.provider"), "{error}");
}

#[tokio::test]
async fn case_24_a_store_that_takes_nothing_changes_nothing_and_is_told() {
    for (spoil, mend) in [
        ("PRAGMA query_only = 1", "PRAGMA query_only = 0"),
        ("PRAGMA max_page_count = 1", "PRAGMA max_page_count = 1000000"),
    ] {
        let Fixture { publisher, dir } = &fixture().await;
        publish(publisher, vec![tenant("acme", "Acme")]).await.unwrap();
        let before = publisher.current();
        publisher.store().pragma(spoil).await.unwrap();
        let long = "x".repeat(200);
        let many: Vec<_> = (0..2_000).map(|n| tenant(&format!("t{n}"), &format!("{long}{n}"))).collect();
        let refused = proto::status::Refusal::from(publish(publisher, many.clone()).await.unwrap_err());
        assert_eq!(refused.code.row().http.as_u16(), 503, "{spoil}: {refused:?}");
        assert!(Arc::ptr_eq(&before, &publisher.current()), "{spoil}");
        assert_eq!(publisher.store().head().await.unwrap(), before.head, "{spoil}");
        assert_eq!(events(publisher).await.len(), 1, "{spoil}");
        publisher.store().pragma(mend).await.unwrap();
        assert_eq!(publish(publisher, many).await.unwrap().published.head.revision, 2, "{spoil}");
        publisher.store().close().await;
        let again = opened(dir.path()).await.unwrap().current();
        assert_eq!((again.head.revision, again.facts.tenants.len()), (2, 2_001), "{spoil}");
    }
}

#[tokio::test]
async fn publications_at_once_are_serial_and_none_is_lost() {
    let Fixture { publisher, .. } = &fixture().await;
    let all: Vec<_> = (0..20)
        .map(|n| {
            let publisher = publisher.clone();
            tokio::spawn(
                async move { publish(&publisher, vec![tenant(&format!("t{n}"), "T")]).await.unwrap() },
            )
        })
        .collect();
    let mut revisions = Vec::new();
    for task in all {
        revisions.push(task.await.unwrap().published.head.revision);
    }
    revisions.sort_unstable();
    assert_eq!(revisions, (1..=20).collect::<Vec<_>>());
    assert_eq!(publisher.current().facts.tenants.len(), 20);
}

#[tokio::test]
async fn what_would_leave_much_less_is_refused_unless_it_is_meant() {
    let fixture = fixture().await;
    let role = |n: usize| {
        let role = proto::admin::Role { spec: Some(Default::default()), ..Default::default() };
        (Kind::Role, id(&format!("r-{n}")), Some(Bytes::from(role.encode_to_vec())))
    };
    publish(&fixture.publisher, (0..30).map(role).collect()).await.unwrap();
    let gone =
        |from: usize| (from..30).map(|n| (Kind::Role, id(&format!("r-{n}")), None)).collect::<Vec<_>>();
    let refused = publish(&fixture.publisher, gone(14)).await.unwrap_err().to_string();
    assert!(
        refused.contains("of 30 resources 14 would be left") && refused.contains("--allow-shrink"),
        "{refused}"
    );
    publish(&fixture.publisher, gone(15)).await.unwrap();
    assert_eq!(fixture.publisher.current().shrink_revision, 0);
    // Nodes are told of the revision whose author meant it, after a restart as well.
    let all: Vec<Change> =
        (0..15).map(|n| Change { kind: Kind::Role, id: id(&format!("r-{n}")), after: None }).collect();
    let plan = move |_: &Published, _: &Gate| Ok(Plan { changes: all, may_shrink: true, ..Plan::default() });
    fixture.publisher.publish(Act::of_system("test"), Mode::Commit, plan).await.unwrap();
    assert_eq!(fixture.publisher.current().shrink_revision, 3);
    assert_eq!(opened(fixture.dir.path()).await.unwrap().current().shrink_revision, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_pause_and_what_the_rollout_did_meanwhile_are_both_kept_whichever_comes_first() {
    use prost::Message as _;
    let fixture = fixture().await;
    let publisher = &fixture.publisher;
    let text = "apiVersion: chancery/v1\nkind: Role\nmetadata: {name: r}\nspec: {permissions: []}\n";
    let file = proto::admin::SourceFile { path: "f.yaml".into(), text: text.into() };
    let staging = Some(Staging { stages: vec![Default::default()], manual: false });
    let declared = crate::manifest::Declared { files: vec![file], staging, ..Default::default() };
    let (actor, act) = (crate::actor::Actor::Platform("test".into()), || Act::of_system("test"));
    crate::manifest::apply(publisher, &actor, (act(), Mode::Commit), declared).await.unwrap();
    let now = || publisher.lines().borrow().rollout.clone().unwrap().record.clone();
    let mut stages = 1;
    for _ in 0..100 {
        let read = now();
        let paused = Rollout { state: "paused".into(), reason: "wait".into(), ..read.clone() };
        let mut on = read.clone();
        on.stages.push(Default::default());
        let (went_on, steered) =
            tokio::join!(publisher.go_on(&read, on), publisher.steer(act(), ("progressing", paused)));
        went_on.unwrap();
        assert!(steered.unwrap());
        let after = now();
        assert_eq!((after.state.as_str(), after.reason.as_str()), ("paused", "wait"));
        // Where it went on first, the pause, which was made of what was read before, takes nothing of it back.
        assert!(after.stages.len() >= stages);
        stages = after.stages.len();
        let kept = publisher.store().active_rollout().await.unwrap().unwrap();
        assert_eq!(Rollout::decode(kept.body.as_slice()).unwrap(), after);
        let resumed = Rollout { state: "progressing".into(), reason: String::new(), ..after };
        assert!(publisher.steer(act(), ("paused", resumed.clone())).await.unwrap());
        let logged = publisher.store().audit_size().await.unwrap();
        assert!(!publisher.steer(act(), ("paused", resumed)).await.unwrap(), "it is so no more");
        assert_eq!(
            publisher.store().audit_size().await.unwrap(),
            logged,
            "what was not done is not logged as done"
        );
    }
    // In the one order that loses something where a pause is taken for the whole.
    let read = now();
    let mut on = read.clone();
    on.stages.push(Default::default());
    publisher.go_on(&read, on).await.unwrap();
    let paused = Rollout { state: "paused".into(), ..read.clone() };
    assert!(publisher.steer(act(), ("progressing", paused)).await.unwrap());
    assert_eq!(now().stages.len(), read.stages.len() + 1);
    // What was read before the pause moves nothing any more.
    publisher.go_on(&read, Rollout { state: "completed".into(), ..read.clone() }).await.unwrap();
    assert_eq!(now().state, "paused");
}
