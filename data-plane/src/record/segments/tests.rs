//! Segments on disk: sealed when full, old or at the end, recovered after a crash, and chained over all of it.

use std::fs;
use std::path::Path;

use proto::segment::{Found, Kind, Manifest, Trail, Walked, check};

use super::super::outbox::tests::{keeping, record};
use super::*;

fn settings(records: u64) -> Settings {
    Settings { segment_records: records, ..Settings::default() }
}

fn opened(dir: &Path, boot_id: &str, settings: Settings) -> Segments {
    Segments::open(keeping(dir, boot_id), settings, Arc::default()).unwrap().0
}

fn records(count: u128) -> Vec<Record> {
    (0..count).map(record).collect()
}

fn manifest(dir: &Path, number: u64) -> Option<Manifest> {
    let text = fs::read(file::path(dir, number, MANIFEST)).ok()?;
    Some(Signed::read(&text).unwrap().manifest)
}

/// What a verifier says of everything that is sealed.
fn verified(dir: &Path) -> Walked {
    let mut trail = Trail::default();
    for number in file::numbers(dir, MANIFEST).unwrap() {
        let signed = Signed::read(&fs::read(file::path(dir, number, MANIFEST)).unwrap()).unwrap();
        let lines = fs::read(file::path(dir, number, LINES)).unwrap();
        let checked = check(&signed.manifest, &lines[..]).unwrap();
        trail.add(Found { hash: signed.hash(), manifest: signed.manifest, missing: checked.missing });
    }
    trail.walk()
}

#[test]
fn a_segment_is_sealed_when_it_has_as_many_records_as_it_may() {
    let dir = tempfile::tempdir().unwrap();
    let mut segments = opened(dir.path(), "b", settings(4));
    segments.write(&records(3)).unwrap();
    segments.write(&records(6)).unwrap();
    let first = manifest(dir.path(), 1).unwrap();
    assert_eq!((first.first_seq, first.last_seq, first.count, first.ended), (1, 4, 4, Ended::Full));
    assert_eq!((first.first_revision, first.last_revision), (7, 7));
    assert_eq!((first.node.as_str(), first.geo.as_str(), first.previous), ("eu-1", "eu", NOTHING));
    segments.end().unwrap();
    let last = manifest(dir.path(), 3).unwrap();
    assert_eq!((last.first_seq, last.last_seq, last.ended), (9, 9, Ended::Shutdown));
    segments.end().unwrap();
    assert_eq!(manifest(dir.path(), 4), None, "an end is told once");
    assert_eq!(segments.held.load(Ordering::Relaxed), file::held(dir.path()).unwrap());
    let walked = verified(dir.path());
    assert_eq!((walked.segments, walked.records, walked.gaps), (3, 9, vec![]));

    // The next process goes on where this one ended.
    let mut next = opened(dir.path(), "c", settings(4));
    next.write(&records(1)).unwrap();
    next.end().unwrap();
    assert_eq!(verified(dir.path()).gaps, []);
    let bytes = Settings { file_bytes: 1, ..settings(100) };
    let mut by_bytes = opened(dir.path(), "d", bytes);
    by_bytes.write(&records(1)).unwrap();
    by_bytes.write(&records(1)).unwrap();
    assert_eq!(manifest(dir.path(), 5).unwrap().ended, Ended::Full);
}

#[test]
fn a_segment_with_records_is_sealed_when_it_is_old() {
    let dir = tempfile::tempdir().unwrap();
    let mut segments = opened(dir.path(), "b", Settings { segment_age: Duration::ZERO, ..settings(10) });
    assert_eq!(segments.due(), None, "one without records never is");
    segments.turn();
    segments.write(&records(2)).unwrap();
    assert!(segments.due().unwrap() <= Instant::now());
    segments.turn();
    assert_eq!(manifest(dir.path(), 1).unwrap().ended, Ended::Time);
    assert_eq!(segments.due(), None);
    // What was sealed before the end does not say that there was one: that is said without lines.
    segments.end().unwrap();
    let end = manifest(dir.path(), 2).unwrap();
    assert_eq!((end.first_seq, end.last_seq, end.count, end.ended), (3, 2, 0, Ended::Shutdown));
    let mut young = opened(dir.path(), "c", settings(10));
    young.write(&records(1)).unwrap();
    young.turn();
    assert_eq!(manifest(dir.path(), 3), None);
    young.write(&records(9)).unwrap();
    young.turn();
    assert_eq!(manifest(dir.path(), 3).unwrap().ended, Ended::Full, "what is full is not waited with");
    assert!(verified(dir.path()).gaps.is_empty());
    young.end().unwrap();
    drop(young);
    opened(dir.path(), "d", settings(10)).end().unwrap();
    assert_eq!(file::numbers(dir.path(), MANIFEST).unwrap(), [1, 2, 3, 4], "who wrote nothing tells no end");
}

