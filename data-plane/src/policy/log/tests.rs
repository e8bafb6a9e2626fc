use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use proptest::prelude::*;
use proto::checkpoint::VerifierKey;
use proto::tree::{Hash, consistency, empty, leaf, node};

use super::*;

const ORIGIN: &str = "chancery/log";

/// A log, by the hashes of its events.
#[derive(Debug, Clone, Default)]
pub(in crate::policy) struct Events(Vec<Hash>);

fn root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => empty(),
        [one] => *one,
        more => {
            let (left, right) = more.split_at(more.len().next_power_of_two() / 2);
            node(&root(left), &root(right))
        }
    }
}

fn pair(seed: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()
}

fn key(seed: u8) -> VerifierKey {
    VerifierKey::of(ORIGIN, pair(seed).public_key().as_ref()).unwrap()
}

impl Events {
    pub(in crate::policy) fn of(words: &[u8]) -> Self {
        Self(words.iter().map(|word| leaf(&[*word])).collect())
    }

    fn size(&self) -> u64 {
        self.0.len() as u64
    }

    /// As an honest control plane shows it to a node that says it holds so much, signed by these keys.
    pub(in crate::policy) fn shown(&self, held: u64, seeds: &[u8]) -> AuditCheckpoint {
        let pairs: Vec<_> = seeds.iter().map(|seed| pair(*seed)).collect();
        let checkpoint = Checkpoint { origin: ORIGIN.to_owned(), size: self.size(), root: root(&self.0) };
        AuditCheckpoint {
            note: checkpoint.signed(&pairs).into_bytes().into(),
            keys: seeds.iter().map(|seed| key(*seed).to_string()).collect(),
            proof: self.proof(held, self.size()).into(),
            fault: String::new(),
        }
    }

    /// What proves that the log at one size is what it is at the other with more behind it, as far as it goes.
    fn proof(&self, one: u64, other: u64) -> Vec<u8> {
        let (before, size) = (one.min(other), one.max(other));
        let ranges = consistency(before, size).filter(|_| size <= self.size()).unwrap_or_default();
        let hash = |range: proto::tree::Range| root(&self.0[range.begin as usize..range.end as usize]);
        ranges.into_iter().flat_map(hash).collect()
    }
}

fn version(epoch: i64) -> Version {
    Version { epoch, revision: 1, digest: [0; 32] }
}

fn held(log: &Log) -> u64 {
    log.standing().size
}

/// Shows a log to a node as the control plane does; gives whether the node finds it well.
fn is_well(log: &Log, events: &Events, epoch: i64) -> bool {
    let said = log.hears(&events.shown(held(log), &[1]), epoch);
    assert_eq!(said.size, held(log));
    assert_eq!(said.inconsistency.is_empty(), !log.standing().inconsistent);
    said.inconsistency.is_empty()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whatever a control plane does to its log, what is taken is exactly what goes on from what was seen.
    #[test]
    fn a_witness_takes_exactly_what_goes_on_from_what_it_has_seen(
        acts in prop::collection::vec((0..4_u8, any::<prop::sample::Index>(), 1..9_u8), 1..24)
    ) {
        let home = tempfile::tempdir().unwrap();
        let mut log = Log::open(home.path());
        let (mut events, mut seen) = (vec![0_u8], Vec::<u8>::new());
        for (act, at, word) in acts {
            let at = at.index(events.len());
            match act {
                0 | 1 => events.extend(std::iter::repeat_n(word, usize::from(word))),
                2 => events.truncate(at.max(1)),
                _ => events[at] = word,
            }
            let goes_on = events.starts_with(&seen);
            let well = is_well(&log, &Events::of(&events), 1);
            prop_assert_eq!(well, goes_on, "{:?} after {:?}", &events, &seen);
            prop_assert_eq!(log.admits(&version(1)).is_ok(), goes_on);
            prop_assert!(log.admits(&version(2)).is_ok());
            if goes_on {
                seen.clone_from(&events);
            }
            prop_assert_eq!(held(&log), seen.len() as u64);
            // The next process has seen what this one has.
            if word % 3 == 0 {
                log = Log::open(home.path());
                prop_assert_eq!(held(&log), seen.len() as u64);
                prop_assert!(log.admits(&version(1)).is_err(), "it is to be shown first");
                is_well(&log, &Events::of(&seen), 1);
            }
        }
    }

    #[test]
    fn a_proof_with_any_bit_changed_is_none(before in 1..40_u64, more in 1..40_u64, bit in any::<prop::sample::Index>()) {
        let home = tempfile::tempdir().unwrap();
        let log = Log::open(home.path());
        let all: Vec<u8> = (0..before + more).map(|n| n as u8).collect();
        prop_assert!(is_well(&log, &Events::of(&all[..before as usize]), 1));
        let mut shown = Events::of(&all).shown(before, &[1]);
        let mut proof = shown.proof.to_vec();
        let bit = bit.index(proof.len() * 8);
        proof[bit / 8] ^= 1 << (bit % 8);
        for wrong in [proof, shown.proof[1..].to_vec(), Vec::new()] {
            shown.proof = wrong.into();
            prop_assert!(log.hears(&shown, 1).inconsistency.contains("was rewritten"));
            prop_assert_eq!(held(&log), before);
        }
    }
}

