//! Files reach the store once, go when they are over, and nothing else does.

use std::fs;
use std::path::PathBuf;

use crate::captured::tests::{gathered, key};
use crate::captured::{Kept, Volumes};

use super::*;

const HOUR: Duration = Duration::from_secs(3600);

fn files(root: &Path) -> Vec<String> {
    dir::list(root, None).unwrap()
}

/// A directory of files, closed: one a retention.
fn written(home: &Path, kept: &[&str]) -> (PathBuf, Arc<Files>) {
    let root = home.join("captured");
    let (mut volumes, files) = Volumes::open(root.clone(), HOUR).unwrap();
    for retention in kept {
        let kept = volumes.keep(&gathered("r", ("acme", retention), Some(&key().0))).unwrap();
        assert!(matches!(kept, Kept::In(_)));
    }
    volumes.close_all();
    (root, files)
}

/// A file that was over long ago.
fn over(root: &Path, name: &str) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, "").unwrap();
}

#[tokio::test]
async fn files_are_shipped_once_and_what_is_over_goes_here_and_there() {
    let (home, store) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (root, files_of) = written(home.path(), &["300d", "3660d"]);
    let names = files(&root);
    assert_eq!(names.len(), 2, "{names:?}");
    let (of_node, of_geo) = (Store::Directory(root.clone()), Store::Directory(store.path().to_owned()));
    let here = Shelf { store: &of_node, prefix: String::new() };
    let there = Shelf { store: &of_geo, prefix: "captured/eu/".to_owned() };
    let geo = store.path().join("captured/eu");
    let old = "2020-01-01/rival/01577836800-0.captured";
    for over_there in [old, "2020-01-01/rival/01577836801-0.captured", "2020-01-02/rival/x.captured"] {
        over(&geo, over_there);
    }
    over(&root, old);
    let next = turn(&files_of, &root, (&here, Some(&there)), &()).await.unwrap();
    assert!(files(&root).is_empty(), "{:?}", files(&root));
    // What has no name of such a file is left alone.
    assert_eq!(files(&geo), [vec!["2020-01-02/rival/x.captured".to_owned()], names.clone()].concat());
    assert_eq!(next, Named::read(&names[0]).map(|named| named.until), "the first that will be over");
    assert_eq!((files_of.counts().deleted, files_of.counts().waiting), (3, 0));

    // Where a process ended between putting it there and removing it here, it is put there again.
    let again = root.join(&names[0]);
    fs::create_dir_all(again.parent().unwrap()).unwrap();
    fs::copy(geo.join(&names[0]), &again).unwrap();
    turn(&files_of, &root, (&here, Some(&there)), &()).await.unwrap();
    assert_eq!((files(&root).len(), files(&geo).len()), (0, 3));
}

#[tokio::test]
async fn without_a_store_files_stay_until_they_are_over_and_with_one_that_is_away_too() {
    let home = tempfile::tempdir().unwrap();
    let (root, files_of) = written(home.path(), &["300d"]);
    over(&root, "2020-01-01/acme/01577836800-0.captured");
    let of_node = Store::Directory(root.clone());
    let here = Shelf { store: &of_node, prefix: String::new() };
    turn(&files_of, &root, (&here, None), &()).await.unwrap();
    assert_eq!((files(&root).len(), files_of.counts().deleted, files_of.counts().waiting), (1, 1, 1));

    fs::write(home.path().join("away"), "").unwrap();
    over(&root, "2020-01-01/acme/01577836800-0.captured");
    let away = Store::Directory(home.path().join("away"));
    let there = Shelf { store: &away, prefix: "captured/eu/".to_owned() };
    turn(&files_of, &root, (&here, Some(&there)), &()).await.unwrap_err();
    assert_eq!((files(&root).len(), files_of.counts().deleted, files_of.counts().waiting), (1, 2, 1));
}

#[test]
fn it_is_looked_again_when_something_is_over_and_never_all_the_time() {
    let now = jiff::Timestamp::now().as_microsecond();
    assert_eq!(until(None), REST[0]);
    assert_eq!([i64::MIN, now - 1, now].map(|at| until(Some(Instant(at)))), [REST[1]; 3]);
    assert_eq!(until(Some(Instant(i64::MAX))), REST[0]);
    let soon = until(Some(Instant(now + 60_000_000)));
    assert!(soon > REST[1] && soon <= Duration::from_secs(60), "{soon:?}");
}
