//! What a crash, a torn write or somebody else's file may leave behind.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

fn kept(revision: i64) -> Kept {
    let envelope = proto::sync::Envelope { revision, ..Default::default() };
    Kept {
        envelope: envelope.encode_to_vec().into(),
        contents: Bytes::from_static(b"contents"),
        secrets: Bytes::from_static(b"sealed"),
    }
}

#[test]
fn case_03_a_torn_or_flipped_file_is_not_used_and_the_previous_one_is() {
    let home = tempfile::tempdir().unwrap();
    let kept_policies = LastKnownGood::at(home.path());
    assert!(kept_policies.load().is_empty());
    kept_policies.keep(&kept(1)).unwrap();
    kept_policies.keep(&kept(2)).unwrap();
    assert_eq!(kept_policies.load(), [kept(2), kept(1)]);
    let path = home.path().join("policy.current");
    let good = fs::read(&path).unwrap();
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(&path, &bad).unwrap();
        assert_eq!(kept_policies.load(), [kept(1)], "byte {at} flipped");
        fs::write(&path, &good[..at]).unwrap();
        assert_eq!(kept_policies.load(), [kept(1)], "cut at {at}");
    }
    // The one that was no good takes the place of nothing when the next is kept.
    kept_policies.keep(&kept(3)).unwrap();
    assert_eq!(kept_policies.load(), [kept(3), kept(1)]);
}

#[test]
fn case_03_a_crash_at_any_step_of_keeping_leaves_a_whole_policy() {
    let home = tempfile::tempdir().unwrap();
    let kept_policies = LastKnownGood::at(home.path());
    kept_policies.keep(&kept(1)).unwrap();
    kept_policies.keep(&kept(2)).unwrap();
    let [new, current, previous] =
        ["new", "current", "previous"].map(|name| home.path().join(format!("policy.{name}")));
    // While the next is written: any part of it is there.
    fs::write(&new, &fs::read(&current).unwrap()[..20]).unwrap();
    assert_eq!(kept_policies.load(), [kept(2), kept(1)]);
    // Written, and the current one renamed: the next is not there yet.
    drop(stage(&current, &kept(3)).unwrap());
    fs::rename(&current, &previous).unwrap();
    assert_eq!(kept_policies.load(), [kept(2)]);
    // Renamed too.
    fs::rename(&new, &current).unwrap();
    assert_eq!(kept_policies.load(), [kept(3), kept(2)]);
}

#[test]
fn case_03_whoever_reads_while_policies_are_kept_finds_a_whole_one() {
    let home = tempfile::tempdir().unwrap();
    let kept_policies = LastKnownGood::at(home.path());
    kept_policies.keep(&kept(0)).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut newest = 0;
            while !done.load(Ordering::Relaxed) {
                let files = [kept_policies.current(), kept_policies.previous()];
                let found = files.iter().find_map(|path| read(path)).expect("a whole policy");
                let revision = proto::sync::Envelope::decode(found.envelope).unwrap().revision;
                assert!(revision + 1 >= newest, "{revision} after {newest}");
                newest = newest.max(revision);
            }
        });
        for revision in 1..100 {
            kept_policies.keep(&kept(revision)).unwrap();
        }
        done.store(true, Ordering::Relaxed);
        reader.join().unwrap();
    });
    assert_eq!(kept_policies.load(), [kept(99), kept(98)]);
}

#[test]
fn case_96_a_full_disk_leaves_what_is_kept_as_it_is() {
    let home = tempfile::tempdir().unwrap();
    let kept_policies = LastKnownGood::at(home.path());
    kept_policies.keep(&kept(1)).unwrap();
    kept_policies.keep(&kept(2)).unwrap();
    // A directory where the temporary file would be: it can't be written, like on a disk that is full.
    fs::create_dir(home.path().join("policy.new")).unwrap();
    assert!(kept_policies.keep(&kept(3)).is_err());
    assert!(kept_policies.renew(Bytes::from_static(b"new")).is_err());
    assert_eq!(kept_policies.load(), [kept(2), kept(1)]);
}

#[test]
fn new_secrets_are_kept_beside_the_policy_that_is() {
    let home = tempfile::tempdir().unwrap();
    let kept_policies = LastKnownGood::at(home.path());
    kept_policies.renew(Bytes::from_static(b"new")).unwrap();
    assert_eq!(kept_policies.load(), []);
    kept_policies.keep(&kept(1)).unwrap();
    kept_policies.keep(&kept(2)).unwrap();
    kept_policies.renew(Bytes::from_static(b"new")).unwrap();
    let renewed = Kept { secrets: Bytes::from_static(b"new"), ..kept(2) };
    assert_eq!(kept_policies.load(), [renewed, kept(1)]);
}
