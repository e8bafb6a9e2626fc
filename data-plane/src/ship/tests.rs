//! Segments reach a store once, however often they are put there, and go from here only when nobody needs them here.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::*;
use crate::record::outbox::tests::{keeping, record};
use crate::record::outbox::{Outbox, Settings};

/// Writes segments of two records each, all sealed, and gives their outbox.
async fn written(dir: &Path, boot_id: &str, records: u128) -> Outbox {
    let settings = Settings { segment_records: 2, gather: Duration::ZERO, ..Settings::default() };
    let (outbox, _) = Outbox::open(keeping(dir, boot_id), settings).unwrap();
    (0..records).for_each(|number| outbox.place().unwrap().fill(record(number)));
    outbox.end().await;
    outbox
}

fn names(root: &Path) -> Vec<String> {
    let entries = |dir: &Path| fs::read_dir(dir).into_iter().flatten().map(|entry| entry.unwrap().path());
    let files = entries(root).flat_map(|geo| entries(&geo).collect::<Vec<_>>());
    let files = files.flat_map(|node| entries(&node).collect::<Vec<_>>());
    let files = files.flat_map(|boot| entries(&boot).collect::<Vec<_>>());
    let mut names: Vec<_> =
        files.map(|file| file.strip_prefix(root).unwrap().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn a_store_is_named_by_an_absolute_directory_or_a_bucket_whose_credentials_are_there() {
    let of = |store: &str, endpoint: Option<&str>, known: &[&str]| {
        let known = |name: &str| known.contains(&name).then(|| "x".to_owned());
        let (store, store_endpoint) = (Some(store.to_owned()), endpoint.map(str::to_owned));
        Store::of(&Decisions { store, store_endpoint, ..Decisions::default() }, known)
            .map(|store| store.map(|store| format!("{store:?}")))
    };
    let both = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];
    assert!(matches!(Store::of(&Decisions::default(), |_| None), Ok(None)));
    assert_eq!(of("dir:/var/lib/segments", None, &[]), Ok(Some("Directory(\"/var/lib/segments\")".into())));
    assert_eq!(of("s3://segments", None, &both), Ok(Some("Bucket(S3(segments/))".into())));
    assert_eq!(
        of("s3://segments/eu/", Some("http://[::1]:9000"), &both),
        Ok(Some("Bucket(S3(segments/eu/))".into()))
    );
    for (bad, endpoint, known, told) in [
        ("dir:segments", None, &both[..], "absolute path"),
        ("/var/lib/segments", None, &both[..], "absolute path"),
        ("dir:", None, &both[..], "absolute path"),
        ("ftp://a", None, &both[..], "absolute path"),
        ("s3://", None, &both[..], "bucket"),
        ("s3://A_b/c", None, &both[..], "bucket"),
        ("s3://segments", None, &both[..1], "AWS_SECRET_ACCESS_KEY"),
        ("s3://segments", Some("segments.example.org"), &both[..], "URL"),
    ] {
        let why = of(bad, endpoint, known).unwrap_err();
        assert!(why.contains(told), "{bad}: {why}");
    }
}

#[tokio::test]
async fn segments_are_shipped_under_names_that_say_what_they_are_and_twice_is_once() {
    let (home, root) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let outbox = written(home.path(), "b", 3).await;
    let (shelf, store) = (outbox.shelf().clone(), Store::Directory(root.path().to_owned()));
    assert_eq!(shelf.waiting(), (2, 2));
    ship(&shelf, &store, 1).await.unwrap();
    // A process that was ended between putting it there and noting it: it is put there again.
    ship(&shelf, &store, 1).await.unwrap();
    ship(&shelf, &store, 2).await.unwrap();
    let of = |first: u64, ending: &str| format!("eu/eu-1/b/{first:020}.{ending}");
    assert_eq!(names(root.path()), [of(1, "jsonl"), of(1, "manifest"), of(3, "jsonl"), of(3, "manifest")]);
    let same = |here: &str, there: String| {
        fs::read(home.path().join(here)).unwrap() == fs::read(root.path().join(there)).unwrap()
    };
    assert!(same("0000000001.jsonl", of(1, "jsonl")) && same("0000000002.manifest", of(3, "manifest")));
    assert_eq!((shelf.unshipped(), shelf.waiting()), (None, (2, 0)));

    // What has the name and is something else is left as it is, and told.
    fs::write(root.path().join(of(1, "jsonl")), "forged").unwrap();
    assert!(matches!(ship(&shelf, &store, 1).await, Err(NotShipped::Other(_))));
    assert_eq!(fs::read(root.path().join(of(1, "jsonl"))).unwrap(), b"forged");
    fs::write(home.path().join("0000000001.manifest"), "rubbish").unwrap();
    assert!(matches!(ship(&shelf, &store, 1).await, Err(NotShipped::Manifest(_))));
}

#[tokio::test]
async fn what_is_shipped_and_anchored_goes_and_the_newest_stays() {
    let (home, root) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let outbox = written(home.path(), "b", 5).await;
    let (shelf, store) = (outbox.shelf().clone(), Store::Directory(root.path().to_owned()));
    let there = |name: &str| home.path().join(name).exists();
    for number in 1..=3 {
        ship(&shelf, &store, number).await.unwrap();
    }
    shelf.prune(0);
    assert!(there("0000000001.jsonl"), "it is shipped, and nobody knows of it yet");
    let told = crate::record::tests::unanchored(&shelf);
    shelf.anchored(told[..1].iter().map(|told| told.manifest_hash.as_slice()));
    shelf.prune(u64::MAX);
    assert!(there("0000000001.jsonl"), "there is room");
    let before = outbox.bytes();
    shelf.prune(0);
    assert!(!there("0000000001.jsonl") && !there("0000000001.manifest") && there("0000000002.jsonl"));
    assert!(outbox.bytes() < before);
    shelf.anchored(told.iter().map(|told| told.manifest_hash.as_slice()));
    shelf.prune(0);
    assert!(!there("0000000002.jsonl") && there("0000000003.jsonl") && there("0000000003.manifest"));

    // The next start knows how far both got, and follows the newest.
    drop(outbox);
    let again = written(home.path(), "c", 1).await;
    assert_eq!(again.shelf().waiting(), (1, 1));
    let manifest = fs::read(home.path().join("0000000004.manifest")).unwrap();
    assert_ne!(Signed::read(&manifest).unwrap().manifest.previous, proto::segment::NOTHING);
}

#[tokio::test]
async fn a_store_that_is_away_holds_nothing_up_and_gets_everything_when_it_is_back() {
    let (home, root) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let away = root.path().join("store");
    // A file where the directory is to be: nothing can be put there.
    fs::write(&away, "").unwrap();
    let outbox = written(home.path(), "b", 3).await;
    let stop = CancellationToken::new();
    let task =
        tokio::spawn(run(outbox.shelf().clone(), (Store::Directory(away.clone()), u64::MAX), stop.clone()));
    outbox.place().unwrap().fill(record(9));
    outbox.end().await;
    assert_eq!(outbox.shelf().waiting().1, 3);
    fs::remove_file(&away).unwrap();
    outbox.shelf().follow().wait_for(|_| outbox.shelf().unshipped().is_none()).await.unwrap();
    assert_eq!(names(&away).len(), 6);
    stop.cancel();
    task.await.unwrap();
}
