//! What a crash, a torn write or somebody else's file may leave behind.

use std::sync::atomic::{AtomicBool, Ordering};

use prost::Message;
use proto::sync::{Envelope, Resource, ResourceName, SnapshotContents};

use super::*;

const SECRETS: Bytes = Bytes::from_static(b"sealed");

fn resource(name: &str, body: &str) -> Resource {
    Resource { kind: "Team".into(), name: name.into(), body: body.to_owned().into(), digest: vec![] }
}

fn tip(revision: i64) -> Vec<u8> {
    revision.to_be_bytes().to_vec()
}

fn offer(revision: i64, base: Option<i64>, contents: &SnapshotContents) -> Offer {
    let envelope = Envelope { revision, ..Default::default() };
    Offer {
        envelope: envelope.encode_to_vec().into(),
        signature: Bytes::from_static(b"signature"),
        signer: Bytes::from_static(b"signer"),
        base: base.map(tip).unwrap_or_default().into(),
        contents: contents.encode_to_vec().into(),
    }
}

/// A whole snapshot of this revision, of which it is the one resource.
fn whole(revision: i64) -> Offer {
    let resources = vec![resource("a", &revision.to_string())];
    offer(revision, None, &SnapshotContents { resources, removed: vec![] })
}

fn keep(kept: &LastKnownGood, revision: i64) {
    kept.keep((&whole(revision), &SECRETS), &tip(revision), || panic!("it is whole")).unwrap();
}

/// The revisions that can be had, newest first, of each file.
fn revisions(kept: &LastKnownGood) -> Vec<Vec<i64>> {
    let of = |journal: &Journal| {
        let versions = (0..journal.versions()).filter_map(|back| journal.version(back));
        versions.map(|(offer, _)| Envelope::decode(offer.envelope).unwrap().revision).collect()
    };
    kept.load().map(|journal| of(&journal)).collect()
}

/// Revision 1 whole, 2 as its change, 3 as the change of that.
fn three(home: &Path) -> (LastKnownGood, [SnapshotContents; 2]) {
    let kept = LastKnownGood::at(home);
    keep(&kept, 1);
    let two = SnapshotContents { resources: vec![resource("b", "2")], removed: vec![] };
    let gone = vec![ResourceName { kind: "Team".into(), name: "a".into() }];
    let three = SnapshotContents { resources: vec![resource("b", "3")], removed: gone };
    for (revision, change) in [(2, &two), (3, &three)] {
        let offer = offer(revision, Some(revision - 1), change);
        kept.keep((&offer, &SECRETS), &tip(revision), || panic!("a change is kept as one")).unwrap();
    }
    (kept, [two, three])
}

#[test]
fn changes_are_kept_behind_what_they_change_and_read_back_whole() {
    let home = tempfile::tempdir().unwrap();
    let (kept, _) = three(home.path());
    assert_eq!(revisions(&kept), [[3, 2, 1]]);
    let journal = kept.load().next().unwrap();
    let read = |back| {
        let (offer, secrets) = journal.version(back).unwrap();
        assert_eq!((secrets, offer.base.len()), (SECRETS, 0));
        SnapshotContents::decode(offer.contents).unwrap().resources
    };
    assert_eq!(read(0), [resource("b", "3")]);
    assert_eq!(read(1), [resource("a", "1"), resource("b", "2")]);
    assert_eq!(journal.version(2), Some((whole(1), SECRETS)));
    assert_eq!(journal.version(3), None);
}

