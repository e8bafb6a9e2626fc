use proto::checkpoint::CheckpointError;
use proto::tree::extends;

use super::*;
use crate::store::Event;

async fn fresh() -> (tempfile::TempDir, Store, Sealer) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("store.db")).await.unwrap();
    (dir, store, Sealer::new(&[7; 32]).unwrap())
}

async fn log(store: &Store, count: i64) {
    for _ in 0..count {
        let event = Event { created_at: 1, revision: 0, body: Box::new(|seq| seq.to_be_bytes().to_vec()) };
        store.log(&event).await.unwrap();
    }
}

#[tokio::test]
async fn a_checkpoint_is_of_the_log_and_extends_the_one_before() {
    let (_dir, store, sealer) = fresh().await;
    let checkpoints = Checkpoints::open(&store, &sealer, 0).await.unwrap();
    let key = checkpoints.keys().next().unwrap().1.clone();
    assert!(checkpoints.now().await.unwrap().is_none(), "an empty log has none");
    log(&store, 5).await;
    let first = checkpoints.now().await.unwrap().unwrap();
    assert_eq!(checkpoints.now().await.unwrap().unwrap(), first, "a size is signed for once");
    log(&store, 6).await;
    let second = checkpoints.now().await.unwrap().unwrap();
    let [first, second] = [&first, &second].map(|row| Checkpoint::verified(&row.note, &key).unwrap());
    assert_eq!((first.size, second.size), (5, 11));
    let proof = store.consistency(5, 11).await.unwrap().unwrap();
    assert!(extends((5, &first.root), (11, &second.root), &proof));
    assert_eq!(store.checkpoints(Page { before: None, size: 9 }).await.unwrap().len(), 2);
    assert_eq!(checkpoints.watch().borrow().as_ref().unwrap().size, 11);
}

#[tokio::test]
async fn a_key_outlives_a_restart_and_the_one_before_still_verifies() {
    let (_dir, store, sealer) = fresh().await;
    log(&store, 3).await;
    let keys = |opened: &Checkpoints| opened.keys().map(|(_, key)| key.clone()).collect::<Vec<_>>();
    let first = Checkpoints::open(&store, &sealer, 0).await.unwrap();
    let again = Checkpoints::open(&store, &sealer, 1).await.unwrap();
    assert_eq!(keys(&first), keys(&again));
    let rotated = Checkpoints::open(&store, &sealer, 2).await.unwrap();
    assert_eq!(keys(&rotated).len(), 2);
    assert_eq!(keys(&rotated)[1], keys(&first)[0]);
    assert_eq!(keys(&rotated)[0].name(), keys(&first)[0].name(), "the log is the same");
    log(&store, 1).await;
    let note = rotated.now().await.unwrap().unwrap().note.clone();
    keys(&rotated).iter().for_each(|key| drop(Checkpoint::verified(&note, key).unwrap()));
    let retired = Checkpoints::open(&store, &sealer, 3).await.unwrap();
    log(&store, 1).await;
    let note = retired.now().await.unwrap().unwrap().note.clone();
    let old = Checkpoint::verified(&note, &keys(&first)[0]).unwrap_err();
    assert!(matches!(old, CheckpointError::Unsigned(_)));
    let other = Sealer::new(&[8; 32]).unwrap();
    assert!(matches!(Checkpoints::open(&store, &other, 0).await, Err(NotSigned::Seal(_))));
}

#[tokio::test]
async fn a_log_that_was_changed_behind_our_back_is_not_signed_for() {
    let (_dir, store, sealer) = fresh().await;
    log(&store, 7).await;
    let checkpoints = Checkpoints::open(&store, &sealer, 0).await.unwrap();
    store.pragma("DROP TRIGGER audit_node_keeps").await.unwrap();
    store.pragma("UPDATE audit_node SET hash = zeroblob(32) WHERE level = 1").await.unwrap();
    log(&store, 2).await;
    let again = Checkpoints::open(&store, &sealer, 0).await.unwrap();
    for refused in [checkpoints.now().await, again.now().await] {
        assert!(matches!(refused, Err(NotSigned::Inconsistent { size: 7 })), "{refused:?}");
    }
}

#[tokio::test]
async fn what_is_logged_is_signed_for_unasked() {
    let (_dir, store, sealer) = fresh().await;
    let checkpoints = Checkpoints::open(&store, &sealer, 0).await.unwrap();
    let (mut newest, stop) = (checkpoints.watch(), CancellationToken::new());
    let running = tokio::spawn(checkpoints.run(Duration::from_millis(20), stop.clone()));
    log(&store, 2).await;
    let all = newest.wait_for(|newest| newest.as_ref().is_some_and(|newest| newest.size == 2));
    tokio::time::timeout(Duration::from_secs(60), all).await.unwrap().unwrap();
    stop.cancel();
    running.await.unwrap();
}