#[test]
fn an_older_checkpoint_that_is_the_beginning_is_no_alarm_and_shows_nothing() {
    let home = tempfile::tempdir().unwrap();
    let log = Log::open(home.path());
    let all: Vec<u8> = (0..21).collect();
    assert!(is_well(&log, &Events::of(&all), 1));
    let late = |held: u64| AuditCheckpoint {
        proof: Events::of(&all).proof(13, held).into(),
        ..Events::of(&all[..13]).shown(0, &[1])
    };
    assert_eq!(log.hears(&late(21), 1), Witnessed { size: 21, inconsistency: String::new() });
    assert!(log.admits(&version(1)).is_ok());
    // On a stream on which nothing else is shown it is not enough.
    log.begins();
    assert_eq!(log.hears(&late(21), 1).inconsistency, "");
    assert!(
        log.admits(&version(1)).unwrap_err().contains("is not shown any more, which was seen at 21 events")
    );
    // One that can't be proved is the beginning of nothing: the log was rolled back.
    let refused = log.hears(&Events::of(&all[..13]).shown(21, &[1]), 1);
    assert!(
        refused.inconsistency.starts_with("the audit log was rolled back: it is 13 events, root "),
        "{refused:?}"
    );
    assert!(refused.inconsistency.contains("beginning of 21 events, root "));
}

#[test]
fn only_a_newer_epoch_lets_go_of_what_was_seen() {
    let home = tempfile::tempdir().unwrap();
    let file = |name: &str| std::fs::read_to_string(home.path().join(name));
    let log = Log::open(home.path());
    let (first, other) = (Events::of(&[1, 2, 3]), Events::of(&[1, 2, 9, 9]));
    assert!(is_well(&log, &first, 0));
    // What was seen before the first policy is what the first policy is held to.
    log.enters(&version(1));
    assert!(!is_well(&log, &other, 1));
    assert!(log.admits(&version(1)).is_err());
    assert!(file("audit.refused").unwrap().contains("\n4\n"));
    assert!(log.admits(&version(2)).is_ok());
    log.enters(&version(2));
    assert!(!log.standing().inconsistent && held(&log) == 3);
    // Also over a restart in between.
    let log = Log::open(home.path());
    assert!(is_well(&log, &other, 2) && held(&log) == 4);
    assert!(file("audit.before").unwrap().contains("\n3\n"));
    // Once: it is held to the other from then on.
    assert!(!is_well(&log, &first, 2));
    // A new epoch of the same log lets go of nothing.
    let log = Log::open(home.path());
    assert!(is_well(&log, &other, 2));
    log.enters(&version(3));
    assert!(!is_well(&log, &first, 3));
    assert_eq!(log.place(), (3, 4));
}

/// A log that was rolled back, and a policy of the next epoch by which that is meant.
fn entered_unshown(home: &std::path::Path, epoch: i64) -> Log {
    let log = Log::open(home);
    assert!(log.admits(&version(epoch)).is_ok());
    log.enters(&version(epoch));
    log
}

#[test]
fn of_a_newer_epoch_the_first_policy_alone_is_taken_without_the_log() {
    let home = tempfile::tempdir().unwrap();
    let (first, other) = (Events::of(&[1, 2, 3]), Events::of(&[1, 2, 9, 9]));
    assert!(is_well(&Log::open(home.path()), &first, 1));
    let of_old = std::fs::read_to_string(home.path().join("audit")).unwrap();
    assert!(of_old.starts_with(&format!("{MARK}\n1\n")) && !of_old.contains(UNSHOWN));
    let log = entered_unshown(home.path(), 2);
    assert!(!log.standing().inconsistent);
    assert!(log.admits(&version(2)).unwrap_err().contains("is not shown any more"));
    assert!(log.standing().inconsistent, "who shows nothing any more is told of");
    // A new stream, and a new process, change nothing about it.
    log.begins();
    assert!(log.admits(&version(2)).is_err());
    let log = Log::open(home.path());
    assert!(log.admits(&version(2)).is_err());
    // Over several epochs each lets one in.
    for epoch in [3, 7] {
        let log = entered_unshown(home.path(), epoch);
        assert!(!log.standing().inconsistent);
        assert!((1..=epoch).all(|epoch| log.admits(&version(epoch)).is_err()));
        assert!(log.admits(&version(epoch + 1)).is_ok());
    }
    // What is shown next is what it is held to from then on.
    let log = Log::open(home.path());
    assert!(is_well(&log, &other, 7) && log.place() == (7, 4));
    assert!(log.admits(&version(7)).is_ok() && !is_well(&log, &first, 7) && log.admits(&version(7)).is_err());
}