#[test]
fn what_changes_something_else_is_kept_whole_and_so_is_what_outgrows_its_beginning() {
    let home = tempfile::tempdir().unwrap();
    let (kept, [change, _]) = three(home.path());
    // Another process wrote the end of the file, so this one does not know what it is.
    for kept in [&kept, &LastKnownGood::at(home.path())] {
        kept.keep((&offer(9, Some(7), &change), &SECRETS), &tip(9), || whole(9)).unwrap();
    }
    assert_eq!(revisions(&kept), [[9], [9]]);
    let large = SnapshotContents { resources: vec![resource("b", &"x".repeat(1 << 19))], removed: vec![] };
    for revision in 10..13 {
        let change = offer(revision, Some(revision - 1), &large);
        kept.keep((&change, &SECRETS), &tip(revision), || whole(revision)).unwrap();
    }
    let expected: [&[i64]; 2] = [&[12], &[11, 10, 9]];
    assert_eq!(revisions(&kept).len(), 2);
    assert!(revisions(&kept)[0].len() <= expected[1].len(), "{:?}", revisions(&kept));
    for revision in 13..1_000 {
        let change = offer(revision, Some(revision - 1), &change);
        kept.keep((&change, &SECRETS), &tip(revision), || whole(revision)).unwrap();
    }
    assert!(revisions(&kept).iter().all(|versions| versions.len() <= FRAMES));
    assert_eq!(revisions(&kept)[0][0], 999);
}

#[test]
fn case_03_a_torn_or_flipped_file_is_used_as_far_as_it_is_whole() {
    let home = tempfile::tempdir().unwrap();
    let kept = LastKnownGood::at(home.path());
    assert!(kept.load().next().is_none());
    keep(&kept, 9);
    let (kept, _) = three(home.path());
    assert_eq!(revisions(&kept), [vec![3, 2, 1], vec![9]]);
    let path = home.path().join("policy.current");
    let good = fs::read(&path).unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for at in 0..good.len() {
        for flip in [false, true] {
            let mut bad = good[..at].to_vec();
            if flip {
                bad.push(good[at] ^ 1);
                bad.extend_from_slice(&good[at + 1..]);
            }
            fs::write(&path, &bad).unwrap();
            let found = revisions(&kept);
            let fell_back = found == [vec![9]];
            assert!(
                fell_back || found == [vec![2, 1], vec![9]] || found == [vec![1], vec![9]],
                "{at}: {found:?}"
            );
            seen.insert(found);
            fs::remove_file(home.path().join("policy.unsound")).ok();
        }
    }
    assert_eq!(seen.len(), 3, "{seen:?}");
    // A frame is never put behind one that was cut.
    fs::write(&path, &good[..good.len() - 1]).unwrap();
    let again = LastKnownGood::at(home.path());
    again.keep((&whole(4), &SECRETS), &tip(4), || whole(4)).unwrap();
    assert_eq!(revisions(&again), [vec![4], vec![2, 1]]);
}

/// Counts what is read of it.
struct Counted<'a>(&'a [u8], u64);

impl std::io::Read for Counted<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.0.read(into)?;
        self.1 += read as u64;
        Ok(read)
    }
}

#[test]
fn case_03_a_file_that_was_made_longer_costs_no_more_than_what_is_whole_of_it() {
    let home = tempfile::tempdir().unwrap();
    let (kept, _) = three(home.path());
    let path = home.path().join("policy.current");
    let good = fs::read(&path).unwrap();
    // Zeros, a length that is not there, and one that is.
    let says = |length: u64| [&b"CHYLKG2\n"[..], &length.to_be_bytes()].concat();
    let zeros = vec![0; 1 << 20];
    for (behind, costs) in
        [(vec![], 8), (says(u64::MAX), 16), (says(1 << 40), 16), (says(9), 16 + 9 + 5 * 8 + 32)]
    {
        let made = [&good, &behind, &zeros].map(|part: &Vec<u8>| part.as_slice()).concat();
        let mut counted = Counted(&made, 0);
        let (frames, whole) = frame::whole_frames(&mut counted, made.len() as u64);
        assert_eq!((frames.len(), whole), (3, good.len() as u64));
        assert_eq!(counted.1, whole + costs, "read");
    }
    // Longer than any that is written: the next copy is used, and it never takes its place.
    keep(&kept, 9);
    OpenOptions::new().write(true).open(&path).unwrap().set_len(frame::MOST + 1).unwrap();
    assert_eq!(revisions(&kept), [[3, 2, 1]]);
    assert!(!path.exists() && home.path().join("policy.unsound").exists());
}

