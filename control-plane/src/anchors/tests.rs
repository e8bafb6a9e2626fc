//! Segments are anchored once, together, and told of once they are.

use prost::Message as _;

use super::*;
use crate::store::Page;

fn segment(number: u8) -> SegmentRow {
    SegmentRow {
        place: 0,
        hash: [number; 32],
        geo: "eu".to_owned(),
        node: "eu-1".to_owned(),
        boot_id: "b".to_owned(),
        seqs: (1, 10),
        count: 9,
        previous: [number - 1; 32],
        ended: "time".to_owned(),
        sealed_at: 5,
        anchored_at: 0,
        audit_seq: 0,
        pruned: None,
    }
}

#[tokio::test]
async fn many_segments_are_one_event_and_a_repeated_one_is_none() {
    let home = tempfile::tempdir().unwrap();
    let store = Store::open(&home.path().join("a.db")).await.unwrap();
    let (anchors, anchoring) = anchors(&store);
    let stop = CancellationToken::new();
    let running = tokio::spawn(anchoring.run(Duration::from_millis(50), stop.clone()));
    let both = tokio::join!(
        anchors.anchor(vec![segment(1), segment(2), segment(1)]),
        anchors.anchor(vec![segment(3), segment(2)])
    );
    assert_eq!(both, (true, true));
    assert!(anchors.anchor(vec![segment(3)]).await, "known already, and told so");
    let size = store.audit_size().await.unwrap();
    assert_eq!(size, 1, "an event for all, and none for what is known");
    let event = store.event(1).await.unwrap().unwrap();
    let event = AuditEvent::decode(event.body.as_slice()).unwrap();
    assert_eq!((event.actor.as_str(), event.action.as_str()), ("system", "chancery.sync.v1.Sync/Anchor"));
    let changes: Vec<_> = event.changes.iter().map(|change| change.after_digest.as_str()).collect();
    assert_eq!(changes, [1, 2, 3].map(|number| hex(&[number; 32])));
    assert_eq!(event.changes[0].name, "geos/eu/nodes/eu-1/decisionSegments/b.1-10");
    let page = Page { before: None, size: 10 };
    let kept = store.segments(("eu", ""), page).await.unwrap();
    assert_eq!(
        kept.iter().map(|row| (row.place, row.audit_seq)).collect::<Vec<_>>(),
        [(3, 1), (2, 1), (1, 1)]
    );
    assert_eq!(store.segments(("us", ""), page).await.unwrap(), []);
    assert_eq!(
        store.segments(("", "eu-1"), Page { before: Some(3), size: 1 }).await.unwrap()[0].hash,
        [2; 32]
    );
    stop.cancel();
    running.await.unwrap();
    assert!(!anchors.anchor(vec![segment(4)]).await, "nobody anchors, and nobody is told so");
}

#[tokio::test]
async fn an_event_names_a_thousand_at_most() {
    let home = tempfile::tempdir().unwrap();
    let store = Store::open(&home.path().join("a.db")).await.unwrap();
    let many: Vec<_> = (0..1_001_u16)
        .map(|number| {
            let mut hash = [0; 32];
            hash[..2].copy_from_slice(&number.to_be_bytes());
            SegmentRow { hash, ..segment(1) }
        })
        .collect();
    assert_eq!(store.anchor(&many, 7, |part| event(part, 7)).await.unwrap(), 1_001);
    assert_eq!(store.audit_size().await.unwrap(), 2);
}

#[tokio::test]
async fn the_last_segment_of_a_process_does_not_wait_for_others() {
    let home = tempfile::tempdir().unwrap();
    let store = Store::open(&home.path().join("a.db")).await.unwrap();
    let (anchors, anchoring) = anchors(&store);
    let stop = CancellationToken::new();
    let running = tokio::spawn(anchoring.run(Duration::from_secs(86_400), stop.clone()));
    let last = SegmentRow { ended: "shutdown".to_owned(), ..segment(2) };
    let both = async { tokio::join!(anchors.anchor(vec![segment(1)]), anchors.anchor(vec![last])) };
    let both = tokio::time::timeout(Duration::from_secs(60), both).await;
    assert_eq!(both.expect("less than the day that others wait"), (true, true));
    assert_eq!(store.audit_size().await.unwrap(), 1, "both are anchored, together");
    stop.cancel();
    running.await.unwrap();
}