#[test]
fn what_a_crash_left_is_sealed_whole_at_the_next_start_and_its_end_is_a_gap() {
    let dir = tempfile::tempdir().unwrap();
    let mut segments = opened(dir.path(), "b", settings(10));
    segments.write(&records(3)).unwrap();
    drop(segments);
    let path = file::path(dir.path(), 1, LINES);
    let whole = fs::read(&path).unwrap();
    fs::write(&path, [&whole[..], b"{\"seq\":4,\"bo"].concat()).unwrap();

    let mut next = opened(dir.path(), "c", settings(10));
    assert_eq!(fs::read(&path).unwrap(), whole);
    let recovered = manifest(dir.path(), 1).unwrap();
    assert_eq!((recovered.boot_id.as_str(), recovered.last_seq, recovered.torn), ("b", 3, 12));
    assert_eq!(recovered.ended, Ended::Recovered);
    assert_eq!(
        (recovered.first_revision, recovered.from),
        (7, policy_engine::vocabulary::Instant(1_767_225_600_000_000))
    );
    next.write(&records(1)).unwrap();
    next.end().unwrap();
    let gaps = verified(dir.path()).gaps;
    assert_eq!((gaps.len(), gaps[0].boot_id.as_str(), gaps[0].seqs), (1, "b", (Some(4), None)));
    // A start that was itself ended before it wrote anything leaves nothing behind.
    drop(opened(dir.path(), "d", settings(10)));
    drop(opened(dir.path(), "e", settings(10)));
    assert_eq!(file::numbers(dir.path(), LINES).unwrap(), [1, 2, 3]);
}

#[test]
fn what_is_not_as_it_was_written_or_of_an_earlier_build_is_left_and_not_sealed() {
    let dir = tempfile::tempdir().unwrap();
    private::own_dir(dir.path()).unwrap();
    fs::write(file::path(dir.path(), 1, LINES), "{\"requestId\":\"r\",\"status\":200}\n").unwrap();
    let mut segments = opened(dir.path(), "b", settings(10));
    segments.write(&records(2)).unwrap();
    drop(segments);
    let path = file::path(dir.path(), 2, LINES);
    let changed = fs::read_to_string(&path).unwrap().replacen("\"status\":200", "\"status\":403", 1);
    fs::write(&path, &changed).unwrap();
    let mut next = opened(dir.path(), "c", settings(10));
    next.write(&records(1)).unwrap();
    next.end().unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), changed);
    assert_eq!(file::numbers(dir.path(), MANIFEST).unwrap(), [3]);
}

#[test]
fn records_that_had_no_place_leave_their_numbers_out() {
    let dir = tempfile::tempdir().unwrap();
    let mut segments = opened(dir.path(), "b", settings(10));
    segments.lost(0);
    segments.write(&records(2)).unwrap();
    segments.lost(3);
    segments.lost(3);
    segments.write(&records(1)).unwrap();
    segments.lost(4);
    segments.end().unwrap();
    let gaps = verified(dir.path()).gaps;
    let shown: Vec<_> = gaps.iter().map(|gap| gap.seqs).collect();
    assert_eq!(shown, [(Some(3), Some(5)), (Some(7), Some(7))]);
}

