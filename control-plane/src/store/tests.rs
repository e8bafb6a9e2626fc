//! The conformance suite of a store; every implementation passes it.

use super::*;

async fn fresh() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("store.db")).await.unwrap();
    (dir, store)
}

fn written(name: &str, text: Option<&str>, replaces: bool) -> Written {
    let after = text.map(|text| (chained(&[0; 32], text.as_bytes()), Bytes::from(text.to_owned())));
    Written { kind: "Team", tenant: "acme".into(), name: name.into(), after, created_at: 7, replaces }
}

fn event<'a>(body: &'static str, revision: i64) -> Event<'a> {
    Event { created_at: 9, revision, body: Box::new(move |seq| format!("{seq} {body}").into_bytes()) }
}

async fn publish(store: &Store, written: &[Written], events: &[Event<'_>]) -> Result<Head, StoreError> {
    let base = store.head().await?;
    let batch = Batch {
        base,
        epoch: base.epoch,
        digest: [1; 32],
        actor: "system",
        action: "test",
        why: ("", ""),
        now: 9,
        written,
        events,
        keys: &[],
        credentials: &[],
        may_shrink: false,
        peaks: &[],
        rollout: None,
        proposal: None,
    };
    store.commit(&batch).await.map(|(head, _)| head)
}

#[tokio::test]
async fn a_version_is_in_force_until_the_next_one() {
    let (_dir, store) = fresh().await;
    assert_eq!(store.head().await.unwrap(), Head { revision: 0, epoch: 1 });
    publish(&store, &[written("a", Some("one"), false), written("b", Some("two"), false)], &[])
        .await
        .unwrap();
    publish(&store, &[written("a", Some("three"), true)], &[]).await.unwrap();
    publish(&store, &[written("b", None, true)], &[]).await.unwrap();
    let at = |rows: Vec<ResourceRow>| {
        let mut all: Vec<String> = rows
            .iter()
            .map(|r| format!("{}={}@{}", r.name, String::from_utf8_lossy(&r.bytes), r.revision))
            .collect();
        all.sort();
        all
    };
    assert_eq!(at(store.in_force().await.unwrap()), ["a=three@2"]);
    assert_eq!(at(store.in_force_at(1).await.unwrap()), ["a=one@1", "b=two@1"]);
    assert_eq!(at(store.in_force_at(2).await.unwrap()), ["a=three@2", "b=two@1"]);
    let changes = store.changes(2).await.unwrap();
    assert_eq!(
        changes.iter().map(|c| (c.name.as_str(), c.had, c.has)).collect::<Vec<_>>(),
        [("a", true, true)]
    );
    let revisions = store.revisions(Page { before: Some(3), size: 1 }).await.unwrap();
    assert_eq!(revisions.iter().map(|r| r.revision).collect::<Vec<_>>(), [2]);
}

#[tokio::test]
async fn revisions_are_found_by_author_time_and_what_they_changed() {
    let (_dir, store) = fresh().await;
    publish(&store, &[written("a", Some("one"), false)], &[]).await.unwrap();
    publish(&store, &[written("b", Some("two"), false)], &[]).await.unwrap();
    publish(&store, &[written("a", None, true)], &[]).await.unwrap();
    let team =
        |name: &str| Touched::Resource { kind: "Team".into(), tenant: "acme".into(), name: name.into() };
    let touching = |touched| Sought { touched: Some(touched), ..Sought::default() };
    let by = |actor: &str| Sought { actor: actor.into(), ..Sought::default() };
    for (sought, found) in [
        (Sought::default(), &[3, 2, 1][..]),
        (touching(team("a")), &[3, 1]),
        (touching(Touched::Kind("Team".into(), None)), &[3, 2, 1]),
        (touching(Touched::Kind("Team".into(), Some("other".into()))), &[]),
        (touching(Touched::Kind("Rule".into(), None)), &[]),
        (touching(Touched::Tenant("acme".into())), &[3, 2, 1]),
        (by("system"), &[3, 2, 1]),
        (by("ystem"), &[]),
        (Sought { since: 9, ..Sought::default() }, &[3, 2, 1]),
        (Sought { since: 10, ..Sought::default() }, &[]),
        (Sought { until: 9, ..Sought::default() }, &[]),
    ] {
        let (rows, below) = store.sought(Page { before: None, size: 10 }, &sought).await.unwrap();
        assert_eq!(rows.iter().map(|row| row.revision).collect::<Vec<_>>(), found, "{sought:?}");
        assert_eq!(below, None);
    }
    let (rows, below) = store.sought(Page { before: None, size: 1 }, &touching(team("a"))).await.unwrap();
    assert_eq!((rows[0].revision, below), (3, Some(3)));
    let rest = Page { before: below, size: 1 };
    let (rows, below) = store.sought(rest, &touching(team("a"))).await.unwrap();
    assert_eq!((rows[0].revision, below), (1, None));
}

#[tokio::test]
async fn what_a_revision_is_for_a_scope_is_said_once() {
    let (_dir, store) = fresh().await;
    publish(&store, &[written("a", Some("one"), false)], &[]).await.unwrap();
    let scope = |geo: &str, digest| ScopeRow { geo: geo.into(), node_class: String::new(), digest };
    for row in [scope("us", [2; 32]), scope("eu", [1; 32]), scope("eu", [9; 32])] {
        store.keep_scope(1, &row).await.unwrap();
    }
    assert_eq!(store.scopes(1).await.unwrap(), [scope("eu", [1; 32]), scope("us", [2; 32])]);
    // The stable line of a rollout was kept before its candidate became what is for everybody.
    assert_eq!(store.candidates(1).await.unwrap(), [scope("eu", [9; 32])]);
    assert!(store.keep_scope(7, &scope("eu", [1; 32])).await.is_err(), "a revision that was never published");
}

#[tokio::test]
async fn a_failed_commit_leaves_nothing() {
    let (_dir, store) = fresh().await;
    publish(&store, &[written("a", Some("one"), false)], &[event("first", 1)]).await.unwrap();
    // The second row has no version to end: everything before it in the transaction must be undone.
    let bad = [written("c", Some("new"), false), written("missing", Some("x"), true)];
    assert!(matches!(publish(&store, &bad, &[event("second", 2)]).await, Err(StoreError::Corrupt(_))));
    assert_eq!(store.head().await.unwrap().revision, 1);
    assert_eq!(store.in_force().await.unwrap().len(), 1);
    assert_eq!(store.events(Page { before: None, size: 10 }).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_commit_on_an_old_base_is_refused() {
    let (_dir, store) = fresh().await;
    let old = store.head().await.unwrap();
    publish(&store, &[written("a", Some("one"), false)], &[]).await.unwrap();
    let batch = Batch {
        base: old,
        epoch: old.epoch,
        digest: [1; 32],
        actor: "system",
        action: "test",
        why: ("", ""),
        now: 9,
        written: &[],
        events: &[],
        keys: &[],
        credentials: &[],
        may_shrink: false,
        peaks: &[],
        rollout: None,
        proposal: None,
    };
    assert!(matches!(store.commit(&batch).await, Err(StoreError::HeadMoved { expected: 0 })));
}

#[tokio::test]
async fn events_are_chained_and_cannot_be_changed() {
    let (_dir, store) = fresh().await;
    publish(&store, &[written("a", Some("one"), false)], &[event("x", 1), event("y", 1)]).await.unwrap();
    store.log(&event("refused", 0)).await.unwrap();
    let events = store.events(Page { before: None, size: 10 }).await.unwrap();
    assert_eq!(events.iter().map(|e| e.seq).collect::<Vec<_>>(), [3, 2, 1]);
    let mut prev = [0; 32];
    for event in events.iter().rev() {
        assert_eq!(event.prev_hash, prev);
        assert_eq!(event.hash, chained(&prev, &event.body));
        prev = event.hash;
    }
    for sql in [
        "UPDATE audit_event SET body = x'00'",
        "DELETE FROM audit_event",
        "UPDATE revision SET actor = 'nobody'",
        "DELETE FROM resource_version",
        "UPDATE resource_version SET digest = x'00', until_revision = 9",
        "DELETE FROM blob",
    ] {
        let refused = sqlx::query(sql).execute(&store.writer).await.unwrap_err();
        assert!(
            refused.to_string().contains("a version changes once")
                || refused.to_string().contains("append-only"),
            "{sql}: {refused}"
        );
    }
    assert_eq!(store.events(Page { before: None, size: 10 }).await.unwrap(), events);
}

#[tokio::test]
async fn what_was_committed_is_there_after_opening_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.db");
    let store = Store::open(&path).await.unwrap();
    publish(&store, &[written("a", Some("one"), false)], &[]).await.unwrap();
    let key = ScopeKeyRow { id: "k1".into(), geo: "eu".into(), sealed: vec![1, 2] };
    store.keep_scope_key(&key, 3).await.unwrap();
    store.close().await;
    let again = Store::open(&path).await.unwrap();
    assert_eq!(again.in_force().await.unwrap().len(), 1);
    assert_eq!(again.scope_keys().await.unwrap(), [key]);
    assert!(again.credentials().await.unwrap().is_empty());
}

#[cfg(unix)]
#[tokio::test]
async fn the_file_and_those_beside_it_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.db");
    let each = || ["store.db", "store.db-wal", "store.db-shm"].map(|name| dir.path().join(name));
    let modes = || each().map(|path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777);
    let store = Store::open(&path).await.unwrap();
    store.head().await.unwrap();
    assert_eq!(modes(), [0o600; 3]);
    for path in each() {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644)).unwrap();
    }
    // As after a kill: nobody closed the first.
    let again = Store::open(&path).await.unwrap();
    again.head().await.unwrap();
    assert_eq!(modes(), [0o600; 3]);
    again.close().await;
    store.close().await;
}

