//! Lines go where they are to, manifests stay, and what nobody else has stays too.

use std::fs;
use std::path::Path;
use std::time::Duration;

use proto::sync::{PruneSegments, PrunedSegment};

use super::*;
use crate::record::outbox::tests::{keeping, record};
use crate::record::outbox::{Outbox, Settings};

/// Segments of two records each, all sealed.
async fn written(dir: &Path, records: u128) -> Outbox {
    let settings = Settings { segment_records: 2, gather: Duration::ZERO, ..Settings::default() };
    let (outbox, _) = Outbox::open(keeping(dir, "b"), settings).unwrap();
    (0..records).for_each(|number| outbox.place().unwrap().fill(record(number)));
    outbox.end().await;
    outbox
}

fn places(outbox: &Outbox, store: Option<&Path>) -> Places {
    let store = store.map(|path| Store::Directory(path.to_owned()));
    let geo = "eu".parse().unwrap();
    Places { shelf: outbox.shelf().clone(), store, geo, node: "eu-1".to_owned() }
}

/// Says that the lines of a segment are to go, by its manifest here.
fn say(retained: &Retained, dir: &Path, (number, node): (u64, &str)) {
    let text = fs::read(dir.join(format!("{number:010}.manifest"))).unwrap();
    let signed = Signed::read(&text).unwrap();
    let (boot_id, first_seq) = (signed.manifest.boot_id.clone(), signed.manifest.first_seq);
    let manifest_hash = signed.hash().to_vec();
    let segment = PrunedSegment { manifest_hash, node: node.to_owned(), boot_id, first_seq };
    retained.go(PruneSegments { segments: vec![segment] });
}

/// Says which tenants are held.
fn hold(retained: &Retained, tenants: &[&str]) {
    let tenants = tenants.iter().map(|&tenant| tenant.to_owned()).collect();
    retained.hold(proto::sync::Holds { everything: false, tenants });
}

fn has(path: &Path) -> [bool; 2] {
    ["jsonl", "manifest"].map(|ending| path.with_extension(ending).exists())
}

fn anchored(outbox: &Outbox) {
    let told = crate::record::tests::unanchored(outbox.shelf());
    outbox.shelf().anchored(told.iter().map(|told| told.manifest_hash.as_slice()));
}

#[tokio::test]
async fn lines_go_here_and_in_the_store_once_both_the_log_and_the_store_know_of_them() {
    let (home, root) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let outbox = written(home.path(), 3).await;
    let (places, retained) = (places(&outbox, Some(root.path())), Retained::default());
    hold(&retained, &[]);
    let (here, there) = (home.path().join("0000000001"), root.path().join("eu/eu-1/b/00000000000000000001"));
    say(&retained, home.path(), (1, "eu-1"));
    for _ in 0..2 {
        places.turn(&retained).await.unwrap();
        assert_eq!((has(&here), retained.to_go().len()), ([true, true], 1), "nobody else has it");
        anchored(&outbox);
    }
    crate::ship::ship(&places.shelf, places.store.as_ref().unwrap(), 1).await.unwrap();
    assert_eq!(has(&there), [true, true]);
    let before = outbox.bytes();
    places.turn(&retained).await.unwrap();
    assert_eq!((has(&here), has(&there)), ([false, true], [false, true]));
    assert!(outbox.bytes() < before && retained.to_go().is_empty());

    // Said again, it is answered again; the others are as they were.
    say(&retained, home.path(), (1, "eu-1"));
    places.turn(&retained).await.unwrap();
    assert!(retained.to_go().is_empty());
    assert_eq!(has(&home.path().join("0000000002")), [true, true]);

    // A start finds nothing wrong with it, and what follows follows it.
    drop((places, outbox));
    let again = written(home.path(), 1).await;
    assert_eq!(again.shelf().waiting(), (1, 2));
}

#[tokio::test]
async fn another_node_removes_what_is_in_the_store_and_nothing_that_has_another_manifest() {
    let (home, root) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let outbox = written(home.path(), 4).await;
    let (places, retained) = (places(&outbox, Some(root.path())), Retained::default());
    hold(&retained, &[]);
    for number in [1, 2] {
        crate::ship::ship(&places.shelf, places.store.as_ref().unwrap(), number).await.unwrap();
    }
    let there = |first: u64| root.path().join(format!("eu/eu-1/b/{first:020}"));
    let other = Places { node: "eu-2".to_owned(), shelf: Arc::default(), ..places };
    // The name of the one, and the hash of the other.
    let text = fs::read(home.path().join("0000000001.manifest")).unwrap();
    let manifest_hash = Signed::read(&text).unwrap().hash().to_vec();
    let wrong = PrunedSegment { manifest_hash, node: "eu-1".into(), boot_id: "b".into(), first_seq: 3 };
    retained.go(PruneSegments { segments: vec![wrong] });
    other.turn(&retained).await.unwrap();
    assert_eq!((has(&there(3)), retained.to_go().len()), ([true, true], 0));
    say(&retained, home.path(), (1, "eu-1"));
    say(&retained, home.path(), (2, "../eu-1"));
    other.turn(&retained).await.unwrap();
    assert_eq!((has(&there(1)), has(&there(3))), ([false, true], [true, true]));
    assert!(retained.to_go().is_empty());
}

#[tokio::test]
async fn without_a_store_lines_go_from_the_outbox() {
    let home = tempfile::tempdir().unwrap();
    let outbox = written(home.path(), 2).await;
    let (places, retained) = (places(&outbox, None), Retained::default());
    hold(&retained, &[]);
    anchored(&outbox);
    say(&retained, home.path(), (1, "eu-1"));
    places.turn(&retained).await.unwrap();
    assert_eq!(has(&home.path().join("0000000001")), [false, true]);
    assert!(retained.to_go().is_empty());

    // With a store it has its manifest alone there, and is shipped.
    let root = tempfile::tempdir().unwrap();
    let store = Store::Directory(root.path().to_owned());
    crate::ship::ship(&places.shelf, &store, 1).await.unwrap();
    assert_eq!(has(&root.path().join("eu/eu-1/b/00000000000000000001")), [false, true]);
}

#[tokio::test]
async fn nothing_goes_while_a_hold_stands_or_none_is_known_to() {
    let home = tempfile::tempdir().unwrap();
    let outbox = written(home.path(), 2).await;
    let (places, retained) = (places(&outbox, None), Retained::default());
    anchored(&outbox);
    say(&retained, home.path(), (1, "eu-1"));
    let here = home.path().join("0000000001");
    places.turn(&retained).await.unwrap();
    assert_eq!((has(&here), retained.to_go().len()), ([true, true], 1), "nothing is known of holds");
    hold(&retained, &["acme"]);
    places.turn(&retained).await.unwrap();
    assert_eq!(
        (has(&here), retained.to_go().len()),
        ([true, true], 1),
        "whose records are in it nobody knows"
    );
    retained.hold(proto::sync::Holds { everything: true, tenants: Vec::new() });
    places.turn(&retained).await.unwrap();
    assert_eq!(has(&here), [true, true]);
    hold(&retained, &[]);
    places.turn(&retained).await.unwrap();
    assert_eq!((has(&here), retained.to_go().len()), ([false, true], 0));
}