#[test]
fn a_node_that_lost_the_policy_of_the_epoch_it_entered_takes_up_the_log_that_came_with_it() {
    for lost in [0, 1] {
        let home = tempfile::tempdir().unwrap();
        assert!(is_well(&Log::open(home.path()), &Events::of(&[1, 2, 3]), 1));
        drop(entered_unshown(home.path(), 2));
        // What is in force now is an older copy, or nothing.
        let log = Log::open(home.path());
        assert!(is_well(&log, &Events::of(&[1, 9]), lost) && log.place() == (2, 2), "{lost}");
        assert!(log.admits(&version(2)).is_ok());
    }
}

#[test]
fn a_control_plane_that_shows_the_log_no_more_is_told_of_until_it_does() {
    let home = tempfile::tempdir().unwrap();
    let all = Events::of(&[1, 2, 3]);
    assert!(is_well(&Log::open(home.path()), &all, 1));
    let log = Log::open(home.path());
    assert!(!log.standing().inconsistent);
    let why = log.admits(&version(1)).unwrap_err();
    log.begins();
    assert!(log.standing().inconsistent && log.admits(&version(1)) == Err(why.clone()));
    // The beginning of what was seen is not what was seen.
    let proof = all.proof(2, 3).into();
    let late = AuditCheckpoint { proof, ..Events::of(&[1, 2]).shown(0, &[1]) };
    assert_eq!(log.hears(&late, 1), Witnessed { size: 3, inconsistency: why });
    assert!(is_well(&log, &all, 1) && log.admits(&version(1)).is_ok());
}

#[test]
fn a_key_is_believed_that_the_one_before_signed_for_and_no_other() {
    let home = tempfile::tempdir().unwrap();
    let log = Log::open(home.path());
    let mut words = vec![1];
    let mut shows = |seeds: &[u8]| {
        words.push(1);
        log.hears(&Events::of(&words).shown(held(&log), seeds), 1).inconsistency
    };
    assert_eq!(shows(&[1]), "");
    assert!(shows(&[2]).contains("has no signature of the key"));
    assert_eq!(shows(&[2, 1]), "");
    assert_eq!(shows(&[2]), "");
    // A key that was replaced is believed no more.
    assert!(shows(&[1]).contains("has no signature of the key"));
    assert_eq!(shows(&[3, 2]), "");
    assert_eq!(shows(&[3]), "");
    let keyless = AuditCheckpoint { keys: vec!["none".to_owned()], ..Events::of(&[1]).shown(0, &[1]) };
    let fresh = Log::open(&home.path().join("fresh"));
    assert!(fresh.hears(&keyless, 1).inconsistency.contains("no key that came with"));
    assert!(fresh.admits(&version(1)).is_ok(), "nothing was seen yet");
}

#[test]
fn what_the_control_plane_admits_is_an_alarm_until_it_shows_the_log_again() {
    let home = tempfile::tempdir().unwrap();
    let log = Log::open(home.path());
    let events = Events::of(&[1, 2, 3]);
    assert!(is_well(&log, &events, 1));
    let admitted = AuditCheckpoint { fault: "it was changed".to_owned(), ..events.shown(3, &[1]) };
    let said = log.hears(&admitted, 2).inconsistency;
    assert_eq!(said, "the control plane says of itself: it was changed");
    assert!(log.admits(&version(1)).is_err());
    assert!(is_well(&log, &events, 1) && log.admits(&version(1)).is_ok());
}

#[test]
fn a_file_with_any_byte_changed_says_nothing_and_what_a_disk_refuses_is_written_later() {
    let home = tempfile::tempdir().unwrap();
    let (path, staged) = (home.path().join("audit"), home.path().join("audit.new"));
    let log = Log::open(home.path());
    std::fs::create_dir_all(&staged).unwrap();
    assert!(is_well(&log, &Events::of(&[1, 2]), 1) && !log.is_saved());
    assert_eq!(held(&Log::open(home.path())), 0);
    std::fs::remove_dir(&staged).unwrap();
    log.save();
    assert!(log.is_saved() && held(&Log::open(home.path())) == 2);
    let written = std::fs::read(&path).unwrap();
    // The last line is a signature; its last bits, and what follows it, are no part of what is verified.
    for at in 0..written.len() - 6 {
        let mut changed = written.clone();
        changed[at] ^= 1;
        std::fs::write(&path, &changed).unwrap();
        let read = Log::open(home.path());
        let same = read.known.lock().floor.as_ref().is_none_or(|floor| floor.seen.size == 2);
        // Of the epoch any digit may be another: it is no part of what is signed, and is told as what it is.
        assert!(same && (held(&read) == 0 || at == MARK.len() + 1), "{at}");
    }
}