#[test]
fn case_03_a_crash_at_any_step_of_beginning_anew_leaves_a_whole_policy() {
    let home = tempfile::tempdir().unwrap();
    let kept = LastKnownGood::at(home.path());
    keep(&kept, 1);
    keep(&kept, 2);
    let [new, current, previous] =
        ["new", "current", "previous"].map(|name| home.path().join(format!("policy.{name}")));
    // While the next is written: any part of it is there.
    fs::write(&new, &fs::read(&current).unwrap()[..20]).unwrap();
    assert_eq!(revisions(&kept), [[2], [1]]);
    // Written, and the current one renamed: the next is not there yet.
    let frame = Frame { offer: whole(3), secrets: SECRETS };
    drop(disk::stage(&current, &[&frame.encoded()]).unwrap());
    fs::rename(&current, &previous).unwrap();
    assert_eq!(revisions(&kept), [[2]]);
    // Renamed too.
    fs::rename(&new, &current).unwrap();
    assert_eq!(revisions(&kept), [[3], [2]]);
}

#[test]
fn case_03_whoever_reads_while_policies_are_kept_finds_a_whole_one() {
    let home = tempfile::tempdir().unwrap();
    let kept = LastKnownGood::at(home.path());
    keep(&kept, 1);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut newest = 1;
            while !done.load(Ordering::Relaxed) {
                let files = [kept.file("current"), kept.file("previous")];
                let found = files.iter().find_map(|path| read(path)).expect("a whole policy");
                let (offer, _) = found.version(0).unwrap();
                let revision = Envelope::decode(offer.envelope).unwrap().revision;
                assert!(revision + 1 >= newest, "{revision} after {newest}");
                newest = newest.max(revision);
            }
        });
        let none = SnapshotContents::default();
        for revision in 2..100 {
            match revision % 5 {
                0 => keep(&kept, revision),
                _ => {
                    let change = offer(revision, Some(revision - 1), &none);
                    kept.keep((&change, &SECRETS), &tip(revision), || whole(revision)).unwrap();
                }
            }
        }
        done.store(true, Ordering::Relaxed);
        reader.join().unwrap();
    });
    assert_eq!(revisions(&kept), [[99, 98, 97, 96, 95], [94, 93, 92, 91, 90]]);
}

#[test]
fn case_96_a_full_disk_leaves_what_is_kept_as_it_is() {
    let home = tempfile::tempdir().unwrap();
    let kept = LastKnownGood::at(home.path());
    keep(&kept, 1);
    keep(&kept, 2);
    // A directory where the temporary file would be: it can't be written, like on a disk that is full.
    fs::create_dir(home.path().join("policy.new")).unwrap();
    assert!(kept.keep((&whole(3), &SECRETS), &tip(3), || whole(3)).is_err());
    assert!(kept.prove(whole(3), &SECRETS).is_err());
    assert_eq!(revisions(&kept), [[2], [1]]);
}

#[test]
fn new_secrets_are_kept_behind_the_policy_that_is() {
    let home = tempfile::tempdir().unwrap();
    let kept = LastKnownGood::at(home.path());
    let new = Bytes::from_static(b"new");
    kept.renew(new.clone()).unwrap();
    assert!(kept.load().next().is_none());
    keep(&kept, 1);
    for kept in [kept, LastKnownGood::at(home.path())] {
        kept.renew(new.clone()).unwrap();
        assert_eq!(kept.load().next().unwrap().version(0), Some((whole(1), new.clone())));
    }
}

#[test]
fn what_was_proven_is_the_last_that_is_tried() {
    let home = tempfile::tempdir().unwrap();
    let kept = LastKnownGood::at(home.path());
    keep(&kept, 1);
    kept.prove(whole(1), &SECRETS).unwrap();
    keep(&kept, 2);
    keep(&kept, 3);
    assert_eq!(revisions(&kept), [[3], [2], [1]]);
}