#[tokio::test]
async fn case_24_a_transaction_that_a_full_disk_ended_is_the_last_of_its_connection_alone() {
    let (_dir, store) = fresh().await;
    let mut tx = store.writer.begin().await.unwrap();
    // What SQLite does by itself where the disk is full, before its caller could.
    sqlx::query("ROLLBACK").execute(&mut *tx).await.unwrap();
    assert!(tx.commit().await.is_err());
    let head = publish(&store, &[written("a", Some("one"), false)], &[]).await.unwrap();
    assert_eq!(head.revision, 1);
}

/// Holds the lock of the file as another process does.
async fn held(path: &std::path::Path) -> sqlx::SqliteConnection {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let mut other = sqlx::ConnectOptions::connect(&options).await.unwrap();
    sqlx::query("BEGIN EXCLUSIVE").execute(&mut other).await.unwrap();
    other
}

#[tokio::test]
async fn a_store_that_another_process_has_locked_is_waited_for_and_not_for_ever() {
    let dir = tempfile::tempdir().unwrap();
    // One that is to be made, and one that is there.
    for path in [dir.path().join("new.db"), dir.path().join("old.db")] {
        if path.ends_with("old.db") {
            Store::open(&path).await.unwrap().close().await;
        }
        let mut other = held(&path).await;
        let refused = Store::open_within(&path, Duration::ZERO).await.unwrap_err();
        assert!(matches!(refused, StoreError::Locked(Duration::ZERO)), "{refused}");
        let (opened, ()) = tokio::join!(Store::open(&path), async {
            // Longer than one look.
            tokio::time::sleep(Duration::from_millis(1_200)).await;
            sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
        });
        let store = opened.unwrap();
        assert_eq!(publish(&store, &[written("a", Some("one"), false)], &[]).await.unwrap().revision, 1);
        store.close().await;
    }
}

#[tokio::test]
async fn case_24_what_a_full_disk_refused_is_known_as_that() {
    let (_dir, store) = fresh().await;
    store.pragma("PRAGMA max_page_count = 1").await.unwrap();
    let text = "x".repeat(1 << 20);
    let full = publish(&store, &[written("a", Some(&text), false)], &[]).await.unwrap_err();
    assert!(is_full(&full) && !trouble::is_locked(&full), "{full}");
    let open = crate::publish::OpenError::from(full);
    assert!(is_full(&open), "whatever it became part of: {open}");
    let moved = StoreError::HeadMoved { expected: 1 };
    assert!(
        !is_full(&moved)
            && is_full(&StoreError::Sql(sqlx::Error::Io(std::io::ErrorKind::StorageFull.into())))
    );
}