#[test]
fn a_segment_that_can_not_be_signed_is_written_on_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut segments = opened(dir.path(), "b", settings(2));
    segments.keeping.seal = Seal::of("spiffe://chancery/geo/eu/node/eu-1", |_| anyhow::bail!("no key"));
    segments.write(&records(5)).unwrap();
    assert!(file::numbers(dir.path(), MANIFEST).unwrap().is_empty());
    segments.keeping.seal = keeping(dir.path(), "b").seal;
    segments.again = None;
    segments.write(&records(1)).unwrap();
    segments.end().unwrap();
    let counts: Vec<u64> = [1, 2].map(|number| manifest(dir.path(), number).unwrap().count).into();
    assert_eq!(counts, [5, 1]);
}

#[test]
fn a_batch_that_comes_again_after_a_failure_is_written_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut segments = opened(dir.path(), "b", settings(2));
    // A directory in the second segment's place.
    let second = file::path(dir.path(), 2, LINES);
    fs::create_dir(&second).unwrap();
    assert!(segments.write(&records(3)).is_err());
    assert!(segments.write(&records(3)).is_err());
    fs::remove_dir(&second).unwrap();
    segments.write(&records(4)).unwrap();
    segments.end().unwrap();
    assert_eq!(verified(dir.path()).records, 4);
    let text = fs::read_to_string(file::path(dir.path(), 1, LINES)).unwrap();
    let forged = text.replacen("eu", "us", 1);
    let signed = manifest(dir.path(), 1).unwrap();
    assert_eq!(check(&signed, forged.as_bytes()).unwrap_err().kind, Kind::Invalid);
}

#[test]
fn content_is_written_before_its_record_once_and_told_by_it() {
    use crate::captured::tests::{gathered, key};
    let dir = tempfile::tempdir().unwrap();
    let to = key().0;
    let of = |number: u128, to| {
        let content = Some(gathered(&format!("r-{number}"), ("acme", "30d"), to));
        Record { content, ..record(number) }
    };
    let all = [of(0, Some(&to)), record(1), of(2, Some(&to)), of(3, None)];
    let mut segments = opened(dir.path(), "b", settings(2));
    let second = file::path(dir.path(), 2, LINES);
    fs::create_dir(&second).unwrap();
    for _ in 0..3 {
        assert!(segments.write(&all).is_err());
    }
    fs::remove_dir(&second).unwrap();
    segments.write(&all).unwrap();
    segments.end().unwrap();
    assert_eq!(verified(dir.path()).records, 4);
    let text =
        [1, 2].map(|number| fs::read_to_string(file::path(dir.path(), number, LINES)).unwrap()).concat();
    let told = text.lines().map(|line| {
        let mut record: serde_json::Value = serde_json::from_str(line).unwrap();
        record["captured"].take()
    });
    let told: Vec<_> = told.collect();
    assert_eq!((&told[1], &told[3]), (&serde_json::Value::Null, &serde_json::json!({"lost": "no_key"})));
    let mut content = dir.path().join(CONTENT);
    while content.is_dir() {
        let mut entries = fs::read_dir(&content).unwrap();
        content = entries.next().unwrap().unwrap().path();
        assert!(entries.next().is_none(), "one day, one tenant, one file");
    }
    assert!(content.to_str().unwrap().contains(told[0]["file"].as_str().unwrap()));
    let text = fs::read_to_string(content).unwrap();
    let lines: Vec<String> =
        text.lines().map(|line| proto::segment::hex(&proto::captured::hash(line.as_bytes()))).collect();
    assert_eq!(lines, [0, 2].map(|at: usize| told[at]["sha256"].as_str().unwrap().to_owned()), "each once");
}

#[test]
fn nobody_but_the_owner_reads_a_record() {
    use std::os::unix::fs::PermissionsExt as _;
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("outbox");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let mut segments = opened(&dir, "b", settings(1));
    segments.write(&records(2)).unwrap();
    let files =
        [(1, LINES), (1, MANIFEST), (2, LINES)].map(|(number, ending)| file::path(&dir, number, ending));
    assert_eq!((mode(&dir), files.clone().map(|path| mode(&path))), (0o700, [0o600; 3]));
    fs::set_permissions(&files[0], fs::Permissions::from_mode(0o644)).unwrap();
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).unwrap();
    drop(segments);
    drop(opened(&dir, "c", settings(1)));
    assert_eq!((mode(&dir), files.map(|path| mode(&path))), (0o700, [0o600; 3]));
}
